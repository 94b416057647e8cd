package global_test

import (
	"context"
	"fmt"
	"net"

	"conclave/actor"
	"conclave/global"
	"conclave/internal/keeper"
	"conclave/zkdev"
)

func Example() {
	ctx := context.Background()
	server := zkdev.New(zkdev.Config{})
	defer server.Close()

	// Two nodes, as package node makes them.
	var nodes []*global.Globals
	for i, name := range []string{"first", "second"} {
		id := actor.NodeID{Name: name, Address: "127.0.0.1:1", Incarnation: uint64(i) + 1}
		k, err := keeper.Open(keeper.Config{
			Servers: []string{"zk:2181"}, Incarnation: id.Incarnation,
			Dial: func(context.Context, string) (net.Conn, error) { return server.Dial() },
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		defer k.Close(ctx)
		g := global.New(global.Config{Keeper: k, System: actor.NewSystem(actor.SystemConfig{Node: id})})
		defer g.Close(ctx)
		nodes = append(nodes, g)
	}

	began := make(chan string, 2)
	boss := global.Run(func(p *actor.Process) error {
		began <- fmt.Sprint("I'm the boss, under ", p.Term().Scope(), "'s term, on ", p.Self().Node().Name)
		<-p.Done()
		return nil
	})
	for _, g := range nodes {
		pid, err := g.Register(ctx, "boss", boss)
		fmt.Println("the boss is on", pid.Node().Name, err)
	}
	fmt.Println(<-began)
	// The first one withdraws; the next in line takes over.
	if err := nodes[0].Withdraw(ctx, "boss"); err != nil {
		fmt.Println(err)
	}
	fmt.Println(<-began)
	pid, err := nodes[1].Whereis(ctx, "boss")
	fmt.Println("the boss is on", pid.Node().Name, err)

	// Output:
	// the boss is on first <nil>
	// the boss is on first <nil>
	// I'm the boss, under boss's term, on first
	// I'm the boss, under boss's term, on second
	// the boss is on second <nil>
}
