package registry

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
)

// What holds on any ZooKeeper.

func TestRegisteredIsSeenAtOnceOnItsOwnNode_Fault29(t *testing.T) {
	everywhere(t, func(s *site) {
		n, other := s.node(), s.node()
		for round := range 30 {
			service := []string{"ant", "bee", "cat"}[round%3]
			other.capable(service) // caches, before and between
			if round%2 == 0 {
				n.capable(service)
			}
			pid := n.offer(service)
			if pids := n.capable(service); !contains(pids, pid) {
				s.Fatalf("round %d: %v lacks %v", round, pids, pid)
			}
			if err := n.Unregister(s.brief(), service, pid); err != nil {
				s.Fatal(err)
			}
			if pids := n.capable(service); contains(pids, pid) {
				s.Fatalf("round %d: %v still has %v", round, pids, pid)
			}
		}
	})
}

func TestManyWhoRegisterAtOnceSeeThemselves_Fault29(t *testing.T) {
	everywhere(t, func(s *site) {
		nodes := []*member{s.node(), s.node(), s.node()}
		var group sync.WaitGroup
		for _, n := range nodes {
			for range 10 {
				pid := n.pid()
				group.Go(func() {
					if _, err := n.Register(s.brief(), "crowd", pid); err != nil {
						s.Error(err)
						return
					}
					pids, err := n.GetCapable(s.brief(), "crowd")
					if err != nil || !contains(pids, pid) {
						s.Errorf("%v, %v lacks %v", pids, err, pid)
					}
				})
			}
		}
		group.Wait()
		for _, n := range nodes {
			n.await("crowd", func(pids []actor.PID) bool { return len(pids) == 30 })
		}
	})
}

func TestEveryNodeSeesWhatOneRegisters(t *testing.T) {
	everywhere(t, func(s *site) {
		a, b, c := s.node(), s.node(), s.node()
		if pids := b.capable("worker"); len(pids) != 0 {
			s.Fatal(pids)
		}
		one := a.offer("worker")
		for _, n := range []*member{b, c} {
			pids, err := n.WaitCapable(s.brief(), "worker", 1)
			if err != nil || !exactly(one)(pids) {
				s.Fatal(pids, err)
			}
		}
		two := c.offer("worker")
		for _, n := range []*member{a, b, c} {
			n.await("worker", exactly(one, two))
		}
		if first, second := a.capable("worker"), b.capable("worker"); !slices.Equal(first, second) {
			s.Errorf("two nodes see another order: %v and %v", first, second)
		}
	})
}

func TestCachesAreClearedWhenAProcessGoes(t *testing.T) {
	everywhere(t, func(s *site) {
		a, b := s.node(), s.node()
		dies, lives := a.offer("worker"), a.offer("worker")
		a.register("cook", dies)
		b.await("worker", exactly(dies, lives))
		b.await("cook", exactly(dies))
		a.Drop(dies)
		b.await("worker", exactly(lives))
		b.await("cook", exactly())
		a.await("worker", exactly(lives))
	})
}

func TestCachesAreClearedWhenANodeLeaves(t *testing.T) {
	everywhere(t, func(s *site) {
		a, b := s.node(), s.node()
		gone, stays := a.offer("worker"), b.offer("worker")
		b.await("worker", exactly(gone, stays))
		a.stop()
		b.await("worker", exactly(stays))
	})
}

func TestWhoAllWaitForMembersAreToldAtOnce(t *testing.T) {
	everywhere(t, func(s *site) {
		a, b := s.node(), s.node()
		var group sync.WaitGroup
		for i := range 100 {
			need := 1 + i%3
			group.Go(func() {
				pids, err := b.WaitCapable(s.brief(), "worker", need)
				if err != nil || len(pids) < need {
					s.Errorf("%v, %v for one who waits for %d", pids, err, need)
				}
			})
		}
		s.awaitThat("a hundred waiting", func() bool { return b.Stats().Waiting == 100 })
		a.offer("worker")
		s.awaitThat("a third of them told", func() bool { return b.Stats().Waiting == 66 })
		a.offer("worker")
		s.awaitThat("two thirds", func() bool { return b.Stats().Waiting == 33 })
		a.offer("worker")
		group.Wait()
	})
}

func TestAtLeastSeesWhatTheTokenSays(t *testing.T) {
	everywhere(t, func(s *site) {
		a, b := s.node(), s.node()
		for range 10 {
			b.capable("worker")
			pid := a.pid()
			token := a.register("worker", pid)
			v, err := b.AtLeast(s.brief(), "worker", token)
			if err != nil || !contains(v.PIDs, pid) {
				s.Fatalf("%+v, %v lacks %v", v, err, pid)
			}
			if v.Token.Zxid < token.Zxid || v.Token.Cluster != token.Cluster {
				s.Errorf("view of %v for token %v", v.Token, token)
			}
			b.capable("worker") // a read may have crossed the watch's event
			before := b.k.Stats().Total()
			if _, err := b.AtLeast(s.brief(), "worker", token); err != nil {
				s.Error(err)
			}
			if n := b.k.Stats().Total() - before; n != 0 {
				s.Errorf("%d requests for what is known", n)
			}
		}
		if _, err := b.AtLeast(s.brief(), "worker", Token{Cluster: "elsewhere", Zxid: 1}); !errors.Is(err, ErrOtherCluster) {
			s.Errorf("a token of another cluster: %v", err)
		}
	})
}

func TestFreshSeesEverythingDoneBefore(t *testing.T) {
	everywhere(t, func(s *site) {
		a, b := s.node(), s.node()
		for range 10 {
			pid := a.offer("worker")
			v, err := b.Fresh(s.brief(), "worker")
			if err != nil || !contains(v.PIDs, pid) || v.Stale {
				s.Fatalf("%+v, %v lacks %v", v, err, pid)
			}
			if err := a.Unregister(s.brief(), "worker", pid); err != nil {
				s.Fatal(err)
			}
			if v, err = b.Fresh(s.brief(), "worker"); err != nil || contains(v.PIDs, pid) {
				s.Fatalf("%+v, %v still has %v", v, err, pid)
			}
		}
		if v, err := b.Fresh(s.brief(), "nobody knows"); err != nil || len(v.PIDs) != 0 {
			s.Error(v, err)
		}
	})
}

func TestEveryNodeIsListedWhileItLives(t *testing.T) {
	everywhere(t, func(s *site) {
		a, b := s.node(), s.node()
		list := func() []actor.NodeID {
			ids, err := a.Nodes(s.brief())
			if err != nil {
				s.Fatal(err)
			}
			return ids
		}
		s.awaitThat("both listed", func() bool { return slices.Equal(list(), []actor.NodeID{a.id, b.id}) })
		s.settle()
		before := a.k.Stats().Total()
		list()
		if n := a.k.Stats().Total() - before; n != 0 {
			s.Errorf("%d requests for a known list", n)
		}
		c := s.node()
		s.awaitThat("a third", func() bool { return slices.Equal(list(), []actor.NodeID{a.id, b.id, c.id}) })
		b.stop()
		s.awaitThat("one gone", func() bool { return slices.Equal(list(), []actor.NodeID{a.id, c.id}) })
		if gets := a.k.Stats().Gets; gets > 6 {
			s.Errorf("%d reads of node data: each should be read once", gets)
		}
	})
}

func TestRegistrationOfAnEarlierSessionIsReplaced(t *testing.T) {
	everywhere(t, func(s *site) {
		// Two runs with the same PID stand for one run with two sessions of which
		// the first has not expired yet.
		old, now, watcher := s.nodeAs("twin", 7), s.node(), s.node()
		pid := old.offer("worker")
		now.cfg.Self = actor.NodeID{}
		now.register("worker", pid)
		old.k.Close(s.brief()) // what the first session owned vanishes
		watcher.await("worker", exactly(pid))
		v, err := watcher.Fresh(s.brief(), "worker")
		if err != nil || !exactly(pid)(v.PIDs) {
			s.Errorf("%v, %v: it vanished with the first session", v, err)
		}
	})
}

func TestNameThatCannotBeUsedIsNamedInTheError(t *testing.T) {
	inBubble(t, func(s *site) {
		n := s.node()
		for _, name := range []string{"", "a/b", "..", "x\x00y"} {
			_, register := n.Register(s.brief(), name, n.pid())
			_, get := n.GetCapable(s.brief(), name)
			_, wait := n.WaitCapable(s.brief(), name, 1)
			_, fresh := n.Fresh(s.brief(), name)
			_, atLeast := n.AtLeast(s.brief(), name, Token{})
			unregister := n.Unregister(s.brief(), name, n.pid())
			for i, err := range []error{register, get, wait, fresh, atLeast, unregister} {
				if !errors.Is(err, actor.ErrBadName) {
					s.Errorf("%q, call %d: %v", name, i, err)
				}
			}
		}
	})
}

func TestNamesThatNeedEscapingWork(t *testing.T) {
	everywhere(t, func(s *site) {
		n, m := s.nodeAs("100%", 99), s.node()
		for _, name := range []string{"50%", "%2F", "größe", "a b", "\uF8FF"} {
			if actor.CheckName(name) != nil {
				continue
			}
			pid := n.offer(name)
			m.await(name, exactly(pid))
		}
	})
}

func TestOnlyOwnProcessesAreRegistered(t *testing.T) {
	inBubble(t, func(s *site) {
		dead := map[uint64]bool{1: true}
		a := s.node(func(c *Config) { c.Alive = func(pid actor.PID) bool { return !dead[pid.Serial()] } })
		b := s.node()
		if _, err := a.Register(s.brief(), "worker", b.pid()); !errors.Is(err, ErrForeign) {
			s.Error(err)
		}
		if _, err := a.Register(s.brief(), "worker", actor.PID{}); !errors.Is(err, ErrNoProcess) {
			s.Error(err)
		}
		if _, err := a.Register(s.brief(), "worker", a.pid()); !errors.Is(err, ErrNoProcess) {
			s.Error(err)
		}
		a.offer("worker")
		s.settle()
		if v, _ := b.Fresh(s.brief(), "worker"); len(v.PIDs) != 1 {
			s.Error(v)
		}
	})
}

func TestStrangeChildrenAreSkippedAndReportedOnce(t *testing.T) {
	everywhere(t, func(s *site) {
		a, b := s.node(), s.node()
		one := a.offer("worker")
		k, err := b.k.Session(s.brief())
		if err != nil {
			s.Fatal(err)
		}
		for _, child := range []string{"README", "nobody", "x@y#zz.1", "%zz", one.String() + "0x"} {
			if _, err := k.Create(s.brief(), b.paths.Service("worker")+"/"+child, nil, keeper.Persistent); err != nil {
				s.Fatal(err)
			}
		}
		if _, err := k.Create(s.brief(), b.paths.Nodes()+"/what", nil, keeper.Ephemeral); err != nil {
			s.Fatal(err)
		}
		two := a.offer("worker")
		b.await("worker", exactly(one, two))
		if err := a.Unregister(s.brief(), "worker", one); err != nil {
			s.Fatal(err)
		}
		b.await("worker", exactly(two))
		if n := b.said(EventStray); n != 5 {
			s.Errorf("%d reports of five strays", n)
		}
		s.awaitThat("both nodes", func() bool {
			ids, err := b.Nodes(s.brief())
			return err == nil && slices.Equal(ids, []actor.NodeID{a.id, b.id})
		})
	})
}

func TestUnregisterAllLeavesNothing(t *testing.T) {
	everywhere(t, func(s *site) {
		a, b := s.node(), s.node()
		stays := b.offer("ant")
		for range 50 {
			a.register("ant", a.pid())
			a.register("bee", a.pid())
		}
		if err := a.UnregisterAll(s.brief()); err != nil {
			s.Fatal(err)
		}
		for _, service := range []string{"ant", "bee"} {
			v, err := b.Fresh(s.brief(), service)
			if err != nil || len(v.PIDs) > 0 && !exactly(stays)(v.PIDs) {
				s.Error(v, err)
			}
		}
		if n := a.Stats().Registered; n != 0 {
			s.Error(n, "left")
		}
	})
}

func TestCloseTurnsEverybodyAway(t *testing.T) {
	inBubble(t, func(s *site) {
		n := s.node()
		n.offer("worker")
		n.capable("worker")
		var group sync.WaitGroup
		group.Go(func() {
			if _, err := n.WaitCapable(s.brief(), "worker", 2); !errors.Is(err, ErrClosed) {
				s.Error(err)
			}
		})
		s.settle()
		n.Registry.Close()
		group.Wait()
		n.Registry.Close()
		if _, err := n.GetCapable(s.brief(), "worker"); !errors.Is(err, ErrClosed) {
			s.Error(err)
		}
		if _, err := n.Register(s.brief(), "worker", n.pid()); !errors.Is(err, ErrClosed) {
			s.Error(err)
		}
		if err := n.Unregister(s.brief(), "worker", n.pid()); !errors.Is(err, ErrClosed) {
			s.Error(err)
		}
		n.Drop(n.pid())
	})
}

func TestCallerWhoGoesIsForgotten(t *testing.T) {
	inBubble(t, func(s *site) {
		n := s.node()
		if _, err := n.WaitCapable(s.within(time.Second), "worker", 1); err == nil {
			s.Error("somebody came")
		}
		s.settle()
		if st := n.Stats(); st.Waiting != 0 {
			s.Errorf("%+v", st)
		}
	})
}

func TestWhoFollowsAServiceSeesEveryLastingChange(t *testing.T) {
	everywhere(t, func(s *site) {
		a, b := s.node(), s.node()
		var seen Token
		next := func() []actor.PID {
			v, err := b.Next(s.brief(), "worker", seen)
			if err != nil {
				s.Fatal(err)
			}
			if v.Token == seen {
				s.Errorf("%v once more", seen)
			}
			seen = v.Token
			return v.PIDs
		}
		until := func(what func([]actor.PID) bool) {
			for pids := next(); !what(pids); pids = next() {
			}
		}
		one, two := a.offer("worker"), a.offer("worker")
		until(exactly(one, two)) // perhaps after one that is empty or has one of them
		a.Drop(one)
		until(exactly(two))
		a.stop()
		until(exactly())
		// Nothing changes, so nothing is told and nothing is asked.
		before := b.k.Stats().Total()
		if v, err := b.Next(s.within(time.Second), "worker", seen); err == nil {
			s.Errorf("%+v", v)
		}
		if n := b.k.Stats().Total() - before; n > 0 {
			s.Errorf("%d requests while nothing changed", n)
		}
		if names, err := b.Services(s.brief()); err != nil || !slices.Equal(names, []string{"worker"}) {
			s.Errorf("%v, %v", names, err)
		}
	})
}
