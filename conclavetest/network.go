package conclavetest

import (
	"fmt"
	"time"
)

// Partition cuts nodes i and j off from each other; both still reach ZooKeeper.
// What is under way stays so, and neither notices but by silence.
func (c *Cluster) Partition(i, j int) {
	c.Helper()
	a, b := c.host(i), c.host(j)
	c.did(fmt.Sprintf("partition %s and %s", a.name, b.name), between(a, b), "")
	c.net.Partition(a.name, b.name)
}

// CutOneWay lets nothing through from one node to another; what the other sends
// arrives. New connections between the two need both ways.
func (c *Cluster) CutOneWay(from, to int) {
	c.Helper()
	a, b := c.host(from), c.host(to)
	c.did(fmt.Sprintf("cut from %s to %s", a.name, b.name), between(a, b), "")
	c.net.CutOneWay(a.name, b.name)
}

// Heal undoes Partition and CutOneWay between two nodes: what was under way
// arrives.
func (c *Cluster) Heal(i, j int) {
	c.Helper()
	a, b := c.host(i), c.host(j)
	c.did(fmt.Sprintf("heal %s and %s", a.name, b.name), "", between(a, b))
	c.net.Heal(a.name, b.name)
}

// Delay makes everything between nodes i and j take d each way from now on; what
// is under way is not overtaken. Zero undoes it.
func (c *Cluster) Delay(i, j int, d time.Duration) {
	c.Helper()
	a, b := c.host(i), c.host(j)
	what := fmt.Sprintf("delay %s and %s by %v", a.name, b.name, d)
	if d > 0 {
		c.did(what, "slow "+between(a, b), "")
	} else {
		c.did(what, "", "slow "+between(a, b))
	}
	c.net.Delay(a.name, b.name, d)
}

func between(a, b *host) string {
	if b.index < a.index {
		a, b = b, a
	}
	return a.name + "-" + b.name
}

// Mend puts everything in order that was done to the cluster and not undone: it
// heals, resumes, mends, thaws, and starts what is down. It does not wait.
func (c *Cluster) Mend() {
	c.mu.Lock()
	whole := len(c.faulty) == 0
	c.mu.Unlock()
	if whole {
		return
	}
	c.did("mend all", "", "")
	c.zk.Up()
	c.zk.Thaw()
	all := c.all()
	for i, a := range all {
		for _, b := range all[i+1:] {
			c.net.Heal(a.name, b.name)
			c.net.Delay(a.name, b.name, 0)
		}
		c.net.Thaw(a.name)
		a.line.set(func(l *line) { l.up, l.down, l.paused = false, false, false })
		if f := a.line.own(); f != nil {
			f.Lag(0)
			f.Heal()
		}
	}
	c.mu.Lock()
	clear(c.faulty)
	c.mu.Unlock()
}
