package shard_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/conclavetest"
	"conclave/internal/keeper"
	"conclave/shard"
)

func TestPartsAreSharedOutAndMoveWhenNodesComeAndGo(t *testing.T) {
	space(t, 3, shard.Config{Parts: 64}, func(w *world) {
		w.balanced(64, 3)
		w.Stop(1)
		w.balanced(64, 2)
		w.Start(1)
		w.balanced(64, 3)
		w.Kill(0)
		w.balanced(64, 2)
		for _, s := range w.spells {
			if s.over == 0 && s.to != 0 && s.node.Running() {
				w.Errorf("part %d on %s has ended, and OnLose was not called", s.part, s.node)
			}
		}
	})
}

func TestCloseGivesPartsUpInOrder(t *testing.T) {
	space(t, 2, shard.Config{Parts: 16}, func(w *world) {
		w.balanced(16, 2)
		ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
		defer cancel()
		if err := w.of(w.Node(0)).Close(ctx); err != nil {
			w.Fatal(err)
		}
		w.Await("the other to own all", func() bool { _, sum := w.loads(); return sum == 16 })
		for _, s := range w.spells {
			if s.node == w.Node(0) && s.why != nil {
				w.Errorf("part %d was lost, not moved: %v", s.part, s.why)
			}
		}
		if err := w.of(w.Node(1)).Close(ctx); err != nil {
			w.Fatal(err)
		}
	})
}

// With Linger a node that drains keeps its parts until it is told to drain them, be it
// the last; one that stops gives them up all the same.
func TestLingeringNodeKeepsItsPartsUntilItDrainsThem(t *testing.T) {
	var mu sync.Mutex
	var wrong []error
	cfg := shard.Config{Parts: 16, Linger: true}
	cfg.OnEvent = func(e shard.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Kind == shard.Failed || e.Kind == shard.Lost && e.Err != nil && !errors.Is(e.Err, keeper.ErrSessionLost) {
			wrong = append(wrong, e.Err)
		}
	}
	space(t, 2, cfg, func(w *world) {
		w.balanced(16, 2)
		if err := w.Node(0).Drain(w.Context()); err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.balanced(16, 2)
		if err := w.of(w.Node(0)).Drain(w.Context()); err != nil {
			w.Fatal(err)
		}
		w.balanced(16, 1)
		w.Stop(0)
		w.Start(0)
		w.balanced(16, 2)
		w.Stop(1) // undrained
		w.balanced(16, 1)
		mu.Lock()
		defer mu.Unlock()
		if len(wrong) > 0 {
			w.Errorf("%d: %v", len(wrong), wrong[0])
		}
	})
}

func TestPartsThatMoveInOrderAreNotToldAsLosses(t *testing.T) {
	s := &store{}
	var moved, lost atomic.Int32
	cfg := shard.Config{Parts: 32, OnGain: s.serve}
	cfg.OnEvent = func(e shard.Event) {
		switch {
		case e.Kind == shard.Lost && e.Err == nil:
			moved.Add(1)
		case e.Kind == shard.Lost:
			lost.Add(1)
		}
	}
	space(t, 2, cfg, func(w *world) {
		w.balanced(32, 2)
		before := moved.Load() // who was first may have had all
		if err := w.of(w.Node(0)).Drain(w.Context()); err != nil {
			w.Fatal(err)
		}
		w.balanced(32, 1)
		if n := moved.Load() - before; n != 16 || lost.Load() > 0 {
			w.Errorf("16 parts moved: %d were told as moved, and %d as lost", n, lost.Load())
		}
		s.check(w)
	})
}

func TestWatcherWaitsForTheSpaceAndFixesNothing(t *testing.T) {
	conclavetest.Run(t, 0, 1, func(c *conclavetest.Cluster) {
		g := c.Guest("early")
		early := make(chan *shard.Space, 1)
		go func() {
			sp, err := shard.Open(c.Context(), g.Node, spaceName, shard.Config{Watch: true})
			if err != nil {
				c.Error(err)
			}
			early <- sp
		}()
		time.Sleep(time.Minute)
		if len(early) > 0 {
			c.Error("it has opened a space that nobody has made")
		}
		sp, err := shard.Open(c.Context(), c.Node(0).Node, spaceName, shard.Config{Parts: 7})
		if err != nil {
			c.Fatal(err)
		}
		if n := (<-early).Parts(); n != 7 || sp.Parts() != 7 {
			c.Errorf("%d parts", n)
		}
	})
}
