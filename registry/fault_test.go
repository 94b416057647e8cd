package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
	"conclave/zkdev"
)

// The failures that concern names, numbered as in docs/guarantees.md, in virtual
// time.

func (m *member) view(service string) View {
	m.s.Helper()
	v, err := m.Lookup(m.s.brief(), service)
	if err != nil {
		m.s.Fatal(err)
	}
	return v
}

func TestWithoutConnectionTheLastKnownIsServedWithItsAge(t *testing.T) {
	inBubble(t, func(s *site) {
		n, other := s.node(), s.node()
		pid := other.offer("worker")
		if v := n.view("worker"); v.Stale || v.Age != 0 || !exactly(pid)(v.PIDs) {
			s.Errorf("%+v", v)
		}
		n.view("nobody")
		s.zk.Down()
		s.settle()
		time.Sleep(time.Second)
		if v := n.view("worker"); !v.Stale || v.Age != time.Second || !exactly(pid)(v.PIDs) {
			s.Errorf("%+v", v)
		}
		if v := n.view("nobody"); !v.Stale || v.Age != time.Second {
			s.Errorf("%+v", v)
		}
		if _, err := n.Fresh(s.within(time.Second), "worker"); !errors.Is(err, context.DeadlineExceeded) {
			s.Errorf("fresh without ZooKeeper: %v", err)
		}
		if _, err := n.WaitCapable(s.within(time.Second), "worker", 2); !errors.Is(err, context.DeadlineExceeded) {
			s.Errorf("two of one: %v", err)
		}
		if pids, err := n.WaitCapable(s.brief(), "worker", 1); err != nil || !exactly(pid)(pids) {
			s.Error(pids, err)
		}
		time.Sleep(time.Minute) // the sessions are over
		if v := n.view("worker"); !v.Stale || v.Age < time.Minute || !exactly(pid)(v.PIDs) {
			s.Errorf("%+v", v)
		}
		s.zk.Up()
		n.awaitFresh("worker", pid)
	})
}

// awaitFresh waits until the service is known and current.
func (m *member) awaitFresh(service string, pids ...actor.PID) {
	m.s.Helper()
	m.s.awaitThat(service+" current", func() bool {
		v := m.view(service)
		return !v.Stale && exactly(pids...)(v.PIDs)
	})
}

func TestEnsembleRestartsWithItsData_Fault21(t *testing.T) {
	for _, away := range []time.Duration{time.Second, time.Minute} {
		inBubble(t, func(s *site) {
			a, b := s.node(), s.node()
			one, two := a.offer("worker"), b.offer("worker")
			b.await("worker", exactly(one, two))
			s.zk.Down()
			time.Sleep(away)
			s.zk.Up()
			time.Sleep(2 * siteT)
			for _, n := range []*member{a, b} {
				n.awaitFresh("worker", one, two)
				v, err := n.Fresh(s.brief(), "worker")
				if err != nil || !exactly(one, two)(v.PIDs) {
					s.Errorf("away %v: %v, %v", away, v, err)
				}
			}
		})
	}
}

func TestWipedEnsembleIsForgottenAndFilledAnew_Fault22(t *testing.T) {
	inBubble(t, func(s *site) {
		a, b := s.node(), s.node()
		one, two := a.offer("worker"), b.offer("worker")
		b.offer("cook")
		token := a.register("worker", one)
		a.await("worker", exactly(one, two))
		a.capable("cook")
		b.stop()
		old := a.session()
		s.zk.Wipe()
		s.awaitThat("another session", func() bool {
			k := a.k.Current()
			return k != nil && k.ID() != old
		})
		a.awaitFresh("worker", one)
		if pids := a.capable("cook"); len(pids) != 0 {
			s.Errorf("%v is of the wiped cluster", pids)
		}
		if _, err := a.AtLeast(s.brief(), "worker", token); !errors.Is(err, ErrOtherCluster) {
			s.Errorf("a token of the wiped cluster: %v", err)
		}
		if a.said(EventWentBack) > 0 {
			s.Error("another cluster is not an earlier state of this one")
		}
	})
}

func TestFlappingConnectionLeaksNothing_Fault26(t *testing.T) {
	inBubble(t, func(s *site) {
		a, b := s.node(), s.node()
		pid := a.offer("worker")
		b.await("worker", exactly(pid))
		a.await("worker", exactly(pid))
		s.settle()
		before := b.k.Stats().WatchesOutstanding
		for i := range 300 { // a minute, every 200 ms
			s.zk.DisconnectAll()
			time.Sleep(200 * time.Millisecond)
			b.view("worker")
			if i%10 == 0 {
				a.GetCapable(s.within(time.Millisecond), fmt.Sprint("nobody", i))
			}
		}
		time.Sleep(10 * time.Second)
		b.awaitFresh("worker", pid)
		s.settle()
		if after := b.k.Stats().WatchesOutstanding; after > before+1 { // the names list may have joined
			s.Errorf("%d watches, once %d", after, before)
		}
		if st := b.Stats(); st.Cached > 2 || st.Waiting > 0 {
			s.Errorf("%+v", st)
		}
		// A bubble ends only if no goroutine is left over.
	})
}

func TestWatchedParentDeletedAndMadeAgainWhileAway_Fault27(t *testing.T) {
	for _, away := range []string{"one", "both"} {
		inBubble(t, func(s *site) {
			a, b, admin := s.node(), s.node(), s.node()
			pid := a.offer("worker")
			b.await("worker", exactly(pid))
			b.capable("nobody")
			k, err := admin.k.Session(s.brief())
			if err != nil {
				s.Fatal(err)
			}
			// The nodes cannot come back while the administrator is at it.
			var held []int64
			for _, n := range []*member{b, a}[:1+btoi(away == "both")] {
				held = append(held, n.session())
			}
			for _, id := range held {
				s.zk.HoldReplies(id)
				s.zk.Disconnect(id)
			}
			time.Sleep(100 * time.Millisecond)
			service := admin.paths.Service("worker")
			stranger := actor.MakePID(admin.id, 9)
			steps := []error{
				k.Delete(s.brief(), service+"/"+keeper.Escape(pid.String()), -1),
				k.Delete(s.brief(), service, -1),
			}
			_, err = k.Create(s.brief(), service, nil, keeper.Persistent)
			steps = append(steps, err)
			_, err = k.Create(s.brief(), service+"/"+stranger.String(), nil, keeper.Ephemeral)
			for i, err := range append(steps, err) {
				if err != nil && !(i == 1 && away == "one" && errors.Is(err, keeper.ErrNotEmpty)) && !errors.Is(err, keeper.ErrNodeExists) {
					s.Fatalf("step %d: %v", i, err)
				}
			}
			for _, id := range held {
				s.zk.ReleaseReplies(id)
			}
			// a's registration was deleted by hand: it makes it again.
			for _, n := range []*member{a, b, admin} {
				n.awaitFresh("worker", pid, stranger)
			}
			if a.said(EventRegistrationGone) != 1 {
				s.Errorf("%s away: %d reports that a registration was deleted", away, a.said(EventRegistrationGone))
			}
		})
	}
}

func TestWholeTreeDeletedByHandIsMadeAgain(t *testing.T) {
	inBubble(t, func(s *site) {
		a, b := s.node(), s.node()
		pid := a.offer("worker")
		b.await("worker", exactly(pid))
		b.capable("nobody")
		k, err := b.k.Session(s.brief())
		if err != nil {
			s.Fatal(err)
		}
		for _, path := range []string{a.paths.Member("worker", pid.String()), a.paths.Service("worker"), a.paths.Services()} {
			if err := k.Delete(s.brief(), path, -1); err != nil {
				s.Fatal(err)
			}
		}
		if pids := b.capable("nobody"); len(pids) != 0 {
			s.Error(pids)
		}
		b.awaitFresh("worker", pid)
		b.awaitFresh("nobody")
		two := a.offer("nobody")
		b.awaitFresh("nobody", two)
	})
}

func TestLostWatchIsRepairedAndCounted_Fault28(t *testing.T) {
	inBubble(t, func(s *site) {
		a, b := s.node(), s.node()
		one := a.offer("worker")
		b.await("worker", exactly(one))
		s.zk.LoseWatch(b.paths.Service("worker"))
		a.capable("worker") // its watch is lost too
		two := a.offer("worker")
		if v := b.view("worker"); v.Stale || !exactly(one)(v.PIDs) {
			s.Errorf("the watch was to be lost: %+v", v)
		}
		begin := time.Now()
		for !exactly(one, two)(b.capable("worker")) {
			time.Sleep(time.Second)
		}
		if took := time.Since(begin); took > 90*time.Second+time.Second {
			s.Errorf("repaired after %v", took)
		}
		if st := b.Stats(); st.Repaired != 1 || b.said(EventWatchRepaired) != 1 {
			s.Errorf("%+v, %d reports", st, b.said(EventWatchRepaired))
		}
		three := a.offer("worker")
		b.await("worker", exactly(one, two, three)) // the new watch works
	})
}

func TestLostWatchOnTheNamesIsRepaired_Fault28(t *testing.T) {
	inBubble(t, func(s *site) {
		a, b := s.node(), s.node()
		b.capable("worker")
		var group sync.WaitGroup
		group.Go(func() {
			if pids, err := b.WaitCapable(s.within(5*time.Minute), "worker", 1); err != nil || len(pids) != 1 {
				s.Error(pids, err)
			}
		})
		s.settle()
		s.zk.LoseWatch(b.paths.Services())
		a.offer("worker")
		group.Wait()
		if st := b.Stats(); st.Repaired != 1 {
			s.Errorf("%+v", st)
		}
	})
}

func TestNewSessionReloadsAThousandNamesWithinBounds_Fault31(t *testing.T) {
	inBubble(t, func(s *site) {
		a, b := s.node(), s.node()
		var names []string
		pids := make(map[string]actor.PID)
		for i := range 1000 {
			name := fmt.Sprint("service", i)
			names = append(names, name)
			pids[name] = a.offer(name)
			b.await(name, exactly(pids[name]))
		}
		s.settle()
		// Replies of b's next session are held back for a moment each, so that one
		// can see how many are under way.
		var mu sync.Mutex
		under, most := 0, 0
		old := b.session()
		remove := s.zk.Inject(func(r zkdev.Request) zkdev.Fault {
			if r.Session != old && r.Op == "getChildren2" && strings.Contains(r.Paths[0], "/service") {
				mu.Lock()
				under++
				most = max(most, under)
				mu.Unlock()
				return zkdev.HoldReply
			}
			return zkdev.NoFault
		})
		defer remove()
		s.zk.ExpireSession(old)
		s.awaitThat("another session", func() bool {
			k := b.k.Current()
			return k != nil && k.ID() != old
		})
		next := b.session()
		stale := 0
		for turn := 0; ; turn++ {
			s.settle()
			mu.Lock()
			now := under
			under = 0
			mu.Unlock()
			left := 0
			for _, name := range names {
				v := b.view(name)
				if !exactly(pids[name])(v.PIDs) {
					s.Fatalf("%s: %+v", name, v)
				}
				if v.Stale {
					left++
				}
			}
			stale = max(stale, left)
			if now == 0 && left == 0 {
				break
			}
			if turn > 2000 {
				s.Fatalf("%d names are still stale", left)
			}
			s.zk.ReleaseReplies(next)
			time.Sleep(time.Millisecond)
		}
		if most > 16 {
			s.Errorf("%d reads at once", most)
		}
		if stale < 900 {
			s.Errorf("only %d names were served stale: the test shows nothing", stale)
		}
	})
}

func TestNewSessionRegistersEverythingAnewWithinBounds_Fault31(t *testing.T) {
	inBubble(t, func(s *site) {
		a, b := s.node(), s.node()
		var pids []actor.PID
		for range 300 {
			pids = append(pids, a.offer("worker"))
		}
		b.await("worker", exactly(pids...))
		// Replies are held back for a moment each, to see how many are under way.
		var mu sync.Mutex
		under, most, made := 0, 0, 0
		old := a.session()
		remove := s.zk.Inject(func(r zkdev.Request) zkdev.Fault {
			if r.Session == old || r.Op != "multi" || !slices.ContainsFunc(r.Paths, func(p string) bool { return strings.Contains(p, "/services/worker/") }) {
				return zkdev.NoFault
			}
			mu.Lock()
			defer mu.Unlock()
			under++
			made++
			most = max(most, under)
			return zkdev.HoldReply
		})
		s.zk.ExpireSession(old)
		s.awaitThat("another session", func() bool {
			k := a.k.Current()
			return k != nil && k.ID() != old
		})
		for turn := 0; ; turn++ {
			s.settle()
			mu.Lock()
			done := under == 0 && made >= len(pids)
			under = 0
			mu.Unlock()
			if done {
				break
			}
			if turn > 2000 {
				s.Fatalf("%d of %d registrations were made again", made, len(pids))
			}
			s.zk.ReleaseReplies(a.session())
			time.Sleep(time.Millisecond)
		}
		remove()
		if most > 16 || made != len(pids) {
			s.Errorf("%d writes at once, %d for %d registrations", most, made, len(pids))
		}
		b.awaitFresh("worker", pids...)
		if v, err := b.Fresh(s.brief(), "worker"); err != nil || !exactly(pids...)(v.PIDs) {
			s.Errorf("%d, %v", len(v.PIDs), err)
		}
		if a.said(EventRegistrationGone)+a.said(EventRegistrationRefused) > 0 {
			s.Error(a.events)
		}
	})
}

func TestBurstOfAThousandEventsLosesNone_Fault32(t *testing.T) {
	inBubble(t, func(s *site) {
		a, b := s.node(), s.node()
		for i := range 1000 {
			pid := a.offer(fmt.Sprint("service", i))
			b.await(fmt.Sprint("service", i), exactly(pid))
		}
		s.settle()
		// One write fires a thousand watches: a's session ends, and all its
		// registrations with it, in one transaction.
		s.zk.ExpireSession(a.session())
		s.settle()
		for i := range 1000 {
			name := fmt.Sprint("service", i)
			b.await(name, func(pids []actor.PID) bool { return len(pids) == 1 })
		}
		time.Sleep(time.Second)
		for i := range 1000 {
			if v := b.view(fmt.Sprint("service", i)); v.Stale || len(v.PIDs) != 1 {
				s.Fatalf("service%d: %+v", i, v)
			}
		}
		if st := b.Stats(); st.Repaired > 0 {
			s.Errorf("%+v", st)
		}
	})
}

func TestRestartedNodeIsAnotherOne_Fault33(t *testing.T) {
	inBubble(t, func(s *site) {
		b := s.node()
		first := s.nodeAs("phoenix", 0xa)
		old := first.offer("worker")
		b.await("worker", exactly(old))
		first.Registry.Close()
		s.zk.Freeze() // it dies without a word: its session lives on for a while
		first.k.Close(s.within(time.Second))
		s.zk.Thaw()
		second := s.nodeAs("phoenix", 0xb)
		now := second.offer("worker")
		if now == old || now.String() == old.String() {
			s.Fatal("the same PID twice")
		}
		b.await("worker", exactly(now))
		ids, err := b.Nodes(s.brief())
		if err != nil || len(ids) != 2 || ids[1] != second.id {
			s.Error(ids, err)
		}
		if err := second.Unregister(s.brief(), "worker", old); err != nil {
			s.Error(err)
		}
		b.awaitFresh("worker", now)
	})
}

func TestOwnRegistrationIsSeenInANewSession_Fault29(t *testing.T) {
	inBubble(t, func(s *site) {
		a, b := s.node(), s.node()
		for round := range 20 {
			name := fmt.Sprint("service", round%4)
			other := b.offer(name)
			a.capable(name)
			a.capable("nobody")
			s.zk.ExpireSession(a.session())
			if round%2 == 0 {
				time.Sleep(time.Duration(round) * 10 * time.Millisecond)
			}
			if round%3 == 0 {
				name = fmt.Sprint("new", round) // made by the other, and not known here
				b.offer(name)
			}
			pid := a.offer(name)
			if pids := a.capable(name); !contains(pids, pid) {
				s.Fatalf("round %d: %v lacks %v", round, pids, pid)
			}
			b.Drop(other)
		}
	})
}
