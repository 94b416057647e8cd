package global

import (
	"testing"
	"time"

	"conclave/internal/zktest"
)

// own is a cluster over a ZooKeeper of its own, to be disturbed.
func own(t *testing.T) (*cluster, *zktest.Server) {
	t.Helper()
	t.Parallel()
	const tick = 200 * time.Millisecond
	server := zktest.Start(t, zktest.Tick(tick))
	return &cluster{t: t, T: 2 * time.Second, tick: tick, soon: 3 * time.Second, servers: []string{server.Addr()}}, server
}

func TestFault20ZooKeeperItselfFrozen(t *testing.T) {
	c, server := own(t)
	for _, m := range c.joinAll(3) {
		m.register("boss", Run(idles))
	}
	server.Pause(t)
	c.await("the holder stops", func() bool { return len(c.holders("boss")) == 0 })
	frozen := time.Now()
	c.await("nobody else holds meanwhile", func() bool {
		if h := c.holders("boss"); len(h) > 0 {
			t.Fatalf("%s holds", h[0].name)
		}
		return time.Since(frozen) > c.T
	})
	server.Continue(t)
	c.await("all recovers", func() bool { return len(c.holders("boss")) == 1 && len(c.candidates("boss")) == 3 })
	c.neverTwo("boss")
}

func TestFault21ZooKeeperItselfRestarted(t *testing.T) {
	c, server := own(t)
	all := c.joinAll(3)
	for _, m := range all {
		m.register("boss", Run(idles))
	}
	server.Kill()
	server.Restart(t)
	c.await("all recovers", func() bool { return len(c.holders("boss")) == 1 && len(c.candidates("boss")) == 3 })
	c.neverTwo("boss")
	for _, m := range all {
		c.await("found by all", func() bool { return m.whereis("boss").Node() == c.holder("boss").system.Node() })
	}
}

func TestFault22ZooKeeperItselfWiped(t *testing.T) {
	c, server := own(t)
	all := c.joinAll(3)
	for _, m := range all {
		m.register("boss", Run(idles))
	}
	old, _ := c.holder("boss").g.Holding("boss")
	server.Wipe(t)
	c.await("everything is there again", func() bool {
		h := c.holders("boss")
		if len(h) != 1 || len(c.candidates("boss")) != 3 {
			return false
		}
		term, ok := h[0].g.Holding("boss")
		return ok && term.Cluster() != old.Cluster()
	})
	for _, m := range all {
		c.await("found by all", func() bool { return m.whereis("boss").Node() == c.holder("boss").system.Node() })
	}
}
