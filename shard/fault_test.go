package shard_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
	"conclave/shard"
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
