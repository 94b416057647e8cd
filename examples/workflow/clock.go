package main

import (
	"context"
	"time"

	"conclave/actor"
	"conclave/shard"
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
	changed struct{ key string } // the instance is at another step, or could not be kept
	due     struct{ key string } // its time has come
)

// serve is the clock of a part. When the part has just been gained, whoever had it
// before may have been at anything.
func (e *engine) serve(int) actor.Func {
	return func(p *actor.Process) error {
		s, ok := shard.Kept[*store](p)
		if !ok {
			return errClosed
		}
		c := clock{e.flow, s, make(map[string]*actor.Timer)}
		for _, i := range s.list() {
			if err := c.look(p, i.Key, true); err != nil {
				return err
			}
		}
		for {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			if k, ok := actor.As[changed](m); ok {
				err = c.look(p, k.key, false)
			} else if k, ok := actor.As[due](m); ok {
				err = c.look(p, k.key, true)
			}
			if err != nil {
				return err // without its clock the part is given back: another may be able to write
			}
		}
	}
}

// tellClock tells the clock of p's part that an instance has changed, or could not be kept.
// The clock is there before any instance's process and ends after them.
func tellClock(p *actor.Process, key string) {
	if sp, part, ok := shard.Of(p); ok {
		_ = sp.SendPart(p, part, changed{key}) // if it has ended all the same, so will the term
	}
}

// clock has a timer for each instance that has something to do by itself.
type clock struct {
	flow   flow
	store  *store
	timers map[string]*actor.Timer
}

// look sets the timer of an instance by what is kept of it. With ring it is told first, if
// it has something to do now. The error is the store's.
func (c *clock) look(p *actor.Process, key string, ring bool) error {
	if t := c.timers[key]; t != nil {
		t.Stop()
		delete(c.timers, key)
	}
	i, err := c.store.get(key)
	if err != nil {
		return err
	}
	step, at := c.flow.todo(i)
	if step == "" && at.IsZero() {
		return nil
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
	return nil
}

// wake sends an instance mail, which starts its process if it has none. Mail can have to
// wait, and the clock does not.
func (c *clock) wake(p *actor.Process, key string) {
	p.Spawn(func(p *actor.Process) error {
		ctx, cancel := context.WithTimeout(p, patience)
		defer cancel()
		if sp, _, ok := shard.Of(p); ok {
			_ = sp.Send(ctx, key, wake{}) // the clock will look again; if the part goes, its next owner's does
		}
		return nil
	})
}
