package shard_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"conclave/internal/keeper"
	"conclave/shard"
)

// What an outage of ZooKeeper's leaves behind.

// Whatever has ended meanwhile, and nothing else happens when the node is connected again.
func TestPartsAreServedSoonAfterZooKeeperIsBack(t *testing.T) {
	s := &store{}
	space(t, 1, shard.Config{Parts: 16, OnGain: s.serve}, func(w *world) {
		w.balanced(16, 1)
		for d := 500 * time.Millisecond; d <= 15*time.Second; d += 500 * time.Millisecond {
			w.CutZooKeeper(0)
			time.Sleep(d)
			w.MendZooKeeper(0)
			time.Sleep(5 * time.Second)
			if _, sum := w.loads(); sum != 16 {
				w.Errorf("5 s after ZooKeeper was away for %v, %d of 16 parts are served", d, sum)
			}
			w.balanced(16, 1)
		}
		s.check(w)
	})
}

func TestLossIsToldWithItsCause(t *testing.T) {
	s := &store{}
	var mu sync.Mutex
	told := make(map[string]int)
	cfg := shard.Config{Parts: 64, OnGain: s.serve}
	cfg.OnEvent = func(e shard.Event) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case e.Kind == shard.Failed:
			told["failed: "+e.Err.Error()]++
		case e.Kind != shard.Lost:
		case errors.Is(e.Err, keeper.ErrLeaseLapsed), errors.Is(e.Err, keeper.ErrSessionLost):
			told["rightly"]++
		default:
			told[fmt.Sprint(e.Err)]++
		}
	}
	space(t, 1, cfg, func(w *world) {
		w.balanced(64, 1)
		for range 5 {
			w.CutZooKeeper(0)
			time.Sleep(8 * time.Second)
			w.MendZooKeeper(0)
			time.Sleep(5 * time.Second) // none of them is taken for a failure, and held back
			w.balanced(64, 1)
		}
		mu.Lock()
		defer mu.Unlock()
		if told["rightly"] != 5*64 || len(told) > 1 {
			w.Errorf("told of losses: %v", told)
		}
	})
}

// The end of a session is no refusal, and nobody need be told of it as one.
func TestGuestThatLeavesTellsOfNoRefusal(t *testing.T) {
	space(t, 2, shard.Config{Parts: 8}, func(w *world) {
		w.balanced(8, 2)
		for i := range 20 {
			g := w.Guest(fmt.Sprint("guest", i))
			refused := make(chan error, 1)
			if _, err := shard.Open(w.Context(), g.Node, spaceName, shard.Config{Watch: true, OnEvent: func(e shard.Event) {
				if e.Kind == shard.Refused {
					refused <- e.Err
				}
			}}); err != nil {
				w.Fatal(err)
			}
			time.Sleep(time.Duration(i) * time.Millisecond)
			if err := g.Node.Stop(w.Context()); err != nil {
				w.Error(err)
			}
			select {
			case err := <-refused:
				w.Errorf("guest %d: %v", i, err)
			default:
			}
		}
	})
}
