package conclavetest

import (
	"context"
	"fmt"
	"time"

	"conclave/node"
)

// Start starts node i, which has been killed or stopped, under its old name and
// address and as another incarnation, and has what [Cluster.Setup] was given done
// with it. It does not wait for ZooKeeper (node.Node.Ready does), only for a Stop
// that is under way. A node that runs goes on.
func (c *Cluster) Start(i int) *Node {
	c.Helper()
	if n := c.host(i).latest(); n != nil && n.Running() {
		return n
	} else if n != nil && !n.dead.Load() {
		<-n.over // it is being stopped
	}
	n := c.start(i)
	c.did("start "+n.Name(), "", n.Name()+" down")
	return n
}

func (c *Cluster) start(i int) *Node {
	c.Helper()
	h := c.host(i)
	n := &Node{c: c, host: h, over: make(chan struct{})}
	n.ctx, n.finish = context.WithCancel(context.Background())
	started, err := node.Start(context.Background(), h.config(n))
	if err != nil {
		n.finish()
		c.Fatalf("start %s: %v", h.name, err)
	}
	n.Node = started
	h.mu.Lock()
	h.address = n.ID().Address
	h.runs = append(h.runs, n)
	h.mu.Unlock()
	c.mu.Lock()
	c.byRun[n.ID().Incarnation] = n
	setup := c.setup
	c.mu.Unlock()
	if !h.guest {
		for _, f := range setup {
			f(n)
		}
	}
	return n
}

func (h *host) config(n *Node) node.Config {
	h.mu.Lock()
	address := h.address
	h.mu.Unlock()
	if address == "" {
		address = h.name + ":0"
	}
	seams := node.Config{
		Name:           h.name,
		Listen:         address,
		Guest:          h.guest,
		ZooKeeper:      []string{leaderAddress, followerAddress},
		SessionTimeout: h.c.o.session,
		Transport:      wire{h.c.net.Host(h.name), n},
		DialZooKeeper:  h.line.dialer(n),
		Clock:          h.c.Now,
		Logger:         logger(),
	}
	if h.guest {
		seams.Listen = ""
	}
	cfg := seams
	for _, f := range h.c.o.configure {
		f(h.name, &cfg)
	}
	cfg.Name, cfg.Listen, cfg.Guest, cfg.ZooKeeper = seams.Name, seams.Listen, seams.Guest, seams.ZooKeeper
	cfg.Transport, cfg.DialZooKeeper, cfg.Clock = seams.Transport, seams.DialZooKeeper, seams.Clock
	n.heedHistory(&cfg)
	theirs := cfg.OnEvent
	cfg.OnEvent = func(e node.Event) {
		n.note(e)
		if theirs != nil {
			theirs(e)
		}
	}
	return cfg
}

// Kill ends node i as kill -9 does: nothing more of it reaches anybody, peers
// that can be reached see their connections end, and its ZooKeeper session lives
// until it expires. One that does not run stays as it is.
//
// The node's code is of this program and cannot be stopped from outside: it is
// told to end, and until it has looked (in the same moment of virtual time, if
// it heeds its context) it may still touch what it shares with the test. What it
// sends, tells or reports to [Cluster.Received] counts no more.
func (c *Cluster) Kill(i int) {
	c.Helper()
	h := c.host(i)
	n := h.node()
	if n == nil {
		return
	}
	c.did("kill "+h.name, h.name+" down", h.name+" paused")
	n.mu.Lock()
	n.killed = Fact{At: time.Now(), seq: c.seq.Add(1)}
	n.dead.Store(true)
	n.witness()
	n.mu.Unlock()
	n.gone.Store(true)
	n.finish()
	h.line.kill(n)
	c.net.Thaw(h.name)
	c.net.Crash(h.name)
	c.running.Go(func() { n.halt(time.Second) })
}

// Restart kills node i, if it runs, and starts it again; see Kill and Start.
func (c *Cluster) Restart(i int) *Node {
	c.Helper()
	c.Kill(i)
	return c.Start(i)
}

// Stop stops node i in order, as node.Node.Stop does, and returns what that
// returns; the node has the cluster's [Patience] for it.
func (c *Cluster) Stop(i int) error {
	c.Helper()
	return c.stop(i, c.o.patience)
}

func (c *Cluster) stop(i int, within time.Duration) error {
	c.Helper()
	n := c.host(i).node()
	if n == nil {
		return nil
	}
	c.did("stop "+n.Name(), n.Name()+" down", "")
	if err := n.halt(within); err != nil {
		return fmt.Errorf("stop %s: %w", n.Name(), err)
	}
	return nil
}

// Pause makes node i stand still, as far as anybody can tell from outside, as
// under SIGSTOP: nothing arrives at it and nothing leaves it, neither between it
// and other nodes nor between it and ZooKeeper, whoever dials. What others sent
// to it waits and arrives at Resume, and so does what it sent; connections stay.
//
// What Pause cannot do is stop the node's code, which is of this program: its
// timers fire and its processes run and see their time pass. So a holder that is
// paused longer than its lease learns in time that the lease has lapsed, and
// what it did before that leaves the node late, which is what others would see of
// a real one. The moment in which a real process wakes and does not know yet is
// tested with real processes.
func (c *Cluster) Pause(i int) {
	c.Helper()
	h := c.host(i)
	if h.node() == nil {
		return
	}
	c.did("pause "+h.name, h.name+" paused", "")
	c.net.Freeze(h.name)
	h.line.set(func(l *line) { l.paused = true })
}

// Resume ends Pause.
func (c *Cluster) Resume(i int) {
	c.Helper()
	h := c.host(i)
	c.did("resume "+h.name, "", h.name+" paused")
	c.net.Thaw(h.name)
	h.line.set(func(l *line) { l.paused = false })
}
