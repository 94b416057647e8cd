package node_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
	"conclave/node"
)

func under(root string) func(*node.Config) { return func(cfg *node.Config) { cfg.Root = root } }

func TestRootsDoNotSeeEachOther(t *testing.T) {
	apart(t, func(c *cluster) {
		mine, theirs := c.root+"/mine", c.root+"/theirs"
		a, b := c.node("a", under(mine)), c.node("b", under(theirs))
		one, two := a.Spawn(idle), b.Spawn(idle)
		a.register("worker", one)
		b.register("worker", two)
		a.awaitCapable("worker", one)
		b.awaitCapable("worker", two)
		boss1, boss2 := a.stand("boss", idle), b.stand("boss", idle)
		if a.whereis("boss") != boss1 || b.whereis("boss") != boss2 || boss1 == boss2 {
			c.Errorf("%v and %v", a.whereis("boss"), b.whereis("boss"))
		}
		for _, m := range []*member{a, b} {
			ids, err := m.Nodes(c.brief())
			if err != nil || !slices.Equal(ids, []actor.NodeID{m.ID()}) {
				c.Errorf("%s sees the nodes %v, %v", m.name, ids, err)
			}
		}
		if x, y := a.awaitTold(node.SessionUp, 0).Cluster, b.awaitTold(node.SessionUp, 0).Cluster; x == y {
			c.Errorf("both roots have the cluster id %s", x)
		}
	})
}

func TestNodesOfDifferentClustersDoNotLink(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a", under(c.root+"/mine")), c.node("b", under(c.root+"/theirs"))
		b.awaitTold(node.SessionUp, 0) // from then on it says which cluster is its
		to, mail := b.sink()
		if _, err := actor.Call[string](a.With(c.brief()), to, "hello"); !errors.Is(err, actor.LinkLost) || !errors.Is(err, node.ErrOtherCluster) {
			c.Errorf("a call across clusters: %v", err)
		}
		a.do(func(p *actor.Process) error {
			p.Monitor(to)
			_, _, err := actor.Expect[actor.Down](p)
			return err
		})
		if f := a.awaitTold(node.LinkFailed, 0); !errors.Is(f.Err, node.ErrOtherCluster) || f.Peer != b.ID() {
			c.Errorf("%v", f.Event)
		}
		none(c, mail)
		if n := len(a.told(node.LinkUp)) + len(b.told(node.LinkUp)); n != 0 {
			c.Errorf("%d links", n)
		}
	})
}

func TestDeepRootIsMadeAndHoldsEverything(t *testing.T) {
	everyWay(t, func(c *cluster) {
		root := c.root + "/teams/kitchen/conclave"
		a, b := c.node("a", under(root)), c.node("b", under(root))
		pid := a.Spawn(idle)
		a.register("worker", pid)
		b.awaitCapable("worker", pid)
		boss := a.stand("boss", idle)
		if b.whereis("boss") != boss {
			c.Errorf("%v, want %v", b.whereis("boss"), boss)
		}
		admin := c.admin(func(cfg *keeper.Config) { cfg.Root = root })
		if n := len(admin.candidates("boss")); n != 1 {
			c.Errorf("%d candidates under the root", n)
		}
		if children, _, err := admin.Children(c.brief(), c.root+"/teams/kitchen", nil); err != nil || !slices.Equal(children, []string{"conclave"}) {
			c.Errorf("%v, %v", children, err)
		}
	})
}

// A node whose root can be neither made nor used says so, and which it is.
func TestRootThatCannotBeMadeIsNamed(t *testing.T) {
	everyWay(t, func(c *cluster) {
		landlord := c.admin(func(cfg *keeper.Config) {
			cfg.Root = c.root + "/house/office"
			cfg.Credentials = []keeper.Credential{keeper.DigestCredential("landlord", "key")}
			cfg.ACL = append(keeper.DigestACL(keeper.PermAll, "landlord", "key"), keeper.ACL{Perms: keeper.PermRead, Scheme: "world", ID: "anyone"})
		})
		tenant := c.admin(func(cfg *keeper.Config) { cfg.Root = "/somewhere/else" })
		if _, err := tenant.Create(c.brief(), c.root+"/house/flat", nil, keeper.Persistent); !errors.Is(err, keeper.ErrNoAuth) {
			c.Fatalf("the house is open: %v", err)
		}
		landlord.create(c.root+"/house/flat", "", keeper.Persistent) // readable by all, writable by none
		a := c.launch("a", under(c.root+"/house/flat/conclave"))
		a.gone = true
		if err := a.Ready(c.within(200 * time.Millisecond)); !errors.Is(err, keeper.ErrAuthFailed) || !strings.Contains(err.Error(), "/house/flat/conclave") {
			c.Errorf("a node whose root cannot be made: %v", err)
		}
	})
}
