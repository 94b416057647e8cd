package node_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"conclave/actor"
	"conclave/node"
)

// A dial fails, and while everybody is being told, somebody makes a call and
// another sets a monitor. Both must be told, and neither may reach the peer when
// it can be reached again.
func TestWhatIsMadeWhileADialFailsIsToldAndNeverSentLater(t *testing.T) {
	inBubble(t, func(c *cluster) {
		meanwhile := make(chan struct{})
		var once sync.Once
		a := c.node("a", func(cfg *node.Config) {
			note := cfg.OnEvent
			cfg.OnEvent = func(e node.Event) {
				note(e)
				if e.Kind == node.LinkFailed {
					once.Do(func() {
						close(meanwhile)
						synctest.Wait() // until both have done it and wait
					})
				}
			}
		})
		b := c.node("b")
		pid, mail := b.sink()
		c.net.Partition("a", "b")
		calls, downs := make(chan error, 1), make(chan actor.Down, 2)
		a.Spawn(func(p *actor.Process) error {
			<-meanwhile
			_, err := p.Request(pid, "must not arrive")
			calls <- err
			return nil
		})
		a.Spawn(func(p *actor.Process) error {
			<-meanwhile
			p.Monitor(pid)
			for {
				d, _, err := actor.Expect[actor.Down](p)
				if err != nil {
					return err
				}
				downs <- d
			}
		})
		c.ok(a.Send(pid, "lost")) // makes it dial
		if err := next(c, calls); !errors.Is(err, actor.NotSent) {
			c.Errorf("the call: %v, want that it was not sent", err)
		}
		if d := next(c, downs); !errors.Is(d.Reason, actor.LinkLost) {
			c.Errorf("the monitor: %v", d.Reason)
		}
		c.net.Heal("a", "b")
		time.Sleep(time.Second)
		c.ok(a.Send(pid, "first to arrive"))
		if m := next(c, mail); m.Body() != "first to arrive" {
			c.Errorf("%v arrived", m.Body())
		}
		// Had the monitor been set over there, its Down would come now.
		b.System().Exit(pid, actor.Killed)
		c.settle()
		none(c, downs)
	})
}
