package registry_test

import (
	"context"
	"fmt"
	"net"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
	"conclave/registry"
	"conclave/zkdev"
)

// A node registers a process, and whoever asks for the service finds it.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	zk := zkdev.New(zkdev.Config{})
	defer zk.Close()

	self := actor.NodeID{Name: "alpha", Address: "10.0.0.1:7000", Incarnation: 1}
	k, err := keeper.Open(keeper.Config{
		Servers: []string{"in memory"}, Incarnation: self.Incarnation, NodeData: []byte(self.String()),
		Dial: func(context.Context, string) (net.Conn, error) { return zk.Dial() },
	})
	if err != nil {
		panic(err)
	}
	defer k.Close(ctx)
	r, err := registry.New(registry.Config{Keeper: k, Self: self})
	if err != nil {
		panic(err)
	}
	defer r.Close()

	workers, err := r.GetCapable(ctx, "worker")
	fmt.Println(len(workers), "workers", err)

	if _, err := r.Register(ctx, "worker", actor.MakePID(self, 7)); err != nil {
		panic(err)
	}
	workers, err = r.GetCapable(ctx, "worker")
	fmt.Println(workers[0], err)

	// Output:
	// 0 workers <nil>
	// alpha@10.0.0.1:7000#0000000000000001.7 <nil>
}
