package node

import (
	"context"
	"errors"
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

// links is a node's table of peers. It is the actor system's Router: what is
// for a process of another node goes out here, and what comes in is delivered.
type links struct {
	self      actor.PID // serial 0
	system    *actor.System
	transport transport.Transport
	options   transport.Options
	limits    Limits
	logger    *slog.Logger
	event     func(Event)
	announce  func(send func(actor.Term, actor.PID)) // tells a new peer what is held here
	now       func() time.Duration

	listener transport.Listener // nil for a guest
	lastConn atomic.Int64
	peers    sync.Map // unique.Handle[actor.NodeID] -> *peer
	cluster  atomic.Pointer[string]

	mu      sync.Mutex
	closed  bool
	told    map[actor.PID]map[*peer]struct{} // whom we told to pause sending to a process
	running group

	// life ends, and with it done is closed, when the links are closed.
	life context.Context
	end  context.CancelCauseFunc
	done <-chan struct{}
}

// group counts goroutines; unlike sync.WaitGroup it may be added to while
// somebody waits.
type group struct {
	mu   sync.Mutex
	n    int
	zero chan struct{}
}

func (g *group) Go(f func()) {
	g.mu.Lock()
	g.n++
	g.mu.Unlock()
	go func() {
		defer func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.n--; g.n == 0 && g.zero != nil {
				close(g.zero)
				g.zero = nil
			}
		}()
		f()
	}()
}

func (g *group) wait() {
	g.mu.Lock()
	if g.n == 0 {
		g.mu.Unlock()
		return
	}
	if g.zero == nil {
		g.zero = make(chan struct{})
	}
	zero := g.zero
	g.mu.Unlock()
	<-zero
}

func (l *links) clusterID() string { return *l.cluster.Load() }

// sameCluster says whether a node of that cluster may link with us. A node that
// does not know its cluster yet may.
func (l *links) sameCluster(other string) bool {
	ours := l.clusterID()
	return ours == "" || other == "" || ours == other
}

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
	if *old == "" || *old == id {
		return
	}
	l.peers.Range(func(_, v any) bool {
		p := v.(*peer)
		p.mu.Lock()
		conns := make([]*connection, 0, len(p.conns))
		for _, c := range p.conns {
			conns = append(conns, c)
		}
		p.mu.Unlock()
		for _, c := range conns {
			p.close(c)
			p.post(evLost{c.id, ErrOtherCluster})
		}
		return true
	})
}

func (l *links) hello() []byte {
	id := l.self.Node()
	return hello{Name: id.Name, Address: id.Address, Incarnation: id.Incarnation, Cluster: l.clusterID()}.encode()
}

func (l *links) dialOptions() transport.Options {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.options
}

// peer is the entry for the node of pid, made if need be; nil once closed.
func (l *links) peer(node unique.Handle[actor.NodeID]) *peer {
	if v, ok := l.peers.Load(node); ok {
		return v.(*peer)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if v, ok := l.peers.Load(node); ok {
		return v.(*peer)
	}
	if l.closed {
		return nil
	}
	p := newPeer(l, node.Value())
	l.peers.Store(node, p)
	return p
}

func (l *links) forget(p *peer) { l.peers.Delete(p.base.NodeHandle()) }

// Route implements actor.Router.
func (l *links) Route(ctx context.Context, e actor.Envelope) error {
	buf := scratch.Get().(*[]byte)
	defer scratch.Put(buf)
	var typ string
	var body []byte
	var err error
	urgent := false
	switch e.Kind {
	case actor.KindMessage, actor.KindCall, actor.KindReply:
		typ, body, err = encodeBody(buf, e.Body)
		if err != nil {
			return &sendError{to: e.To, sort: err, cause: err}
		}
		if most := l.limits.MaxMessage - frameOverhead; len(body) > most {
			l.system.DeadLetter(deadOf(e, typ, actor.DeadTooLarge))
			return &sendError{to: e.To, sort: ErrTooLarge, cause: fmt.Errorf(
				"%w: %d bytes of %s, at most %d are allowed", ErrTooLarge, len(body), typ, most)}
		}
	default:
		urgent = true
		if hasReason(e.Kind) {
			body = appendReason((*buf)[:0], e.Reason)
		}
	}
	var f transport.Frame
	fillFrame(&f, &e, typ, body)
	for {
		p := l.peer(e.To.NodeHandle())
		if p == nil {
			return ErrStopped
		}
		err := p.send(ctx, &f, urgent)
		switch {
		case err == errPeerGone:
			continue
		case errors.Is(err, transport.ErrTooLarge):
			l.system.DeadLetter(deadOf(e, typ, actor.DeadTooLarge))
			return frameError(e, err)
		case err != nil:
			return frameError(e, err)
		}
		return nil
	}
}

// frameOverhead is more than a frame's header can take, ToName included.
const frameOverhead = 1 << 10

func deadOf(e actor.Envelope, typ string, r actor.DeadReason) actor.DeadLetter {
	return actor.DeadLetter{From: e.From, To: e.To, Name: e.Name, Type: typ, Term: e.Term, Reason: r}
}

// deadFrame is a frame that was taken and will certainly not arrive. Whoever
// waits for an answer to it gets why.
func (l *links) deadFrame(p *peer, f *transport.Frame, r actor.DeadReason, why error) {
	from := actor.PID{}
	if f.From != 0 {
		from = l.self.WithSerial(f.From)
	}
	if f.Ref != 0 && (f.Kind == transport.Message || f.Kind == transport.Call) {
		l.system.Deliver(actor.Envelope{
			Kind: actor.KindReplyError, From: p.base.WithSerial(f.To), To: l.self.WithSerial(f.From), Ref: f.Ref, Reason: why,
		})
	}
	switch f.Kind {
	case transport.Message, transport.Call, transport.Reply:
		l.system.DeadLetter(actor.DeadLetter{
			From: from, To: p.base.WithSerial(f.To), Name: f.ToName, Type: f.Type, Reason: r,
		})
	}
}

// Relieved implements actor.Router: the mailbox has room again.
func (l *links) Relieved(pid actor.PID) {
	l.mu.Lock()
	told := l.told[pid]
	delete(l.told, pid)
	l.mu.Unlock()
	for p := range told {
		p.sendControl(&transport.Frame{Kind: transport.Resume, To: pid.Serial()})
	}
}

// pauseSender tells the peer to send no more to that process of ours for now.
func (l *links) pauseSender(p *peer, c *connection, pid actor.PID) {
	l.mu.Lock()
	if l.told[pid] == nil {
		l.told[pid] = make(map[*peer]struct{})
	}
	_, told := l.told[pid][p]
	l.told[pid][p] = struct{}{}
	l.mu.Unlock()
	if !told {
		_ = c.control.append(context.Background(), &transport.Frame{Kind: transport.Pause, To: pid.Serial()}, true)
	}
	if !l.system.Full(pid) {
		l.Relieved(pid) // it was relieved before we took note
	}
}

// unpause forgets what a peer was told when the link with it is over.
func (l *links) unpause(p *peer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for pid, told := range l.told {
		delete(told, p)
		if len(told) == 0 {
			delete(l.told, pid)
		}
	}
}

// sendControl sends over the link, if there is one.
func (p *peer) sendControl(f *transport.Frame) {
	if c := p.link(); c != nil {
		_ = c.control.append(context.Background(), f, true)
	}
}

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

// announceTerm tells every linked peer who holds what from now on.
func (l *links) announceTerm(t actor.Term, holder actor.PID) {
	l.peers.Range(func(_, v any) bool {
		v.(*peer).sendControl(announcement(t, holder))
		return true
	})
}

func announcement(t actor.Term, holder actor.PID) *transport.Frame {
	return &transport.Frame{
		Kind: transport.Announce, From: holder.Serial(), Scope: t.Scope(), TermNumber: t.Number(),
	}
}

func newLinks(cfg Config, event func(Event), announce func(func(actor.Term, actor.PID))) *links {
	start := time.Now()
	l := &links{
		transport: cfg.Transport,
		limits:    cfg.Limits,
		logger:    cfg.Logger,
		event:     event,
		announce:  announce,
		now:       func() time.Duration { return time.Since(start) },
		told:      make(map[actor.PID]map[*peer]struct{}),
		options: transport.Options{
			Secret:           cfg.Secret,
			TLS:              cfg.TLS,
			HandshakeTimeout: cfg.Limits.DialTimeout,
			MaxFrame:         cfg.Limits.MaxMessage,
			MaxHandshakes:    cfg.Limits.Handshakes,
		},
	}
	l.options.Refused = func(remote string, err error) {
		l.logger.Warn("refused a link", "remote", remote, "error", err)
		l.event(Event{Kind: LinkRefused, Remote: remote, Err: err})
	}
	l.cluster.Store(new(string))
	l.life, l.end = context.WithCancelCause(context.Background())
	l.done = l.life.Done()
	return l
}

// listen opens the listener and gives the address that others dial.
func (l *links) listen(ctx context.Context, address, advertise string, id actor.NodeID) (string, error) {
	// The hello needs the address, which is known once we listen.
	listener, err := l.transport.Listen(ctx, address, l.options)
	if err != nil {
		return "", err
	}
	l.listener = listener
	if advertise == "" {
		advertise = listener.Addr()
	}
	id.Address = advertise
	l.self = actor.MakePID(id, 0)
	l.options.Hello = l.hello()
	return advertise, listener.SetHello(l.options.Hello)
}

// begin makes the links those of a system.
func (l *links) begin(s *actor.System) {
	l.system = s
	l.self = actor.MakePID(s.Node(), 0)
	l.options.Hello = l.hello()
}

// abandon gives up links that were never used.
func (l *links) abandon() {
	l.end(ErrStopped)
	if l.listener != nil {
		l.listener.Close()
	}
}

// accept takes connections until the listener is closed.
func (l *links) accept() {
	if l.listener == nil {
		return
	}
	l.running.Go(func() {
		for {
			conn, err := l.listener.Accept()
			if err != nil {
				return
			}
			l.welcome(conn)
		}
	})
}

// welcome hands a connection whose handshake is done to its peer, or turns it
// down.
func (l *links) welcome(conn transport.Conn) {
	h, err := parseHello(conn.Hello())
	if err == nil {
		switch {
		case !l.sameCluster(h.Cluster):
			err = fmt.Errorf("%w: ours is %s, that of %s is %s", ErrOtherCluster, l.clusterID(), h.Name, h.Cluster)
		case h.Incarnation == l.self.Node().Incarnation:
			err = errors.New("it has this node's own incarnation")
		}
	}
	if err != nil {
		l.logger.Warn("refused a link", "remote", conn.RemoteAddr(), "error", err)
		l.event(Event{Kind: LinkRefused, Remote: conn.RemoteAddr(), Err: err})
		control := newOutbox(transport.Control, 1<<20, conn.MaxFrame())
		l.running.Go(func() { _ = control.run(conn) })
		l.sendVerdict(control, verdictNo, err.Error())
		l.closeLater(func() {
			control.close()
			conn.Close()
		})
		return
	}
	node := unique.Make(h.node())
	for {
		p := l.peer(node)
		if p == nil {
			conn.Close()
			return
		}
		if p.attach(conn, func(id connID) any { return evInbound{id} }) {
			return
		}
	}
}

func (l *links) sendVerdict(control *outbox, v verdict, why string) {
	_ = control.append(context.Background(), &transport.Frame{
		Kind: transport.Verdict, Flags: transport.Flags(v), Body: []byte(cutText(why)),
	}, true)
}

// closeLater gives the other side time to read our last words and close first.
func (l *links) closeLater(f func()) {
	l.running.Go(func() {
		timer := time.NewTimer(goPatience)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-l.done:
		}
		f()
	})
}

// retireLater takes the peer out of the table unless it is used again.
func (l *links) retireLater(p *peer) {
	time.AfterFunc(retireAfter, func() { p.post(evRetire{}) })
}

const retireAfter = time.Minute

func (l *links) nextConn() connID { return connID(l.lastConn.Add(1)) }

func (l *links) dialContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(l.life, l.limits.DialTimeout)
}

// dial connects to a node and reads what it says of itself.
func (l *links) dial(ctx context.Context, id actor.NodeID) (transport.Conn, hello, error) {
	if id.Address == "" {
		return nil, hello{}, fmt.Errorf("%s: %w", id.Name, ErrUnreachable)
	}
	conn, err := l.transport.Dial(ctx, id.Address, l.dialOptions())
	if err != nil {
		return nil, hello{}, err
	}
	h, err := parseHello(conn.Hello())
	if err != nil {
		conn.Close()
		return nil, hello{}, err
	}
	return conn, h, nil
}

func (l *links) linkUp(p *peer, c *connection) {
	l.logger.Debug("link up", "peer", p.id)
	l.event(Event{Kind: LinkUp, Peer: p.id})
	l.announce(func(t actor.Term, holder actor.PID) {
		_ = c.control.append(context.Background(), announcement(t, holder), true)
	})
}

func (l *links) linkDown(p *peer, err error) {
	l.logger.Info("link down", "peer", p.id, "error", err)
	l.event(Event{Kind: LinkDown, Peer: p.id, Err: err})
}

func (l *links) linkFailed(p *peer, err error) {
	l.logger.Info("no link", "peer", p.id, "error", err)
	l.event(Event{Kind: LinkFailed, Peer: p.id, Err: err})
}

// close says goodbye: what was sent is flushed and read by the peers, as far as
// ctx allows, then every link ends.
func (l *links) close(ctx context.Context) error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var unheard []error
	l.peers.Range(func(_, v any) bool {
		wg.Go(func() {
			if err := v.(*peer).goodbye(ctx); err != nil {
				mu.Lock()
				defer mu.Unlock()
				unheard = append(unheard, err)
			}
		})
		return true
	})
	wg.Wait()
	l.end(ErrStopped)
	if l.listener != nil {
		l.listener.Close()
	}
	l.running.wait()
	return errors.Join(unheard...)
}

// goodbye waits until the peer has read all that was sent to it.
func (p *peer) goodbye(ctx context.Context) error {
	p.mu.Lock()
	for len(p.pending) > 0 {
		if p.room == nil {
			p.room = make(chan struct{})
		}
		settled := p.room // closed when there is a link, or will be none
		p.mu.Unlock()
		select {
		case <-settled:
		case <-ctx.Done():
			return fmt.Errorf("no link with %s in time: %w", p.id, context.Cause(ctx))
		}
		p.mu.Lock()
	}
	p.mu.Unlock()
	link := p.link()
	if link == nil {
		return nil
	}
	_ = link.out.append(ctx, &transport.Frame{Kind: transport.Bye}, true)
	select {
	case <-link.bye:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s has not read all that was sent to it: %w", p.id, context.Cause(ctx))
	}
}
