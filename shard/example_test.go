package shard_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"sync"
	"time"

	"conclave/actor"
	"conclave/node"
	"conclave/shard"
	"conclave/zkdev"
)

// Pay and Balance are messages.
type (
	Pay     struct{ Cents int }
	Balance struct{}
)

// Accounts, each a process, at one of two nodes. What they are when they end is kept in
// a map; a program would have a store that both nodes reach.
func ExampleStateful() {
	zk := zkdev.New(zkdev.Config{})
	defer zk.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var kept sync.Map
	account := shard.Stateful[int]{
		Load: func(p *actor.Process, key string) (int, error) {
			cents, _ := kept.Load(key)
			n, _ := cents.(int)
			return n, nil
		},
		Save: func(p *actor.Process, key string, cents *int) error {
			kept.Store(key, *cents)
			return nil
		},
		Receive: func(p *actor.Process, key string, cents *int, m actor.Message) error {
			if pay, ok := actor.As[Pay](m); ok {
				*cents += pay.Cents
				return nil
			}
			return p.Reply(m, *cents)
		},
	}
	var spaces []*shard.Space
	for _, name := range []string{"n1", "n2"} {
		n, err := node.Start(ctx, node.Config{
			Name: name, ZooKeeper: []string{"in memory"}, DialZooKeeper: zk.DialContext, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			log.Fatal(err)
		}
		defer n.Stop(ctx)
		sp, err := shard.Open(ctx, n, "accounts", shard.Config{Parts: 16, Entity: account.Entity})
		if err != nil {
			log.Fatal(err)
		}
		spaces = append(spaces, sp)
	}
	for i, sp := range spaces {
		if err := sp.Send(ctx, "ada", Pay{100 + i}); err != nil {
			log.Fatal(err)
		}
	}
	for _, sp := range spaces { // the same process, from wherever it is asked
		cents, err := shard.Call[int](sp.Node().With(ctx), sp, "ada", Balance{})
		fmt.Println(cents, err)
	}
	// Output:
	// 201 <nil>
	// 201 <nil>
}

// counter is an engine of one's own: what works on one part.
type counter struct{ counted int }

func (c *counter) run(p *actor.Process) error {
	for {
		c.counted++
		if _, err := p.ReceiveTimeout(time.Millisecond); !errors.Is(err, actor.ErrTimeout) {
			return err // it is to end
		}
	}
}

// Work that is not mail: for each part something runs, on one node at a time. It is
// stopped, and what it has reached is kept, before it goes on elsewhere.
func ExampleOpen_engine() {
	zk := zkdev.New(zkdev.Config{})
	defer zk.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	type engine struct {
		*counter
		pid actor.PID
	}
	var kept sync.Map // a program would have a store, and fence it with p.Term().Number()
	cfg := shard.Config{
		Parts: 4,
		OnGain: func(p *actor.Process, part int) error {
			before, _ := kept.Load(part)
			n, _ := before.(int)
			c := &counter{n}
			shard.Keep(p, engine{c, p.Spawn(c.run)})
			return nil // not later: until then the part could not move
		},
		OnLose: func(p *actor.Process, part int, why error) error {
			e, ok := shard.Kept[engine](p)
			if !ok || why != nil {
				return nil // OnGain has failed, or the part may be another's: nothing to keep
			}
			p.Monitor(e.pid)
			p.Exit(e.pid, actor.Normal)
			if _, _, err := actor.Expect[actor.Down](p); err != nil {
				return err
			}
			kept.Store(part, e.counted)
			return nil
		},
	}
	gained := make(chan shard.Event, 100)
	cfg.OnEvent = func(e shard.Event) {
		if e.Kind == shard.Gained {
			gained <- e
		}
	}
	var spaces []*shard.Space
	for _, name := range []string{"n1", "n2"} {
		n, err := node.Start(ctx, node.Config{
			Name: name, ZooKeeper: []string{"in memory"}, DialZooKeeper: zk.DialContext, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			log.Fatal(err)
		}
		defer n.Stop(ctx)
		sp, err := shard.Open(ctx, n, "engines", cfg)
		if err != nil {
			log.Fatal(err)
		}
		spaces = append(spaces, sp)
		for range 4 / len(spaces) { // all four for the first, two of them for the second
			<-gained
		}
	}
	fmt.Println("n1 leaves:", spaces[0].Close(ctx))
	<-gained
	<-gained
	fmt.Println("n2 leaves:", spaces[1].Close(ctx))
	for part := range 4 {
		if n, ok := kept.Load(part); !ok || n == 0 {
			fmt.Println("part", part, "has done nothing")
		}
	}
	// Output:
	// n1 leaves: <nil>
	// n2 leaves: <nil>
}

func ExamplePlan_Next() {
	plan, err := shard.NewPlan(12)
	if err != nil {
		fmt.Println(err)
		return
	}
	show := func(members ...shard.Member) {
		next, err := plan.Next(members)
		if err != nil {
			fmt.Println(err)
			return
		}
		moved := 0
		for part := range next.Parts() {
			was, _ := plan.Owner(part)
			if is, _ := next.Owner(part); is != was {
				moved++
			}
		}
		for _, m := range next.Members() {
			fmt.Print(m.ID, " ", len(next.PartsOf(m.ID)), ", ")
		}
		fmt.Println(moved, "moved")
		plan = next
	}
	ada, bob, cleo := shard.Member{ID: "ada", Weight: 1}, shard.Member{ID: "bob", Weight: 1}, shard.Member{ID: "cleo", Weight: 1}
	show(ada, bob)
	show(ada, bob, cleo)
	show(ada, cleo)
	ada.Weight = 2 // a larger machine
	show(ada, cleo)
	// Output:
	// ada 6, bob 6, 12 moved
	// ada 4, bob 4, cleo 4, 4 moved
	// ada 6, cleo 6, 4 moved
	// ada 8, cleo 4, 2 moved
}
