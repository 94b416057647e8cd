package node_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/node"
)

// slow is a process that takes so long for each message, and says for how many it has.
func (m *member) slow(d time.Duration) (actor.PID, *atomic.Int64) {
	done := new(atomic.Int64)
	return m.SpawnHandler(handled(func(p *actor.Process, msg actor.Message) error {
		time.Sleep(d)
		done.Add(1)
		if msg.IsCall() {
			return p.Reply(msg, done.Load())
		}
		return nil
	})), done
}

type handled func(*actor.Process, actor.Message) error

func (f handled) Receive(p *actor.Process, m actor.Message) error { return f(p, m) }

func TestDrainFinishesWhatIsInTheMailboxes(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		pid, done := b.slow(10 * time.Millisecond)
		b.register("worker", pid)
		a.awaitCapable("worker", pid)
		for i := range 30 {
			c.ok(a.Send(pid, i))
		}
		answer := make(chan error, 1)
		go func() {
			_, err := actor.Call[int64](a.With(c.brief()), pid, "the last")
			answer <- err
		}()
		c.await("all to be there", func() bool { n, _ := b.System().Backlog(pid); return int(done.Load())+n >= 30 })
		drained := make(chan error, 1)
		go func() { drained <- b.Drain(c.brief()) }()
		a.awaitCapable("worker")
		if n := done.Load(); n > 20 {
			c.Errorf("the advert went after %d of 31", n)
		}
		c.ok(next(c, drained))
		if n := done.Load(); n != 31 {
			c.Errorf("%d of 31 done", n)
		}
		c.ok(next(c, answer))
		b.stop()
		if n := b.DeadLetters(actor.DeadNoProcess); n != 0 {
			c.Errorf("%d dead letters", n)
		}
	})
}

func TestDrainedNodeTakesOnNothingNew(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a := c.node("a")
		pid := a.Spawn(func(p *actor.Process) error {
			for {
				if _, err := p.Receive(); err != nil {
					return err
				}
			}
		})
		c.ok(a.RegisterName("before", pid))
		a.awaitCapable("before", pid)
		c.ok(a.Drain(c.brief()))
		for what, err := range map[string]error{
			"Register":          second(a.Register(c.brief(), "worker", pid)),
			"RegisterCandidate": second(a.RegisterCandidate(c.brief(), "boss", idle)),
		} {
			if !errors.Is(err, node.ErrStopped) || !strings.Contains(err.Error(), "leaving") {
				c.Errorf("%s: %v", what, err)
			}
		}
		c.ok(a.RegisterName("after", pid)) // a local name is no advert any more
		c.ok(a.Send(pid, "still here"))
		names, err := a.Fresh(c.brief(), "after")
		if err != nil || len(names.PIDs) != 0 {
			c.Errorf("%v, %v", names.PIDs, err)
		}
		a.awaitCapable("before")
		c.ok(a.Drain(c.brief()))
	})
}

func TestDrainHandsOverWhatTheNodeHolds(t *testing.T) {
	apart(t, func(c *cluster) {
		all := c.inLine("book", 3, keeps)
		if got := all[2].book("book"); !slices.Equal(got, []string{"n1"}) {
			c.Fatalf("the book has %v", got)
		}
		all[0].stand("alone", idle)
		c.ok(all[0].Drain(c.brief()))
		if _, held := all[1].Holding("book"); !held {
			c.Error("the second does not hold the book")
		}
		if got := all[2].book("book"); !slices.Equal(got, []string{"n1", "n2"}) {
			c.Errorf("the book has %v: its state was lost", got)
		}
		all[0].stop()
		c.neverTwo("book")
	})
}

func TestDrainEndsWithItsTime(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a := c.node("a")
		pid, done := a.slow(time.Second)
		for i := range 60 {
			c.ok(a.Send(pid, i))
		}
		began := time.Now()
		err := a.Drain(c.within(10500 * time.Millisecond))
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), pid.String()) || time.Since(began) > 11*time.Second {
			c.Errorf("after %v: %v", time.Since(began), err)
		}
		a.stop()
		// What was not finished is accounted for.
		if n := done.Load() + int64(a.DeadLetters(actor.DeadNoProcess)); n != 60 {
			c.Errorf("%d of 60 are accounted for", n)
		}
	})
}

func TestDrainWhileZooKeeperIsAwayFinishesTheMail(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		pid, done := a.slow(time.Second)
		a.register("worker", pid)
		a.stand("boss", idle)
		b.stand("boss", idle)
		for i := range 10 {
			c.ok(a.Send(pid, i))
		}
		c.dev.Down()
		time.Sleep(100 * time.Millisecond)
		began := time.Now()
		if err := a.Drain(c.brief()); err != nil || done.Load() != 10 || time.Since(began) > 11*time.Second {
			c.Errorf("%d done after %v: %v", done.Load(), time.Since(began), err)
		}
		a.stop()
		c.dev.Up()
		b.awaitCapable("worker")
		c.await("b to hold", func() bool { _, held := b.Holding("boss"); return held })
		c.neverTwo("boss")
	})
}
