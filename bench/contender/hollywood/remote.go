package main

import (
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/anthdm/hollywood/actor"
	"github.com/anthdm/hollywood/remote"

	"conclave/bench/child"
)

// remoteEngine listens on a port that was free a moment ago: hollywood wants to
// be told one.
func remoteEngine() *actor.Engine {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	child.Check(err)
	address := l.Addr().String()
	child.Check(l.Close())
	e, err := actor.NewEngine(actor.NewEngineConfig().WithRemote(remote.New(address, remote.NewConfig())))
	child.Check(err)
	return e
}

func receiver(c *child.Child) map[string]float64 {
	e := remoteEngine()
	t := child.NewTally(c.N)
	to := e.SpawnFunc(func(x *actor.Context) {
		if _, ok := x.Message().(*remote.TestMessage); ok {
			t.Add()
		}
	}, "sink")
	c.Ready(to.Address, to.ID)
	return t.Wait()
}

func sender(c *child.Child) map[string]float64 {
	e := remoteEngine()
	to := actor.NewPID(c.Args[0], c.Args[1])
	note := &remote.TestMessage{Data: child.Payload}
	c.Ready()
	start := time.Now()
	for range c.N {
		e.Send(to, note)
	}
	return child.Sending(start, c.N)
}

func echo(c *child.Child) map[string]float64 {
	e := remoteEngine()
	to := e.SpawnFunc(func(x *actor.Context) {
		if m, ok := x.Message().(*remote.TestMessage); ok {
			x.Respond(m)
		}
	}, "echo")
	c.Ready(to.Address, to.ID)
	return nil
}

func call(c *child.Child) func() error {
	e := remoteEngine()
	to := actor.NewPID(c.Args[0], c.Args[1])
	note := &remote.TestMessage{Data: child.Payload}
	return func() error {
		_, err := e.Request(to, note, time.Minute).Result()
		return err
	}
}

func latency(c *child.Child) map[string]float64 { return child.Latency(c, call(c)) }

func callers(c *child.Child) map[string]float64 { return child.Callers(c, child.Goroutines(call(c))) }
