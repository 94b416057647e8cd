package shard_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
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

// What has gone out over a link that breaks may have arrived.
func TestMailOverALinkThatBreaksIsNotSentAgain(t *testing.T) {
	b := newBook()
	space(t, 2, shard.Config{Parts: 8, Entity: b.entity, Wait: time.Hour}, func(w *world) {
		w.balanced(8, 2)
		sp := w.of(w.Node(0))
		var keys []string // of the other node
		for i := 0; len(keys) < 3; i++ {
			key := fmt.Sprint("key ", i)
			if _, ours := sp.Owned(sp.PartOf(key)); !ours {
				keys = append(keys, key)
			}
		}
		lost := 0
		for i := 1; i <= 40; i++ {
			for j, key := range keys {
				var err error
				if i == 20 && j == 0 { // what the other node answers does not arrive
					w.CutOneWay(1, 0)
					time.AfterFunc(20*time.Second, func() { w.Heal(0, 1) })
				}
				if i%2 == 0 {
					err = sp.Send(w.Context(), key, &line{"x", i})
				} else {
					_, err = shard.Call[int](w.Node(0).With(w.Context()), sp, key, &line{"x", i})
				}
				switch {
				case errors.Is(err, node.ErrUnknownOutcome) && errors.Is(err, actor.LinkLost):
					lost++
				case err != nil:
					w.Errorf("message %d to %q: %v", i, key, err)
				}
			}
		}
		if lost == 0 {
			w.Error("no link was lost")
		}
		b.check(w)
	})
}

func TestNothingIsSavedWhenTheLeaseIsOver(t *testing.T) {
	var saved, late atomic.Int32
	cfg := shard.Config{Parts: 12, Entity: shard.Stateful[int]{
		Receive: func(p *actor.Process, _ string, n *int, m actor.Message) error {
			*n++
			return p.Reply(m, *n)
		},
		Save: func(p *actor.Process, _ string, _ *int) error {
			saved.Add(1)
			if p.CheckTerm() != nil {
				late.Add(1)
			}
			return nil
		},
	}.Entity}
	space(t, 3, cfg, func(w *world) {
		call := func() {
			for i := range 30 {
				if _, err := shard.Call[int](w.Node(0).With(w.Context()), w.of(w.Node(0)), fmt.Sprint("key ", i), 1); err != nil {
					w.Error(err)
				}
			}
		}
		w.balanced(12, 3)
		call()
		w.CutZooKeeper(1)
		w.Await("the others to own all", func() bool { all, sum := w.loads(); return sum == 12 && all[1] == 0 })
		call()
		w.MendZooKeeper(1)
		w.balanced(12, 3) // what moves back is saved
		if saved.Load() == 0 || late.Load() > 0 {
			w.Errorf("%d were saved, %d of them when the lease was over", saved.Load(), late.Load())
		}
	})
}
