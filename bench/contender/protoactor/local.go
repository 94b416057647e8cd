// Command protoactor is the contender protoactor-go.
package main

import (
	"io"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"conclave/bench/child"
)

func main() {
	child.Main(map[string]child.Role{
		"L1":  send,
		"L2":  pingPong,
		"L2a": ask,
		"L3":  idle,
	}, child.Roles("", open))
}

func newActorSystem() *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.NewTextHandler(io.Discard, nil))
	}))
}

func send(c *child.Child) map[string]float64 {
	root := newActorSystem().Root
	count := child.NewCount(c)
	to := root.Spawn(actor.PropsFromFunc(func(x actor.Context) {
		if _, ok := x.Message().(*child.Body); ok {
			count.Add()
		}
	}))
	b := &child.Body{A: 1}
	return count.Run(func() {
		for range c.N {
			root.Send(to, b)
		}
	})
}

func pingPong(c *child.Child) map[string]float64 {
	root := newActorSystem().Root
	pong := root.Spawn(actor.PropsFromFunc(func(x actor.Context) {
		if b, ok := x.Message().(*child.Body); ok {
			x.Send(x.Sender(), b)
		}
	}))
	count := child.NewCount(c)
	b := &child.Body{A: 1}
	ping := root.Spawn(actor.PropsFromFunc(func(x actor.Context) {
		switch m := x.Message().(type) {
		case string:
			x.Request(pong, b)
		case *child.Body:
			if !count.Add() {
				x.Request(pong, m)
			}
		}
	}))
	return count.Run(func() { root.Send(ping, "begin") })
}

func ask(c *child.Child) map[string]float64 {
	root := newActorSystem().Root
	answer := &child.Body{A: 2}
	to := root.Spawn(actor.PropsFromFunc(func(x actor.Context) {
		if _, ok := x.Message().(*child.Body); ok {
			x.Respond(answer)
		}
	}))
	b := &child.Body{A: 1}
	count := child.NewCount(c)
	return count.Run(func() {
		for range c.N {
			_, err := root.RequestFuture(to, b, time.Minute).Result()
			child.Check(err)
			count.Add()
		}
	})
}

func idle(c *child.Child) map[string]float64 {
	root := newActorSystem().Root
	t := child.NewTally(c.N)
	pids := make([]*actor.PID, c.N)
	b := &child.Body{A: 1}
	props := actor.PropsFromFunc(func(x actor.Context) {
		if _, ok := x.Message().(*child.Body); ok {
			t.Add()
		}
	})
	return child.Idle(c, t, func(i int) { pids[i] = root.Spawn(props) }, func(i int) { root.Send(pids[i], b) })
}
