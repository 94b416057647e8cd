package node_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/node"
)

func TestFault33RestartedNodeIsNeverTakenForItsFormerSelf(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		old := b.Spawn(echo)
		b.register("worker", old)
		a.awaitCapable("worker", old)
		a.do(func(p *actor.Process) error {
			said, err := actor.Call[string](p, old, "hello")
			if said != "hello" {
				return fmt.Errorf("%q, %w", said, err)
			}
			return err
		})
		if c.virtual {
			b.die()
		} else {
			b.stop()
		}
		a.awaitTold(node.LinkDown, 0)
		again := b.reborn()
		if again.ID().Name != b.ID().Name || again.ID().Address != b.ID().Address || again.ID() == b.ID() {
			c.Fatalf("%v restarted as %v", b.ID(), again.ID())
		}
		// The first process of the new run may well have the old one's serial.
		now, mail := again.sink()
		if now == old || now.String() == old.String() {
			c.Fatalf("%v again", old)
		}
		a.do(func(p *actor.Process) error {
			p.Monitor(old)
			d, _, err := actor.Expect[actor.Down](p)
			if err != nil || d.Reason != actor.NoProcess {
				return fmt.Errorf("the monitor was told %+v, %w", d, err)
			}
			var ended *actor.EndedError
			if _, err := actor.Call[string](p, old, "hello"); !errors.As(err, &ended) || ended.PID != old || ended.Reason != nil {
				return fmt.Errorf("the caller was told %w", err)
			}
			return p.Send(old, "are you there?")
		})
		err := a.run(func(p *actor.Process) error { p.Link(old); return idle(p) })
		if err != actor.NoProcess {
			c.Errorf("who linked ended with %v", err)
		}
		c.await("a dead letter", func() bool { return a.DeadLetters(actor.DeadStaleIncarnation) >= 1 })
		// The new one is reached at the same address.
		c.ok(a.Send(now, "hello"))
		if m := next(c, mail); m.Body() != "hello" {
			c.Error(m.Body())
		}
		none(c, mail)
		again.register("worker", now)
		a.awaitCapable("worker", now)
	})
}

// What processes have sent when the node stops arrives, whatever else is going on.
func TestFault40StopDuringHeavySendingFlushes(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to, tally := b.tally()
		sent := make([]atomic.Int64, 8)
		pids := make([]actor.PID, len(sent))
		for i := range sent {
			pids[i] = a.Spawn(func(p *actor.Process) error {
				for {
					if err := p.Send(to, int(sent[i].Load())+1); err != nil {
						return err
					}
					if sent[i].Add(1)%64 == 0 {
						if c.virtual {
							time.Sleep(time.Millisecond)
						}
						runtime.Gosched()
					}
					if p.Err() != nil {
						return context.Cause(p)
					}
				}
			})
		}
		c.await("heavy sending", func() bool { return sent[0].Load() > 2000 })
		a.stop()
		for i, pid := range pids {
			want := int(sent[i].Load())
			c.await("everything", func() bool { last, _ := tally.of(pid); return last >= want })
			if last, lost := tally.of(pid); last != want || lost != 0 {
				c.Errorf("the last of %d was %d, %d are lost", want, last, lost)
			}
		}
		if n := a.DeadLetters(actor.DeadLinkLost); n != 0 {
			c.Errorf("%d dead letters", n)
		}
	})
}

// Even what is sent to a node that there is no link with yet.
func TestFault40StopMakesTheLinkThatItsMailNeeds(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to, mail := b.sink()
		c.ok(a.Send(to, "farewell"))
		a.stop()
		if m := next(c, mail); m.Body() != "farewell" {
			c.Error(m.Body())
		}
	})
}

func TestStoppedNodeRefusesEverything(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a := c.node("a")
		b := c.guest("b")
		to, mail := b.sink()
		c.ok(b.Send(a.Spawn(idle), "link up"))
		c.await("a link", func() bool { return len(a.told(node.LinkUp)) == 1 })
		a.stop()
		if err := a.Stop(c.brief()); err != nil {
			c.Errorf("the second Stop: %v", err)
		}
		select {
		case <-a.Stopped():
		default:
			c.Error("Stopped is not closed")
		}
		over := make(chan error, 1)
		pid := a.Spawn(idle, actor.OnExit(func(_ actor.PID, reason error) { over <- reason }))
		if err := next(c, over); !errors.Is(err, node.ErrStopped) || a.Alive(pid) {
			c.Errorf("a process started after Stop ended with %v", err)
		}
		elsewhere := actor.MakePID(actor.NodeID{Name: "x", Address: "x:1", Incarnation: 1}, 1)
		for what, err := range map[string]error{
			"Send to a node that was linked": a.Send(to, "hello"),
			"Send to another":                a.Send(elsewhere, "hello"),
			"SendName":                       a.SendName(elsewhere.Node(), "name", "hello"),
			"Request":                        second(a.Request(to, "hello")),
		} {
			if !errors.Is(err, node.ErrStopped) {
				c.Errorf("%s: %v", what, err)
			}
		}
		for what, err := range map[string]error{
			"Register":          second(a.Register(c.brief(), "worker", pid)),
			"GetCapable":        second(a.GetCapable(c.brief(), "worker")),
			"WaitCapable":       second(a.WaitCapable(c.brief(), "worker", 1)),
			"RegisterCandidate": second(a.RegisterCandidate(c.brief(), "boss", idle)),
			"WhereisGlobal":     second(a.WhereisGlobal(c.brief(), "boss")),
			"SendGlobal":        a.SendGlobal(c.brief(), "boss", "hello"),
			"Ready":             a.Ready(c.brief()),
		} {
			if err == nil || errors.Is(err, context.DeadlineExceeded) {
				c.Errorf("%s: %v", what, err)
			}
		}
		none(c, mail)
	})
}

func second[T any](_ T, err error) error { return err }

func TestStopUnregistersAndResignsBeforeTheSessionEnds(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		pid := a.Spawn(idle)
		a.register("worker", pid)
		b.awaitCapable("worker", pid)
		a.stand("boss", idle)
		b.stand("boss", idle)
		began := time.Now()
		a.stop()
		c.await("b to hold", func() bool { _, held := b.Holding("boss"); return held })
		b.awaitCapable("worker")
		c.await("one node", func() bool {
			ids, err := b.Nodes(c.brief())
			c.ok(err)
			return slices.Equal(ids, []actor.NodeID{b.ID()})
		})
		if took := time.Since(began); took > testSession/4 {
			c.Errorf("it took %v", took)
		}
		c.neverTwo("boss")
	})
}

func TestFault41StopWhileZooKeeperIsAwayReturnsPromptly(t *testing.T) {
	for name, lose := range map[string]func(c *cluster, m *member){
		"it is gone":         func(c *cluster, _ *member) { c.dev.Down() },
		"it is frozen":       func(c *cluster, _ *member) { c.dev.Freeze() },
		"it was never there": nil,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(c *cluster) {
				watcher := c.node("watcher")
				if lose == nil {
					m := c.launch("m", func(cfg *node.Config) {
						cfg.DialZooKeeper = (&line{state: lineSevered}).dial
					})
					time.Sleep(time.Second)
					began := time.Now()
					if err := m.Stop(c.within(time.Minute)); err != nil || time.Since(began) > 0 {
						c.Errorf("stopped after %v: %v", time.Since(began), err)
					}
					return
				}
				m := c.node("m")
				pid := m.Spawn(idle)
				m.register("worker", pid)
				m.stand("boss", idle)
				home, mail := watcher.sink()
				watcher.awaitCapable("worker", pid)
				watcher.stand("boss", idle)
				time.Sleep(5 * time.Second)
				lose(c, m)
				if name == "it is gone" {
					time.Sleep(10 * time.Millisecond) // the connection's end is noticed
				}
				c.ok(m.Send(home, "farewell"))
				began := time.Now()
				m.gone = true
				const limit = time.Second
				err := m.Stop(c.within(limit))
				stopped := time.Now()
				took := stopped.Sub(began)
				if name == "it is frozen" != (err != nil) {
					c.Errorf("stopped with %v", err)
				}
				if took > limit || name == "it is gone" && took > 0 {
					c.Errorf("Stop took %v", took)
				}
				if m.Alive(pid) {
					c.Error("its processes still run")
				}
				if m := next(c, mail); m.Body() != "farewell" {
					c.Error(m.Body())
				}
				c.dev.Up()
				c.dev.Thaw()
				// What is left vanishes with the session, and the name passes.
				watcher.awaitCapable("worker")
				c.await("the watcher to hold", func() bool { _, held := watcher.Holding("boss"); return held })
				if left := time.Since(stopped); left > testSession+3*testTick/2 {
					c.Errorf("what was left vanished after %v", left)
				}
				c.neverTwo("boss")
			})
		})
	}
}
