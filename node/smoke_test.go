package node_test

import (
	"fmt"
	"testing"
	"time"

	"conclave/actor"
	"conclave/node"
)

type job struct{ Text string }
type taken struct{ By actor.PID }

func worker(p *actor.Process) error {
	if err := p.Register("worker"); err != nil {
		return err
	}
	for {
		_, m, err := actor.Expect[job](p)
		if err != nil {
			return err
		}
		if err := p.Reply(m, taken{p.Self()}); err != nil {
			return err
		}
	}
}

func boss(p *actor.Process) error {
	for turn := 0; ; turn++ {
		j, m, err := actor.Expect[job](p)
		if err != nil {
			return err
		}
		workers, err := p.WaitCapable("worker", 1)
		if err != nil {
			return err
		}
		t, err := actor.Call[taken](p, workers[turn%len(workers)], j)
		if err != nil {
			return err
		}
		if err := p.Reply(m, t); err != nil {
			return err
		}
	}
}

func TestBossDelegatesToWorkersOfOtherNodes(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		nodes := b.startMany(3)
		for _, n := range nodes {
			n.Spawn(worker)
			if _, err := n.RegisterCandidate(within(t, time.Minute), "boss", boss); err != nil {
				t.Fatal(err)
			}
		}
		guest := b.start("guest", func(c *node.Config) { c.Guest, c.Listen = true, "" })
		by := make(map[actor.PID]int)
		must(guest.WaitCapable(within(t, time.Minute), "worker", 3))
		for i := range 9 {
			m, err := guest.CallGlobal(within(t, time.Minute), "boss", job{fmt.Sprint("job ", i)})
			if err != nil {
				t.Fatal(err)
			}
			r, ok := actor.As[taken](m)
			if !ok {
				t.Fatalf("reply is %s", m.Type())
			}
			by[r.By]++
		}
		if len(by) != 3 {
			t.Fatalf("jobs went to %v, want three workers", by)
		}
	})
}
