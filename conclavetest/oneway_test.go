package conclavetest_test

import (
	"context"
	"testing"
	"time"

	"conclave/actor"
	"conclave/conclavetest"
)

// A holder's requests reach ZooKeeper for ever, and no reply comes back. What it
// sends keeps its session alive, so it has to stop that, or nobody could ever hold
// the name. On a network it can make no new connection; through something that
// accepts connections it can, and each attempt counts as a sign of life.
func TestFault09HolderWhoseRepliesAreLostForGoodIsReplaced(t *testing.T) {
	const T, tick = 8 * time.Second, time.Second
	for _, way := range []struct {
		name string
		cut  func(c *conclavetest.Cluster, holder int)
		most time.Duration
	}{
		{"network", (*conclavetest.Cluster).CutZooKeeperOneWay, T + T/4 + tick*3/2},
		{"connections accepted", func(c *conclavetest.Cluster, holder int) {
			s, err := c.Node(holder).Keeper().Session(c.Context())
			if err != nil {
				c.Fatal(err)
			}
			c.ZooKeeper().HoldReplies(s.ID())
		}, 3*T + tick*3/2},
	} {
		t.Run(way.name, func(t *testing.T) {
			longest := time.Duration(0)
			for phase := range time.Duration(8) {
				conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
					c.Setup(func(n *conclavetest.Node) {
						n.Stand("boss", func(p *actor.Process) error { <-p.Done(); return context.Cause(p) })
					})
					holder := c.AwaitHolder("boss").Index()
					time.Sleep(3*T + phase*T/64)
					way.cut(c, holder)
					cut := time.Now()
					c.AwaitWithin(time.Minute, "another holds", func() bool {
						_, holds := c.Node(1 - holder).Holding("boss")
						return holds
					})
					took := time.Since(cut)
					longest = max(longest, took)
					if took > way.most {
						c.Errorf("phase %d: it took %v, at most %v is promised", phase, took, way.most)
					}
					c.Check(conclavetest.NeverTwo("boss"), conclavetest.TermsRise("boss"))
				}, conclavetest.SessionTimeout(T), conclavetest.Tick(tick))
			}
			t.Logf("at most %v, T being %v; promised are %v", longest, T, way.most)
		})
	}
}
