// Command hollywood is the contender hollywood.
package main

import (
	"time"

	"github.com/anthdm/hollywood/actor"

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

func newEngine() *actor.Engine {
	e, err := actor.NewEngine(actor.NewEngineConfig())
	child.Check(err)
	return e
}

func send(c *child.Child) map[string]float64 {
	e := newEngine()
	count := child.NewCount(c)
	to := e.SpawnFunc(func(x *actor.Context) {
		if _, ok := x.Message().(*child.Body); ok {
			count.Add()
		}
	}, "sink")
	b := &child.Body{A: 1}
	return count.Run(func() {
		for range c.N {
			e.Send(to, b)
		}
	})
}

func pingPong(c *child.Child) map[string]float64 {
	e := newEngine()
	pong := e.SpawnFunc(func(x *actor.Context) {
		if b, ok := x.Message().(*child.Body); ok {
			e.SendWithSender(x.Sender(), b, x.PID())
		}
	}, "pong")
	count := child.NewCount(c)
	b := &child.Body{A: 1}
	ping := e.SpawnFunc(func(x *actor.Context) {
		switch m := x.Message().(type) {
		case string:
			e.SendWithSender(pong, b, x.PID())
		case *child.Body:
			if !count.Add() {
				e.SendWithSender(pong, m, x.PID())
			}
		}
	}, "ping")
	return count.Run(func() { e.Send(ping, "begin") })
}

func ask(c *child.Child) map[string]float64 {
	e := newEngine()
	answer := &child.Body{A: 2}
	to := e.SpawnFunc(func(x *actor.Context) {
		if _, ok := x.Message().(*child.Body); ok {
			x.Respond(answer)
		}
	}, "echo")
	b := &child.Body{A: 1}
	count := child.NewCount(c)
	return count.Run(func() {
		for range c.N {
			_, err := e.Request(to, b, time.Minute).Result()
			child.Check(err)
			count.Add()
		}
	})
}

// smallInbox stands for the default of 1,024, which takes 24 KB of each actor.
const smallInbox = 16

func idle(c *child.Child) map[string]float64 {
	e := newEngine()
	t := child.NewTally(c.N)
	pids := make([]*actor.PID, c.N)
	b := &child.Body{A: 1}
	return child.Idle(c, t, func(i int) {
		pids[i] = e.SpawnFunc(func(x *actor.Context) {
			if _, ok := x.Message().(*child.Body); ok {
				t.Add()
			}
		}, "idle", actor.WithInboxSize(smallInbox))
	}, func(i int) { e.Send(pids[i], b) })
}
