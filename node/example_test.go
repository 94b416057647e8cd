package node_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"time"

	"conclave/actor"
	"conclave/node"
	"conclave/zkdev"
)

// Greeting is a message. Any type can be one; nothing is registered.
type Greeting struct{ Name string }

// startExample makes a node for an example, over TCP on loopback. In a program
// ZooKeeper would be the servers' addresses and nothing else.
func startExample(zk *zkdev.Server, name string) *node.Node {
	n, err := node.Start(context.Background(), node.Config{
		Name:          name,
		ZooKeeper:     []string{"in memory"},
		DialZooKeeper: zk.DialContext,
		Logger:        slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	return n
}

func stopExample(n *node.Node) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		log.Print(err)
	}
}

// A process is a function with a mailbox. Others send to its PID, which they get
// from Spawn, from a message, or by looking up a service.
func Example() {
	zk := zkdev.New(zkdev.Config{})
	defer zk.Close()
	here, there := startExample(zk, "here"), startExample(zk, "there")
	defer stopExample(here)
	defer stopExample(there)
	ctx := context.Background()

	greeter := there.Spawn(func(p *actor.Process) error {
		for {
			g, m, err := actor.Expect[Greeting](p)
			if err != nil {
				return err // the process must end
			}
			if err := p.Reply(m, "Hello, "+g.Name+"!"); err != nil {
				return err
			}
		}
	})
	if _, err := there.Register(ctx, "greeter", greeter); err != nil {
		log.Fatal(err)
	}

	pids, err := here.WaitCapable(ctx, "greeter", 1)
	if err != nil {
		log.Fatal(err)
	}
	said, err := actor.Call[string](here.Within(time.Second), pids[0], Greeting{"world"})
	fmt.Println(said, err)
	// Output: Hello, world! <nil>
}

// Of all candidates for a name exactly one holds it. When it leaves, the next
// takes over, and callers follow.
func ExampleNode_RegisterCandidate() {
	zk := zkdev.New(zkdev.Config{})
	defer zk.Close()
	first, second := startExample(zk, "first"), startExample(zk, "second")
	defer stopExample(second)
	ctx := context.Background()

	boss := func(p *actor.Process) error {
		for {
			_, m, err := actor.Expect[string](p)
			if err != nil {
				return err // the term is over, or the node is leaving
			}
			if err := p.Reply(m, "the boss is on "+p.Self().Node().Name); err != nil {
				return err
			}
		}
	}
	for _, n := range []*node.Node{first, second} {
		if _, err := n.RegisterCandidate(ctx, "boss", boss); err != nil {
			log.Fatal(err)
		}
	}
	ask := func() {
		m, err := second.CallGlobal(ctx, "boss", "where are you?")
		fmt.Println(m.Body(), err)
	}
	ask()
	stopExample(first)
	ask()
	// Output:
	// the boss is on first <nil>
	// the boss is on second <nil>
}

// A term's number rises with every holder and is never used twice. A store that
// remembers the highest it has seen, and refuses lower ones, is safe from a
// holder that does not know yet that it has been deposed.
func ExampleNode_Holding() {
	zk := zkdev.New(zkdev.Config{})
	defer zk.Close()
	n := startExample(zk, "n")
	defer stopExample(n)
	ctx := context.Background()

	highest := int64(0) // in the store
	write := func(term actor.Term) bool {
		if term.Number() < highest {
			return false
		}
		highest = term.Number()
		return true
	}
	holder := func(p *actor.Process) error {
		<-p.Done()
		return nil
	}
	if _, err := n.RegisterCandidate(ctx, "writer", holder); err != nil {
		log.Fatal(err)
	}
	old, held := n.Holding("writer")
	fmt.Println(old.Scope(), held, write(old))

	if err := n.Withdraw(ctx, "writer"); err != nil {
		log.Fatal(err)
	}
	if _, err := n.RegisterCandidate(ctx, "writer", holder); err != nil {
		log.Fatal(err)
	}
	now, held := n.Holding("writer")
	fmt.Println(now.Scope(), held, write(now))
	fmt.Println("the old term writes:", write(old))
	// Output:
	// writer true true
	// writer true true
	// the old term writes: false
}

// A message that may have been accepted is not repeated: the caller decides.
func ExampleNode_CallGlobal() {
	zk := zkdev.New(zkdev.Config{})
	defer zk.Close()
	n := startExample(zk, "n")
	defer stopExample(n)
	ctx := context.Background()

	if _, err := n.RegisterCandidate(ctx, "printer", func(p *actor.Process) error {
		if _, err := p.Receive(); err != nil {
			return err
		}
		return errors.New("paper jam") // it may have printed something
	}); err != nil {
		log.Fatal(err)
	}
	_, err := n.CallGlobal(ctx, "printer", "a page")
	fmt.Println(errors.Is(err, node.ErrUnknownOutcome))

	brief, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	_, err = n.CallGlobal(brief, "plotter", "a plan")
	fmt.Println(errors.Is(err, node.ErrNoHolder))
	// Output:
	// true
	// true
}

// A local name is advertised as a service by itself, and goes when its process
// ends.
func ExampleNode_SendCapable() {
	zk := zkdev.New(zkdev.Config{})
	defer zk.Close()
	n := startExample(zk, "n")
	defer stopExample(n)
	ctx := context.Background()

	heard := make(chan string)
	for range 3 {
		pid := n.Spawn(func(p *actor.Process) error {
			text, _, err := actor.Expect[string](p)
			if err != nil {
				return err
			}
			heard <- text
			return nil
		})
		if _, err := n.Register(ctx, "choir", pid); err != nil {
			log.Fatal(err)
		}
	}
	count, err := n.SendCapable(ctx, "choir", "la la la")
	fmt.Println(count, err)
	for range count {
		fmt.Println(<-heard)
	}
	// Output:
	// 3 <nil>
	// la la la
	// la la la
	// la la la
}

// Who monitors a process is told when it ends, wherever it lives, and when its
// node cannot be reached any more.
func ExampleNode_Spawn_monitor() {
	zk := zkdev.New(zkdev.Config{})
	defer zk.Close()
	here, there := startExample(zk, "here"), startExample(zk, "there")
	defer stopExample(here)
	defer stopExample(there)

	worker := there.Spawn(func(p *actor.Process) error {
		<-p.Done()
		return context.Cause(p)
	})
	done := make(chan struct{})
	here.Spawn(func(p *actor.Process) error {
		defer close(done)
		p.Monitor(worker)
		p.Exit(worker, errors.New("no work today"))
		down, _, err := actor.Expect[actor.Down](p)
		if err != nil {
			return err
		}
		fmt.Println(down.PID == worker, down.Reason)
		return nil
	})
	<-done
	// Output: true no work today
}

// A node without a listener asks, and offers nothing: a program that lives for a
// moment.
func ExampleConfig_guest() {
	zk := zkdev.New(zkdev.Config{})
	defer zk.Close()
	server := startExample(zk, "server")
	defer stopExample(server)
	ctx := context.Background()
	if _, err := server.RegisterCandidate(ctx, "oracle", func(p *actor.Process) error {
		for {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			if err := p.Reply(m, 42); err != nil {
				return err
			}
		}
	}); err != nil {
		log.Fatal(err)
	}

	guest, err := node.Start(ctx, node.Config{
		Name: "guest", Guest: true, ZooKeeper: []string{"in memory"}, DialZooKeeper: zk.DialContext,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer stopExample(guest)
	reply, err := guest.CallGlobal(ctx, "oracle", "the question")
	if err != nil {
		log.Fatal(err)
	}
	answer, ok := actor.As[int](reply)
	fmt.Println(answer, ok)
	// Output: 42 true
}

// Facts in the life of a node come as events; those of one link or one global in
// order.
func ExampleConfig_events() {
	zk := zkdev.New(zkdev.Config{})
	defer zk.Close()
	terms := make(chan node.Event, 10)
	n, err := node.Start(context.Background(), node.Config{
		ZooKeeper: []string{"in memory"}, DialZooKeeper: zk.DialContext, Logger: slog.New(slog.DiscardHandler),
		OnEvent: func(e node.Event) {
			if e.Kind == node.TermBegan || e.Kind == node.TermEnded {
				terms <- e // it must not block: there is room
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := n.RegisterCandidate(context.Background(), "boss", func(p *actor.Process) error {
		<-p.Done()
		return nil
	}); err != nil {
		log.Fatal(err)
	}
	stopExample(n)
	began, ended := <-terms, <-terms
	fmt.Println(began.Kind, began.Term.Scope())
	fmt.Println(ended.Kind, ended.Term == began.Term)
	// Output:
	// term began boss
	// term ended true
}
