package node_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"conclave/actor"
	"conclave/node"
	"conclave/zkdev"
)

// requests are how many a node has made of ZooKeeper, whichever it is.
func (m *member) requests() uint64 { return m.Keeper().Stats().Total() }

// quiet waits until the node makes no more requests by itself.
func (m *member) quiet() {
	m.c.Helper()
	last, since := m.requests(), time.Now()
	m.c.await(m.name+" to make no more requests", func() bool {
		if n := m.requests(); n != last {
			last, since = n, time.Now()
		}
		return time.Since(since) > 50*time.Millisecond
	})
}

func TestCachedLookUpsMakeNoRequest(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		// A node that holds nothing writes no heartbeats, so whatever is counted
		// on the one that asks is a look-up's. Where there is only one, no time
		// passes while it looks up.
		asks, asked := a, b
		pid := asked.Spawn(idle)
		asked.register("worker", pid)
		asks.awaitCapable("worker", pid)
		asks.awaitCapable("nobody")
		holder := asked.stand("boss", idle)
		if pid := asks.whereis("boss"); pid != holder {
			c.Fatal(pid)
		}
		if _, err := asks.Nodes(c.brief()); err != nil {
			c.Fatal(err)
		}
		asks.quiet()
		before := asks.requests()
		if c.virtual {
			c.dev.ResetRequests()
		}
		lookUp := func(get func() ([]actor.PID, error), whereis func() (actor.PID, error)) error {
			for range 1000 {
				if pids, err := get(); err != nil || !slices.Equal(pids, []actor.PID{pid}) {
					return fmt.Errorf("%v, %w", pids, err)
				}
			}
			for range 1000 {
				if pid, err := whereis(); err != nil || pid != holder {
					return fmt.Errorf("%v, %w", pid, err)
				}
			}
			return nil
		}
		ctx := c.brief()
		c.ok(lookUp(
			func() ([]actor.PID, error) { return asks.GetCapable(ctx, "worker") },
			func() (actor.PID, error) { return asks.WhereisGlobal(ctx, "boss") }))
		asks.do(func(p *actor.Process) error {
			return lookUp(
				func() ([]actor.PID, error) { return p.GetCapable("worker") },
				func() (actor.PID, error) { return p.WhereisGlobal("boss") })
		})
		for range 1000 {
			if pids, err := asks.GetCapable(ctx, "nobody"); err != nil || len(pids) != 0 {
				c.Fatal(pids, err)
			}
			if _, err := asks.Nodes(ctx); err != nil {
				c.Fatal(err)
			}
		}
		if n := asks.requests() - before; n != 0 {
			c.Errorf("%d requests for look-ups of what is cached", n)
		}
		if c.virtual {
			onServer := c.dev.Requests()
			maps.DeleteFunc(onServer, func(op string, n int) bool { return op == "ping" || n == 0 })
			if len(onServer) != 0 {
				c.Errorf("the server has seen %v", onServer)
			}
		}
	})
}

// Whoever waits for a global, or for somebody to offer a service, costs nothing
// until there is news.
func TestWaitingMakesNoRequest(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a := c.node("a")
		for i := range 10 {
			go a.WhereisGlobal(c.within(time.Hour), fmt.Sprint("boss ", i))
			go a.WaitCapable(c.within(time.Hour), fmt.Sprint("worker ", i), 1)
		}
		a.quiet()
		before := a.requests()
		time.Sleep(10 * time.Second) // about once a minute it is checked that no watch was lost
		if n := a.requests() - before; n != 0 {
			c.Errorf("%d requests while nothing happened", n)
		}
	})
}

// pair is a node that offers, with a holder, and one that asks, on a development
// server in memory, in real time.
func pair(tb testing.TB) (asks *node.Node) {
	tb.Helper()
	zk := zkdev.New(zkdev.Config{})
	tb.Cleanup(func() { zk.Close() })
	start := func(name string) *node.Node {
		n, err := node.Start(context.Background(), node.Config{
			Name: name, ZooKeeper: []string{"zk"}, DialZooKeeper: zk.DialContext, Logger: testLogger(),
		})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if err := n.Stop(ctx); err != nil {
				tb.Error(err)
			}
		})
		return n
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	asked, asks := start("asked"), start("asks")
	_, err := asked.Register(ctx, "worker", asked.Spawn(idle))
	_, err2 := asked.RegisterCandidate(ctx, "boss", idle)
	_, err3 := asks.WaitCapable(ctx, "worker", 1)
	_, err4 := asks.WhereisGlobal(ctx, "boss")
	_, err5 := asks.GetCapable(ctx, "nobody")
	if err := errors.Join(err, err2, err3, err4, err5); err != nil {
		tb.Fatal(err)
	}
	return asks
}

func TestCachedLookUpsAllocateNothing(t *testing.T) {
	asks := pair(t)
	ctx := t.Context()
	for name, lookUp := range map[string]func(){
		"GetCapable":            func() { _, _ = asks.GetCapable(ctx, "worker") },
		"GetCapable of nothing": func() { _, _ = asks.GetCapable(ctx, "nobody") },
		"WhereisGlobal":         func() { _, _ = asks.WhereisGlobal(ctx, "boss") },
		"Holding":               func() { asks.Holding("boss") },
		"Whereis":               func() { asks.Whereis("desk") },
	} {
		if n := testing.AllocsPerRun(1000, lookUp); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	allocations := make(chan [2]float64, 1)
	asks.Spawn(func(p *actor.Process) error {
		allocations <- [2]float64{
			testing.AllocsPerRun(1000, func() { _, _ = p.GetCapable("worker") }),
			testing.AllocsPerRun(1000, func() { _, _ = p.WhereisGlobal("boss") }),
		}
		return nil
	})
	if n := <-allocations; n != [2]float64{} {
		t.Errorf("from a process: %v allocations", n)
	}
}

func BenchmarkGetCapableCached(b *testing.B) {
	asks := pair(b)
	b.Run("node", func(b *testing.B) {
		ctx := b.Context()
		b.ReportAllocs()
		for b.Loop() {
			if pids, err := asks.GetCapable(ctx, "worker"); len(pids) != 1 {
				b.Fatal(pids, err)
			}
		}
	})
	b.Run("process", func(b *testing.B) {
		inProcess(b, asks, func(p *actor.Process) error {
			pids, err := p.GetCapable("worker")
			if len(pids) != 1 {
				return fmt.Errorf("%v, %w", pids, err)
			}
			return nil
		})
	})
	b.Run("parallel", func(b *testing.B) {
		ctx := b.Context()
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if pids, err := asks.GetCapable(ctx, "worker"); len(pids) != 1 {
					b.Error(pids, err)
				}
			}
		})
	})
}

func BenchmarkWhereisGlobalCached(b *testing.B) {
	asks := pair(b)
	b.Run("node", func(b *testing.B) {
		ctx := b.Context()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := asks.WhereisGlobal(ctx, "boss"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("process", func(b *testing.B) {
		inProcess(b, asks, func(p *actor.Process) error {
			_, err := p.WhereisGlobal("boss")
			return err
		})
	})
}

// inProcess runs a benchmark's loop in a process.
func inProcess(b *testing.B, n *node.Node, f func(p *actor.Process) error) {
	b.ReportAllocs()
	done := make(chan error, 1)
	n.Spawn(func(p *actor.Process) error {
		for b.Loop() {
			if err := f(p); err != nil {
				done <- err
				return err
			}
		}
		done <- nil
		return nil
	})
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}
