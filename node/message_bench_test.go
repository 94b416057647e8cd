package node_test

import (
	"context"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/node"
	"conclave/zkdev"
)

// tcpPair is two nodes of this program that link over loopback.
func tcpPair(b *testing.B) (from, to *node.Node) {
	b.Helper()
	zk := zkdev.New(zkdev.Config{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go zk.Serve(l)
	b.Cleanup(func() { zk.Close() })
	start := func(name string) *node.Node {
		n, err := node.Start(b.Context(), node.Config{
			Name: name, ZooKeeper: []string{l.Addr().String()}, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			_ = n.Stop(ctx)
		})
		return n
	}
	return start("from"), start("to")
}

type benchNote struct {
	ID   int64
	Text string
	Tags []byte
}

// BenchmarkRemoteSend is R1: one process sends to one on another node, 64-byte
// bodies, and the last one is answered.
func BenchmarkRemoteSend(b *testing.B) {
	from, to := tcpPair(b)
	var got atomic.Int64
	done := make(chan struct{})
	total := int64(b.N)
	receiver := to.Spawn(func(p *actor.Process) error {
		for {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			if _, ok := actor.As[benchNote](m); !ok {
				b.Error("not a note")
			}
			if got.Add(1) == total {
				close(done)
			}
		}
	}, actor.WithMailbox(actor.Mailbox{Limit: 100_000, Policy: actor.Wait}))
	body := &benchNote{ID: 1 << 40, Text: "the quick brown fox jumps over", Tags: make([]byte, 16)}
	b.ReportAllocs()
	b.ResetTimer()
	from.Spawn(func(p *actor.Process) error {
		for range b.N {
			if err := p.Send(receiver, body); err != nil {
				b.Error(err)
			}
		}
		return nil
	})
	<-done
}

// BenchmarkRemotePingPong is R3: one call at a time.
func BenchmarkRemotePingPong(b *testing.B) {
	from, to := tcpPair(b)
	echo := to.SpawnHandler(echoHandler{})
	b.ResetTimer()
	done := make(chan struct{})
	from.Spawn(func(p *actor.Process) error {
		defer close(done)
		for range b.N {
			if _, err := actor.Call[int](p, echo, 1); err != nil {
				b.Error(err)
			}
		}
		return nil
	})
	<-done
}

// BenchmarkRemoteCalls256 is R4: 256 callers at once.
func BenchmarkRemoteCalls256(b *testing.B) {
	from, to := tcpPair(b)
	echo := to.SpawnHandler(echoHandler{})
	b.ResetTimer()
	var left atomic.Int64
	left.Store(int64(b.N))
	done := make(chan struct{}, 256)
	for range 256 {
		from.Spawn(func(p *actor.Process) error {
			defer func() { done <- struct{}{} }()
			for left.Add(-1) >= 0 {
				if _, err := actor.Call[int](p, echo, 1); err != nil {
					b.Error(err)
				}
			}
			return nil
		})
	}
	for range 256 {
		<-done
	}
}

type echoHandler struct{}

func (echoHandler) Receive(p *actor.Process, m actor.Message) error {
	v, _ := actor.As[int](m)
	return p.Reply(m, v)
}
