package shard_test

import (
	"context"
	"errors"
	"testing"

	"conclave/actor"
	"conclave/node"
	"conclave/shard"
)

// Whatever ends the wait for an answer (the caller's own end, too), the call may have
// been carried out.
func TestCallThatItsCallerGivesUpHasAnUnknownOutcome(t *testing.T) {
	why := errors.New("no longer of interest")
	taken := make(chan struct{}, 1)
	cfg := shard.Config{Parts: 4, Entity: func(string) actor.Func {
		return func(p *actor.Process) error {
			for {
				if _, err := p.Receive(); err != nil {
					return err
				}
				taken <- struct{}{}
			}
		}
	}}
	space(t, 2, cfg, func(w *world) {
		taken = make(chan struct{}, 1) // of the bubble
		w.balanced(4, 2)
		for _, n := range w.Nodes() {
			for _, key := range []string{"a", "b", "c", "d"} {
				ctx, cancel := context.WithCancelCause(w.Context())
				go func() { <-taken; cancel(why) }()
				if _, err := shard.Call[int](n.With(ctx), w.of(n), key, 1); !errors.Is(err, node.ErrUnknownOutcome) || !errors.Is(err, why) {
					w.Errorf("the node's call to %q: %v", key, err)
				}
				var err error
				over := make(chan struct{})
				pid := n.Spawn(func(p *actor.Process) error {
					_, err = shard.Call[int](p, w.of(n), key, 1)
					return nil
				}, actor.OnExit(func(actor.PID, error) { close(over) }))
				<-taken
				n.Exit(pid, actor.Shutdown)
				<-over
				if !errors.Is(err, node.ErrUnknownOutcome) {
					w.Errorf("the call of a process to %q: %v", key, err)
				}
			}
		}
	})
}
