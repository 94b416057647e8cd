package main

import (
	"context"
	"errors"
	"time"

	"conclave/actor"
)

// The clock of a part is its own process. It has the time for all of the part's
// instances, most of which have no process while they wait.

const (
	// again is after how long an instance that was to do something, and has not, is
	// told once more: the backend may not have answered, or its process has failed.
	again = time.Second
	// patience is how long an instance may take to take its mail. If the part is just
	// given up, none does here, and the part waits for so long to move.
	patience = 200 * time.Millisecond
)

// What the clock is told.
type (
	changed struct{ key string } // the instance is at another step
	due     struct{ key string } // its time has come
)

// serve is the clock of a part. When the part has just been gained, whoever had it
// before may have been at anything.
func (e *engine) serve(part int) actor.Func {
	return func(p *actor.Process) error {
		select {
		case <-e.opened: // parts can be gained before
		case <-p.Done():
			return context.Cause(p)
		}
		h := e.held(part)
		if h == nil {
			return errClosed
		}
		h.runs(p.Self()) // who keeps something from now on tells us; what was kept before is here
		c := clock{e, h.store, make(map[string]*actor.Timer)}
		for _, i := range h.store.list() {
			c.look(p, i.Key, true)
		}
		for {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			if k, ok := actor.As[changed](m); ok {
				c.look(p, k.key, false)
			} else if k, ok := actor.As[due](m); ok {
				c.look(p, k.key, true)
			}
		}
	}
}

// clock has a timer for each instance that has something to do by itself.
type clock struct {
	e      *engine
	store  *store
	timers map[string]*actor.Timer
}

// look sets the timer of an instance by what is kept of it. With ring it is told first, if
// it has something to do now.
func (c *clock) look(p *actor.Process, key string, ring bool) {
	if t := c.timers[key]; t != nil {
		t.Stop()
		delete(c.timers, key)
	}
	step, at := c.e.flow.todo(c.store.get(key))
	if step == "" && at.IsZero() {
		return
	}
	wait := again
	if step == "" {
		wait = time.Until(at)
	}
	if ring && (step != "" || wait <= 0) {
		c.wake(p, key)
		wait = again
	}
	c.timers[key] = p.SendAfter(wait, p.Self(), due{key})
}

// wake sends an instance mail, which starts its process if it has none. Mail can have to
// wait, and the clock does not.
func (c *clock) wake(p *actor.Process, key string) {
	p.Spawn(func(p *actor.Process) error {
		ctx, cancel := context.WithTimeout(p, patience)
		defer cancel()
		_ = c.e.space.Send(ctx, key, wake{}) // the clock will look again; if the part goes, its next owner's does
		return nil
	})
}

// runs notes the clock's process.
func (h *holding) runs(clock actor.PID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock = clock
}

// tell tells the clock of a change. If there is none yet, it will see it.
func (h *holding) tell(p *actor.Process, key string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.clock.IsZero() {
		_ = p.Send(h.clock, changed{key}) // if it has ended, the part is given back
	}
}

// broken gives the part back when its state cannot be written: the clock ends, without
// which no part is held.
func (h *holding) broken(p *actor.Process, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.clock.IsZero() && !errors.Is(err, errClosed) {
		p.Exit(h.clock, err)
	}
}
