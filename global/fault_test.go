package global

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
	"conclave/zkdev"
)

// Names of tests that begin with TestFault carry the number of the failure in
// the project's list.

func TestFault01BusyHolderFinishesBeforeTheNamePasses(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		m, next := c.join("n"), c.join("next")
		var finished atomic.Int64
		start := time.Now()
		m.register("boss", Run(func(p *actor.Process) error {
			<-p.Done()
			time.Sleep(700 * time.Millisecond) // what was begun is finished
			finished.Store(int64(time.Since(start)))
			return nil
		}))
		// A process that the holder spawned counts as well.
		next.register("boss", Run(idles))
		began := time.Now()
		m.withdraw("boss")
		if took := time.Since(began); took < 700*time.Millisecond || took > 710*time.Millisecond {
			t.Errorf("withdrawing took %v", took)
		}
		c.until("next holds", func() bool { _, ok := next.g.Holding("boss"); return ok })
		if took := time.Since(began); took > 710*time.Millisecond {
			t.Errorf("the name passed after %v", took)
		}
		if finished.Load() == 0 {
			t.Error("the name passed before the holder had finished")
		}
		c.neverTwo("boss")
	})
}

func TestFault01WhatTheHolderSpawnedFinishesToo(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		m, next := c.join("n"), c.join("next")
		var finished atomic.Bool
		m.register("boss", Run(func(p *actor.Process) error {
			p.Spawn(func(p *actor.Process) error {
				<-p.Done()
				time.Sleep(time.Second)
				finished.Store(true)
				return nil
			})
			return idles(p)
		}))
		next.register("boss", Run(func(p *actor.Process) error {
			if !finished.Load() {
				t.Error("the name passed too early")
			}
			return idles(p)
		}))
		m.withdraw("boss")
		c.holder("boss")
		c.neverTwo("boss")
	})
}

// The node vanishes without a word: its network is cut and nobody looks at its
// processes any more.
func TestFault03SilentDeath(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		m, next := c.join("n"), c.join("next")
		m.register("boss", Run(idles))
		next.register("boss", Run(idles))
		time.Sleep(3 * time.Second)
		m.wire.cut()
		cut := time.Now()
		c.until("next holds", func() bool { _, ok := next.g.Holding("boss"); return ok })
		if took := time.Since(cut); took > testT+testTick+testTick/2 {
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
	bubble(t, func(t *testing.T, c *cluster) {
		m, next, peer := c.join("n"), c.join("next"), c.join("peer")
		stopped := make(chan time.Time, 1)
		m.register("boss", Run(func(p *actor.Process) error {
			<-p.Done()
			stopped <- time.Now()
			return nil
		}))
		next.register("boss", Run(idles))
		old := peer.whereis("boss")
		time.Sleep(5 * time.Second)
		m.wire.cut()
		cut := time.Now()
		at := (<-stopped).Sub(cut)
		// The lease is T/2 from a heartbeat, of which there is one every T/8.
		if at < testT/2-testT/8 || at > testT/2 {
			t.Errorf("it stopped %v after the cut", at)
		}
		c.settle()
		ended, _ := seen[TermEnded](m)
		if len(ended) != 1 || !errors.Is(ended[0].Cause, ErrLeaseLapsed) {
			t.Errorf("ended: %v", ended)
		}
		c.until("next holds", func() bool { _, ok := next.g.Holding("boss"); return ok })
		if took := time.Since(cut); took < testT-testT/8 || took > testT+testTick+testTick/2 {
			t.Errorf("the next began %v after the cut", took)
		}
		c.neverTwo("boss")
		if got := peer.whereis("boss"); got == old {
			t.Error("a peer still finds the old holder")
		}
		// When the way is open again the old one stands anew, at the back.
		m.wire.mend()
		c.until("it stands again", func() bool { return len(c.candidates("boss")) == 2 })
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
		c.until("it stopped", func() bool { e, _ := seen[TermEnded](m); return len(e) == 1 })
		m.wire.mend()
		c.until("it holds again", func() bool { e, _ := seen[TermBegan](m); return len(e) == 2 })
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
		c.until("next holds", func() bool { _, ok := next.g.Holding("boss"); return ok })
		c.until("it stands again", func() bool { return len(c.candidates("boss")) == 2 })
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
				lost := 0
				c.dev.Inject(func(r zkdev.Request) zkdev.Fault {
					if r.Session == m.session().ID() && candidateCreates(r) && lost < 3 {
						lost++
						return fault
					}
					return zkdev.NoFault
				})
				m.register("boss", Run(idles))
				if lost == 0 {
					t.Fatal("nothing was lost")
				}
				if got := c.candidates("boss"); len(got) != 2 {
					t.Errorf("%d lost; candidates %v", lost, got)
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
		c.admin()
		old := m.session().ID()
		lost := false
		c.dev.Inject(func(r zkdev.Request) zkdev.Fault {
			if r.Session == old && candidateCreates(r) && !lost {
				lost = true
				m.wire.cut() // and it stays away
				return zkdev.LoseReply
			}
			return zkdev.NoFault
		})
		registered := make(chan actor.PID)
		go func() { registered <- m.register("boss", Run(idles)) }()
		c.until("the create is done", func() bool { return lost && len(c.candidates("boss")) == 1 })
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
		c.until("it is swept", func() bool { return len(c.candidates("boss")) == 2 })
		first.withdraw("boss")
		if h := c.holder("boss"); h != m {
			t.Errorf("%s holds", h.name)
		}
	})
}

func TestFault13OnlyTheSuccessorWakes(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		all := c.joinAll(6)
		for _, m := range all {
			m.register("boss", Run(idles))
		}
		holder := c.holder("boss")
		c.admin()
		time.Sleep(time.Second)
		before := make([]keeper.Stats, len(all))
		for i, m := range all {
			before[i] = m.keeper.Stats()
		}
		c.dev.ExpireSession(all[3].session().ID()) // the fourth in line
		c.settle()
		for i, m := range all {
			after := m.keeper.Stats()
			woke, asked := after.WatchEvents-before[i].WatchEvents, after.Total()-after.Heartbeats-before[i].Total()+before[i].Heartbeats
			switch i {
			case 3:
			case 4:
				if woke != 1 {
					t.Errorf("the successor woke %d times", woke)
				}
			default:
				if woke != 0 || asked != 0 {
					t.Errorf("the one in place %d woke %d times and asked %d times", i+1, woke, asked)
				}
			}
		}
		if h := c.holder("boss"); h != holder {
			t.Errorf("%s holds now", h.name)
		}
		if e, _ := seen[TermEnded](holder); len(e) != 0 {
			t.Errorf("the holder was disturbed: %v", e)
		}
	})
}

func TestFault14HolderWhoseZnodeIsDeletedStops(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		m, next := c.join("n"), c.join("next")
		m.register("boss", Run(idles))
		next.register("boss", Run(idles))
		start := time.Now()
		c.delete(m.znode("boss"))
		c.until("next holds", func() bool { _, ok := next.g.Holding("boss"); return ok })
		c.until("it stands again", func() bool { return len(c.candidates("boss")) == 2 })
		if took := time.Since(start); took > 10*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		ended, _ := seen[TermEnded](m)
		if len(ended) != 1 || !errors.Is(ended[0].Cause, ErrDeleted) {
			t.Errorf("ended: %v", ended)
		}
		if spans := c.terms("boss"); len(spans) != 2 || spans[1].number <= spans[0].number {
			t.Errorf("terms %+v", spans)
		}
	})
}

func TestFault14DeletedWhileWaiting(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		all := c.joinAll(3)
		for _, m := range all {
			m.register("boss", Run(idles))
		}
		old := all[1].znode("boss")
		c.delete(old)
		c.until("it stands again", func() bool { return len(c.candidates("boss")) == 3 })
		all[0].withdraw("boss")
		if h := c.holder("boss"); h != all[2] {
			t.Errorf("%s holds", h.name)
		}
		c.neverTwo("boss")
	})
}

func TestFault15ParentDeleted(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		all := c.joinAll(3)
		for _, m := range all {
			m.register("boss", Run(idles))
		}
		peer := c.join("peer")
		peer.whereis("boss")
		admin := c.admin()
		parent := admin.keeper.Paths().Global("boss")
		var ops []keeper.Op
		for _, child := range c.candidates("boss") {
			ops = append(ops, keeper.DeleteOp(parent+"/"+child, keeper.AnyVersion))
		}
		if _, err := admin.session().Multi(context.Background(), append(ops, keeper.DeleteOp(parent, keeper.AnyVersion))...); err != nil {
			t.Fatal(err)
		}
		c.until("all stand again", func() bool {
			_, there, err := admin.session().Exists(context.Background(), parent, nil)
			return err == nil && there && len(c.candidates("boss")) == 3 && len(c.holders("boss")) == 1
		})
		if got, want := peer.whereis("boss").Node(), c.holder("boss").system.Node(); got != want {
			t.Errorf("found %v, want %v", got, want)
		}
		spans := c.terms("boss")
		for i := 1; i < len(spans); i++ {
			if spans[i].number <= spans[i-1].number {
				t.Errorf("terms %+v", spans)
			}
		}
	})
}

func TestFault16NothingQueuedOutlivesItsSession(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		m := c.join("n")
		c.admin().register("other", Run(idles))
		m.register("a", Run(idles))
		old := m.session().ID()
		m.wire.cut()
		time.Sleep(time.Millisecond)
		go m.g.Register(context.Background(), "boss", Run(idles))
		go m.g.Withdraw(context.Background(), "a")
		time.Sleep(testT / 4)
		c.dev.ExpireSession(old)
		m.wire.mend()
		if h := c.holder("boss"); h != m {
			t.Errorf("%s holds", h.name)
		}
		c.until("a is withdrawn", func() bool { return len(c.candidates("a")) == 0 })
		if got := c.candidates("boss"); len(got) != 1 {
			t.Errorf("candidates %v", got)
		}
		for _, n := range c.dev.Dump() {
			if n.EphemeralOwner == old {
				t.Errorf("%s is of the old session", n.Path)
			}
		}
	})
}

func TestFault20QuorumLostForAMinute(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		all := c.joinAll(3)
		for _, m := range all {
			m.register("boss", Run(idles))
		}
		holder := c.holder("boss")
		time.Sleep(5 * time.Second)
		c.dev.Freeze() // and no session expires
		start := time.Now()
		c.until("the holder stops", func() bool { return len(c.holders("boss")) == 0 })
		if took := time.Since(start); took > testT/2 {
			t.Errorf("it took %v", took)
		}
		for time.Since(start) < time.Minute {
			time.Sleep(time.Second)
			if h := c.holders("boss"); len(h) != 0 {
				t.Fatalf("%s holds meanwhile", h[0].name)
			}
		}
		c.dev.Thaw()
		c.until("all recovers", func() bool { return len(c.holders("boss")) == 1 })
		c.until("all stand", func() bool { return len(c.candidates("boss")) == 3 })
		c.neverTwo("boss")
		for _, m := range all {
			if m.whereis("boss") == (actor.PID{}) {
				t.Error("nobody found")
			}
		}
		_ = holder
	})
}

func TestFault21RestartWithData(t *testing.T) {
	for name, away := range map[string]time.Duration{"briefly": time.Second, "sessions expire": 20 * time.Second} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *cluster) {
				all := c.joinAll(3)
				for _, m := range all {
					m.register("boss", Run(idles))
				}
				holder := c.holder("boss")
				time.Sleep(5 * time.Second)
				c.dev.Down()
				time.Sleep(away)
				c.dev.Up()
				c.until("all stand", func() bool { return len(c.candidates("boss")) == 3 })
				h := c.holder("boss")
				if away < testT/4 && (h != holder || len(c.terms("boss")) != 1) {
					t.Errorf("the holder changed: %+v", c.terms("boss"))
				}
				c.neverTwo("boss")
				for _, m := range all {
					if got := m.whereis("boss"); got.Node() != h.system.Node() {
						t.Errorf("%s finds %v", m.name, got)
					}
				}
			})
		})
	}
}

func TestFault22WipedEnsemble(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		all := c.joinAll(3)
		for _, m := range all {
			m.register("boss", Run(idles))
		}
		old, _ := c.holder("boss").g.Holding("boss")
		time.Sleep(5 * time.Second)
		c.dev.Wipe()
		c.until("everything is there again", func() bool {
			h := c.holders("boss")
			if len(h) != 1 {
				return false
			}
			term, _ := h[0].g.Holding("boss")
			return term.Cluster() != "" && term.Cluster() != old.Cluster() && len(c.candidates("boss")) == 3
		})
		for _, m := range all {
			if got := m.whereis("boss"); got.Node() != c.holder("boss").system.Node() {
				t.Errorf("%s finds %v", m.name, got)
			}
		}
	})
}

// ZooKeeper is restored from an old copy: the cluster is the same, and numbers
// have gone back.
func TestFault22NumbersThatWentBackAreReported(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		m := c.join("n")
		cluster := m.session().ClusterID()
		heard := actor.MakeTerm(cluster, "boss", c.dev.Zxid()+20)
		m.system.Terms().Heard(heard)
		if pid := m.register("boss", Run(idles)); pid.IsZero() {
			t.Error("nobody elected")
		}
		back, _ := seen[WentBack](m)
		if len(back) == 0 || back[0].Name != "boss" || back[0].Heard != heard {
			t.Errorf("reported: %v", back)
		}
		if term, ok := m.g.Holding("boss"); !ok || term.Number() <= heard.Number() {
			t.Errorf("holds %v", term)
		}
	})
}

func TestFault24OwnerDiesBeforeElection(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		holder, m := c.join("holder"), c.join("n")
		holder.register("boss", Run(idles))
		die := make(chan struct{})
		registered := make(chan struct{})
		m.system.Spawn(func(p *actor.Process) error {
			m.register("boss", Run(func(p *actor.Process) error {
				t.Error("elected for a dead owner")
				return nil
			}), While(p))
			close(registered)
			<-die
			return nil
		})
		<-registered
		close(die)
		c.until("it is withdrawn", func() bool { return m.g.Candidacies() == 0 && len(c.candidates("boss")) == 1 })
		holder.withdraw("boss")
		time.Sleep(time.Minute)
		if spans := c.terms("boss"); len(spans) != 1 {
			t.Errorf("terms %+v", spans)
		}
	})
}

func TestFault24OwnerDiesWhileItsCreateIsUnderWay(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		m := c.join("n")
		c.admin()
		ctx, cancel := context.WithCancel(context.Background())
		c.dev.Inject(func(r zkdev.Request) zkdev.Fault {
			if candidateCreates(r) && ctx.Err() == nil {
				cancel()
				return zkdev.LoseReply
			}
			return zkdev.NoFault
		})
		_, err := m.g.Register(context.Background(), "boss", Run(func(*actor.Process) error {
			t.Error("elected for a dead owner")
			return nil
		}), While(ctx))
		if !errors.Is(err, ErrWithdrawn) {
			t.Errorf("register: %v", err)
		}
		c.until("nothing is left", func() bool { return m.g.Candidacies() == 0 && len(c.candidates("boss")) == 0 })
		if _, err := m.g.Register(context.Background(), "boss", Run(idles), While(ctx)); !errors.Is(err, ErrWithdrawn) {
			t.Errorf("registered for one dead already: %v", err)
		}
	})
}

func TestFault25RegisteringAgainReplacesTheCode(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		m := c.join("n")
		c.admin()
		next := make(chan struct{})
		ran := make(chan string, 10)
		code := func(name string) Code {
			return Run(func(p *actor.Process) error {
				ran <- name
				select {
				case <-next:
					return errors.New("next")
				case <-p.Done():
					return nil
				}
			})
		}
		gone, cancel := context.WithCancel(context.Background())
		pid := m.register("boss", code("first"), While(gone))
		time.Sleep(time.Second)
		goroutines, watches := runtime.NumGoroutine(), c.dev.Watches()
		for range 50 {
			if got := m.register("boss", code("second")); got != pid {
				t.Fatalf("elected %v, want %v: the running holder goes on", got, pid)
			}
		}
		cancel() // what the replaced registration was tied to matters no more
		time.Sleep(time.Second)
		if n := runtime.NumGoroutine(); n > goroutines {
			t.Errorf("%d goroutines, before it were %d", n, goroutines)
		}
		if n := c.dev.Watches(); n > watches {
			t.Errorf("%d watches, before it were %d", n, watches)
		}
		if got := c.candidates("boss"); len(got) != 1 {
			t.Errorf("candidates %v", got)
		}
		if first := <-ran; first != "first" || len(ran) != 0 {
			t.Errorf("%s ran, and %d more", first, len(ran))
		}
		next <- struct{}{}
		if second := <-ran; second != "second" {
			t.Errorf("%s ran next", second)
		}
		c.neverTwo("boss")
	})
}

func TestFault26FlappingConnection(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		all := c.joinAll(3)
		for _, m := range all {
			m.register("boss", Run(idles))
		}
		c.admin()
		time.Sleep(5 * time.Second)
		c.settle()
		goroutines, watches := runtime.NumGoroutine(), c.dev.Watches()
		for range 300 {
			c.dev.DisconnectAll()
			time.Sleep(200 * time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		c.until("one holder", func() bool { return len(c.holders("boss")) == 1 && len(c.candidates("boss")) == 3 })
		c.settle()
		if n := runtime.NumGoroutine(); n > goroutines+5 {
			t.Errorf("%d goroutines, before it were %d", n, goroutines)
		}
		if n := c.dev.Watches(); n > watches+3 {
			t.Errorf("%d watches, before it were %d", n, watches)
		}
		c.neverTwo("boss")
	})
}
