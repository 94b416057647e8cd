// Command conclave is the contender Conclave.
package main

import (
	"context"

	"conclave/actor"
	"conclave/bench/child"
)

func main() {
	child.Main(map[string]child.Role{
		"L1 Func":     send(false),
		"L1 Handler":  send(true),
		"L2 Func":     pingPong(false),
		"L2 Handler":  pingPong(true),
		"L2a Func":    ask(false),
		"L2a Handler": ask(true),
		"L3 Func":     idle(false),
		"L3 Handler":  idle(true),
		"zk":          zooKeeper,
	}, child.Roles("own", open[lean]), child.Roles("reflection", open[plain]), child.Roles("fields", open[fields]), child.Roles("keys", openKeys))
}

type handlerFunc func(p *actor.Process, m actor.Message) error

func (f handlerFunc) Receive(p *actor.Process, m actor.Message) error { return f(p, m) }

// waiting has four times the default's room: chosen for these workloads.
var waiting = actor.Mailbox{Limit: 1 << 16, Policy: actor.Wait}

func newSystem() *actor.System {
	return actor.NewSystem(actor.SystemConfig{
		Node:    actor.NodeID{Name: "bench", Address: "127.0.0.1:4000", Incarnation: 1},
		Mailbox: waiting,
	})
}

// spawnEach starts a process that hands every message to f, as a Handler or as
// a Func.
func spawnEach(s *actor.System, handler bool, f func(p *actor.Process, m actor.Message) error) actor.PID {
	if handler {
		return s.SpawnHandler(handlerFunc(f))
	}
	return s.Spawn(func(p *actor.Process) error {
		for {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			if err := f(p, m); err != nil {
				return err
			}
		}
	})
}

func send(handler bool) child.Role {
	return func(c *child.Child) map[string]float64 {
		s := newSystem()
		count := child.NewCount(c)
		to := spawnEach(s, handler, func(_ *actor.Process, m actor.Message) error {
			if _, ok := actor.As[*child.Body](m); ok {
				count.Add()
			}
			return nil
		})
		b := &child.Body{A: 1}
		return count.Run(func() {
			s.Spawn(func(p *actor.Process) error {
				for range c.N {
					child.Check(p.Send(to, b))
				}
				return nil
			})
		})
	}
}

func pingPong(handler bool) child.Role {
	return func(c *child.Child) map[string]float64 {
		s := newSystem()
		pong := spawnEach(s, handler, func(p *actor.Process, m actor.Message) error {
			b, _ := actor.As[*child.Body](m)
			return p.Send(m.From, b)
		})
		count := child.NewCount(c)
		b := &child.Body{A: 1}
		ping := spawnEach(s, handler, func(p *actor.Process, m actor.Message) error {
			if ball, ok := actor.As[*child.Body](m); ok {
				if count.Add() {
					return nil
				}
				return p.Send(pong, ball)
			}
			return p.Send(pong, b)
		})
		return count.Run(func() { child.Check(s.Send(context.Background(), ping, "begin")) })
	}
}

func ask(handler bool) child.Role {
	return func(c *child.Child) map[string]float64 {
		s := newSystem()
		answer := &child.Body{A: 2}
		to := spawnEach(s, handler, func(p *actor.Process, m actor.Message) error { return p.Reply(m, answer) })
		b := &child.Body{A: 1}
		count := child.NewCount(c)
		return count.Run(func() {
			s.Spawn(func(p *actor.Process) error {
				for range c.N {
					_, err := actor.Call[*child.Body](p, to, b)
					child.Check(err)
					count.Add()
				}
				return nil
			})
		})
	}
}

func idle(handler bool) child.Role {
	return func(c *child.Child) map[string]float64 {
		s := newSystem()
		t := child.NewTally(c.N)
		pids := make([]actor.PID, c.N)
		count := func(_ *actor.Process, m actor.Message) error {
			if _, ok := actor.As[*child.Body](m); ok {
				t.Add()
			}
			return nil
		}
		b := &child.Body{A: 1}
		return child.Idle(c, t, func(i int) { pids[i] = spawnEach(s, handler, count) }, func(i int) {
			child.Check(s.Send(context.Background(), pids[i], b))
		})
	}
}
