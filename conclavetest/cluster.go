package conclavetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"conclave/transport"
	"conclave/zkdev"
)

// Cluster is the nodes of one test, the network between them, and the ZooKeeper
// they use. Its methods may be called from any goroutine of the bubble, but for
// those that can end the test (Await and its like, Guest, Start, Restart) or draw
// from Rand (Plan, Faults): they are for the goroutine that runs the test's function.
type Cluster struct {
	// T is the test, of the bubble: its Context is in virtual time.
	*testing.T
	// Rand is the test's source of chance; it follows from Seed. It is for one
	// goroutine; others make their own with Chance.
	Rand *rand.Rand
	Seed uint64

	o     options
	net   *transport.Network
	zk    *zkdev.Server
	began time.Time
	wait  chan struct{} // holds a token while somebody waits for the bubble to settle
	seq   atomic.Int64  // orders facts

	running sync.WaitGroup // what ends killed nodes
	ledger  ledger

	mu      sync.Mutex
	size    int     // hosts[:size] are nodes, the others guests
	hosts   []*host // by index
	byRun   map[uint64]*Node
	setup   []func(*Node)
	trace   trace
	faulty  map[string]bool // what is out of order, by name
	counted map[Kind]int    // faults
}

func newCluster(t *testing.T, seed uint64, nodes int, o options) *Cluster {
	c := &Cluster{
		T:       t,
		Rand:    generator(seed, "test"),
		Seed:    seed,
		o:       o,
		net:     transport.NewNetwork(),
		zk:      zkdev.New(zkdev.Config{Tick: o.tick}),
		began:   time.Now(),
		wait:    make(chan struct{}, 1),
		size:    nodes,
		byRun:   make(map[uint64]*Node),
		faulty:  make(map[string]bool),
		counted: make(map[Kind]int),
	}
	c.ledger.streams = make(map[string]*stream)
	for i := range nodes {
		c.hosts = append(c.hosts, newHost(c, i, fmt.Sprintf("n%d", i), false))
	}
	return c
}

// startAll starts the nodes and waits until each has met ZooKeeper.
func (c *Cluster) startAll() {
	c.Helper()
	for i := range c.size {
		c.start(i)
	}
	for i := range c.size {
		c.ready(c.Node(i))
	}
}

func (c *Cluster) ready(n *Node) {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), c.o.patience)
	defer cancel()
	if err := n.Ready(ctx); err != nil {
		c.Fatalf("%s has not met ZooKeeper: %v", n.Name(), err)
	}
}

// end stops everything.
func (c *Cluster) end() {
	c.mu.Lock()
	whole := len(c.faulty) == 0
	c.mu.Unlock()
	c.Mend()
	var stopping sync.WaitGroup
	for _, h := range c.all() {
		if n := h.node(); n != nil {
			stopping.Go(func() {
				if err := n.halt(c.o.patience); err != nil && whole {
					c.Errorf("%s did not stop in order: %v", n.Name(), err)
				}
			})
		}
	}
	stopping.Wait()
	c.running.Wait()
	for _, h := range c.all() {
		h.line.close()
	}
	c.zk.Close()
}

// Size is the number of nodes, guests not counted.
func (c *Cluster) Size() int { return c.size }

// Node is node i, counted from 0, or the guest of that index, as it runs now or
// ran last. After [Cluster.Restart] it is another Node.
func (c *Cluster) Node(i int) *Node {
	c.Helper()
	return c.host(i).latest()
}

// Nodes are those that run now, without guests.
func (c *Cluster) Nodes() (nodes []*Node) {
	for _, h := range c.all()[:c.size] {
		if n := h.node(); n != nil {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// Guest starts a guest of that name, a node that does not listen and holds
// nothing (see node.Config.Guest), and waits until it has met ZooKeeper. Its
// Index takes part in everything that is done to nodes by index.
func (c *Cluster) Guest(name string) *Node {
	c.Helper()
	c.mu.Lock()
	i := len(c.hosts)
	taken := slices.ContainsFunc(c.hosts, func(h *host) bool { return h.name == name })
	if !taken {
		c.hosts = append(c.hosts, newHost(c, i, name, true))
	}
	c.mu.Unlock()
	if taken {
		c.Fatalf("there is a node called %s already", name)
	}
	n := c.start(i)
	c.ready(n)
	return n
}

// Setup has f called with every node that runs now and, by Start and Restart,
// with every one that starts later: to let it stand for its globals and offer
// its services. Guests are left out. f should not wait; see [Node.Stand] and
// [Node.Offer].
func (c *Cluster) Setup(f func(n *Node)) {
	c.mu.Lock()
	c.setup = append(c.setup, f)
	c.mu.Unlock()
	for _, n := range c.Nodes() {
		f(n)
	}
}

// Chance is a source of chance for one purpose, which follows from the seed and
// the purpose's name: for what runs beside the test's own goroutine.
func (c *Cluster) Chance(purpose string) *rand.Rand { return generator(c.Seed, "test/"+purpose) }

// Now is the virtual time since the cluster was made.
func (c *Cluster) Now() time.Duration { return time.Since(c.began) }

func (c *Cluster) host(i int) *host {
	c.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if i < 0 || i >= len(c.hosts) {
		c.Fatalf("there is no node %d: nodes are 0 to %d, then come %d guests", i, c.size-1, len(c.hosts)-c.size)
	}
	return c.hosts[i]
}

func (c *Cluster) all() []*host {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*host(nil), c.hosts...)
}

// did notes what was done to the cluster: for the trace, and, under the name of
// what is out of order now or is so no more, for the end.
func (c *Cluster) did(what string, broken, whole string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trace.add(c.Now(), "%s", what)
	if broken != "" {
		c.faulty[broken] = true
	}
	delete(c.faulty, whole)
}

// Await waits until so returns true, and ends the test if that takes longer than
// the cluster's [Patience]. so is asked whenever nothing else can happen, at
// first every millisecond of virtual time, later less often: about a hundred
// times for each tenfold of the wait.
func (c *Cluster) Await(what string, so func() bool) {
	c.Helper()
	c.AwaitWithin(c.o.patience, what, so)
}

// AwaitWithin is Await with a limit of its own.
func (c *Cluster) AwaitWithin(d time.Duration, what string, so func() bool) {
	c.Helper()
	began := time.Now()
	for {
		c.Settle()
		if so() {
			return
		}
		waited := time.Since(began)
		if waited >= d {
			c.Fatalf("not within %v: %s", d, what)
		}
		time.Sleep(min(max(time.Millisecond, waited/100), d-waited))
	}
}

// Settle lets everything happen that needs no time. Use it instead of
// synctest.Wait, which only one goroutine may call at a time.
func (c *Cluster) Settle() {
	c.wait <- struct{}{}
	synctest.Wait()
	<-c.wait
}

// Runs are all runs of all nodes and guests so far, also those that are over.
func (c *Cluster) Runs() (runs []*Node) {
	for _, h := range c.all() {
		h.mu.Lock()
		runs = append(runs, h.runs...)
		h.mu.Unlock()
	}
	return runs
}
