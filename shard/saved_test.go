package shard_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/shard"
)

func TestStateIsSavedByAProcessThatMayStillAct(t *testing.T) {
	var saved, failed atomic.Int32
	var spaces [2]*shard.Space
	cfg := shard.Config{Parts: 8, Idle: time.Minute}
	cfg.Entity = func(key string) actor.Func {
		return shard.Stateful[int]{
			Receive: func(p *actor.Process, _ string, n *int, m actor.Message) error { *n++; return p.Reply(m, *n) },
			Save: func(p *actor.Process, key string, n *int) error {
				if key == "store" {
					return nil
				}
				saved.Add(1)
				if p.Err() != nil {
					failed.Add(1)
					t.Errorf("%s is saved within a context that has ended: %v", key, context.Cause(p))
				}
				for _, sp := range spaces {
					if sp.Node().ID() == p.Self().Node() {
						if _, err := shard.Call[int](p, sp, "store", *n); err != nil {
							failed.Add(1)
							t.Errorf("%s cannot be kept: %v", key, err)
						}
					}
				}
				return nil
			},
		}.Entity(key)
	}
	space(t, 2, cfg, func(w *world) {
		w.balanced(8, 2)
		for i, n := range w.Nodes() {
			spaces[i] = w.of(n)
		}
		n := w.Node(0)
		key := w.ownedBut(n, shard.PartOf("store", 8))
		call := func() {
			w.Helper()
			if _, err := shard.Call[int](n.With(w.Context()), spaces[0], key, 1); err != nil {
				w.Error(err)
			}
		}
		call()
		time.Sleep(3 * time.Minute)
		if saved.Load() != 1 {
			w.Fatalf("%d saves of an idle key", saved.Load())
		}
		call()
		if err := spaces[0].Drain(w.Context()); err != nil {
			w.Error(err)
		}
		if saved.Load() != 2 {
			w.Errorf("%d saves after a move", saved.Load())
		}
	})
}

func TestNodeThatStopsHasReadAndSavedWhatItAccepted(t *testing.T) {
	b := newBook()
	space(t, 2, shard.Config{Parts: 8, Entity: b.entity}, func(w *world) {
		b.work = func() { time.Sleep(10 * time.Millisecond) }
		w.balanced(8, 2)
		key := w.ownedBy(w.Node(1))
		sp := w.of(w.Node(0))
		for i := range 50 {
			if err := sp.Send(w.Context(), key, &line{"x", i + 1}); err != nil {
				w.Error(err)
			}
		}
		w.Stop(1)
		if n := b.count(key); n != 50 {
			w.Errorf("%d of 50 accepted messages were read", n)
		}
		if got, err := shard.Call[int](w.Node(0).With(w.Context()), sp, key, &line{"x", 51}); err != nil || got != 51 {
			w.Errorf("%d, %v", got, err)
		}
		b.check(w)
	})
}

func TestNodeThatStopsKeepsNobodyWaitingForItsOwnParts(t *testing.T) {
	var sp *shard.Space
	var calls atomic.Int32
	cfg := shard.Config{Parts: 8}
	cfg.Entity = func(key string) actor.Func {
		return func(p *actor.Process) error {
			for {
				m, err := p.Receive()
				if err != nil {
					return err
				}
				if next, ok := actor.As[string](m); ok && key != next {
					slow, cancel := context.WithTimeout(context.Background(), time.Second)
					<-slow.Done() // meanwhile the node begins to stop, and the other key's process has ended
					cancel()
					if _, err := shard.Call[int](p, sp, next, 1); !errors.Is(err, shard.ErrClosed) {
						t.Errorf("a key whose process has ended with the node: %v", err)
					}
					calls.Add(1)
				}
			}
		}
	}
	space(t, 1, cfg, func(w *world) {
		w.balanced(8, 1)
		sp = w.of(w.Node(0))
		for _, next := range []string{"a", "b", "other"} { // none of them in the part of the first
			if err := sp.Send(w.Context(), "first", next); err != nil {
				w.Error(err)
			}
		}
		began := w.Now()
		w.Stop(0)
		if d := w.Now() - began; d > 5*time.Second || calls.Load() != 3 {
			w.Errorf("it took %v to stop; %d calls were made", d, calls.Load())
		}
	})
}

func TestOnLoseOfANodeThatStopsMayStillAct(t *testing.T) {
	var lost, gaining atomic.Int32
	cfg := shard.Config{Parts: 8, Linger: true} // or the parts move before the stop begins
	cfg.OnGain = func(p *actor.Process, part int) error {
		if part != 3 {
			return nil
		}
		gaining.Add(1)
		<-p.Done() // it is still loading
		return context.Cause(p)
	}
	cfg.OnLose = func(p *actor.Process, part int, why error) error {
		if part == 3 {
			return nil
		}
		lost.Add(1)
		if why != nil || p.Err() != nil || p.CheckTerm() != nil {
			t.Errorf("part %d is lost for %v; its process: %v, its term: %v", part, why, context.Cause(p), p.CheckTerm())
		}
		return nil
	}
	space(t, 1, cfg, func(w *world) {
		w.Await("all parts but one", func() bool { _, sum := w.loads(); return sum == 7 && gaining.Load() > 0 })
		began := w.Now()
		w.Stop(0)
		if d := w.Now() - began; lost.Load() != 7 || d > time.Second {
			w.Errorf("OnLose was called %d times, and the node took %v to stop", lost.Load(), d)
		}
	})
}

// A history that says when a term ended must not say so after the session has.
func TestNodeThatStopsHasEndedItsTermsBeforeItsSession(t *testing.T) {
	var mu sync.Mutex
	var late []shard.Event
	stopped := false
	cfg := shard.Config{Parts: 64}
	cfg.OnEvent = func(e shard.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Kind == shard.Lost && stopped {
			late = append(late, e)
		}
	}
	space(t, 1, cfg, func(w *world) {
		for range 20 {
			w.balanced(64, 1)
			before := w.told(shard.Lost)
			w.Stop(0)
			mu.Lock()
			stopped = true
			mu.Unlock()
			if n := w.told(shard.Lost) - before; n != 64 {
				w.Errorf("%d of 64 terms have ended when the node has stopped", n)
			}
			time.Sleep(time.Minute)
			mu.Lock()
			stopped = false
			mu.Unlock()
			w.Start(0)
		}
		w.balanced(64, 1)
		if len(late) > 0 {
			w.Errorf("%d terms ended after their node had stopped", len(late))
		}
	})
}

// Who finds why to be nil relies on p.
func TestOnLoseHearsThatOnGainWasStoppedWithItsNode(t *testing.T) {
	whys := make(chan error, 1)
	cfg := shard.Config{Parts: 1, Linger: true}
	cfg.OnGain = func(*actor.Process, int) error {
		slow, cancel := context.WithTimeout(context.Background(), 3*time.Second) // it does not look at its process
		defer cancel()
		<-slow.Done()
		return nil
	}
	cfg.OnLose = func(p *actor.Process, _ int, why error) error {
		if why == nil && p.Err() != nil {
			t.Errorf("its process has ended, for %v", context.Cause(p))
		}
		whys <- why
		return nil
	}
	space(t, 1, cfg, func(w *world) {
		whys = make(chan error, 1) // of the bubble
		w.Await("OnGain", func() bool { w.mu.Lock(); defer w.mu.Unlock(); return len(w.spells) == 1 })
		time.Sleep(time.Second)
		w.Stop(0)
		if err := <-whys; !errors.Is(err, actor.Shutdown) {
			w.Errorf("it was told %v", err)
		}
		if n := w.told(shard.Failed); n > 0 {
			w.Errorf("%d failures were told of a node that stops", n)
		}
	})
}
