package node_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"conclave/internal/zktest"
	"conclave/node"
	"conclave/transport"
	"conclave/zkdev"
)

// Every test of the API is written once, against a cluster, and runs on four:
//
//	same           one node, which goes by all names, in virtual time
//	network        nodes over transport.Network and zkdev, in virtual time
//	tcp/zkdev      nodes over TCP and zkdev over TCP
//	tcp/zookeeper  nodes over TCP and ZooKeeper itself (CONCLAVE_REAL=1)
//
// With -short only the first two run, so that they can be repeated many times.

func TestMain(m *testing.M) { zktest.Main(m) }

// cluster is the nodes of one test and the ZooKeeper they use.
type cluster struct {
	*testing.T                    // of the bubble, in virtual time
	virtual    bool               // time is
	one        bool               // every name stands for the same node
	dev        *zkdev.Server      // nil: ZooKeeper itself
	net        *transport.Network // nil: TCP
	servers    []string
	root       string
	ways       map[string]dialer // of a node to other servers than dev, in virtual time
	members    []*member
}

type dialer func(ctx context.Context, address string) (net.Conn, error)

const (
	testTick    = 500 * time.Millisecond
	testSession = 4 * time.Second
)

// inBubble runs f in virtual time, on nodes over the in-memory network. Whatever
// of them is left running afterwards fails the test.
func inBubble(t *testing.T, f func(c *cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { bubble(t, false, f) })
}

func bubble(t *testing.T, one bool, f func(c *cluster)) {
	c := &cluster{
		T:       t,
		virtual: true,
		one:     one,
		dev:     zkdev.New(zkdev.Config{Tick: testTick}),
		net:     transport.NewNetwork(),
		servers: []string{"zk:2181"},
	}
	defer c.dev.Close()
	defer c.stopAll()
	f(c)
}

// overTCP runs f on nodes over TCP, on zkdev and on ZooKeeper itself.
func overTCP(t *testing.T, f func(c *cluster)) {
	t.Helper()
	t.Run("tcp", func(t *testing.T) {
		if testing.Short() {
			t.Skip("takes real time")
		}
		zktest.Each(t, func(t *testing.T, z zktest.Target) { f(tcpCluster(t, z)) }, zktest.Tick(testTick))
	})
}

// tcpCluster is a cluster in real time. Whatever of it is left running after the
// test fails the test.
func tcpCluster(t *testing.T, z zktest.Target) *cluster {
	c := &cluster{T: t, dev: z.Dev, servers: z.Servers(), root: z.Root}
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		c.stopAll()
		if !c.awaitFor(10*time.Second, func() bool { return runtime.NumGoroutine() <= before }) {
			stacks := make([]byte, 1<<20)
			t.Errorf("%d goroutines, there were %d before:\n%s", runtime.NumGoroutine(), before,
				stacks[:runtime.Stack(stacks, true)])
		}
	})
	return c
}

// apart runs f on clusters whose nodes are distinct.
func apart(t *testing.T, f func(c *cluster)) {
	t.Helper()
	t.Run("network", func(t *testing.T) { inBubble(t, f) })
	overTCP(t, f)
}

// everyWay runs f on all clusters.
func everyWay(t *testing.T, f func(c *cluster)) {
	t.Helper()
	t.Run("same", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { bubble(t, true, f) })
	})
	apart(t, f)
}

// node starts a node of that name and waits until it has a session. Where all
// names stand for one node it is made by the first who asks.
func (c *cluster) node(name string, change ...func(*node.Config)) *member {
	c.Helper()
	if c.one && len(c.members) > 0 {
		return c.members[0]
	}
	m := c.launch(name, change...)
	if err := m.Ready(c.brief()); err != nil {
		c.Fatalf("%s: %v", name, err)
	}
	return m
}

func (c *cluster) nodes(count int) []*member {
	c.Helper()
	all := make([]*member, count)
	for i := range all {
		all[i] = c.node(fmt.Sprintf("n%d", i+1))
	}
	return all
}

// guest starts a node that does not listen.
func (c *cluster) guest(name string) *member {
	c.Helper()
	if c.one {
		c.one = false
		defer func() { c.one = true }()
	}
	return c.node(name, func(cfg *node.Config) { cfg.Guest, cfg.Listen = true, "" })
}

// launch starts a node and waits for nothing.
func (c *cluster) launch(name string, change ...func(*node.Config)) *member {
	c.Helper()
	m := newMember(c, name)
	n, err := node.Start(c.Context(), m.config(change...))
	if err != nil {
		c.Fatalf("start %s: %v", name, err)
	}
	m.Node = n
	c.members = append(c.members, m)
	return m
}

// config is that of a node of this cluster.
func (m *member) config(change ...func(*node.Config)) node.Config {
	c := m.c
	cfg := node.Config{
		Name:           m.name,
		ZooKeeper:      c.servers,
		Root:           c.root,
		SessionTimeout: testSession,
		DialZooKeeper:  m.line.dial,
		Logger:         testLogger(),
		OnEvent:        m.note,
	}
	if c.virtual {
		cfg.Listen = m.name + ":0"
		cfg.Transport = c.net.Host(m.name)
		cfg.Clock = virtualClock()
	}
	for _, f := range change {
		f(&cfg)
	}
	return cfg
}

func virtualClock() func() time.Duration {
	began := time.Now()
	return func() time.Duration { return time.Since(began) }
}

func (c *cluster) stopAll() {
	for i := len(c.members) - 1; i >= 0; i-- {
		c.members[i].leave()
	}
}

// patience is how long a test waits for what should come.
func (c *cluster) patience() time.Duration {
	if c.virtual {
		return 2 * time.Minute
	}
	return 20 * time.Second
}

// brief is a context for a call that should not take long.
func (c *cluster) brief() context.Context { return c.within(c.patience()) }

func (c *cluster) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	c.Cleanup(cancel)
	return ctx
}

// await waits until it is so.
func (c *cluster) await(what string, so func() bool) {
	c.Helper()
	if !c.awaitFor(c.patience(), so) {
		c.Fatalf("not within %v: %s", c.patience(), what)
	}
}

func (c *cluster) awaitFor(d time.Duration, so func() bool) bool {
	for end := time.Now().Add(d); ; time.Sleep(2 * time.Millisecond) {
		c.settle()
		if so() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// settle lets everything happen that needs no time.
func (c *cluster) settle() {
	if c.virtual {
		synctest.Wait()
	}
}

// ok ends the test at an error.
func (c *cluster) ok(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// next is what comes out of ch.
func next[T any](c *cluster, ch <-chan T) T {
	c.Helper()
	timer := time.NewTimer(c.patience())
	defer timer.Stop()
	select {
	case v := <-ch:
		return v
	case <-timer.C:
		c.Fatalf("nothing came within %v", c.patience())
		panic("unreachable")
	}
}

// none checks that nothing is in ch.
func none[T any](c *cluster, ch <-chan T) {
	c.Helper()
	c.settle()
	select {
	case v := <-ch:
		c.Errorf("unexpected: %+v", v)
	default:
	}
}

// parallel runs f count times at once and waits for all.
func parallel(count int, f func(i int)) {
	var all sync.WaitGroup
	for i := range count {
		all.Go(func() { f(i) })
	}
	all.Wait()
}

func testLogger() *slog.Logger {
	if os.Getenv("CONCLAVE_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
