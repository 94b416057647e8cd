package shard_test

import (
	"errors"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/shard"
)

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
