package main

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"conclave/actor"
	"conclave/bench/child"
	"conclave/node"
	"conclave/zkdev"
)

// plain travels by reflection: 64 bytes of content, more or less.
type plain struct {
	ID   int64
	Text string
	Tags []byte
}

// lean is the same, but writes and reads itself.
type lean plain

func (l *lean) EncodeMsgpack(e *msgpack.Encoder) error {
	if err := e.EncodeArrayLen(3); err != nil {
		return err
	}
	if err := e.EncodeInt(l.ID); err != nil {
		return err
	}
	if err := e.EncodeString(l.Text); err != nil {
		return err
	}
	return e.EncodeBytes(l.Tags)
}

func (l *lean) DecodeMsgpack(d *msgpack.Decoder) (err error) {
	if _, err = d.DecodeArrayLen(); err != nil {
		return err
	}
	if l.ID, err = d.DecodeInt64(); err != nil {
		return err
	}
	if l.Text, err = d.DecodeString(); err != nil {
		return err
	}
	l.Tags, err = d.DecodeBytes()
	return err
}

func plainNote() *plain {
	return &plain{ID: 1 << 40, Text: "the quick brown fox jumps over", Tags: make([]byte, 16)}
}

func leanNote() *lean { return (*lean)(plainNote()) }

// firstNode also is the cluster's ZooKeeper, in memory: nodes meet there once.
func firstNode() (n *node.Node, zookeeper string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	child.Check(err)
	go func() { _ = zkdev.New(zkdev.Config{}).Serve(l) }()
	return joinedNode(l.Addr().String()), l.Addr().String()
}

func joinedNode(zookeeper string) *node.Node {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	n, err := node.Start(ctx, node.Config{ZooKeeper: []string{zookeeper}, Logger: slog.New(slog.DiscardHandler)})
	child.Check(err)
	child.Check(n.Ready(ctx))
	return n
}

// otherNode is the node of the second process, and the receiver's PID.
func otherNode(c *child.Child) (*node.Node, actor.PID) {
	to, err := actor.ParsePID(c.Args[1])
	child.Check(err)
	return joinedNode(c.Args[0]), to
}

func receiver[T any](c *child.Child) map[string]float64 {
	n, zk := firstNode()
	t := child.NewTally(c.N)
	to := n.Spawn(func(p *actor.Process) error {
		for {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			if _, ok := actor.As[T](m); ok {
				t.Add()
			}
		}
	}, actor.WithMailbox(waiting))
	c.Ready(zk, to.String())
	return t.Wait()
}

func sender[T any](note T) child.Role {
	return func(c *child.Child) map[string]float64 {
		n, to := otherNode(c)
		done := make(chan struct{})
		c.Ready()
		start := time.Now()
		n.Spawn(func(p *actor.Process) error {
			defer close(done)
			for range c.N {
				child.Check(p.Send(to, note))
			}
			return nil
		})
		<-done
		return child.Sending(start, c.N)
	}
}

func echo[T any](c *child.Child) map[string]float64 {
	n, zk := firstNode()
	to := n.SpawnHandler(handlerFunc(func(p *actor.Process, m actor.Message) error {
		v, _ := actor.As[T](m)
		return p.Reply(m, v)
	}))
	c.Ready(zk, to.String())
	return nil
}

func latency[T any](note T) child.Role {
	return func(c *child.Child) map[string]float64 {
		n, to := otherNode(c)
		result := make(chan map[string]float64)
		n.Spawn(func(p *actor.Process) error {
			result <- child.Latency(c, func() error {
				_, err := actor.Call[T](p, to, note)
				return err
			})
			return nil
		})
		return <-result
	}
}

func callers[T any](note T) child.Role {
	return func(c *child.Child) map[string]float64 {
		n, to := otherNode(c)
		return child.Callers(c, func(each func(call func() error)) {
			var wg sync.WaitGroup
			for range child.CallersAtOnce {
				wg.Add(1)
				n.Spawn(func(p *actor.Process) error {
					defer wg.Done()
					each(func() error {
						_, err := actor.Call[T](p, to, note)
						return err
					})
					return nil
				})
			}
			wg.Wait()
		})
	}
}
