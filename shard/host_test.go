package shard_test

import (
	"errors"
	"sync"
	"testing"
	"time"

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
