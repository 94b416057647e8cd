package shard_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
	"conclave/shard"
)

func TestTermsThatAllEndAtOnceAreToldAsWhatTheyAre(t *testing.T) {
	var mu sync.Mutex
	var wrong []error
	lost := 0
	cfg := shard.Config{Parts: 512}
	cfg.OnEvent = func(e shard.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Kind == shard.Lost {
			if lost++; !errors.Is(e.Err, keeper.ErrLeaseLapsed) && !errors.Is(e.Err, keeper.ErrSessionLost) {
				wrong = append(wrong, e.Err)
			}
		}
	}
	space(t, 1, cfg, func(w *world) {
		w.balanced(512, 1)
		w.CutZooKeeper(0)
		time.Sleep(time.Minute)
		mu.Lock()
		if lost != 512 || len(wrong) > 0 {
			w.Errorf("%d of 512 were told as lost, %d of them for a wrong reason: %v", lost, len(wrong), wrong)
		}
		wrong, lost = nil, 0
		mu.Unlock()
		w.MendZooKeeper(0)
		w.balanced(512, 1)
	})
}

func TestOnLoseHearsThatOnGainHasFailed(t *testing.T) {
	noDisk := errors.New("no disk")
	var mu sync.Mutex
	var whys []error
	cfg := shard.Config{Parts: 8}
	cfg.OnGain = func(p *actor.Process, part int) error {
		if part < 4 {
			return noDisk
		}
		return nil
	}
	cfg.OnLose = func(p *actor.Process, part int, why error) error {
		if part < 4 {
			mu.Lock()
			defer mu.Unlock()
			whys = append(whys, why)
		}
		return nil
	}
	space(t, 1, cfg, func(w *world) {
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if len(whys) < 8 {
			w.Errorf("OnLose was called %d times only", len(whys))
		}
		for _, why := range whys {
			if !errors.Is(why, noDisk) {
				w.Fatalf("why is %v", why)
			}
		}
	})
}

func TestOnLoseHearsThatItsProcessWasStopped(t *testing.T) {
	crash := errors.New("crash")
	why := make(chan error, 16)
	var told atomic.Pointer[shard.Event]
	var once atomic.Bool
	cfg := shard.Config{Parts: 1}
	cfg.OnGain = func(p *actor.Process, part int) error {
		if once.CompareAndSwap(false, true) {
			p.Spawn(func(*actor.Process) error { return crash }, actor.Linked())
		}
		return nil
	}
	cfg.OnLose = func(p *actor.Process, part int, w error) error { why <- w; return nil }
	cfg.OnEvent = func(e shard.Event) {
		if e.Kind == shard.Lost {
			told.CompareAndSwap(nil, &e)
		}
	}
	space(t, 1, cfg, func(w *world) {
		w.Await("the part to be lost", func() bool { return told.Load() != nil })
		if err := <-why; !errors.Is(err, crash) {
			w.Errorf("OnLose was told %v", err)
		}
		if err := told.Load().Err; !errors.Is(err, crash) {
			w.Errorf("the event says %v", err)
		}
		w.balanced(1, 1)
	})
}

// The node's session can be over before the last of it is told.
func TestPartsOfANodeThatStopsAreNotToldAsFailures(t *testing.T) {
	var mu sync.Mutex
	var wrong []error
	cfg := shard.Config{Parts: 32}
	cfg.OnEvent = func(e shard.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Kind == shard.Failed || e.Kind == shard.Lost && e.Err != nil && !errors.Is(e.Err, keeper.ErrSessionLost) {
			wrong = append(wrong, e.Err)
		}
	}
	space(t, 2, cfg, func(w *world) {
		w.balanced(32, 2)
		w.Stop(0)
		w.balanced(32, 1)
		mu.Lock()
		defer mu.Unlock()
		if len(wrong) > 0 {
			w.Errorf("%d: %v", len(wrong), wrong[0])
		}
	})
}

func TestDrainEndsWithItsNode(t *testing.T) {
	var free chan struct{}
	cfg := shard.Config{Parts: 4}
	cfg.OnLose = func(p *actor.Process, part int, _ error) error { <-free; return nil }
	space(t, 1, cfg, func(w *world) {
		free = make(chan struct{})
		w.balanced(4, 1)
		left := make(chan error, 2)
		sp := w.of(w.Node(0))
		go func() { left <- sp.Drain(context.Background()) }()
		go func() { left <- sp.Close(context.Background()) }()
		time.Sleep(time.Second)
		w.Kill(0) // which cannot end what hangs
		time.Sleep(time.Minute)
		if len(left) != 2 {
			w.Errorf("%d of Drain and Close have returned when their node had stopped", len(left))
		}
		close(free)
	})
}

func TestPartThatHangsWhileDrainingHoldsUpNoOther(t *testing.T) {
	var free chan struct{}
	cfg := shard.Config{Parts: 16, Moves: 1}
	cfg.OnLose = func(p *actor.Process, part int, _ error) error {
		if part%2 == 0 {
			<-free
		}
		return nil
	}
	space(t, 1, cfg, func(w *world) {
		free = make(chan struct{})
		w.balanced(16, 1)
		left := make(chan error, 1)
		go func() { left <- w.of(w.Node(0)).Drain(w.Context()) }()
		w.AwaitWithin(5*time.Minute, "the parts that do not hang to go", func() bool { _, sum := w.loads(); return sum == 8 })
		close(free)
		if err := <-left; err != nil {
			w.Error(err)
		}
	})
}

func TestStuckIsTakenBackAlways(t *testing.T) {
	cfg := shard.Config{Parts: 64, Patience: 3 * time.Second}
	cfg.OnGain = func(p *actor.Process, part int) error { <-time.After(cfg.Patience); return nil }
	space(t, 1, cfg, func(w *world) {
		w.balanced(64, 1)
		time.Sleep(time.Second)
		if on, off := w.told(shard.Stuck), w.told(shard.Unstuck); on != off {
			w.Errorf("%d alarms, %d of them taken back", on, off)
		}
	})
}

func TestSpacesThatAreClosedLeaveNothingBehind(t *testing.T) {
	space(t, 1, shard.Config{Parts: 8}, func(w *world) {
		w.balanced(8, 1)
		n := w.Node(0)
		again := func() {
			sp, err := shard.Open(w.Context(), n.Node, "other", shard.Config{Parts: 4})
			if err != nil {
				w.Fatal(err)
			}
			w.Await("all parts", func() bool { _, owned := sp.Owned(3); return owned })
			if err := sp.Close(w.Context()); err != nil {
				w.Fatal(err)
			}
			synctest.Wait()
		}
		again()
		before := runtime.NumGoroutine()
		for range 20 {
			again()
		}
		if after := runtime.NumGoroutine(); after > before+5 {
			w.Errorf("%d goroutines, and %d after 20 spaces were opened and closed", before, after)
		}
	})
}

// Its member is another, which the plan that it has seen knows nothing of.
func TestNewSessionWantsNothingUntilAPlanSaysSo(t *testing.T) {
	space(t, 3, shard.Config{Parts: 12}, func(w *world) {
		w.balanced(12, 3)
		w.makePlanUnreadable()
		w.ExpireSession(0)
		time.Sleep(10 * time.Second)
		if all, _ := w.loads(); all[0] != 0 {
			w.Errorf("%d parts are owned that no plan gives it", all[0])
		}
		w.forced = time.Second
	})
}

// makePlanUnreadable makes the plan one of a later version of the program.
func (w *world) makePlanUnreadable() {
	w.Helper()
	k := w.Node(0).Keeper()
	session, err := k.Session(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	data, _, err := session.Get(w.Context(), k.Paths().SpacePlan(spaceName), nil)
	if err != nil {
		w.Fatal(err)
	}
	if _, err := session.Set(w.Context(), k.Paths().SpacePlan(spaceName), shard.LaterPlan(data), keeper.AnyVersion); err != nil {
		w.Fatal(err)
	}
}

func TestSpaceThatIsDeletedByHandIsMadeAgain(t *testing.T) {
	s := &store{}
	space(t, 3, shard.Config{Parts: 12, OnGain: s.serve}, func(w *world) {
		k := w.Node(0).Keeper()
		paths := k.Paths()
		for _, only := range []string{paths.SpaceOwners(spaceName), paths.SpaceMembers(spaceName), paths.Space(spaceName)} {
			w.balanced(12, 3)
			session, err := k.Session(w.Context())
			if err != nil {
				w.Fatal(err)
			}
			var remove func(path string) error
			remove = func(path string) error {
				for {
					err := session.Delete(w.Context(), path, keeper.AnyVersion)
					if !errors.Is(err, keeper.ErrNotEmpty) {
						return err
					}
					names, _, err := session.Children(w.Context(), path, nil)
					if err != nil {
						return err
					}
					for _, name := range names {
						if err := remove(path + "/" + name); err != nil && !errors.Is(err, keeper.ErrNoNode) {
							return err
						}
					}
				}
			}
			if err := remove(only); err != nil {
				w.Fatal(err)
			}
			time.Sleep(10 * time.Second)
			w.balanced(12, 3)
		}
		sp, err := shard.Open(w.Context(), w.Guest("g").Node, spaceName, shard.Config{Watch: true})
		if err != nil || sp.Parts() != 12 {
			w.Errorf("it has %d parts: %v", sp.Parts(), err)
		}
		w.forced = time.Second
		s.check(w)
	})
}

func TestZnodesWithOddNamesAreReadOnce(t *testing.T) {
	space(t, 2, shard.Config{Parts: 8}, func(w *world) {
		w.balanced(8, 2)
		k := w.Node(0).Keeper()
		session, err := k.Session(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		if _, err := session.Create(w.Context(), k.Paths().SpaceMembers(spaceName)+"/100%", []byte("hello"), keeper.Persistent); err != nil {
			w.Fatal(err)
		}
		w.ZooKeeper().ResetRequests()
		time.Sleep(time.Second)
		if n := w.ZooKeeper().Requests()["getChildren2"]; n > 20 {
			w.Errorf("%d looks in a second (%v)", n, w.ZooKeeper().Requests())
		}
		w.Await("it to be told of", func() bool { return w.told(shard.Skipped) >= 2 })
	})
}

func TestWhatCannotBeReadIsReadAgainAfterAPause(t *testing.T) {
	space(t, 2, shard.Config{Parts: 8}, func(w *world) {
		w.balanced(8, 2)
		w.makePlanUnreadable()
		w.ZooKeeper().ResetRequests()
		time.Sleep(time.Minute)
		if n := w.ZooKeeper().Requests()["getData"]; n > 200 {
			w.Errorf("%d reads in a minute (%v)", n, w.ZooKeeper().Requests())
		}
		if _, sum := w.loads(); sum != 8 {
			w.Errorf("%d of 8 parts are owned", sum)
		}
		if w.told(shard.Refused) == 0 {
			w.Error("nobody was told")
		}
	})
}

// Nodes that have taken the settings from the znode know them when it has to be made anew.
func TestSpaceIsMadeAgainAsItWas(t *testing.T) {
	space(t, 1, shard.Config{Parts: 12}, func(w *world) {
		w.balanced(12, 1)
		sp, err := shard.Open(w.Context(), w.Guest("g").Node, spaceName, shard.Config{Watch: true})
		if err != nil {
			w.Fatal(err)
		}
		w.Stop(0)
		w.ZooKeeper().Wipe()
		w.mu.Lock()
		w.spells = nil // in another cluster terms begin anew
		w.mu.Unlock()
		time.Sleep(time.Minute)
		w.Start(0)
		time.Sleep(time.Minute)
		w.balanced(12, 1)
		if _, _, err := sp.PartOwner(w.Context(), 11); err != nil {
			w.Error(err)
		}
	})
}

func TestPlanThatIsLostMovesNothing(t *testing.T) {
	space(t, 3, shard.Config{Parts: 30}, func(w *world) {
		w.balanced(30, 3)
		k := w.Node(0).Keeper()
		session, err := k.Session(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		path := k.Paths().SpacePlan(spaceName)
		spoil := func() error {
			_, err := session.Set(w.Context(), path, []byte("?"), keeper.AnyVersion)
			return err
		}
		remove := func() error { return session.Delete(w.Context(), path, keeper.AnyVersion) }
		for _, do := range []func() error{spoil, remove, spoil} {
			before, plans := len(w.spells), w.told(shard.Planned)
			if err := do(); err != nil {
				w.Fatal(err)
			}
			time.Sleep(20 * time.Second)
			if n := len(w.spells) - before; n != 0 || w.told(shard.Planned) == plans {
				w.Errorf("%d parts have moved, %d plans were written", n, w.told(shard.Planned)-plans)
			}
		}
	})
}
