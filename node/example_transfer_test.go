package node_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"conclave/actor"
	"conclave/node"
	"conclave/zkdev"
)

// Count is what the holders of the example hand on.
type Count struct{ Tickets int }

// tickets hands out numbered tickets. It goes on where the holder before left
// off, if that could say; after an ordinary election it would ask a database.
func tickets(p *actor.Process) error {
	count, _ := actor.Inherited[Count](p)
	for {
		m, err := p.Receive()
		if errors.Is(err, actor.ErrHandOver) {
			return p.HandOver(count)
		}
		if err != nil {
			return err
		}
		if m.IsCall() {
			count.Tickets++
			if err := p.Reply(m, count.Tickets); err != nil {
				return err
			}
		}
	}
}

// A machine is to be taken out of service: what it holds moves to another, with
// its state, and nobody who sends by name notices.
func ExampleNode_Transfer() {
	zk := zkdev.New(zkdev.Config{})
	defer zk.Close()
	ctx := context.Background()
	var nodes []*node.Node
	for _, name := range []string{"old", "other", "new"} {
		n := startExample(zk, name)
		defer stopExample(n)
		if _, err := n.RegisterCandidate(ctx, "tickets", tickets); err != nil {
			log.Fatal(err)
		}
		nodes = append(nodes, n)
	}
	next := func() {
		reply, err := nodes[1].CallGlobal(ctx, "tickets", "one, please")
		if err != nil {
			log.Fatal(err)
		}
		number, _ := actor.As[int](reply)
		fmt.Println("ticket", number)
	}
	next()
	next()
	if err := nodes[0].Transfer(ctx, "tickets", nodes[2].ID()); err != nil {
		log.Fatal(err)
	}
	next()
	line, err := nodes[1].Candidates(ctx, "tickets")
	if err != nil {
		log.Fatal(err)
	}
	for _, n := range line[:2] { // and soon, at the back, the old one
		fmt.Println(n.Name)
	}
	// Output:
	// ticket 1
	// ticket 2
	// ticket 3
	// new
	// other
}
