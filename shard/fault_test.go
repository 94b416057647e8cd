package shard_test

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/conclavetest"
	"conclave/internal/keeper"
	"conclave/shard"
	"conclave/zkdev"
)

// store is a store outside the cluster that remembers, for each part, the highest
// term that has written to it.
type store struct {
	mu      sync.Mutex
	highest map[int]int64
	writes  int
	late    []string
}

// write is one effect.
func (s *store) write(part int, term int64) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	if s.highest == nil {
		s.highest = make(map[int]int64)
	}
	if term < s.highest[part] {
		s.late = append(s.late, fmt.Sprintf("part %d: an effect of term %d after one of %d", part, term, s.highest[part]))
	}
	s.highest[part] = max(s.highest[part], term)
	return s.writes
}

// serve has an effect every 50 ms as long as the term lasts, and sends word of it to
// some node.
func (s *store) serve(p *actor.Process, part int) error {
	p.Spawn(func(p *actor.Process) error {
		for {
			if _, err := p.ReceiveTimeout(50 * time.Millisecond); !errors.Is(err, actor.ErrTimeout) {
				return err
			}
			if err := p.CheckTerm(); err != nil {
				return err
			}
			n := s.write(part, p.Term().Number())
			if sinks, err := p.GetCapable("sink"); err == nil && len(sinks) > 0 {
				_ = p.Send(sinks[n%len(sinks)], part)
			}
		}
	})
	return nil
}

func (s *store) check(w *world) {
	w.Helper()
	time.Sleep(time.Second)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writes == 0 {
		w.Error("nothing was written")
	}
	for _, text := range s.late {
		w.Error(text)
	}
}

func TestFault49EffectsNeverOverlapWhileNodesComeAndGo(t *testing.T) {
	s := &store{}
	space(t, 6, shard.Config{Parts: 48, OnGain: s.serve}, func(w *world) {
		r := w.Chance("who")
		w.balanced(48, 6)
		running := 6
		for range 30 {
			i := r.IntN(6)
			n := w.Nodes()
			alive := false
			for _, x := range n {
				alive = alive || x.Index() == i && x.Running()
			}
			switch {
			case !alive:
				w.Start(i)
				running++
			case running < 3:
			case r.IntN(2) == 0:
				w.Kill(i)
				running--
			default:
				w.Stop(i)
				running--
			}
			time.Sleep(time.Duration(r.IntN(8000)) * time.Millisecond)
		}
		w.balanced(48, running)
		s.check(w)
	})
}

func TestFault50OwnerThatHangsWhileDrainingKeepsThePart(t *testing.T) {
	var hanging atomic.Int32
	hanging.Store(-1)
	free := make(chan struct{})
	cfg := shard.Config{Parts: 8, Patience: 5 * time.Second}
	cfg.OnLose = func(_ *actor.Process, part int, _ error) error {
		if hanging.CompareAndSwap(-1, int32(part)) {
			<-free
		}
		return nil
	}
	space(t, 2, cfg, func(w *world) {
		free = make(chan struct{}) // of the bubble
		w.balanced(8, 2)
		leaver := w.of(w.Node(0))
		left := make(chan error, 1)
		go func() { left <- leaver.Drain(w.Context()) }()
		w.Await("an alarm", func() bool { return w.told(shard.Stuck) == 1 })
		time.Sleep(10 * time.Minute)
		part := int(hanging.Load())
		id, term, err := leaver.PartOwner(w.Context(), part)
		if err != nil || id != w.Node(0).ID() {
			w.Fatalf("part %d is with %s (%v), and its old owner has not given it up", part, id, err)
		}
		if now, ok := leaver.Owned(part); !ok || now != term {
			w.Errorf("the term of a part that drains is over: %v, %v", now, ok)
		}
		if _, sum := w.loads(); sum != 8 {
			w.Errorf("%d of 8 parts have an owner: the others are held up", sum)
		}
		if len(left) > 0 {
			w.Error("Drain has returned")
		}
		close(free)
		if err := <-left; err != nil {
			w.Error(err)
		}
		w.Await("the part to move", func() bool { _, owned := w.of(w.Node(1)).Owned(part); return owned })
		if w.told(shard.Unstuck) != 1 {
			w.Error("the alarm was not taken back")
		}
	})
}

func TestOwnerThatIsCutOffFromZooKeeperLosesItsPartsInTime(t *testing.T) {
	s := &store{}
	space(t, 3, shard.Config{Parts: 24, OnGain: s.serve}, func(w *world) {
		w.balanced(24, 3)
		for range 3 {
			w.CutZooKeeper(1)
			w.Await("the others to own all", func() bool { all, sum := w.loads(); return sum == 24 && all[1] == 0 })
			w.MendZooKeeper(1)
			w.balanced(24, 3)
		}
		s.check(w)
	})
}

func TestOwnerThatWasPausedOwnsNothingWhenItWakes(t *testing.T) {
	s := &store{}
	space(t, 3, shard.Config{Parts: 24, OnGain: s.serve}, func(w *world) {
		w.balanced(24, 3)
		for _, d := range []time.Duration{time.Second, 6 * time.Second, time.Minute} {
			w.Pause(2)
			time.Sleep(d)
			w.Resume(2)
			w.balanced(24, 3)
		}
		s.check(w)
	})
}

func TestOwnerZnodeThatAnAdministratorDeletesEndsTheTerm(t *testing.T) {
	s := &store{}
	space(t, 3, shard.Config{Parts: 24, OnGain: s.serve}, func(w *world) {
		w.balanced(24, 3)
		k := w.Node(0).Keeper()
		r := w.Chance("which")
		for range 5 {
			before := make(map[int]actor.Term)
			session, err := k.Session(w.Context())
			if err != nil {
				w.Fatal(err)
			}
			for range 10 {
				part := r.IntN(24)
				if _, term, err := w.of(w.Node(0)).PartOwner(w.Context(), part); err == nil {
					before[part] = term
				}
				if err := session.Delete(w.Context(), k.Paths().SpaceOwner(spaceName, part), keeper.AnyVersion); err != nil && !errors.Is(err, keeper.ErrNoNode) {
					w.Fatal(err)
				}
			}
			w.balanced(24, 3)
			for part, old := range before {
				if _, term, err := w.of(w.Node(0)).PartOwner(w.Context(), part); err != nil || term.Number() <= old.Number() {
					w.Errorf("part %d: term %v after %v was deleted (%v)", part, term, old, err)
				}
			}
		}
		s.check(w)
	})
}

func TestMembersWithDifferentViewsNeverOwnOnePartTwice(t *testing.T) {
	s := &store{}
	space(t, 4, shard.Config{Parts: 32, OnGain: s.serve}, func(w *world) {
		w.balanced(32, 4)
		w.Lag(1, 20*time.Second)
		w.Stop(0)
		time.Sleep(5 * time.Second)
		w.Start(0)
		w.Kill(3)
		time.Sleep(time.Minute)
		w.Lag(1, 0)
		w.balanced(32, 3)
		s.check(w)
	})
}

func TestStormOfJoinsIsPlannedForAFewTimes(t *testing.T) {
	const nodes = 64
	s := &store{}
	space(t, nodes, shard.Config{Parts: 256, OnGain: s.serve}, func(w *world) {
		w.balanced(256, nodes)
		if n := w.told(shard.Planned); n > 8 {
			w.Errorf("%d plans for %d nodes that came within a second", n, nodes)
		}
		s.check(w)
	})
}

// A session that ends before its time (by somebody's hands: see docs/guarantees.md)
// may leave two owners for as long as the news takes; terms tell them apart.
func TestSessionThatIsEndedByHandEndsAllTerms(t *testing.T) {
	s := &store{}
	space(t, 2, shard.Config{Parts: 16, OnGain: s.serve}, func(w *world) {
		for range 3 {
			w.balanced(16, 2)
			w.ExpireSession(0)
			time.Sleep(time.Second)
		}
		w.balanced(16, 2)
		time.Sleep(time.Second)
		w.forced = 100 * time.Millisecond
	})
}

func TestHookThatPanicsOrFailsTouchesNoOtherPart(t *testing.T) {
	s := &store{}
	var tries atomic.Int32
	cfg := shard.Config{Parts: 8}
	cfg.OnGain = func(p *actor.Process, part int) error {
		if part == 3 {
			if tries.Add(1) <= 3 {
				panic("not today")
			}
		}
		if part == 4 && tries.Add(1) <= 3 {
			return errors.New("no disk")
		}
		return s.serve(p, part)
	}
	cfg.OnLose = func(_ *actor.Process, part int, _ error) error {
		if part == 5 {
			panic("nor then")
		}
		return nil
	}
	space(t, 2, cfg, func(w *world) {
		w.balanced(8, 2)
		if w.told(shard.Failed) < 3 {
			w.Errorf("%d failures were told", w.told(shard.Failed))
		}
		lost := 0
		for _, x := range w.spells {
			if x.part != 3 && x.part != 4 && x.over != 0 && x.why != nil {
				lost++
			}
		}
		if lost > 0 {
			w.Errorf("%d other parts were lost", lost)
		}
		w.Stop(0)
		w.balanced(8, 1)
		s.check(w)
	})
}

// As with testing's FailNow, in a test's hook.
func TestHookThatEndsItsGoroutineHasFailed(t *testing.T) {
	var mu sync.Mutex
	var gains int
	var whys []error
	cfg := shard.Config{Parts: 8}
	cfg.OnGain = func(_ *actor.Process, part int) error {
		if part == 3 {
			mu.Lock()
			gains++
			mu.Unlock()
			runtime.Goexit()
		}
		return nil
	}
	cfg.OnLose = func(_ *actor.Process, part int, why error) error {
		if part == 3 {
			mu.Lock()
			whys = append(whys, why)
			mu.Unlock()
		}
		if part == 5 {
			runtime.Goexit()
		}
		return nil
	}
	space(t, 1, cfg, func(w *world) {
		w.Await("the other parts", func() bool { _, sum := w.loads(); return sum == 7 })
		time.Sleep(10 * time.Minute)
		before := runtime.NumGoroutine()
		time.Sleep(10 * time.Minute)
		if n := runtime.NumGoroutine(); n > before+5 {
			w.Errorf("%d goroutines, and %d ten minutes later", before, n)
		}
		w.Stop(0)
		mu.Lock()
		defer mu.Unlock()
		if gains < 10 || len(whys) != gains {
			w.Errorf("OnGain was called %d times, OnLose %d times", gains, len(whys))
		}
		for _, why := range whys {
			if !errors.Is(why, actor.ErrGoexit) {
				w.Fatalf("OnLose was told %v", why)
			}
		}
		if n := w.told(shard.Failed); n != gains+1 {
			w.Errorf("%d failures of %d were told", n, gains+1)
		}
	})
}

func TestPatienceMayBeForEver(t *testing.T) {
	b := newBook()
	cfg := shard.Config{Parts: 8, Entity: b.entity, Patience: math.MaxInt64, Wait: math.MaxInt64, Idle: math.MaxInt64, Moves: math.MaxInt}
	cfg.OnLose = func(*actor.Process, int, error) error { <-time.After(time.Minute); return nil }
	space(t, 2, cfg, func(w *world) {
		w.balanced(8, 2)
		n := w.Node(0)
		sp, key := w.of(n), w.ownedBy(w.Node(1))
		if _, err := shard.Call[int](n.With(w.Context()), sp, key, &line{"x", 1}); err != nil {
			w.Error(err)
		}
		time.Sleep(10 * time.Minute)
		if b.processes(key) != 1 {
			w.Error("its process has ended")
		}
		if err := w.of(w.Node(1)).Drain(w.Context()); err != nil {
			w.Error(err)
		}
		if _, err := shard.Call[int](n.With(w.Context()), sp, key, &line{"x", 2}); err != nil {
			w.Error(err)
		}
		if n := w.told(shard.Stuck); n > 0 {
			w.Errorf("%d alarms", n)
		}
		b.check(w)
	})
}

func TestHookThatHangsTouchesNoOtherPart(t *testing.T) {
	cfg := shard.Config{Parts: 8, Patience: 3 * time.Second}
	cfg.OnGain = func(p *actor.Process, part int) error {
		if part == 3 {
			<-p.Done()
		}
		return nil
	}
	space(t, 2, cfg, func(w *world) {
		w.Await("seven parts to be owned, and an alarm", func() bool { _, sum := w.loads(); return sum == 7 && w.told(shard.Stuck) == 1 })
		time.Sleep(time.Minute)
		if _, sum := w.loads(); sum != 7 {
			w.Errorf("%d parts are owned", sum)
		}
	})
}

func TestSettingsAreFixedByTheFirst(t *testing.T) {
	space(t, 2, shard.Config{Parts: 16, Needs: map[string]string{"disk": "fast"}, Labels: map[string]string{"disk": "fast"}}, func(w *world) {
		w.balanced(16, 2)
		g := w.Guest("asker")
		for _, cfg := range []shard.Config{{Parts: 17, Watch: true}, {Needs: map[string]string{"disk": "slow"}, Watch: true}} {
			if _, err := shard.Open(w.Context(), g.Node, spaceName, cfg); !errors.Is(err, shard.ErrMismatch) {
				w.Errorf("%+v: %v", cfg, err)
			}
		}
		sp, err := shard.Open(w.Context(), g.Node, spaceName, shard.Config{Watch: true})
		if err != nil || sp.Parts() != 16 {
			w.Fatalf("%v", err)
		}
		if id, term, err := sp.Owner(w.Context(), "some key"); err != nil || term.IsZero() || id.Name == "" {
			w.Errorf("%v %v %v", id, term, err)
		}
		if err := sp.Close(w.Context()); err != nil {
			w.Error(err)
		}
		for name, err := range map[string]error{
			"a guest that is to own parts": func() error { _, err := shard.Open(w.Context(), g.Node, spaceName, shard.Config{}); return err }(),
			"too many parts": func() error {
				_, err := shard.Open(w.Context(), g.Node, "x", shard.Config{Parts: 1 << 20, Watch: true})
				return err
			}(),
			"a negative weight": func() error {
				_, err := shard.Open(w.Context(), g.Node, "x", shard.Config{Weight: -1, Watch: true})
				return err
			}(),
			"a bad name": func() error { _, err := shard.Open(w.Context(), g.Node, "a/b", shard.Config{Watch: true}); return err }(),
		} {
			if err == nil {
				w.Errorf("%s: no error", name)
			}
		}
	})
}

func TestMemberZnodeThatIsDeletedByHandIsMadeAgain(t *testing.T) {
	s := &store{}
	space(t, 3, shard.Config{Parts: 12, OnGain: s.serve}, func(w *world) {
		w.balanced(12, 3)
		k := w.Node(0).Keeper()
		session, err := k.Session(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		names, _, err := session.Children(w.Context(), k.Paths().SpaceMembers(spaceName), nil)
		if err != nil || len(names) != 3 {
			w.Fatal(names, err)
		}
		for _, name := range names {
			if err := session.Delete(w.Context(), k.Paths().SpaceMember(spaceName, name), keeper.AnyVersion); err != nil {
				w.Fatal(err)
			}
			time.Sleep(10 * time.Second)
			w.balanced(12, 3)
		}
		s.check(w)
	})
}

// An answer that is lost leaves no member behind that nobody is.
func TestMemberWhoseCreateWasNotAnsweredIsOneMember(t *testing.T) {
	space(t, 2, shard.Config{Parts: 8}, func(w *world) {
		w.balanced(8, 2)
		remove := w.ZooKeeper().Inject(func(r zkdev.Request) zkdev.Fault {
			if r.Op == "create" && len(r.Paths) > 0 && strings.Contains(r.Paths[0], "/members/") || r.Op == "multi" && slices.ContainsFunc(r.Paths, func(p string) bool { return strings.Contains(p, "/members/") }) {
				return zkdev.LoseReply
			}
			return zkdev.NoFault
		})
		w.Stop(1)
		w.Start(1)
		time.Sleep(5 * time.Second)
		remove()
		w.balanced(8, 2)
		k := w.Node(0).Keeper()
		session, err := k.Session(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		if names, _, err := session.Children(w.Context(), k.Paths().SpaceMembers(spaceName), nil); err != nil || len(names) != 2 {
			w.Errorf("members %v, %v", names, err)
		}
	})
}

func TestMemberWithoutTheLabelsOwnsNothing(t *testing.T) {
	space(t, 2, shard.Config{Parts: 16, Needs: map[string]string{"disk": "fast"}}, func(w *world) {
		time.Sleep(time.Minute)
		if _, sum := w.loads(); sum != 0 {
			w.Errorf("%d parts are owned by nodes without the label", sum)
		}
	})
}

func TestForeignZnodesAreSkippedAndTold(t *testing.T) {
	s := &store{}
	space(t, 2, shard.Config{Parts: 8, OnGain: s.serve}, func(w *world) {
		w.balanced(8, 2)
		k := w.Node(0).Keeper()
		session, err := k.Session(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		do := func(err error) {
			w.Helper()
			if err != nil {
				w.Fatal(err)
			}
		}
		_, err = session.Create(w.Context(), k.Paths().SpaceMember(spaceName, "somebody"), []byte("hello"), keeper.Persistent)
		do(err)
		_, err = session.Set(w.Context(), k.Paths().SpacePlan(spaceName), []byte("to do: everything"), keeper.AnyVersion)
		do(err)
		w.Await("both to be told of", func() bool { return w.told(shard.Skipped) >= 2 })
		w.balanced(8, 2)
		part := -1
		for i := range 8 {
			if _, owned := w.of(w.Node(0)).Owned(i); owned {
				part = i
			}
		}
		path := k.Paths().SpaceOwner(spaceName, part)
		results, err := session.Multi(w.Context(), keeper.DeleteOp(path, keeper.AnyVersion), keeper.CreateOp(path, []byte("mine"), keeper.Persistent))
		if err != nil {
			w.Fatal(results, err)
		}
		w.Await("the znode to be told of", func() bool { return w.told(shard.Skipped) >= 3 })
		if _, _, err := w.of(w.Node(1)).PartOwner(w.Context(), part); !errors.Is(err, shard.ErrNoOwner) {
			w.Errorf("%v", err)
		}
		if _, sum := w.loads(); sum != 7 {
			w.Errorf("%d parts are owned", sum)
		}
		do(session.Delete(w.Context(), path, keeper.AnyVersion))
		w.balanced(8, 2)
		s.check(w)
	})
}

var histories = flag.Int("shard.histories", 6, "how many random histories TestRandomFaultsNeverMakeTwoOwners plays")

// Minutes of random failures under load, with mail by key, on 3 to 12 nodes: the history
// that all have recorded is checked, and what became of the mail. Replay a seed with -conclavetest.seed, and -run with the
// number of nodes.
func TestRandomFaultsNeverMakeTwoOwners(t *testing.T) {
	for run := range *histories {
		nodes := 3 + 7*run%10
		t.Run(fmt.Sprintf("%d-nodes", nodes), func(t *testing.T) {
			s, m := &store{}, &mail{keys: 2 * nodes, pause: 8 * time.Second}
			spaceWith(t, nodes, shard.Config{Parts: 8 * nodes, OnGain: s.serve}, m, func(w *world) {
				w.balanced(8*nodes, nodes)
				w.Faults(3*time.Minute, 15, lawful()...)
				w.Mend()
				w.balanced(8*nodes, nodes)
				v := m.check(w, 8*nodes)
				t.Logf("%d letters: %d accepted, %d of them lost with their owners; %d refused, %d unknown; %d processes of keys",
					v.Sent, v.Accepted, v.Lost, v.Refused, v.Unknown, v.Lives)
				s.check(w)
			})
		})
		if t.Failed() {
			return
		}
	}
}

// lawful are the faults under which ZooKeeper keeps its promises: it ends no session
// before its time.
func lawful() []conclavetest.Kind {
	return slices.DeleteFunc(conclavetest.Kinds(), func(k conclavetest.Kind) bool { return k == conclavetest.KindExpire })
}
