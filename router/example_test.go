package router_test

import (
	"context"
	"fmt"

	"conclave/actor"
	"conclave/router"
)

type add struct{ customer, item string }

func ExampleConsistentHash() {
	s := actor.NewSystem(actor.SystemConfig{Node: actor.NodeID{Name: "example"}})
	cart := func(p *actor.Process) error {
		items := make(map[string]int)
		for {
			a, m, err := actor.Expect[add](p)
			if err != nil {
				return err
			}
			items[a.customer]++
			if err := p.Reply(m, items[a.customer]); err != nil {
				return err
			}
		}
	}
	// Of a cluster: router.Service("cart"), and n.With(ctx) as the sender.
	carts := router.ConsistentHash(router.Fixed(s.Spawn(cart), s.Spawn(cart), s.Spawn(cart)),
		func(body any) string { return body.(add).customer })
	done := make(chan struct{})
	s.Spawn(func(p *actor.Process) error {
		defer close(done)
		for _, a := range []add{{"ann", "tea"}, {"bob", "rice"}, {"ann", "salt"}} {
			n, err := router.Call[int](carts, p, a)
			fmt.Println(a.customer, n, err)
		}
		return nil
	})
	<-done
	_ = s.Stop(context.Background(), actor.Shutdown)
	// Output:
	// ann 1 <nil>
	// bob 1 <nil>
	// ann 2 <nil>
}
