package shard_test

import (
	"context"
	"errors"
	"testing"
	"time"

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

func TestCallToAnOwnerThatStandsStillEndsSoonAfterItsTerm(t *testing.T) {
	cfg := shard.Config{Parts: 1, Entity: func(string) actor.Func {
		return func(p *actor.Process) error {
			for {
				if _, err := p.Receive(); err != nil { // it never answers
					return err
				}
			}
		}
	}}
	space(t, 3, cfg, func(w *world) {
		got := make(chan error, 8)
		w.balanced(1, 3)
		caller, owner := w.Node(0), w.Node(1)
		for _, n := range w.Nodes() {
			if _, owns := w.of(n).Owned(0); owns {
				owner = n
			} else {
				caller = n
			}
		}
		sp := w.of(caller)
		if err := sp.Send(w.Context(), "k", 1); err != nil {
			w.Fatal(err)
		}
		for range 2 {
			caller.Spawn(func(p *actor.Process) error {
				_, err := sp.Request(p, "k", 1)
				got <- err
				return nil
			})
			go func() {
				_, err := sp.Request(caller.With(w.Context()), "k", 1)
				got <- err
			}()
		}
		time.Sleep(time.Second)
		w.Pause(owner.Index())
		w.Await("another owner", func() bool {
			id, _, err := sp.PartOwner(w.Context(), 0)
			return err == nil && id != owner.ID()
		})
		over := w.Now()
		for range 4 {
			if err := <-got; !errors.Is(err, node.ErrUnknownOutcome) {
				w.Errorf("%v", err)
			}
		}
		if late := w.Now() - over; late > 3*time.Second {
			w.Errorf("they were told %v after the part had another owner", late)
		}
		w.Resume(owner.Index())
		w.balanced(1, 3)
	})
}
