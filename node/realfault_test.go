package node_test

import (
	"testing"
	"time"

	"conclave/actor"
	"conclave/internal/zktest"
	"conclave/node"
)

// Faults of ZooKeeper itself, in real time. The bounds are those of the session's
// timeout, plus what a busy machine may take.

const (
	realTick    = 200 * time.Millisecond
	realSession = 1200 * time.Millisecond
	realSlack   = 500 * time.Millisecond
)

// onRealServer runs f on a server of its own.
func onRealServer(t *testing.T, f func(c *cluster, zk *zktest.Server)) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes real time")
	}
	zk := zktest.Start(t, zktest.Tick(realTick))
	f(tcpCluster(t, zktest.Target{Addr: zk.Addr(), Root: "/real"}), zk)
}

func briefSession(cfg *node.Config) { cfg.SessionTimeout = realSession }

func TestFault20ZooKeeperIsKilledOrStopped(t *testing.T) {
	for name, fault := range map[string]struct {
		lose, restore func(t *testing.T, zk *zktest.Server)
	}{
		"killed": {
			func(_ *testing.T, zk *zktest.Server) { zk.Kill() },
			func(t *testing.T, zk *zktest.Server) { zk.Restart(t) },
		},
		"stopped": {
			func(t *testing.T, zk *zktest.Server) { zk.Pause(t) },
			func(t *testing.T, zk *zktest.Server) { zk.Continue(t) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			onRealServer(t, func(c *cluster, zk *zktest.Server) {
				a, b, d := c.node("a", briefSession), c.node("b", briefSession), c.node("d", briefSession)
				book, _ := d.ledger()
				pid := d.Spawn(echo)
				d.register("worker", pid)
				a.awaitCapable("worker", pid)
				a.stand("boss", acts(book))
				b.stand("boss", acts(book))
				b.stand("clerk", acts(book))
				// Long enough for the leases to have their full length.
				c.awaitFor(realSession, func() bool { return len(a.told(node.TermEnded)) > 0 })

				lost := time.Now()
				fault.lose(c.T, zk)
				for _, m := range []*member{a, b} {
					if ended := m.awaitTold(node.TermEnded, 0); ended.at.Sub(lost) > realSession/2+realSlack {
						c.Errorf("%s stopped after %v", m.name, ended.at.Sub(lost))
					}
				}
				// Without ZooKeeper nobody takes over, messages go on, and what was
				// known is served.
				began := len(c.history("boss")) + len(c.history("clerk"))
				if c.awaitFor(realSession*3/2, func() bool { return len(c.history("boss"))+len(c.history("clerk")) != began }) {
					c.Error("a term began without ZooKeeper")
				}
				if said, err := actor.Call[string](a.With(c.brief()), pid, "hello"); said != "hello" {
					c.Errorf("%q, %v", said, err)
				}
				if v, err := a.Lookup(c.brief(), "worker"); err != nil || !contains(v.PIDs, pid) || !v.Stale {
					c.Errorf("%+v, %v", v, err)
				}
				fault.restore(c.T, zk)
				for _, name := range []string{"boss", "clerk"} {
					c.holder(name)
					c.neverTwo(name)
				}
				c.await("a fresh view", func() bool {
					v, err := a.Lookup(c.brief(), "worker")
					return err == nil && !v.Stale && contains(v.PIDs, pid)
				})
			})
		})
	}
}

func TestFault22ZooKeeperIsWiped(t *testing.T) {
	onRealServer(t, func(c *cluster, zk *zktest.Server) {
		a, b := c.node("a", briefSession), c.node("b", briefSession)
		pid := b.Spawn(echo)
		b.register("worker", pid)
		a.awaitCapable("worker", pid)
		a.stand("boss", tellsWho)
		b.stand("boss", tellsWho)
		b.askGlobal("boss")
		zk.Wipe(t)
		for _, m := range []*member{a, b} {
			changed := m.awaitTold(node.ClusterChanged, 0)
			if old := m.told(node.SessionUp)[0].Cluster; changed.Cluster == old {
				c.Errorf("%s: still of cluster %s", m.name, old)
			}
		}
		c.holder("boss")
		a.awaitCapable("worker", pid)
		c.await("the nodes to link again", func() bool {
			said, err := actor.Call[string](a.With(c.brief()), pid, "hello")
			return said == "hello" && err == nil
		})
		b.askGlobal("boss")
	})
}
