package shard_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/shard"
)

func TestMailForAPartWhoseOwnProcessHasEndedWaits(t *testing.T) {
	var first atomic.Bool
	cfg := shard.Config{Parts: 1}
	cfg.Serve = func(int) actor.Func {
		if !first.Swap(true) {
			return func(*actor.Process) error { return nil }
		}
		return func(p *actor.Process) error {
			for {
				m, err := p.Receive()
				if err != nil {
					return err
				}
				_ = p.Reply(m, "served")
			}
		}
	}
	cfg.OnLose = func(*actor.Process, int, error) error {
		slow, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		<-slow.Done()
		return nil
	}
	space(t, 2, cfg, func(w *world) {
		w.Await("the part's process to end", func() bool { return first.Load() })
		time.Sleep(time.Second)
		for _, n := range w.Nodes() {
			if m, err := w.of(n).RequestPart(n.With(w.Context()), 0, 1); err != nil || m.Body() != "served" {
				w.Errorf("%s: %v, %v", n, m.Body(), err)
			}
		}
	})
}

func TestHooksThatSendToTheirOwnPartAreToldThatNobodyTakesIt(t *testing.T) {
	b := newBook()
	var spaces [2]atomic.Pointer[shard.Space]
	var tried [2]atomic.Int32
	cfg := shard.Config{Parts: 4, Entity: b.entity}
	try := func(p *actor.Process, part, hook int) {
		for i := range spaces {
			sp := spaces[i].Load()
			if sp == nil || sp.Node().ID() != p.Self().Node() {
				continue
			}
			key := ""
			for k := 0; sp.PartOf(key) != part; k++ {
				key = fmt.Sprint("key ", k)
			}
			began := time.Now()
			err := sp.Send(p, key, &line{"hook", 1})
			if !errors.Is(err, shard.ErrMoved) && !errors.Is(err, shard.ErrNoOwner) {
				t.Errorf("hook %d: %v", hook, err)
			}
			if d := time.Since(began); d > time.Second {
				t.Errorf("hook %d waited %v for itself", hook, d)
			}
			tried[hook].Add(1)
		}
	}
	cfg.OnGain = func(p *actor.Process, part int) error { try(p, part, 0); return nil }
	cfg.OnLose = func(p *actor.Process, part int, _ error) error { try(p, part, 1); return nil }
	space(t, 2, cfg, func(w *world) {
		w.balanced(4, 2)
		for i, n := range w.Nodes() {
			spaces[i].Store(w.of(n))
		}
		if err := w.of(w.Node(0)).Drain(w.Context()); err != nil {
			w.Error(err)
		}
		w.balanced(4, 1)
		if tried[0].Load() != 2 || tried[1].Load() != 2 {
			w.Errorf("OnGain tried %d times, OnLose %d times", tried[0].Load(), tried[1].Load())
		}
	})
}

func TestKeysAreSavedWhenThePartsOwnProcessEnds(t *testing.T) {
	b := newBook()
	cfg := shard.Config{Parts: 1, Entity: b.entity}
	cfg.Serve = func(int) actor.Func {
		return func(p *actor.Process) error {
			if _, err := p.Receive(); err != nil {
				return err
			}
			return errors.New("enough")
		}
	}
	space(t, 1, cfg, func(w *world) {
		b.work = func() { time.Sleep(10 * time.Millisecond) }
		w.balanced(1, 1)
		n := w.Node(0)
		sp := w.of(n)
		for i := range 20 {
			if err := sp.Send(w.Context(), "k", &line{"x", i + 1}); err != nil {
				w.Error(err)
			}
		}
		if err := sp.SendPart(w.Context(), 0, "end"); err != nil {
			w.Error(err)
		}
		w.Await("the failure to be told", func() bool { return w.told(shard.Failed) == 1 })
		if got, err := shard.Call[int](n.With(w.Context()), sp, "k", &line{"x", 21}); err != nil || got != 21 {
			w.Errorf("%d, %v", got, err)
		}
		b.check(w)
	})
}

// The part's own process may be where keys are kept: it ends after them.
func TestKeysAreSavedWithThePartsOwnProcess(t *testing.T) {
	for _, how := range []string{"drain", "stop", "idle"} {
		t.Run(how, func(t *testing.T) {
			var mu sync.Mutex
			kept := make(map[string]int)
			cfg := shard.Config{Parts: 4, Idle: time.Minute}
			cfg.Serve = func(int) actor.Func {
				return func(p *actor.Process) error {
					for {
						m, err := p.Receive()
						if err != nil {
							return err
						}
						mu.Lock()
						kept[m.Body().(string)]++
						mu.Unlock()
						if err := p.Reply(m, 1); err != nil {
							return err
						}
					}
				}
			}
			cfg.Entity = shard.Stateful[int]{
				Receive: func(*actor.Process, string, *int, actor.Message) error { return nil },
				Save: func(p *actor.Process, key string, _ *int) error {
					sp, part, _ := shard.Of(p)
					_, err := sp.RequestPart(p, part, key)
					return err
				},
			}.Entity
			space(t, 2, cfg, func(w *world) {
				w.balanced(4, 2)
				for i := range 20 {
					if err := w.of(w.Node(0)).Send(w.Context(), fmt.Sprint("key ", i), 1); err != nil {
						w.Error(err)
					}
				}
				switch how {
				case "drain":
					if err := w.of(w.Node(0)).Drain(w.Context()); err != nil {
						w.Error(err)
					}
				case "stop":
					w.Stop(0)
				case "idle":
					time.Sleep(2 * time.Minute)
				}
				if how != "idle" {
					w.balanced(4, 1)
					w.Stop(1)
				}
				mu.Lock()
				defer mu.Unlock()
				for i := range 20 {
					if n := kept[fmt.Sprint("key ", i)]; n != 1 {
						w.Errorf("key %d was kept %d times", i, n)
					}
				}
				if n := w.told(shard.EntityFailed); n > 0 {
					w.Errorf("%d failures", n)
				}
			})
		})
	}
}
