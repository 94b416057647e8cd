package shard_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/node"
	"conclave/shard"
	"conclave/zkdev"
)

// echo answers every call with what it is asked.
func echo(p *actor.Process) error {
	for {
		m, err := p.Receive()
		if err != nil {
			return err
		}
		if v, ok := actor.As[int](m); ok && m.IsCall() {
			if err := p.Reply(m, v); err != nil {
				return err
			}
		}
	}
}

// BenchmarkCall compares calls by key with calls of a PID: of a plain process, and of
// the key's own. Each caller has a process, and a key, for itself; "there" is another
// node, over TCP.
//
//	go test ./shard -run '^$' -bench Call -count 7
func BenchmarkCall(b *testing.B) {
	zk := zkdev.New(zkdev.Config{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go zk.Serve(l)
	defer zk.Close()
	start := func(name string, cfg shard.Config) (*node.Node, *shard.Space) {
		n, err := node.Start(b.Context(), node.Config{Name: name, ZooKeeper: []string{l.Addr().String()}, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			_ = n.Stop(ctx)
		})
		sp, err := shard.Open(b.Context(), n, "bench", cfg)
		if err != nil {
			b.Fatal(err)
		}
		return n, sp
	}
	cfg := shard.Config{Parts: 64, Entity: func(string) actor.Func { return echo }}
	owner, here := start("owner", cfg)
	_, there := start("caller", shard.Config{Watch: true})
	const most = 256
	var plain, keyed [most]actor.PID
	var keys [most]string
	for i := range most {
		keys[i] = fmt.Sprintf("customer-%06d", i)
		plain[i] = owner.Spawn(echo)
		m, err := there.Request(owner.Within(time.Minute), keys[i], i)
		if err != nil {
			b.Fatal(err)
		}
		keyed[i] = m.From
	}
	for _, where := range []struct {
		name string
		sp   *shard.Space
	}{{"here", here}, {"there", there}} {
		for _, callers := range []int{1, most} {
			for _, how := range []struct {
				name string
				call func(p *actor.Process, i int) (int, error)
			}{
				{"pid", func(p *actor.Process, i int) (int, error) { return actor.Call[int](p, plain[i], i) }},
				{"pid-of-key", func(p *actor.Process, i int) (int, error) { return actor.Call[int](p, keyed[i], i) }},
				{"key", func(p *actor.Process, i int) (int, error) { return shard.Call[int](p, where.sp, keys[i], i) }},
			} {
				b.Run(fmt.Sprintf("%s/%d/%s", where.name, callers, how.name), func(b *testing.B) {
					b.ReportAllocs()
					var left atomic.Int64
					left.Store(int64(b.N))
					var done sync.WaitGroup
					done.Add(callers)
					for i := range callers {
						where.sp.Node().Spawn(func(p *actor.Process) error {
							defer done.Done()
							for left.Add(-1) >= 0 {
								if v, err := how.call(p, i); err != nil || v != i {
									b.Errorf("%d: %d, %v", i, v, err)
									return nil
								}
							}
							return nil
						})
					}
					done.Wait()
				})
			}
		}
	}
}
