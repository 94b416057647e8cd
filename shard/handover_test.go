package shard_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
	"conclave/shard"
)

// unserved is how many parts were without an owner who serves them at a time, at most,
// since from, when OnGain takes so long.
func (w *world) unserved(from, gain time.Duration) (most int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	type change struct {
		at time.Duration
		by int
	}
	var changes []change
	for i, s := range w.spells {
		if s.from < from {
			continue
		}
		for _, before := range slices.Backward(w.spells[:i]) {
			if before.part == s.part {
				changes = append(changes, change{before.over, 1}, change{s.from + gain, -1})
				break
			}
		}
	}
	slices.SortFunc(changes, func(a, b change) int {
		if a.at != b.at {
			return int(a.at - b.at)
		}
		return a.by - b.by // who takes comes before who gives
	})
	now := 0
	for _, c := range changes {
		now += c.by
		most = max(most, now)
	}
	return most
}

func TestPartsAreGivenUpWhenTheOtherCanTakeThem(t *testing.T) {
	const gain = 20 * time.Millisecond
	cfg := shard.Config{Parts: 48, OnGain: func(*actor.Process, int) error { <-time.After(gain); return nil }}
	space(t, 3, cfg, func(w *world) {
		w.balanced(48, 3)
		began := w.Now()
		n := w.Node(2)
		if err := n.Drain(w.Context()); err != nil {
			w.Fatal(err)
		}
		if all, _ := w.loads(); all[2] != 0 {
			w.Errorf("it has drained, and owns %d parts", all[2])
		}
		time.Sleep(2 * gain)
		if _, sum := w.loads(); sum != 48 {
			w.Errorf("%d of 48 parts are served when a node has drained", sum)
		}
		if most := w.unserved(began, gain); most == 0 || most > 2 {
			w.Errorf("%d parts were unserved at a time as a node drained, at most 2 should be", most)
		}
		if took := w.Now() - began; took > 2*time.Second {
			w.Errorf("16 parts have taken %v", took)
		}
		w.Stop(2)
		began = w.Now()
		w.Start(2)
		w.balanced(48, 3)
		if most := w.unserved(began, gain); most == 0 || most > 4 {
			w.Errorf("%d parts were unserved at a time as a node came, at most 2 of each other's should be", most)
		}
	})
}

// What waits for hooks or mail does not need what those wait for that are quick.
func TestPartsWhoseHooksAreSlowMoveSoManyAtATime(t *testing.T) {
	var mu sync.Mutex
	now, most := 0, 0
	count := func(by int) {
		mu.Lock()
		defer mu.Unlock()
		now += by
		most = max(most, now)
	}
	cfg := shard.Config{Parts: 64, Moves: 8}
	cfg.OnLose = func(*actor.Process, int, error) error {
		count(1)
		defer count(-1)
		<-time.After(time.Second)
		return nil
	}
	space(t, 2, cfg, func(w *world) {
		w.balanced(64, 2)
		began := w.Now()
		if err := w.of(w.Node(0)).Drain(w.Context()); err != nil {
			w.Fatal(err)
		}
		if most != 8 {
			w.Errorf("OnLose ran for %d parts at a time, not 8", most)
		}
		if took := w.Now() - began; took > 6*time.Second {
			w.Errorf("32 parts, 8 at a time for a second each, have taken %v", took)
		}
	})
}

// Whether his OnGain hangs, or he cannot be asked.
func TestWhoDoesNotTakePartsHoldsUpNoMoveForLong(t *testing.T) {
	t.Run("OnGain hangs", func(t *testing.T) {
		var hang atomic.Bool
		cfg := shard.Config{Parts: 64, OnGain: func(p *actor.Process, part int) error {
			if hang.Load() && part%2 == 0 {
				<-p.Done()
			}
			return nil
		}}
		space(t, 3, cfg, func(w *world) {
			w.balanced(64, 3)
			began := w.Now()
			hang.Store(true)
			if err := w.of(w.Node(0)).Drain(w.Context()); err != nil {
				w.Fatal(err)
			}
			if took := w.Now() - began; took > 4*time.Second {
				w.Errorf("the drain has taken %v", took)
			}
		})
	})
	t.Run("it cannot be reached", func(t *testing.T) {
		space(t, 2, shard.Config{Parts: 64}, func(w *world) {
			w.balanced(64, 2)
			w.Partition(0, 1)
			began := w.Now()
			if err := w.of(w.Node(0)).Drain(w.Context()); err != nil {
				w.Fatal(err)
			}
			if took := w.Now() - began; took > 4*time.Second {
				w.Errorf("the drain has taken %v", took)
			}
			w.Await("all parts to be served by the other", func() bool { all, _ := w.loads(); return all[1] == 64 })
			w.Heal(0, 1)
		})
	})
}

// What it does not give up it serves, and the one who comes does not.
func TestMemberWhoseOnGainHangsGetsPartsSlowly(t *testing.T) {
	var hang atomic.Bool
	cfg := shard.Config{Parts: 256, OnGain: func(p *actor.Process, _ int) error {
		if hang.Load() {
			<-p.Done()
		}
		return nil
	}}
	space(t, 3, cfg, func(w *world) {
		w.balanced(256, 3)
		w.Stop(2)
		w.balanced(256, 2)
		hang.Store(true)
		w.Start(2)
		time.Sleep(2 * time.Second)
		if _, sum := w.loads(); sum < 256-3*2*8 {
			w.Errorf("%d of 256 parts are served 2 s after somebody came who serves none", sum)
		}
		w.Kill(2)
		hang.Store(false)
		w.balanced(256, 2)
	})
}

func TestAnswerOfWhoIsNotToHaveThePartSaysNothingOfTheNext(t *testing.T) {
	const gain = 100 * time.Millisecond
	cfg := shard.Config{Parts: 512, OnGain: func(*actor.Process, int) error { <-time.After(gain); return nil }}
	space(t, 3, cfg, func(w *world) {
		w.balanced(512, 3)
		w.Lag(1, 30*time.Millisecond)
		began := w.Now()
		left := make(chan error, 1)
		go func() { left <- w.of(w.Node(0)).Drain(w.Context()) }()
		time.Sleep(505 * time.Millisecond)
		go func() { _ = w.of(w.Node(1)).Drain(w.Context()) }()
		if err := <-left; err != nil {
			w.Fatal(err)
		}
		w.Await("all parts to be at the third", func() bool { all, _ := w.loads(); return all[2] == 512 })
		if most := w.unserved(began, gain); most > 2*8 {
			w.Errorf("%d parts were unserved at a time, at most 8 of each of two should be", most)
		}
	})
}

func TestNodeThatDrainsDoesNotWaitForZooKeeperForLong(t *testing.T) {
	slow := func(*actor.Process, int, error) error { <-time.After(300 * time.Millisecond); return nil }
	for name, away := range map[string]func(w *world){
		"down":   func(w *world) { w.ZooKeeperDown() },
		"frozen": func(w *world) { w.ZooKeeperFreeze() },
		"before": nil,
	} {
		t.Run(name, func(t *testing.T) {
			space(t, 2, shard.Config{Parts: 64, OnLose: slow}, func(w *world) {
				w.balanced(64, 2)
				if away == nil {
					w.ZooKeeperDown()
					time.Sleep(5 * time.Second)
				}
				began := w.Now()
				left := make(chan error, 1)
				go func() { left <- w.Node(0).Drain(context.Background()) }()
				time.Sleep(400 * time.Millisecond)
				if away != nil {
					away(w)
				}
				err := <-left
				if !errors.Is(err, keeper.ErrNotConnected) {
					w.Errorf("Drain says %v, and the node holds parts", err)
				}
				if took := w.Now() - began; took > 9*time.Second { // 0.4 s until it is away, two thirds of T until the client finds out, and the patience
					w.Errorf("it has waited for %v", took)
				}
				w.ZooKeeperUp()
				w.ZooKeeperThaw()
				w.Await("the other to own everything", func() bool { all, _ := w.loads(); return all[1] == 64 })
			})
		})
	}
}

func TestNodeThatDrainsWhileItConnectsAgainHandsItsPartsOver(t *testing.T) {
	space(t, 2, shard.Config{Parts: 64}, func(w *world) {
		w.balanced(64, 2)
		w.Disconnect(0)
		for w.Node(0).Keeper().Current().Connected() {
			time.Sleep(100 * time.Microsecond)
		}
		if err := w.Node(0).Drain(w.Context()); err != nil {
			w.Fatal(err)
		}
		if all, _ := w.loads(); all[0] != 0 {
			w.Errorf("it has drained, and owns %d parts", all[0])
		}
	})
}

func TestLastNodeThatDrainsGivesUpItsParts(t *testing.T) {
	space(t, 1, shard.Config{Parts: 64}, func(w *world) {
		w.balanced(64, 1)
		began := w.Now()
		if err := w.Node(0).Drain(context.Background()); err != nil {
			w.Error(err)
		}
		if took := w.Now() - began; took > 3*time.Second {
			w.Errorf("it has waited for %v, with nobody there to take them", took)
		}
	})
}
