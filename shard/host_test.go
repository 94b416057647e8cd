package shard_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
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
	cfg.OnGain = func(p *actor.Process, part int) error { time.Sleep(3 * time.Second); return nil }
	space(t, 1, cfg, func(w *world) {
		w.balanced(64, 1)
		time.Sleep(time.Second)
		if on, off := w.told(shard.Stuck), w.told(shard.Unstuck); on != off {
			w.Errorf("%d alarms, %d of them taken back", on, off)
		}
	})
}
