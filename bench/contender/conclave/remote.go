package main

import (
	"context"
	"log/slog"
	"net"
	"time"

	"conclave/actor"
	"conclave/bench/child"
	"conclave/node"
	"conclave/zkdev"
)

// zooKeeper is the cluster's ZooKeeper, in memory: the nodes meet there once. It
// has a process of its own, so that the nodes' memory is theirs alone.
func zooKeeper(c *child.Child) map[string]float64 {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	child.Check(err)
	go func() { child.Check(zkdev.New(zkdev.Config{}).Serve(l)) }()
	c.Ready(l.Addr().String())
	return nil
}

// mailbox is how many messages a receiver holds before senders wait: the default.
const mailbox = actor.DefaultWaitLimit

// remote sends notes of type N.
type remote[T any, N note[T]] struct{ n *node.Node }

func open[T any, N note[T]](c *child.Child) child.Remote {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	n, err := node.Start(ctx, node.Config{ZooKeeper: c.Args[:1], Logger: slog.New(slog.DiscardHandler)})
	child.Check(err)
	child.Check(n.Ready(ctx))
	return &remote[T, N]{n}
}

func (r *remote[T, N]) Serve(size int, got func(bool)) string {
	answer := newNote[T, N](child.Small)
	return r.n.SpawnHandler(handlerFunc(func(p *actor.Process, m actor.Message) error {
		v, ok := actor.As[N](m)
		got(ok && v.intact(size))
		if m.IsCall() {
			return p.Reply(m, answer)
		}
		return nil
	}), actor.WithMailbox(actor.Mailbox{Limit: mailbox, Policy: actor.Wait})).String()
}

func (r *remote[T, N]) Spawn(address string, size int, f func(child.Port)) {
	to, err := actor.ParsePID(address)
	child.Check(err)
	n := newNote[T, N](size)
	r.n.Spawn(func(p *actor.Process) error {
		f(child.Port{
			Send: func() error { return p.Send(to, n) },
			Call: func() error {
				_, err := actor.Call[N](p, to, n)
				return err
			},
		})
		return nil
	})
}
