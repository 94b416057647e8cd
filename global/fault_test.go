package global

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
	"conclave/zkdev"
)

// Names of tests that begin with TestFault carry the number of the failure in
// docs/guarantees.md.

func TestFault01BusyHolderFinishesBeforeTheNamePasses(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		m, next := c.join("n"), c.join("next")
		busy, finish := make(chan struct{}), make(chan struct{})
		var finished atomic.Bool
		m.register("boss", Run(func(p *actor.Process) error {
			<-p.Done()
			close(busy)
			<-finish // what was begun is finished
			finished.Store(true)
			return nil
		}))
		next.register("boss", Run(mustFollow(t, &finished)))
		withdrawn := m.withdrawing("boss")
		<-busy
		c.pass(time.Second)
		select {
		case <-withdrawn:
			t.Error("it had withdrawn before the holder had finished")
		default:
		}
		if n := len(c.candidates("boss")); n != 2 {
			t.Errorf("%d stand for the name before the holder has finished", n)
		}
		close(finish)
		done := time.Now()
		<-withdrawn
		if took := time.Since(done); took > c.soon {
			t.Errorf("withdrawing took %v more", took)
		}
		c.await("next holds", func() bool { _, ok := next.g.Holding("boss"); return ok })
		if took := time.Since(done); took > c.soon {
			t.Errorf("the name passed after %v more", took)
		}
		c.neverTwo("boss")
	})
}

// mustFollow is a holder whose term must not begin before that.
func mustFollow(t *testing.T, that *atomic.Bool) actor.Func {
	return func(p *actor.Process) error {
		if !that.Load() {
			t.Error("the name passed too early")
		}
		return idles(p)
	}
}

// A process that the holder spawned counts as well.
func TestFault01WhatTheHolderSpawnedFinishesToo(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		m, next := c.join("n"), c.join("next")
		busy, finish := make(chan struct{}), make(chan struct{})
		var finished atomic.Bool
		m.register("boss", Run(func(p *actor.Process) error {
			p.Spawn(func(p *actor.Process) error {
				<-p.Done()
				close(busy)
				<-finish
				finished.Store(true)
				return nil
			})
			return idles(p)
		}))
		next.register("boss", Run(mustFollow(t, &finished)))
		withdrawn := m.withdrawing("boss")
		<-busy
		c.pass(time.Second)
		if n := len(c.candidates("boss")); n != 2 {
			t.Errorf("%d stand for the name before all has finished", n)
		}
		close(finish)
		<-withdrawn
		if h := c.holder("boss"); h != next {
			t.Errorf("%s holds", h.name)
		}
		c.neverTwo("boss")
	})
}

// The node vanishes without a word: its network is cut and nobody looks at its
// processes any more.
func TestFault03SilentDeath(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		m, next := c.join("n"), c.join("next")
		m.register("boss", Run(idles))
		next.register("boss", Run(idles))
		m.beats(2) // of eight in T
		m.wire.cut()
		cut := time.Now()
		c.await("next holds", func() bool { _, ok := next.g.Holding("boss"); return ok })
		if took := time.Since(cut); took > c.T+c.tick+c.tick/2+c.soon {
			t.Errorf("it took %v", took)
		}
		old, _ := seen[TermBegan](m)
		term, _ := next.g.Holding("boss")
		if term.Number() <= old[0].Term.Number() {
			t.Errorf("%v after %v", term, old[0].Term)
		}
		c.neverTwo("boss")
	})
}

// 6 and 7 are alike here: the holder's way to ZooKeeper is cut.
func TestFault07CutHolderStopsLongBeforeAnotherStarts(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		m, next, peer := c.join("n"), c.join("next"), c.join("peer")
		stopped := make(chan time.Time, 1)
		m.register("boss", Run(func(p *actor.Process) error {
			<-p.Done()
			stopped <- time.Now()
			return nil
		}))
		next.register("boss", Run(idles))
		old := peer.whereis("boss")
		m.beats(5) // the lease has its full length
		m.wire.cut()
		cut := time.Now()
		at := (<-stopped).Sub(cut)
		// The lease is T/2 from a heartbeat, of which there is one every T/8.
		least := c.T/2 - c.T/8
		if !c.virtual {
			least -= c.T / 8 // heartbeats come late on a busy machine
		}
		if at < least || at > c.T/2+c.soon {
			t.Errorf("it stopped %v after the cut", at)
		}
		c.await("its end is told", func() bool {
			ended, _ := seen[TermEnded](m)
			return len(ended) == 1 && errors.Is(ended[0].Cause, ErrLeaseLapsed)
		})
		c.await("next holds", func() bool { _, ok := next.g.Holding("boss"); return ok })
		if took := time.Since(cut); took < least+c.T/2 || took > c.T+c.tick+c.tick/2+c.soon {
			t.Errorf("the next began %v after the cut", took)
		}
		c.neverTwo("boss")
		c.await("a peer finds it", func() bool { return peer.whereis("boss") != old })
		// When the way is open again the old one stands anew, at the back.
		m.wire.mend()
		c.await("it stands again", func() bool { return len(c.candidates("boss")) == 2 })
		if h := c.holder("boss"); h != next {
			t.Errorf("%s holds", h.name)
		}
		next.withdraw("boss")
		if h := c.holder("boss"); h != m {
			t.Errorf("%s holds", h.name)
		}
		c.neverTwo("boss")
	})
}

// The lease lapses but the session survives: the znode is still deleted, and the
// number never used again.
func TestLapsedLeaseIsFinal(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		m := c.join("n")
		m.register("boss", Run(idles))
		first := m.znode("boss")
		session := m.session()
		time.Sleep(3 * time.Second)
		m.wire.cut()
		c.await("it stopped", func() bool { e, _ := seen[TermEnded](m); return len(e) == 1 })
		m.wire.mend()
		c.await("it holds again", func() bool { e, _ := seen[TermBegan](m); return len(e) == 2 })
		if m.session() != session {
			t.Fatal("the session is another; this test shows nothing")
		}
		if again := m.znode("boss"); again == first {
			t.Error("it holds with the same znode")
		}
		if got := c.candidates("boss"); len(got) != 1 {
			t.Errorf("candidates %v", got)
		}
		c.neverTwo("boss")
	})
}

func TestExpiredSessionEndsItsHolder(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		m, next := c.join("n"), c.join("next")
		m.register("boss", Run(idles))
		next.register("boss", Run(idles))
		c.dev.ExpireSession(m.session().ID())
		c.await("next holds", func() bool { _, ok := next.g.Holding("boss"); return ok })
		c.await("it stands again", func() bool { return len(c.candidates("boss")) == 2 })
		ended, _ := seen[TermEnded](m)
		if len(ended) != 1 || !errors.Is(ended[0].Cause, ErrSessionLost) {
			t.Errorf("ended: %v", ended)
		}
	})
}

// candidateCreates matches the requests that create a candidate.
func candidateCreates(r zkdev.Request) bool {
	return r.Op == "multi" && len(r.Paths) == 2 && strings.Contains(r.Paths[1], "/globals/") && strings.HasSuffix(r.Paths[1], "-")
}

func TestFault10LostCreateReply(t *testing.T) {
	for name, fault := range map[string]zkdev.Fault{"reply": zkdev.LoseReply, "request": zkdev.LoseRequest} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *cluster) {
				m, other := c.join("n"), c.join("other")
				other.register("boss", Run(idles))
				var lost atomic.Int32
				session := m.session().ID()
				c.dev.Inject(func(r zkdev.Request) zkdev.Fault {
					if r.Session == session && candidateCreates(r) && lost.Load() < 3 {
						lost.Add(1)
						return fault
					}
					return zkdev.NoFault
				})
				m.register("boss", Run(idles))
				if lost.Load() == 0 {
					t.Fatal("nothing was lost")
				}
				if got := c.candidates("boss"); len(got) != 2 {
					t.Errorf("%d lost; candidates %v", lost.Load(), got)
				}
				other.withdraw("boss")
				if h := c.holder("boss"); h != m {
					t.Errorf("%s holds", h.name)
				}
			})
		})
	}
}

func TestFault11SessionExpiresWhileTheCreateIsLookedFor(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		m := c.join("n")
		c.admin().register("boss", Run(idles)) // so that the name is there
		c.admin().withdraw("boss")
		old := m.session().ID()
		var lost atomic.Bool
		c.dev.Inject(func(r zkdev.Request) zkdev.Fault {
			if r.Session == old && candidateCreates(r) && lost.CompareAndSwap(false, true) {
				m.wire.cut() // and it stays away
				return zkdev.LoseReply
			}
			return zkdev.NoFault
		})
		registered := make(chan actor.PID)
		go func() { registered <- m.register("boss", Run(idles)) }()
		c.await("the create is done", func() bool { return lost.Load() && len(c.candidates("boss")) == 1 })
		time.Sleep(time.Second)
		c.dev.ExpireSession(old)
		m.wire.mend()
		<-registered
		if m.session().ID() == old {
			t.Fatal("the session is the same; this test shows nothing")
		}
		if got := c.candidates("boss"); len(got) != 1 {
			t.Errorf("candidates %v", got)
		}
		if term, ok := m.g.Holding("boss"); !ok {
			t.Errorf("holding %v", term)
		}
		c.neverTwo("boss")
	})
}

// As above, and the session is over at each step of the retry in turn, while the
// answer to one of its requests is on its way, which may well show the dying
// candidate: it expires, or our side gives it up. What stands afterwards is another
// candidate, of the new session.
func TestFault11DyingCandidateIsNotAdopted(t *testing.T) {
	for name, over := range map[string]func(c *cluster, m *member, session int64){
		"expires": func(c *cluster, _ *member, session int64) { c.dev.ExpireSession(session) },
		"given up": func(c *cluster, m *member, _ int64) {
			c.delete(m.keeper.Paths().Node(m.system.Node().Incarnation))
		},
	} {
		asked := make(map[string]bool) // what the retries did when the session was over
		for step := range int32(6) {
			bubble(t, func(t *testing.T, c *cluster) {
				m, other := c.join("n"), c.join("other")
				other.register("boss", Run(idles)) // so that the name is there
				other.withdraw("boss")
				c.admin().session()
				old := m.session().ID()
				var lost, ended atomic.Bool
				var requests atomic.Int32
				c.dev.Inject(func(r zkdev.Request) zkdev.Fault {
					switch {
					case r.Session != old || r.Op == "ping":
					case candidateCreates(r) && lost.CompareAndSwap(false, true):
						return zkdev.LoseReply
					case lost.Load() && requests.Add(1) == step+1:
						asked[r.Op] = true
						go func() {
							over(c, m, old)
							ended.Store(true)
						}()
					}
					return zkdev.NoFault
				})
				pid := m.register("boss", Run(idles))
				c.await("the session's end", ended.Load)
				c.await("it holds under a new session", func() bool {
					_, ok := m.g.Holding("boss")
					return ok && m.session().ID() != old && len(c.candidates("boss")) == 1
				})
				term, _ := m.g.Holding("boss")
				stands := 0
				for _, n := range c.dev.Dump() {
					if strings.Contains(n.Path, "/globals/boss/") {
						stands++
						if n.EphemeralOwner != m.session().ID() || n.Czxid != term.Number() {
							t.Errorf("%s, step %d: %s is of session %#x, %#x held, and made by %d; the term is %v",
								name, step, n.Path, n.EphemeralOwner, m.session().ID(), n.Czxid, term)
						}
					}
				}
				if stands != 1 || pid.Node() != m.system.Node() {
					t.Errorf("%s, step %d: %d candidates stand, %v holds", name, step, stands, pid)
				}
				c.neverTwo("boss")
			})
		}
		if len(asked) < 3 {
			t.Errorf("%s: the retry was disturbed at %v only", name, asked)
		}
	}
}

// A session that is given up though ZooKeeper still keeps it: what it left in
// line is swept, so that nobody waits for it.
func TestLeftoverOfAnAbandonedSessionIsSwept(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		m, first := c.join("n"), c.join("first")
		first.register("boss", Run(idles))
		m.register("boss", Run(idles))
		path := m.znode("boss")
		// The znode moves, as it were, to a session that lives on.
		c.delete(path)
		if _, err := first.session().Create(context.Background(), path[:len(path)-10], []byte(m.system.Node().String()), keeper.EphemeralSequential); err != nil {
			t.Fatal(err)
		}
		c.await("it is swept", func() bool { return len(c.candidates("boss")) == 2 })
		first.withdraw("boss")
		if h := c.holder("boss"); h != m {
			t.Errorf("%s holds", h.name)
		}
	})
}
