package node_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"conclave/actor"
	"conclave/node"
)

// ledger is a process that holders report to: what they send to it is what they
// do. It never accepts anything of a term after something of the next.
type ledger struct {
	mu   sync.Mutex
	last map[string]int64       // the latest term of each name
	at   map[int64][2]time.Time // when each term's first and last act was accepted
}

func (m *member) ledger() (actor.PID, *ledger) {
	l := &ledger{last: make(map[string]int64), at: make(map[int64][2]time.Time)}
	return m.Spawn(func(p *actor.Process) error {
		for {
			_, msg, err := actor.Expect[string](p)
			if err != nil {
				return err
			}
			n := msg.Term.Number()
			l.mu.Lock()
			if last := l.last[msg.Term.Scope()]; n < last {
				m.c.Errorf("an act of %v was accepted after one of %d", msg.Term, last)
			}
			span, seen := l.at[n]
			if !seen {
				span[0] = time.Now()
			}
			span[1] = time.Now()
			l.at[n], l.last[msg.Term.Scope()] = span, n
			l.mu.Unlock()
		}
	}), l
}

// acts are when the first and the last thing done under a term was accepted.
func (l *ledger) acts(term int64) (first, last time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at[term][0], l.at[term][1]
}

// acts is a holder that writes into the ledger every few milliseconds.
func acts(book actor.PID) actor.Func {
	return func(p *actor.Process) error {
		for {
			if err := p.Send(book, "I act"); err != nil {
				return err
			}
			select {
			case <-time.After(5 * time.Millisecond):
			case <-p.Done():
				return nil
			}
		}
	}
}

func TestFault07HolderCutFromZooKeeperStopsLongBeforeAnotherStarts(t *testing.T) {
	// Cut at eight moments between two heartbeats, which go out each T/8.
	for phase := range 8 {
		since := time.Duration(2*phase+1) * testSession / 128 // the last heartbeat
		inBubble(t, func(c *cluster) {
			a, b, d := c.node("a"), c.node("b"), c.node("d")
			book, ledger := d.ledger()
			a.stand("boss", acts(book))
			b.stand("boss", acts(book))
			first := d.whereis("boss")
			time.Sleep(10*time.Second + since)
			cut := time.Now()
			a.line.cut()
			time.Sleep(20 * time.Second)
			old, next, gap := c.handover("boss")
			if old.node != "a" || next.node != "b" {
				c.Fatalf("%+v came after %+v", next, old)
			}
			// The lease lasts until half the session's timeout after the last
			// heartbeat; the server ends the session a whole timeout after it,
			// rounded up to a tick; heartbeats come a few milliseconds after one.
			if held := old.over.Sub(cut); held != testSession/2-since {
				c.Errorf("cut %v after a heartbeat: the old holder went on for %v", since, held)
			}
			if most := testSession/2 + testTick; gap > most || gap < most-10*time.Millisecond {
				c.Errorf("cut %v after a heartbeat: the new holder began %v after the old one's end", since, gap)
			}
			// What they did says the same.
			_, last := ledger.acts(old.number)
			begin, _ := ledger.acts(next.number)
			if last.After(old.over) || begin.Before(next.began.Add(-time.Millisecond)) || begin.Sub(last) < gap {
				c.Errorf("cut %v after a heartbeat: the old one acted until %v, the new one from %v on", since, last.Sub(cut), begin.Sub(cut))
			}
			if second := d.whereis("boss"); second == first || second.Node() != b.ID() {
				c.Errorf("d sees %v", second)
			}
			a.line.mend()
			c.await("a to be back", func() bool { return a.Ready(c.within(0)) == nil && len(a.told(node.SessionUp)) == 2 })
			c.neverTwo("boss")
		})
	}
}

// Between the old holder and the new, peers are told that there is none.
func TestFault07PeersAreToldThatThereIsNoHolder(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a, b, d := c.node("a"), c.node("b"), c.node("d")
		a.stand("boss", tellsWho)
		b.stand("boss", tellsWho)
		if who := d.askGlobal("boss"); who.PID.Node() != a.ID() {
			c.Fatalf("%v answered", who.PID)
		}
		time.Sleep(10 * time.Second)
		a.line.cut()
		ended := a.awaitTold(node.TermEnded, 0)
		_, err := d.CallGlobal(c.within(500*time.Millisecond), "boss", "?")
		if !errors.Is(err, node.ErrNoHolder) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "boss") {
			c.Errorf("%v after the end: %v", time.Since(ended.at), err)
		}
		if _, held := a.Holding("boss"); held {
			c.Error("a holds without a lease")
		}
		// Who waits longer is served by the next.
		if who := d.askGlobal("boss"); who.PID.Node() != b.ID() {
			c.Errorf("%v answered", who.PID)
		}
		a.line.mend()
	})
}

func TestFault08PeersCutFromTheHolder(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a, b, d := c.node("a"), c.node("b"), c.node("d")
		pid := a.stand("boss", tellsWho)
		b.stand("boss", tellsWho)
		downs := make(chan actor.Down, 1)
		d.Spawn(func(p *actor.Process) error {
			p.Monitor(pid)
			down, _, err := actor.Expect[actor.Down](p)
			downs <- down
			return err
		})
		d.askGlobal("boss")
		b.askGlobal("boss")
		c.net.Partition("a", "b")
		c.net.Partition("a", "d")
		if down := next(c, downs); !errors.Is(down.Reason, actor.LinkLost) {
			c.Errorf("the monitor was told %v", down.Reason)
		}
		_, err := d.CallGlobal(c.within(10*time.Second), "boss", "?")
		if err == nil || !errors.Is(err, node.ErrNoHolder) && !errors.Is(err, node.ErrUnknownOutcome) {
			c.Errorf("the caller was told %v", err)
		}
		time.Sleep(10 * time.Minute)
		for _, m := range c.members {
			if m.whereis("boss") != pid {
				c.Errorf("%s sees %v, want %v", m.name, m.whereis("boss"), pid)
			}
		}
		if _, held := a.Holding("boss"); !held || len(c.history("boss")) != 1 {
			c.Errorf("a holds: %v; %d terms", held, len(c.history("boss")))
		}
		c.net.Heal("a", "b")
		c.net.Heal("a", "d")
		if who := d.askGlobal("boss"); who.PID != pid {
			c.Errorf("%v answered", who.PID)
		}
	})
}

func TestFault20QuorumLostForAMinute(t *testing.T) {
	for name, away := range map[string]struct{ lose, restore func(c *cluster) }{
		"frozen": {func(c *cluster) { c.dev.Freeze() }, func(c *cluster) { c.dev.Thaw() }},
		"gone":   {func(c *cluster) { c.dev.Down() }, func(c *cluster) { c.dev.Up() }},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(c *cluster) {
				a, b, d := c.node("a"), c.node("b"), c.node("d")
				book, _ := d.ledger()
				pid := d.Spawn(echo)
				d.register("worker", pid)
				a.awaitCapable("worker", pid)
				a.stand("boss", acts(book))
				b.stand("boss", acts(book))
				b.stand("clerk", acts(book))
				time.Sleep(10 * time.Second)
				began := len(c.history("boss")) + len(c.history("clerk"))
				lost := time.Now()
				away.lose(c)
				for _, m := range []*member{a, b} {
					ended := m.awaitTold(node.TermEnded, 0)
					if after := ended.at.Sub(lost); after > testSession/2 {
						c.Errorf("%s stopped after %v", m.name, after)
					}
				}
				time.Sleep(time.Until(lost.Add(time.Minute)))
				if n := len(c.history("boss")) + len(c.history("clerk")); n != began {
					c.Errorf("%d terms began without ZooKeeper", n-began)
				}
				// Messages go on, and so do look-ups of what was known.
				if said, err := actor.Call[string](a.With(c.brief()), pid, "hello"); said != "hello" {
					c.Errorf("%q, %v", said, err)
				}
				v, err := a.Lookup(c.brief(), "worker")
				if err != nil || !contains(v.PIDs, pid) || !v.Stale || v.Age < 30*time.Second {
					c.Errorf("%+v, %v", v, err)
				}
				away.restore(c)
				back := time.Now()
				for _, name := range []string{"boss", "clerk"} {
					c.holder(name)
					c.neverTwo(name)
				}
				d.awaitCapable("worker", pid)
				a.awaitCapable("worker", pid)
				c.await("a fresh view", func() bool {
					v, err := a.Lookup(c.brief(), "worker")
					return err == nil && !v.Stale && contains(v.PIDs, pid)
				})
				if took := time.Since(back); took > testSession+2*testTick {
					c.Errorf("all was well %v after ZooKeeper came back", took)
				}
			})
		})
	}
}

func TestFault22WipedEnsemble(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a, b, late := c.node("a"), c.node("b"), c.node("late")
		pid := b.Spawn(echo)
		b.register("worker", pid)
		c.ok(b.RegisterName("desk", pid))
		a.awaitCapable("worker", pid)
		a.stand("boss", tellsWho)
		b.stand("boss", tellsWho)
		call := func(from *member) error {
			_, err := actor.Call[string](from.With(c.brief()), pid, "hello")
			return err
		}
		c.ok(call(a))
		c.ok(call(late))
		old := a.told(node.SessionUp)[0].Cluster
		oldTerm := b.askGlobal("boss").Term

		late.line.cut() // it learns of nothing for now
		c.dev.Wipe()
		for _, m := range []*member{a, b} {
			f := m.awaitTold(node.ClusterChanged, 0)
			if f.Cluster == old || f.Cluster != m.awaitTold(node.SessionUp, 1).Cluster {
				c.Errorf("%s: %v, was %s", m.name, f.Event, old)
			}
		}
		// Everything is registered anew, by itself, and all holders are new.
		a.awaitCapable("worker", pid)
		b.awaitCapable("desk", pid)
		c.holder("boss")
		c.await("the old terms' end", func() bool { return len(a.told(node.TermEnded)) >= 1 })
		if who := b.askGlobal("boss"); who.Term == oldTerm {
			c.Errorf("term %d again", who.Term)
		}
		if term, _ := c.holder("boss").Holding("boss"); term.Cluster() == old {
			c.Errorf("%v of the old cluster", term)
		}
		c.ok(call(a))
		// Who is still of the old cluster has no links with the new one.
		if err := call(late); !errors.Is(err, actor.LinkLost) || !errors.Is(err, node.ErrOtherCluster) {
			c.Errorf("a node of the old cluster calls: %v", err)
		}
		home, mail := late.sink()
		if _, err := actor.Call[string](b.With(c.brief()), home, "hello"); !errors.Is(err, node.ErrOtherCluster) {
			c.Errorf("a node of the new cluster calls: %v", err)
		}
		none(c, mail)
		late.line.mend()
		late.awaitTold(node.ClusterChanged, 0)
		c.await("its links", func() bool { return call(late) == nil })
		late.awaitCapable("worker", pid)
		c.ok(b.Send(home, "welcome"))
		if m := next(c, mail); m.Body() != "welcome" {
			c.Error(m.Body())
		}
	})
}

func TestLostSessionIsReplacedAndEverythingRegisteredAnew(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		pid := a.Spawn(echo)
		a.register("worker", pid)
		c.ok(a.RegisterName("desk", pid))
		b.awaitCapable("worker", pid)
		a.stand("boss", tellsWho)
		first := b.askGlobal("boss")
		c.endSession(a)
		a.awaitTold(node.SessionLost, 0)
		a.awaitTold(node.SessionUp, 1)
		b.awaitCapable("worker", pid) // the same PID: processes outlive sessions
		b.awaitCapable("desk", pid)
		a.awaitTold(node.TermBegan, 1)
		c.await("the new holder", func() bool { return b.whereis("boss") != first.PID })
		if who := b.askGlobal("boss"); who.Term <= first.Term {
			c.Errorf("%+v after %+v", who, first)
		}
		if said, err := actor.Call[string](b.With(c.brief()), pid, "hello"); said != "hello" {
			c.Errorf("%q, %v", said, err)
		}
		if n := len(a.told(node.LinkDown)) + len(b.told(node.LinkDown)); n != 0 {
			c.Errorf("%d links went down with a session", n)
		}
	})
}

// A holder that sits in a look-up must leave it when its term ends, also while
// ZooKeeper is away.
func TestHolderInALookUpEndsWithItsTerm(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		asking := make(chan struct{}, 10)
		a.stand("boss", func(p *actor.Process) error {
			if _, err := p.Receive(); err != nil {
				return err
			}
			asking <- struct{}{}
			_, err := p.GetCapable("never asked for before")
			return err
		})
		b.stand("boss", idle)
		time.Sleep(5 * time.Second)
		a.line.cut()
		c.ok(a.SendGlobal(c.brief(), "boss", "look it up"))
		next(c, asking)
		a.awaitTold(node.TermEnded, 0)
		time.Sleep(testSession)
		synctest.Wait()
		if n := len(a.told(node.StuckHolder)); n != 0 {
			c.Error("the holder does not return")
		}
		a.line.mend()
	})
}
