package conclavetest

import (
	"fmt"
	"time"

	"conclave/zkdev"
)

// ZooKeeper is the cluster's server, for what is not here: its hooks, its tree.
func (c *Cluster) ZooKeeper() *zkdev.Server { return c.zk }

// CutZooKeeper cuts node i off from ZooKeeper; it still reaches its peers. What
// is under way stays so, in both directions, until MendZooKeeper, be it that the
// node has given the connection up meanwhile.
func (c *Cluster) CutZooKeeper(i int) {
	c.Helper()
	h := c.host(i)
	c.did("cut "+h.name+" from ZooKeeper", "zk "+h.name, "")
	h.line.set(func(l *line) { l.up, l.down = true, true })
}

// CutZooKeeperOneWay lets what node i sends reach ZooKeeper, and no answer and no
// event reach the node: replies are lost while requests take effect.
func (c *Cluster) CutZooKeeperOneWay(i int) {
	c.Helper()
	h := c.host(i)
	c.did("cut "+h.name+" from ZooKeeper's answers", "zk "+h.name, "")
	h.line.set(func(l *line) { l.up, l.down = false, true })
}

// MendZooKeeper undoes CutZooKeeper and CutZooKeeperOneWay.
func (c *Cluster) MendZooKeeper(i int) {
	c.Helper()
	h := c.host(i)
	c.did("mend "+h.name+"'s way to ZooKeeper", "", "zk "+h.name)
	h.line.set(func(l *line) { l.up, l.down = false, false })
}

// Disconnect closes node i's connection with ZooKeeper; its session lives, and it
// can connect again at once.
func (c *Cluster) Disconnect(i int) {
	c.Helper()
	c.did("disconnect "+c.host(i).name+" from ZooKeeper", "", "")
	c.disconnect(i)
}

func (c *Cluster) disconnect(i int) { c.host(i).line.disconnect() }

// ExpireSession ends node i's ZooKeeper session at once, as ZooKeeper does when
// its time has passed. But ZooKeeper never does so before, and the promise of one
// holder rests on that: as with a znode that an administrator deletes, a successor
// may begin before the holder has heard of it, and until then only the terms on
// messages protect. NeverTwo and SoundHistory take the node's terms to have ended
// here.
func (c *Cluster) ExpireSession(i int) {
	c.Helper()
	h := c.host(i)
	c.did("expire "+h.name+"'s session", "", "")
	n := h.node()
	if n == nil {
		return
	}
	n.mu.Lock()
	n.expired = append(n.expired, Fact{At: time.Now(), seq: c.seq.Add(1)})
	n.depose()
	n.mu.Unlock()
	c.zk.ExpireSession(h.line.session(n))
}

// LoseReply loses the reply to the next thing that node i writes to ZooKeeper:
// the write takes effect, and instead of its answer the connection ends.
func (c *Cluster) LoseReply(i int) {
	c.Helper()
	h := c.host(i)
	c.did("lose the reply to "+h.name+"'s next write", "", "")
	n := h.node()
	if n == nil {
		return
	}
	id, lost := h.line.session(n), false
	c.zk.Inject(func(r zkdev.Request) zkdev.Fault {
		switch r.Op {
		case "multi", "create", "create2", "delete", "setData":
			if r.Session == id && !lost {
				lost = true
				return zkdev.LoseReply
			}
		}
		return zkdev.NoFault
	})
}

// ZooKeeperDown ends ZooKeeper as when its process dies: connections end and none
// can be made until ZooKeeperUp. Its data and the sessions stay.
func (c *Cluster) ZooKeeperDown() {
	c.did("ZooKeeper down", "zookeeper", "")
	c.zk.Down()
}

// ZooKeeperUp undoes ZooKeeperDown.
func (c *Cluster) ZooKeeperUp() {
	c.did("ZooKeeper up", "", "zookeeper")
	c.zk.Up()
}

// ZooKeeperFreeze stops ZooKeeper as SIGSTOP does: connections stay, nothing is
// answered, no session expires.
func (c *Cluster) ZooKeeperFreeze() {
	c.did("ZooKeeper frozen", "zookeeper frozen", "")
	c.zk.Freeze()
}

// ZooKeeperThaw undoes ZooKeeperFreeze.
func (c *Cluster) ZooKeeperThaw() {
	c.did("ZooKeeper thawed", "", "zookeeper frozen")
	c.zk.Thaw()
}

// Lag gives node i, if it has not got one yet, a server of its own of the ensemble,
// a follower, makes it connect with that, and has the follower lag: what is
// committed is seen there d later. Zero undoes the lag; the node stays there.
func (c *Cluster) Lag(i int, d time.Duration) {
	c.Helper()
	h := c.host(i)
	what := fmt.Sprintf("the follower of %s lags by %v", h.name, d)
	if d > 0 {
		c.did(what, "lag "+h.name, "")
		h.line.follow().Lag(d)
	} else if f := h.line.own(); f != nil {
		c.did(what, "", "lag "+h.name)
		f.Lag(0)
	}
}

// CutQuorum cuts the follower of node i (see [Cluster.Lag]) off from its quorum: it
// still answers reads and pings, from what it knew; writes hang; and after two
// ticks it gives up and drops its clients. The node can connect with another
// server at any time.
//
// If the node has to be led to a follower first, CutQuorum waits, up to a second,
// until it is there.
func (c *Cluster) CutQuorum(i int) {
	c.Helper()
	h := c.host(i)
	f := h.line.follow()
	for range 100 {
		c.Settle()
		if h.line.arrived() {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	c.did("the follower of "+h.name+" is cut off from its quorum", "quorum "+h.name, "")
	f.Cut()
}

// HealQuorum undoes CutQuorum.
func (c *Cluster) HealQuorum(i int) {
	c.Helper()
	h := c.host(i)
	c.did("the follower of "+h.name+" is back in its quorum", "", "quorum "+h.name)
	if f := h.line.own(); f != nil {
		f.Heal()
	}
}
