package task

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"conclave/actor"
	"conclave/node"
)

// couriers answer calls from other nodes, each those of one node: a reply waits while
// there is no room on its way, and the dispatcher does not. A courier is there as
// long as it has something to carry.
type couriers struct {
	away  sync.WaitGroup // those that are under way
	mu    sync.Mutex
	bound map[actor.NodeID][]message // by those that are under way
}

// answer hands answers over.
func (c *couriers) answer(p *actor.Process, all []message) {
	if len(all) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bound == nil {
		c.bound = make(map[actor.NodeID][]message)
	}
	for _, m := range all {
		to := m.call.(actor.Message).From.Node()
		bag, underWay := c.bound[to]
		c.bound[to] = append(bag, m)
		if !underWay {
			c.away.Add(1)
			p.Spawn(func(p *actor.Process) error { return c.carry(p, to) }, actor.OnExit(func(actor.PID, error) { c.away.Done() }))
		}
	}
}

// wait waits until all are back, or ctx ends.
func (c *couriers) wait(ctx context.Context) {
	back := make(chan struct{})
	go func() {
		c.away.Wait()
		close(back)
	}()
	select {
	case <-back:
	case <-ctx.Done():
	}
}

// carry is a courier.
func (c *couriers) carry(p *actor.Process, to actor.NodeID) error {
	for {
		c.mu.Lock()
		bag := c.bound[to]
		if len(bag) == 0 {
			delete(c.bound, to)
			c.mu.Unlock()
			return nil
		}
		c.bound[to] = bag[:0:0]
		c.mu.Unlock()
		for _, m := range bag {
			m.reply(p)
		}
	}
}

// reply answers a call. Who asked may have gone: no matter.
func (m message) reply(p *actor.Process) {
	call := m.call.(actor.Message)
	if err := p.Reply(call, m.body); errors.Is(err, node.ErrTooLarge) {
		p.Reply(call, fmt.Errorf("%w: the answer to a %s: %w", ErrTooLarge, call.Type(), err))
	}
}
