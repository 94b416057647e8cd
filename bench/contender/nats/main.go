// Command nats is the contender NATS: the server, in a process of its own, and clients.
package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"conclave/bench/child"
)

func main() {
	child.Main(map[string]child.Role{"broker": broker}, child.Roles("", open))
}

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

type remote struct {
	nc       *nats.Conn
	subjects int
}

func open(c *child.Child) child.Remote {
	nc, err := nats.Connect(c.Args[0])
	child.Check(err)
	return &remote{nc: nc}
}

func (r *remote) Serve(size int, got func(bool)) string {
	r.subjects++
	subject := fmt.Sprintf("bench.%d", r.subjects)
	answer := child.Payload(child.Small)
	sub, err := r.nc.Subscribe(subject, func(m *nats.Msg) {
		got(child.Intact(m.Data, size))
		if m.Reply != "" {
			child.Check(m.Respond(answer))
		}
	})
	child.Check(err)
	child.Check(sub.SetPendingLimits(-1, -1)) // so that the client drops nothing
	child.Check(r.nc.Flush())
	return subject
}

func (r *remote) Spawn(subject string, size int, f func(child.Port)) {
	note := child.Payload(size)
	go f(child.Port{
		Send: func() error { return r.nc.Publish(subject, note) },
		Call: func() error {
			_, err := r.nc.Request(subject, note, time.Minute)
			return err
		},
		Flush: func() error { return r.nc.FlushTimeout(time.Minute) },
	})
}
