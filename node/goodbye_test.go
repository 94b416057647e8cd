package node_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/node"
)

// dead is how many dead letters a node has counted, for all reasons.
func (m *member) dead() (n int) {
	for r := actor.DeadNoProcess; r <= actor.DeadNoHolder; r++ {
		n += int(m.DeadLetters(r))
	}
	return n
}

// Whatever a Send has accepted for a node that stops was read by its receiver or
// is a dead letter, counted on one of the two nodes.
func TestStopLosesNothingThatWasAcceptedWithoutCountingIt(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		var read, sent atomic.Int64
		to := b.SpawnHandler(handled(func(*actor.Process, actor.Message) error {
			if read.Add(1)%100 == 0 {
				if c.virtual {
					time.Sleep(time.Millisecond)
				}
			}
			return nil
		}))
		var stopping atomic.Bool
		over := make(chan error, 8)
		for i := range cap(over) {
			body := any(i)
			if i == 0 {
				body = make([]byte, 100_000) // another lane
			}
			a.Spawn(func(p *actor.Process) error {
				for last := 0; !stopping.Load() || last < 100; last++ {
					if !stopping.Load() {
						last = 0
					}
					if err := p.Send(to, body); err != nil {
						return err
					}
					if sent.Add(1)%64 == 0 {
						if c.virtual {
							time.Sleep(time.Millisecond)
						}
						runtime.Gosched()
					}
				}
				return nil
			}, actor.OnExit(func(_ actor.PID, reason error) { over <- reason }))
		}
		c.await("heavy sending", func() bool { return read.Load() > 2000 })
		b.stop()
		a.awaitTold(node.LinkDown, 0)
		stopping.Store(true)
		for range cap(over) {
			if err := next(c, over); err != actor.Normal {
				c.Errorf("a sender: %v", err)
			}
		}
		c.settle()
		if got := int(read.Load()) + a.dead() + b.dead(); got != int(sent.Load()) {
			c.Errorf("%d were sent, %d are accounted for: %d read, %d dead here, %d there",
				sent.Load(), got, read.Load(), a.dead(), b.dead())
		}
	})
}

func TestPeerOfAStoppedNodeKnowsThatItHasStopped(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		var stopped sync.WaitGroup
		defer stopped.Wait()
		there := b.Spawn(echo)
		a.do(func(p *actor.Process) error {
			p.Monitor(there)
			if _, err := actor.Call[string](p, there, "hello"); err != nil {
				return err
			}
			stopped.Go(b.stop)
			d, _, err := actor.Expect[actor.Down](p)
			if !errors.Is(d.Reason, actor.Shutdown) {
				return fmt.Errorf("the monitor was told %v, %w", d.Reason, err)
			}
			return err
		})
		if f := a.awaitTold(node.LinkDown, 0); !errors.Is(f.Err, node.ErrPeerStopped) {
			c.Errorf("the link went down: %v", f.Err)
		}
		// What is for it now is certainly not taken up, and nobody dials.
		a.do(func(p *actor.Process) error {
			var ended *actor.EndedError
			if _, err := actor.Call[string](p, there, "hello"); !errors.As(err, &ended) || ended.PID != there || ended.Reason != nil {
				return fmt.Errorf("a call: %w", err)
			}
			p.Monitor(there)
			if d, _, err := actor.Expect[actor.Down](p); err != nil || d.Reason != actor.NoProcess {
				return fmt.Errorf("a monitor was told %v, %w", d.Reason, err)
			}
			return p.Send(there, "hello")
		})
		if err := a.run(func(p *actor.Process) error { p.Link(there); return idle(p) }); err != actor.NoProcess {
			c.Errorf("who linked ended with %v", err)
		}
		if n := a.DeadLetters(actor.DeadStaleIncarnation); n != 2 || len(a.told(node.LinkFailed)) != 0 {
			c.Errorf("%d dead letters, %d dials failed", n, len(a.told(node.LinkFailed)))
		}
	})
}

// Both say goodbye at once.
func TestTwoNodesThatStopAtOnceDoNotWaitForEachOther(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to, mail := b.sink()
		c.ok(a.Send(to, "hello"))
		next(c, mail)
		parallel(2, func(i int) { []*member{a, b}[i].stop() })
	})
}
