package node

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
	"unique"

	"conclave/actor"
	"conclave/transport"
)

var errLinksClosed = fmt.Errorf("the links are closed: %w", ErrStopped)

// errLinksLost is the same for what had been sent: nobody knows what became of it.
var errLinksLost = fmt.Errorf("%w: %w", errLinksClosed, actor.LinkLost)

// links is a node's table of peers. It is the actor system's Router: what is
// for a process of another node goes out here, and what comes in is delivered.
type links struct {
	self      actor.PID // serial 0
	system    *actor.System
	transport transport.Transport
	options   transport.Options
	limits    Limits
	logger    atomic.Pointer[slog.Logger] // names the node once its address is known
	event     func(Event)
	announce  func(send func(actor.Term, actor.PID)) // tells a new peer what is held here
	now       func() time.Duration
	traced    bool // there is a Tracer

	listener transport.Listener // nil for a guest
	lastConn atomic.Int64
	peers    peerTable
	ended    atomic.Bool // all processes have
	cluster  atomic.Pointer[string]

	asks  asks
	asked atomic.Int32 // questions of others that are being answered
	moves *moveTable

	clusterKnown chan struct{} // closed when cluster is not empty any more

	mu      sync.Mutex
	closed  bool
	told    map[actor.PID]map[*peer]struct{} // whom we told to pause sending to a process
	running group

	// life ends, and with it done is closed, when the links are closed.
	life context.Context
	end  context.CancelCauseFunc
	done <-chan struct{}
}

func (l *links) clusterID() string { return *l.cluster.Load() }

// awaitCluster waits until we know which cluster we belong to. Nobody links
// before: terms mean something within one cluster only.
func (l *links) awaitCluster(ctx context.Context) error {
	select {
	case <-l.clusterKnown:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("this node does not know its cluster yet, as ZooKeeper was not reached: %w", context.Cause(ctx))
	}
}

// sameCluster says whether a node of that cluster may link with us. A listener
// that did not know its cluster in the handshake decides itself once it does.
func (l *links) sameCluster(other string) bool { return other == "" || other == l.clusterID() }

// setCluster takes note of the cluster we belong to. If it is another than
// before, every link ends: what was said on them concerned the old one.
func (l *links) setCluster(id string) {
	old := l.cluster.Swap(&id)
	hello := l.hello()
	l.mu.Lock()
	l.options.Hello = hello
	l.mu.Unlock()
	if l.listener != nil {
		_ = l.listener.SetHello(hello) // its size is that of the first
	}
	switch *old {
	case id:
		return
	case "":
		close(l.clusterKnown)
		return
	}
	for _, p := range l.peers.all() {
		p.mu.Lock()
		conns := make([]*connection, 0, len(p.conns))
		for _, c := range p.conns {
			conns = append(conns, c)
		}
		p.mu.Unlock()
		for _, c := range conns {
			err := c.over(ErrOtherCluster)
			p.close(c)
			p.post(evLost{c.id, err})
		}
		// What waits for a link is of the old cluster too, and so are its terms.
		p.abandon(actor.DeadLinkLost, actor.LinkLost, func(to actor.PID) error { return &notSentError{to, ErrOtherCluster} })
	}
}

func (l *links) hello() []byte {
	id := l.self.Node()
	return hello{
		Name: id.Name, Address: id.Address, Incarnation: id.Incarnation, Cluster: l.clusterID(), HandsOver: true, Bulk: true, AnswersBye: true,
	}.encode()
}

// peer is the entry for the node of pid, made if need be; nil once closed.
func (l *links) peer(node unique.Handle[actor.NodeID]) *peer {
	if p := l.peers.get(node); p != nil {
		return p
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.peers.get(node); p != nil {
		return p
	}
	if l.closed {
		return nil
	}
	p := newPeer(l, node.Value())
	l.peers.put(p)
	return p
}

func (l *links) forget(p *peer) { l.peers.remove(p) }

// link is the connection in use, if there is one.
func (p *peer) link() *connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	live := p.live.Load()
	for _, c := range p.conns {
		if c.out == live {
			return c
		}
	}
	return nil
}

func newLinks(cfg Config, event func(Event), announce func(func(actor.Term, actor.PID))) *links {
	start := time.Now()
	l := &links{
		transport: cfg.Transport,
		limits:    cfg.Limits,
		event:     event,
		traced:    cfg.Tracer != nil,
		announce:  announce,
		now:       func() time.Duration { return time.Since(start) },
		told:      make(map[actor.PID]map[*peer]struct{}),

		clusterKnown: make(chan struct{}),
		options: transport.Options{
			Secret:           cfg.Secret,
			TLS:              cfg.TLS,
			HandshakeTimeout: cfg.Limits.DialTimeout,
			MaxFrame:         cfg.Limits.MaxMessage,
			MaxHandshakes:    cfg.Limits.Handshakes,
		},
	}
	l.options.Refused = func(remote string, err error) {
		l.logger.Load().Warn("refused a link", "remote", remote, "error", err)
		l.event(Event{Kind: LinkRefused, Remote: remote, Err: err})
	}
	l.cluster.Store(new(string))
	l.logger.Store(cfg.Logger)
	l.life, l.end = context.WithCancelCause(context.Background())
	l.done = l.life.Done()
	return l
}

// begin makes the links those of a system.
func (l *links) begin(s *actor.System, log *slog.Logger) {
	l.system = s
	l.self = actor.MakePID(s.Node(), 0)
	l.options.Hello = l.hello()
	l.logger.Store(log)
}

const retireAfter = time.Minute

func (l *links) linkUp(p *peer, c *connection) {
	l.logger.Load().Debug("link up", "peer", p.id)
	l.event(Event{Kind: LinkUp, Peer: p.id})
	l.announce(func(t actor.Term, holder actor.PID) {
		_ = c.control.append(context.Background(), announcement(t, holder), true)
	})
}

func (l *links) linkDown(p *peer, err error) {
	l.logger.Load().Info("link down", "peer", p.id, "error", err)
	l.event(Event{Kind: LinkDown, Peer: p.id, Err: err})
}

func (l *links) linkFailed(p *peer, err error) {
	l.logger.Load().Info("no link", "peer", p.id, "error", err)
	l.event(Event{Kind: LinkFailed, Peer: p.id, Err: err})
}
