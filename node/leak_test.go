package node_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"conclave/actor"
	"conclave/node"
)

// busyLife has a node do everything once, with another.
func busyLife(c *cluster, a, b *member) {
	c.Helper()
	pid := a.Spawn(echo)
	a.register("worker", pid)
	c.ok(a.RegisterName("desk", pid))
	b.awaitCapable("worker", pid)
	a.stand("boss", tellsWho)
	b.askGlobal("boss")
	b.do(func(p *actor.Process) error {
		p.Monitor(pid)
		_, err := actor.Call[string](p, pid, "hello")
		return err
	})
	// Some things are left under way.
	go b.WaitCapable(b.c.brief(), "nobody", 1)
	go b.WhereisGlobal(b.c.brief(), "nobody")
	a.Spawn(func(p *actor.Process) error {
		_, err := actor.Call[string](p, b.Spawn(idle), "never answered")
		return err
	})
}

// In bubbles and after tests over TCP this is checked everywhere; here the cause
// would be clear. Descriptors are counted too.
func TestNothingIsLeftOfStoppedNodes(t *testing.T) {
	overTCP(t, func(c *cluster) {
		descriptors := func() int {
			all, err := os.ReadDir("/proc/self/fd")
			if err != nil {
				return 0 // this system does not tell
			}
			return len(all)
		}
		live := func() {
			a, b := c.node("a"), c.node("b")
			busyLife(c, a, b)
			a.stop()
			b.stop()
		}
		live() // what the runtime and the libraries keep is there from now on
		goroutines, open := runtime.NumGoroutine(), descriptors()
		for range 5 {
			live()
		}
		c.await("goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
		c.await("descriptors to be closed", func() bool { return descriptors() <= open })
	})
}

func TestNothingIsLeftOfNodesThatCannotStart(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 10 {
		for _, change := range []func(*node.Config){
			func(cfg *node.Config) { cfg.Root = "relative" },
			func(cfg *node.Config) { cfg.Advertise = "a/b:1" },
			func(cfg *node.Config) { cfg.SessionTimeout = 1 },
		} {
			cfg := node.Config{ZooKeeper: []string{"127.0.0.1:1"}, Logger: testLogger()}
			change(&cfg)
			if _, err := node.Start(t.Context(), cfg); !errors.Is(err, node.ErrConfig) {
				t.Fatal(err)
			}
		}
	}
	c := &cluster{T: t}
	c.await("goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}

func TestHundredRestartsLeaveOneLinkEach(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a := c.node("a")
		home, mail := a.sink()
		for i := range 100 {
			m := c.node(fmt.Sprint("m", i))
			c.ok(m.Send(home, i))
			if got := next(c, mail); got.Body() != i {
				c.Fatal(got.Body())
			}
			m.stop()
		}
		time.Sleep(2 * time.Minute) // peers that are gone are forgotten after one
		if up, down := len(a.told(node.LinkUp)), len(a.told(node.LinkDown)); up != 100 || down != 100 {
			c.Errorf("%d links, %d down", up, down)
		}
		c.await("goroutines to end", func() bool { return runtime.NumGoroutine() < 50 })
	})
}
