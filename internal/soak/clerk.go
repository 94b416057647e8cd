package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"conclave/actor"
	"conclave/node"
)

// errand is what the clerk is called for, and done the answer.
type (
	errand struct {
		Caller string
		Number int
	}
	done struct{ Number int }
)

const clerkName = "clerk"

// clerk is a global that visitors stand for too: its holders leave in order or
// vanish. Two must never run at once, and no errand be done twice, or at all if its
// caller was told that it certainly was not.
type clerk struct {
	*world
	running atomic.Int32
	day     atomic.Pointer[day]
}

// day is the accounts of a round.
type day struct {
	*round
	c *clerk

	mu      sync.Mutex
	done    map[errand]bool
	refused map[errand]bool
}

func newClerk(w *world) *clerk { return &clerk{world: w} }

func (c *clerk) stand(m *member) error {
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	_, err := m.RegisterCandidate(ctx, clerkName, func(p *actor.Process) error { return c.hold(p, m) })
	return err
}

func (c *clerk) hold(p *actor.Process, m *member) error {
	if c.running.Add(1) > 1 {
		c.tally.blame("two clerks run")
	}
	defer c.running.Add(-1)
	c.tally.count("clerks", 1)
	for {
		e, m, err := actor.Expect[errand](p)
		if err != nil {
			return err
		}
		if d := c.day.Load(); d != nil {
			d.mu.Lock()
			if d.done[e] {
				c.tally.blame("clerk: errand %v was done twice", e)
			}
			d.done[e] = true
			d.mu.Unlock()
		}
		_ = p.Reply(m, done{e.Number}) // the caller is told if that cannot be
	}
}

func (c *clerk) open(r *round) *day {
	d := &day{round: r, c: c, done: map[errand]bool{}, refused: map[errand]bool{}}
	c.day.Store(d)
	return d
}

func (d *day) run() {
	var callers sync.WaitGroup
	for _, home := range d.homes {
		callers.Go(func() {
			d.call(home, d.ctx, func() bool { return d.sleep(10 * time.Millisecond) })
		})
	}
	// Homes that hold it make room, so that it goes round.
	for d.sleep(time.Second) {
		for _, home := range d.homes {
			if _, holds := home.Holding(clerkName); !holds {
				continue
			}
			ctx, cancel := context.WithTimeout(d.ctx, patience)
			if err := home.Withdraw(ctx, clerkName); err != nil {
				d.tally.refused("withdrawals", err)
			}
			cancel()
			if err := d.c.stand(home); err != nil && d.ctx.Err() == nil {
				d.tally.refused("candidacies", err)
			}
		}
	}
	callers.Wait()
	<-d.alone
	d.c.day.Store(nil)
	d.mu.Lock()
	defer d.mu.Unlock()
	for e := range d.refused {
		if d.done[e] {
			d.tally.blame("clerk: errand %v was done, and its caller told that it certainly was not", e)
		}
	}
}

// call calls the clerk all the time.
func (d *day) call(at *member, ctx context.Context, goOn func() bool) {
	caller := fmt.Sprintf("%d-%s", d.number, at.name)
	for n := 1; goOn(); n++ {
		e := errand{caller, n}
		within, cancel := context.WithTimeout(ctx, 2*time.Second)
		m, err := at.CallGlobal(within, clerkName, e)
		cancel()
		answer, ok := actor.As[done](m)
		d.tally.count("calls to a global", 1)
		switch {
		case err == nil && ok && answer.Number == n:
			d.tally.count("calls to a global, answered", 1)
		case err == nil:
			d.tally.blame("clerk: errand %v got the answer %v", e, m.Body())
		case errors.Is(err, node.ErrUnknownOutcome):
			d.tally.refused("calls to a global", err)
		case errors.Is(err, node.ErrNoHolder):
			d.mu.Lock()
			d.refused[e] = true
			d.mu.Unlock()
			d.tally.refused("calls to a global", err)
		default:
			if ctx.Err() == nil {
				d.tally.refused("calls to a global", err)
			}
		}
	}
}

func (d *day) visit(v *visitor) {
	if !v.guest {
		v.busy.Go(func() {
			ctx, cancel := context.WithTimeout(v.ctx, patience)
			defer cancel()
			_, _ = v.RegisterCandidate(ctx, clerkName, func(p *actor.Process) error { return d.c.hold(p, v.member) }) // it may have left before anybody is elected
		})
	}
	v.busy.Go(func() {
		d.call(v.member, v.ctx, func() bool {
			timer := time.NewTimer(10 * time.Millisecond)
			defer timer.Stop()
			select {
			case <-timer.C:
				return true
			case <-v.ctx.Done():
				return false
			}
		})
	})
}
