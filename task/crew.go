package task

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"
)

// crew is who does tasks on this node: a worker, or in a divided scope one for each
// part, which share its slots. Until it is known which, it keeps what it is told.
type crew struct {
	q    *Queue
	room *room // nil: not shared
	turn atomic.Uint32
	from int // the part that has the first of what cannot be divided evenly: not the same on all nodes

	mu      sync.Mutex
	workers []*worker // nil: it is not known yet
	early   []handling
	leaves  bool // the node drains
}

// hire takes the workers on.
func (c *crew) hire(parts int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.workers = []*worker{newWorker(c.q.n, c.q.scope, c.q.cfg)}
	if parts > 1 {
		c.room = newRoom(c.q.cfg.Slots)
		c.workers = make([]*worker, parts)
		name := ulid.Make().String()
		c.from = rand.IntN(parts)
		for part := range c.workers {
			cfg := c.q.cfg
			cfg.Slots = share(cfg.Slots, (part+c.from)%parts, parts)
			w := newWorker(c.q.n, c.q.scope, cfg)
			w.area, w.name, w.room = area{scope: c.q.scope, part: part, parts: parts}, name, c.room
			c.workers[part] = w
		}
	}
	if c.leaves {
		for _, w := range c.workers {
			w.post(leave{})
		}
	}
	for _, h := range c.early {
		if err := c.tell(h); err != nil {
			c.q.cfg.Logger.Error("a kind cannot be handled", "scope", c.q.scope, "kind", h.kind, "error", err)
		}
	}
	c.early = nil
}

// tell tells all workers what to handle. c.mu is held.
func (c *crew) tell(h handling) error {
	c.room.limit(h.kind, h.slots)
	for part, w := range c.workers {
		own := h
		if h.slots > 0 {
			own.slots = share(h.slots, (part+c.from)%len(c.workers), len(c.workers))
		}
		if h.handler == nil {
			w.unhandle(h.kind)
		} else if err := w.handle(h.kind, h.handler, own.slots); err != nil {
			return err
		}
	}
	return nil
}

func (c *crew) handle(kind string, h Handler, slots int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.workers != nil {
		return c.tell(handling{kind, h, slots})
	}
	select {
	case <-c.q.known:
		return c.q.trouble
	case <-c.q.ctx.Done():
		return fmt.Errorf("%w: scope %q", ErrClosed, c.q.scope)
	default:
	}
	if err := mayWork(c.q.n); err != nil {
		return err
	}
	c.early = append(c.early, handling{kind, h, slots})
	return nil
}

func (c *crew) unhandle(kind string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.workers == nil {
		c.early = append(c.early, handling{kind: kind})
		return
	}
	_ = c.tell(handling{kind: kind})
}

func (c *crew) all() []*worker {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.workers
}

// leave has all leave in order, as the node does.
func (c *crew) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leaves = true
	for _, w := range c.workers {
		w.post(leave{})
	}
}

// close ends all of them, at the same time.
func (c *crew) close(ctx context.Context) error {
	all := c.all()
	errs := make([]error, len(all))
	var closed sync.WaitGroup
	for i, w := range all {
		closed.Go(func() { errs[i] = w.close(ctx) })
	}
	closed.Wait()
	return errors.Join(errs...)
}

// takeFirst is how long a taker waits for one part's task before it asks all others,
// too: while there is work everywhere, one part has some, and the others need not give
// what would go back.
const takeFirst = 20 * time.Millisecond

// take waits for a task of any part.
func (c *crew) take(ctx context.Context, kinds []string) (*Lease, error) {
	if _, err := c.q.leader(ctx); err != nil {
		return nil, err
	}
	all := c.all()
	if len(all) == 1 {
		return all[0].take(ctx, kinds...)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	got := make(chan taken, len(all))
	ask := func(w *worker) {
		l, err := w.take(ctx, kinds...)
		got <- taken{l, err}
	}
	first := int(c.turn.Add(1)) % len(all)
	go ask(all[first])
	wait := time.NewTimer(takeFirst)
	defer wait.Stop()
	select {
	case t := <-got:
		return t.lease, t.err
	case <-wait.C:
	}
	for i, w := range all {
		if i != first {
			go ask(w)
		}
	}
	t := <-got
	cancel()
	go func() { // who comes late gives back what it has been given
		for range len(all) - 1 {
			if late := <-got; late.lease != nil {
				_ = late.lease.say("release", errReleased)
			}
		}
	}()
	return t.lease, t.err
}
