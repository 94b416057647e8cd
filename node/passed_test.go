package node_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/node"
)

// Who calls or sends to a node that stops in order is told that it was certainly not
// taken, or it was.
func TestNodeThatStopsLeavesNobodyInDoubt(t *testing.T) {
	apart(t, func(c *cluster) {
		for range 5 {
			a, b := c.node("a"), c.node("b")
			var mu sync.Mutex
			taken := make(map[int64]bool)
			to := b.Spawn(func(p *actor.Process) error {
				for {
					m, err := p.Receive()
					if err != nil {
						return err
					}
					id, _ := actor.As[int64](m)
					mu.Lock()
					taken[id] = true
					mu.Unlock()
					if m.IsCall() {
						_ = p.Reply(m, id)
					}
				}
			})
			var last, done atomic.Int64
			var senders sync.WaitGroup
			for i := range 32 {
				senders.Go(func() {
					for {
						id := last.Add(1)
						var err error
						if c.virtual {
							time.Sleep(time.Millisecond)
						}
						if i%2 == 0 {
							_, err = a.With(c.brief()).Request(to, id)
						} else {
							err = a.System().SendConfirmed(c.brief(), to, id)
						}
						if err == nil {
							done.Add(1)
							continue
						}
						var ended *actor.EndedError
						mu.Lock()
						was := taken[id]
						mu.Unlock()
						switch {
						case !node.NotAccepted(to, err) && !errors.As(err, &ended):
							c.Errorf("message %d: %v", id, err)
						case node.NotAccepted(to, err) && was:
							c.Errorf("message %d was taken, and its sender told that it was not: %v", id, err)
						case !node.NotAccepted(to, err) && !was:
							c.Errorf("message %d was not taken, and its sender told that it may have been: %v", id, err)
						}
						return
					}
				})
			}
			c.await("heavy use", func() bool { return done.Load() > 500 })
			b.stop()
			senders.Wait()
			a.stop()
		}
	})
}

func TestPassedWaitsUntilWhatWasSentIsThere(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to := b.Spawn(func(p *actor.Process) error { <-p.Done(); return context.Cause(p) })
		_, err := a.With(c.brief()).Request(b.SpawnHandler(echoHandler{}), 1) // they are linked
		c.ok(err)
		for range 20 {
			before, _ := b.System().Backlog(to)
			for range 100 {
				c.ok(a.Send(to, make([]byte, 100)))
			}
			a.Passed(c.brief(), []actor.NodeID{b.ID(), a.ID(), {Name: "nobody", Address: "127.0.0.1:1"}})
			if n, _ := b.System().Backlog(to); n != before+100 {
				c.Errorf("%d of 100 messages have arrived", n-before)
			}
		}
	})
}

func TestPassedWaitsForLargeBodies(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a := c.node("a")
		b := c.node("b", func(cfg *node.Config) { cfg.Transport = slowNet{cfg.Transport, 1_000_000} })
		to := b.Spawn(func(p *actor.Process) error { <-p.Done(); return context.Cause(p) })
		c.ok(a.Send(to, make([]byte, 200_000)))
		c.await("the bulk lane", func() bool { n, _ := b.System().Backlog(to); return n == 1 })
		time.Sleep(time.Minute)
		for i := range 20 {
			before, _ := b.System().Backlog(to)
			began := time.Now()
			for range 5 {
				c.ok(a.Send(to, make([]byte, 40_000+i*10_000)))
				c.ok(a.Send(to, "small"))
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			a.Passed(ctx, []actor.NodeID{b.ID()})
			cancel()
			if n, _ := b.System().Backlog(to); n != before+10 || time.Since(began) > 10*time.Second {
				c.Errorf("%d of 10 messages have arrived, after %v", n-before, time.Since(began))
			}
		}
		// A link that ends has nothing to wait for.
		c.ok(a.Send(to, make([]byte, 10_000_000)))
		passed := make(chan struct{})
		go func() { a.Passed(context.Background(), []actor.NodeID{b.ID()}); close(passed) }()
		time.Sleep(100 * time.Millisecond)
		c.net.Partition("a", "b")
		select {
		case <-passed:
		case <-time.After(time.Hour):
			c.Fatalf("it waits for a link that is lost")
		}
	})
}
