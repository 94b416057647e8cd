//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"conclave/actor"
	"conclave/node"
)

// What members say to each other.
type (
	// Order asks the holder of a name for something, Work a worker for the same.
	Order struct{ ID string }
	Work  struct{ ID string }
	// Done answers both; Failed is why it was perhaps not done.
	Done struct{ Failed string }
	// Beat is what a holder sends to every worker all the time.
	Beat struct{ Count int }
)

const (
	beatEvery  = 100 * time.Millisecond
	orderEvery = 200 * time.Millisecond
)

// company is what one member does beside being a node.
type company struct {
	n     *node.Node
	notes *notes
	next  atomic.Int64 // number of the last order
}

// stand stands for a name.
func (c *company) stand(ctx context.Context, name string) {
	for ctx.Err() == nil {
		if _, err := c.n.RegisterCandidate(ctx, name, c.hold); err == nil || ctx.Err() != nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// resign takes the candidacy back and stands again.
func (c *company) resign(ctx context.Context, name string) {
	within, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_ = c.n.Withdraw(within, name)
	c.stand(ctx, name)
}

// transfer hands the name over to another member, if this one holds it.
func (c *company) transfer(ctx context.Context, name string) {
	within, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	nodes, err := c.n.Nodes(within)
	nodes = slices.DeleteFunc(nodes, func(id actor.NodeID) bool { return id == c.n.ID() })
	if err == nil && len(nodes) > 0 {
		err = c.n.Transfer(within, name, nodes[rand.IntN(len(nodes))])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "transfer:", err)
	}
}

// hold is what the holder of a name does: it sends to all workers, and gives each
// order to one of them.
func (c *company) hold(p *actor.Process) error {
	p.Spawn(c.beat)
	for {
		order, m, err := actor.Expect[Order](p)
		if err != nil {
			return err
		}
		answer := Done{}
		workers, err := p.GetCapable("worker")
		if err == nil && len(workers) == 0 {
			err = errors.New("no worker")
		}
		if err == nil {
			answer, err = actor.Call[Done](p.Within(time.Second), workers[rand.IntN(len(workers))], Work(order))
		}
		if err != nil {
			answer.Failed = err.Error()
		}
		if err := p.Reply(m, answer); err != nil && p.Err() != nil {
			return err
		}
	}
}

func (c *company) beat(p *actor.Process) error {
	every := time.NewTicker(beatEvery)
	defer every.Stop()
	for count := 1; ; count++ {
		workers, err := p.GetCapable("worker")
		if err != nil {
			return err
		}
		for _, w := range workers {
			if err := p.Send(w, Beat{count}); err != nil {
				return err
			}
		}
		select {
		case <-every.C:
		case <-p.Done():
			return context.Cause(p)
		}
	}
}

// work is one worker, for the whole life of the program.
func (c *company) work(ctx context.Context) {
	over := make(chan struct{})
	pid := c.n.Spawn(c.worker, actor.OnExit(func(actor.PID, error) { close(over) }))
	for ctx.Err() == nil {
		if _, err := c.n.Register(ctx, "worker", pid); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	<-ctx.Done()
	c.n.Exit(pid, actor.Shutdown)
	<-over
}

// worker does jobs and keeps a counter for each term it hears from. It must never
// hear from a lower one after a higher.
func (c *company) worker(p *actor.Process) error {
	last := map[string]actor.Term{}
	counts := map[string]int{}
	tell := func(name string) {
		if counts[name] > 0 {
			c.notes.put(note{What: noteHeard, Name: name, Number: last[name].Number(), Count: counts[name]})
		}
		counts[name] = 0
	}
	for {
		m, err := p.Receive()
		if err != nil {
			for name := range last {
				tell(name)
			}
			return err
		}
		if m.Term.IsZero() {
			continue
		}
		name := m.Term.Scope()
		switch before := last[name]; {
		case before.Cluster() == m.Term.Cluster() && m.Term.Number() < before.Number():
			c.notes.put(note{What: noteRegress, Name: name, Number: m.Term.Number(), ID: fmt.Sprint("after ", before.Number())})
		case before != m.Term:
			tell(name)
			last[name] = m.Term
		}
		counts[name]++
		if w, ok := actor.As[Work](m); ok {
			c.notes.put(note{What: noteDone, ID: w.ID, Name: name, Number: m.Term.Number()})
			_ = p.Reply(m, Done{})
		}
	}
}

// order hands in jobs and notes what became of each.
func (c *company) order(ctx context.Context) {
	every := time.NewTicker(orderEvery)
	defer every.Stop()
	for turn := 0; ; turn++ {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		id := fmt.Sprintf("%016x-%d", c.n.ID().Incarnation, c.next.Add(1))
		name := names[turn%len(names)]
		within, cancel := context.WithTimeout(ctx, 3*time.Second)
		m, err := c.n.CallGlobal(within, name, Order{id})
		cancel()
		done, ok := actor.As[Done](m)
		what := noteUnknown
		switch {
		case err == nil && ok && done.Failed == "":
			what = noteAcked
		case errors.Is(err, node.ErrNoHolder) && !errors.Is(err, node.ErrUnknownOutcome):
			what = noteUnsent
		}
		c.notes.put(note{What: what, ID: id, Name: name})
	}
}
