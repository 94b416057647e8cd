// Command nats is the contender NATS: the server, in a process of its own, and clients.
package main

import (
	"errors"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"conclave/bench/child"
)

func main() {
	child.Main(map[string]child.Role{
		"broker":  broker,
		"R1 recv": receiver,
		"R1 send": sender,
		"echo":    echo,
		"R3":      latency,
		"R4":      callers,
	})
}

const subject = "bench"

func broker(c *child.Child) map[string]float64 {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true})
	child.Check(err)
	go s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		child.Check(errors.New("the NATS server does not start"))
	}
	c.Ready(s.ClientURL())
	return nil
}

func connect(c *child.Child) *nats.Conn {
	nc, err := nats.Connect(c.Args[0])
	child.Check(err)
	return nc
}

func receiver(c *child.Child) map[string]float64 {
	nc := connect(c)
	t := child.NewTally(c.N)
	sub, err := nc.Subscribe(subject, func(m *nats.Msg) {
		if len(m.Data) == len(child.Payload) {
			t.Add()
		}
	})
	child.Check(err)
	child.Check(sub.SetPendingLimits(-1, -1)) // so that the client drops nothing
	child.Check(nc.Flush())
	c.Ready()
	return t.Wait()
}

func sender(c *child.Child) map[string]float64 {
	nc := connect(c)
	c.Ready()
	start := time.Now()
	for range c.N {
		child.Check(nc.Publish(subject, child.Payload))
	}
	child.Check(nc.FlushTimeout(time.Minute))
	return child.Sending(start, c.N)
}

func echo(c *child.Child) map[string]float64 {
	nc := connect(c)
	_, err := nc.Subscribe(subject, func(m *nats.Msg) { child.Check(m.Respond(m.Data)) })
	child.Check(err)
	child.Check(nc.Flush())
	c.Ready()
	return nil
}

func call(nc *nats.Conn) func() error {
	return func() error {
		_, err := nc.Request(subject, child.Payload, time.Minute)
		return err
	}
}

func latency(c *child.Child) map[string]float64 { return child.Latency(c, call(connect(c))) }

func callers(c *child.Child) map[string]float64 {
	return child.Callers(c, child.Goroutines(call(connect(c))))
}
