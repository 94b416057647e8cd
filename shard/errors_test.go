package shard_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"conclave/actor"
	"conclave/shard"
)

func TestErrorsOfMailSayWhatTheyAre(t *testing.T) {
	cfg := shard.Config{Parts: 8, Wait: 3 * time.Second, Entity: func(key string) actor.Func {
		return func(p *actor.Process) error {
			if key == "lazy" {
				return nil
			}
			_, err := p.Receive()
			return err
		}
	}}
	space(t, 2, cfg, func(w *world) {
		w.balanced(8, 2)
		n, other := w.Node(0), w.Node(1)
		sp := w.of(n)
		if _, err := shard.Call[int](n.With(w.Context()), sp, "lazy", 1); !errors.Is(err, shard.ErrMoved) || !errors.Is(err, actor.ErrTimeout) {
			w.Errorf("a process that reads nothing: %v", err)
		}
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		if _, err := shard.Call[int](n.With(ctx), sp, "lazy", 1); !errors.Is(err, shard.ErrMoved) || !errors.Is(err, context.DeadlineExceeded) {
			w.Errorf("the same, and the sender has no time: %v", err)
		}
		for _, part := range []int{-1, 8} {
			if _, _, err := sp.PartOwner(w.Context(), part); !errors.Is(err, shard.ErrNoPart) {
				w.Errorf("the owner of part %d: %v", part, err)
			}
			if err := sp.SendPart(w.Context(), part, 1); !errors.Is(err, shard.ErrNoPart) {
				w.Errorf("mail for part %d: %v", part, err)
			}
		}
		keys := []string{w.ownedBy(n), w.ownedBy(other), "never used"}
		for _, key := range keys[:2] {
			if err := sp.Send(w.Context(), key, 1); err != nil {
				w.Error(err)
			}
		}
		w.Stop(0)
		for _, key := range keys {
			if err := sp.Send(context.Background(), key, 1); !errors.Is(err, shard.ErrClosed) {
				w.Errorf("its node has stopped: %v", err)
			}
		}
		if w.told(shard.EntityFailed) > 0 {
			w.Error("a process that was told to end is no failure")
		}
	})
}
