package node_test

import (
	"errors"
	"testing"
	"time"

	"conclave/actor"
)

// What is left until a deadline that has passed is no bound of zero, but no time.
func TestWithinNoTimeWaitsForNothing(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		linked, mail := b.sink()
		c.ok(a.Send(linked, "so that there is a link"))
		next(c, mail)
		for _, silent := range []actor.PID{a.Spawn(idle), b.Spawn(idle)} {
			for _, d := range []time.Duration{0, -time.Second} {
				began := time.Now()
				ended := make(chan error, 2)
				go func() {
					_, err := actor.Call[int](a.Within(d), silent, 1)
					ended <- err
				}()
				a.Spawn(func(p *actor.Process) error {
					_, err := actor.Call[int](p.Within(d), silent, 1)
					ended <- err
					return nil
				})
				for range 2 {
					if err := next(c, ended); !errors.Is(err, actor.ErrTimeout) {
						c.Errorf("within %v: %v", d, err)
					}
				}
				if took := time.Since(began); c.virtual && took > 0 {
					c.Errorf("within %v: %v", d, took)
				}
			}
		}
	})
}

// A full mailbox is waited for as long as the bound says, and no longer.
func TestWithinNoTimeSendsWithoutWaiting(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a := c.node("a")
		to := a.Spawn(idle, actor.WithMailbox(actor.Mailbox{Limit: 1, Policy: actor.Wait}))
		c.ok(a.Within(0).Send(to, "there is room"))
		sent := make(chan error, 1)
		go func() { sent <- a.Within(0).Send(to, "there is none") }()
		if err := next(c, sent); !errors.Is(err, actor.ErrTimeout) {
			c.Error(err)
		}
	})
}
