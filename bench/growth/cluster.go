package main

import (
	"log/slog"
	"net"
	"time"

	"conclave/actor"
	"conclave/bench/child"
	"conclave/node"
	"conclave/zkdev"
)

const limit = 2 * time.Minute

// cluster is ZooKeeper, in memory, and nodes that talk over loopback, all in this
// process.
type cluster struct {
	zk      *zkdev.Server
	address string
	nodes   []*node.Node
}

func newCluster(nodes int) *cluster {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	child.Check(err)
	c := &cluster{zk: zkdev.New(zkdev.Config{}), address: l.Addr().String()}
	go func() { _ = c.zk.Serve(l) }()
	for range nodes {
		c.add()
	}
	return c
}

func (c *cluster) add() *node.Node {
	ctx, cancel := brief()
	defer cancel()
	n, err := node.Start(ctx, node.Config{ZooKeeper: []string{c.address}, Logger: slog.New(slog.DiscardHandler)})
	child.Check(err)
	child.Check(n.Ready(ctx))
	c.nodes = append(c.nodes, n)
	return n
}

func (c *cluster) stop() {
	ctx, cancel := brief()
	defer cancel()
	for _, n := range c.nodes {
		child.Check(n.Stop(ctx))
	}
	child.Check(c.zk.Close())
}

// sink takes bodies, answers those who ask, and says of each that it came.
func sink(n *node.Node, came func()) actor.PID {
	return n.Spawn(func(p *actor.Process) error {
		for {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			came()
			if m.IsCall() {
				if err := p.Reply(m, true); err != nil {
					return err
				}
			}
		}
	}, actor.WithMailbox(actor.Mailbox{Limit: 1 << 14, Policy: actor.Wait}))
}

// inProcess runs f in a process of n and waits for it.
func inProcess(n *node.Node, f func(p *actor.Process)) {
	done := make(chan struct{})
	n.Spawn(func(p *actor.Process) error {
		defer close(done)
		f(p)
		return nil
	})
	<-done
}

// cpu is what f took of all processors, in microseconds for each of n: on a busy
// machine it says more than the time on the wall.
func cpu(n int, f func()) float64 {
	before := child.CPU()
	f()
	return float64((child.CPU() - before).Nanoseconds()) / 1e3 / float64(n)
}
