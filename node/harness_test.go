package node_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"conclave/node"
	"conclave/transport"
	"conclave/zkdev"
)

// bubble is a cluster in virtual time: nodes over the in-memory network, on a
// development server of their own.
type bubble struct {
	t   *testing.T
	zk  *zkdev.Server
	net *transport.Network

	mu     sync.Mutex
	events map[*node.Node][]node.Event
	nodes  []*node.Node
}

const (
	bubbleTick    = 500 * time.Millisecond
	bubbleSession = 4 * time.Second
)

// inBubble runs f in virtual time and stops every node it started at the end.
func inBubble(t *testing.T, f func(t *testing.T, b *bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{
			t:      t,
			zk:     zkdev.New(zkdev.Config{Tick: bubbleTick}),
			net:    transport.NewNetwork(),
			events: make(map[*node.Node][]node.Event),
		}
		defer b.zk.Close()
		defer func() {
			for _, n := range b.nodes {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				_ = n.Stop(ctx)
				cancel()
			}
		}()
		f(t, b)
	})
}

// start makes a node on a host of that name.
func (b *bubble) start(name string, change ...func(*node.Config)) *node.Node {
	b.t.Helper()
	began := time.Now()
	var self *node.Node
	cfg := node.Config{
		Name:           name,
		ZooKeeper:      []string{"127.0.0.1:2181"},
		SessionTimeout: bubbleSession,
		Transport:      b.net.Host(name),
		Listen:         name + ":0",
		DialZooKeeper:  b.zk.DialContext,
		Clock:          func() time.Duration { return time.Since(began) },
		Logger:         testLogger(),
		OnEvent: func(e node.Event) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.events[self] = append(b.events[self], e)
		},
	}
	for _, f := range change {
		f(&cfg)
	}
	n, err := node.Start(b.t.Context(), cfg)
	if err != nil {
		b.t.Fatalf("start %s: %v", name, err)
	}
	b.mu.Lock()
	b.events[n] = b.events[nil]
	delete(b.events, nil)
	self = n
	b.mu.Unlock()
	b.nodes = append(b.nodes, n)
	return n
}

func (b *bubble) startMany(count int) []*node.Node {
	var all []*node.Node
	for i := range count {
		all = append(all, b.start(fmt.Sprintf("n%d", i+1)))
	}
	return all
}

// count is how many events of a kind a node has told of.
func (b *bubble) count(n *node.Node, kind node.EventKind) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	count := 0
	for _, e := range b.events[n] {
		if e.Kind == kind {
			count++
		}
	}
	return count
}

func testLogger() *slog.Logger {
	if os.Getenv("CONCLAVE_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
