package main

import (
	"context"
	"math/rand/v2"

	"conclave/actor"
	"conclave/bench/child"
)

type handler struct{ got *child.Tally }

func (h handler) Receive(*actor.Process, actor.Message) error {
	h.got.Add()
	return nil
}

// handlers are a thousand to a million, some of which are sent to by chance.
func handlers(quick bool) []point {
	return actors(quick, 1_000_000, func(s *actor.System, t *child.Tally) actor.PID { return s.SpawnHandler(handler{t}) })
}

// funcs have a goroutine each, so there are fewer.
func funcs(quick bool) []point {
	return actors(quick, 100_000, func(s *actor.System, t *child.Tally) actor.PID {
		return s.Spawn(func(p *actor.Process) error {
			for {
				if _, err := p.Receive(); err != nil {
					return err
				}
				t.Add()
			}
		})
	})
}

func actors(quick bool, most int, spawn func(*actor.System, *child.Tally) actor.PID) (all []point) {
	if quick {
		most /= 10
	}
	for n := 1_000; n <= most; n *= 10 {
		all = append(all, withActors(n, spawn))
	}
	return all
}

func withActors(n int, spawn func(*actor.System, *child.Tally) actor.PID) point {
	const messages = 300_000
	s := actor.NewSystem(actor.SystemConfig{
		Node: actor.NodeID{Name: "growth", Address: "127.0.0.1:4000", Incarnation: 1},
	})
	ctx := context.Background()
	t := child.NewTally(messages)
	pids := make([]actor.PID, n)
	before := child.InUse()
	spawned := cpu(n, func() {
		for i := range pids {
			pids[i] = spawn(s, t)
		}
	})
	memory := child.InUse() - before
	body := &child.Body{A: 1}
	send := cpu(messages, func() {
		for range messages {
			child.Check(s.Send(ctx, pids[rand.IntN(n)], body))
		}
		t.Wait()
	})
	for _, pid := range pids {
		s.Exit(pid, actor.Killed)
	}
	return point{n, []measure{
		{"spawn, µs of CPU", spawned},
		{"memory, bytes each", memory / float64(n)},
		{"send to one by chance, µs of CPU", send},
	}}
}
