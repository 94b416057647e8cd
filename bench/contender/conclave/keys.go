package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"conclave/actor"
	"conclave/bench/child"
	"conclave/node"
	"conclave/shard"
)

// keyed is remote by key: the receiver is the process of one, found and started by its
// first message, under the lease of its part.
type keyed struct {
	n    *node.Node
	open sync.Once
	sp   *shard.Space
}

const receiverKey = "receiver"

func openKeys(c *child.Child) child.Remote {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	n, err := node.Start(ctx, node.Config{ZooKeeper: c.Args[:1], Logger: slog.New(slog.DiscardHandler)})
	child.Check(err)
	child.Check(n.Ready(ctx))
	return &keyed{n: n}
}

func (k *keyed) space(cfg shard.Config) *shard.Space {
	k.open.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		var err error
		k.sp, err = shard.Open(ctx, k.n, "bench", cfg)
		child.Check(err)
	})
	return k.sp
}

func (k *keyed) Serve(size int, got func(bool)) string {
	answer := newNote[lean](child.Small)
	k.space(shard.Config{Parts: 64, Mailbox: actor.Mailbox{Limit: mailbox, Policy: actor.Wait}, Entity: func(string) actor.Func {
		return func(p *actor.Process) error {
			for {
				m, err := p.Receive()
				if err != nil {
					return err
				}
				v, ok := actor.As[*lean](m)
				got(ok && v.intact(size))
				if m.IsCall() {
					if err := p.Reply(m, answer); err != nil {
						return err
					}
				}
			}
		}
	}})
	return receiverKey
}

func (k *keyed) Spawn(key string, size int, f func(child.Port)) {
	sp := k.space(shard.Config{Watch: true})
	n := newNote[lean](size)
	k.n.Spawn(func(p *actor.Process) error {
		f(child.Port{
			Send: func() error { return sp.Send(p, key, n) },
			Call: func() error {
				_, err := shard.Call[*lean](p, sp, key, n)
				return err
			},
		})
		return nil
	})
}
