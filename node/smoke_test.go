package node_test

import (
	"fmt"
	"testing"

	"conclave/actor"
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

func TestBossDelegatesToWorkersOfAllNodes(t *testing.T) {
	everyWay(t, func(c *cluster) {
		nodes := c.nodes(3)
		for _, n := range nodes {
			n.Spawn(worker)
			if _, err := n.RegisterCandidate(c.brief(), "boss", boss); err != nil {
				c.Fatal(err)
			}
			if c.one {
				break
			}
		}
		workers := len(c.members)
		guest := c.guest("requestor")
		for _, m := range c.members {
			if _, err := m.WaitCapable(c.brief(), "worker", workers); err != nil {
				c.Fatal(err)
			}
		}
		by := make(map[actor.PID]int)
		for i := range 9 {
			m, err := guest.CallGlobal(c.brief(), "boss", job{fmt.Sprint("job ", i)})
			if err != nil {
				c.Fatal(err)
			}
			by[as[taken](c, m).By]++
		}
		if len(by) != workers {
			c.Errorf("jobs went to %v, want %d workers", by, workers)
		}
	})
}
