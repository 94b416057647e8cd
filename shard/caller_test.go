package shard_test

import (
	"errors"
	"testing"
	"time"

	"conclave/actor"
	"conclave/node"
	"conclave/shard"
)

func TestReceiverSeesWhoCallsHim(t *testing.T) {
	froms := make(chan actor.PID, 4)
	cfg := shard.Config{Parts: 4, Entity: func(string) actor.Func {
		return func(p *actor.Process) error {
			for {
				m, err := p.Receive()
				if err != nil {
					return err
				}
				froms <- m.From
				_ = p.Reply(m, 1)
			}
		}
	}}
	space(t, 1, cfg, func(w *world) {
		froms = make(chan actor.PID, 4)
		w.balanced(4, 1)
		n := w.Node(0)
		done := make(chan error, 1)
		n.Spawn(func(p *actor.Process) error {
			for i, c := range []actor.Caller{p, p.Within(time.Second), p, p.Within(time.Second)} {
				if _, err := shard.Call[int](c, w.of(n), "k", 1); err != nil {
					w.Error(err)
				}
				if from := <-froms; from != p.Self() {
					w.Errorf("call %d came from %v, not %v", i, from, p.Self())
				}
			}
			done <- nil
			return nil
		})
		<-done
	})
}

func TestBoundOfACallIsOneForAllItsTries(t *testing.T) {
	b := newBook()
	space(t, 1, shard.Config{Parts: 1, Entity: b.entity, OnGain: func(p *actor.Process, _ int) error { <-p.Done(); return nil }}, func(w *world) {
		w.Await("the space", func() bool { return w.of(w.Node(0)) != nil })
		n := w.Node(0)
		done := make(chan struct{})
		n.Spawn(func(p *actor.Process) error {
			defer close(done)
			for _, c := range []actor.Caller{p.Within(3 * time.Second), n.Within(3 * time.Second)} {
				began := w.Now()
				_, err := shard.Call[int](c, w.of(n), "k", 1)
				if d := w.Now() - began; d != 3*time.Second || !errors.Is(err, actor.ErrTimeout) || errors.Is(err, node.ErrUnknownOutcome) {
					w.Errorf("after %v: %v", d, err)
				}
			}
			return nil
		})
		<-done
	})
}
