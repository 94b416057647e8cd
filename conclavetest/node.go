package conclavetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"conclave/actor"
	"conclave/history"
	"conclave/node"
	"conclave/transport"
)

// Node is one run of a node of a cluster, from Start to Kill or Stop. All that
// package node has is there; besides, it remembers what it has told.
type Node struct {
	*node.Node
	c    *Cluster
	host *host

	ctx    context.Context // ends with the run
	finish context.CancelFunc
	dead   atomic.Bool   // killed: what it tells and does counts no more
	gone   atomic.Bool   // being stopped, stopped or killed
	over   chan struct{} // closed when nothing of it is left
	once   sync.Once     // closes it

	mu      sync.Mutex
	facts   []Fact
	killed  Fact   // when it was, or zero
	expired []Fact // when its session was ended before its time
	history []history.Event
	deposed map[termOf]bool // terms that have ended with expired
}

// Fact is an event and when it was told, in virtual time.
type Fact struct {
	At  time.Time
	seq int64 // orders what follows from another in one moment
	node.Event
}

// host is the place of a node: what stays when it restarts.
type host struct {
	c     *Cluster
	index int
	name  string
	guest bool
	line  *line

	mu      sync.Mutex
	address string // where it listens, once known
	runs    []*Node
}

func newHost(c *Cluster, index int, name string, guest bool) *host {
	return &host{c: c, index: index, name: name, guest: guest, line: newLine(c.zk)}
}

// node is the run that is under way, or nil.
func (h *host) node() *Node {
	if n := h.latest(); n != nil && n.Running() {
		return n
	}
	return nil
}

// latest is the run that is under way or was the last, or nil.
func (h *host) latest() *Node {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.runs) == 0 {
		return nil
	}
	return h.runs[len(h.runs)-1]
}

// Index is the node's number in the cluster. Guests come after the nodes.
func (n *Node) Index() int { return n.host.index }

// Name is the node's name: n0, n1 and so on, or the guest's.
func (n *Node) Name() string { return n.host.name }

// String is the node's name: a node in an error message says which one it is.
func (n *Node) String() string { return n.Name() }

// Running says whether the node has been neither killed nor told to stop.
func (n *Node) Running() bool { return !n.gone.Load() }

// Killed says whether the node was killed: whatever its code does after that, no real one
// could have done.
func (n *Node) Killed() bool { return n.dead.Load() }

// Context ends when the node is killed or stopped.
func (n *Node) Context() context.Context { return n.ctx }

// Told are the events of a kind so far; an empty kind means all.
func (n *Node) Told(kind node.EventKind) (facts []Fact) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, f := range n.facts {
		if kind == "" || f.Kind == kind {
			facts = append(facts, f)
		}
	}
	return facts
}

func (n *Node) note(e node.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.dead.Load() {
		n.facts = append(n.facts, Fact{time.Now(), n.c.seq.Add(1), e})
	}
}

// Stand makes the node a candidate for the global name and does not wait for
// the election.
func (n *Node) Stand(name string, f actor.Func, opts ...node.CandidateOption) {
	n.c.running.Go(func() {
		_, err := n.RegisterCandidate(n.ctx, name, f, opts...)
		if err != nil && n.Running() {
			n.c.Errorf("%s: candidate for %s: %v", n.Name(), name, err)
		}
	})
}

// Offer runs f as a process that offers the service, and does not wait until
// it is registered.
func (n *Node) Offer(service string, f actor.Func, opts ...actor.SpawnOption) actor.PID {
	pid := n.Spawn(f, opts...)
	n.c.running.Go(func() {
		_, err := n.Register(n.ctx, service, pid)
		if err != nil && n.Running() && n.Alive(pid) {
			n.c.Errorf("%s: register %s: %v", n.Name(), service, err)
		}
	})
	return pid
}

// halt stops the node and returns when everything of it has ended.
func (n *Node) halt(within time.Duration) error {
	n.gone.Store(true)
	defer n.once.Do(func() { close(n.over) })
	defer n.finish()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return n.Node.Stop(ctx)
}

var errKilled = errors.New("the node was killed")

// wire is a node's transport as long as it has not been killed.
type wire struct {
	transport.Transport
	n *Node
}

func (w wire) Listen(ctx context.Context, address string, o transport.Options) (transport.Listener, error) {
	if w.n.dead.Load() {
		return nil, errKilled
	}
	return w.Transport.Listen(ctx, address, o)
}

func (w wire) Dial(ctx context.Context, address string, o transport.Options) (transport.Conn, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer context.AfterFunc(w.n.ctx, func() {
		if w.n.dead.Load() {
			cancel(errKilled)
		}
	})()
	conn, err := w.Transport.Dial(ctx, address, o)
	if err == nil && w.n.dead.Load() {
		conn.Close()
		return nil, errKilled
	}
	return conn, err
}
