package transport_test

import (
	"context"
	"fmt"

	"conclave/transport"
)

// Two hosts of an in-memory network, a link with a secret, and a frame.
func ExampleNewNetwork() {
	ctx := context.Background()
	network := transport.NewNetwork()
	o := transport.Options{Secret: []byte("between us")}

	o.Hello = []byte("node b")
	listener, err := network.Host("b").Listen(ctx, "b:0", o)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer listener.Close()

	o.Hello = []byte("node a")
	link, err := network.Host("a").Dial(ctx, listener.Addr(), o)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer link.Close()

	encoder := transport.NewEncoder(link.MaxFrame())
	batch, err := encoder.Append(nil, &transport.Frame{Kind: transport.Message, From: 3, To: 8, Type: "string", Body: []byte("\xa5hello")})
	if err == nil {
		err = link.Write(transport.Messages, batch)
	}
	if err != nil {
		fmt.Println(err)
		return
	}

	peer, err := listener.Accept()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer peer.Close()
	var frame transport.Frame
	decoder := transport.NewDecoder(transport.LaneReader(peer, transport.Messages), 0)
	if err := decoder.Next(&frame); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s from %s: %d bytes of %s for process %d\n", frame.Kind, peer.Hello(), len(frame.Body), frame.Type, frame.To)
	// Output: Message from node a: 6 bytes of string for process 8
}
