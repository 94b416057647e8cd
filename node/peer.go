package node

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"conclave/actor"
	"conclave/transport"
)

// peer is our end of everything between this node and one run of another: the
// link while there is one, what waits for one, and the agreement on it
// (linkup). A loop owns the agreement; senders append to the outbox.
type peer struct {
	links *links
	id    actor.NodeID
	base  actor.PID // serial 0 there: gives its processes' PIDs

	events chan any
	live   atomic.Pointer[outbox] // the messages lane of the link; nil: no link

	mu      sync.Mutex
	gone    bool // not in the table any more: look it up again
	pending []transport.Frame
	bytes   int // of pending
	room    chan struct{}
	asked   bool // evWant is under way
	conns   map[connID]*connection
	paused  map[uint64]chan struct{} // their processes that want no mail for now

	pauses atomic.Int32 // len(paused)
}

// connection is one connection with the peer, the link or a candidate for it.
type connection struct {
	id      connID
	conn    transport.Conn
	control *outbox
	out     *outbox
	heard   atomic.Int64 // when the last frame came, links.now
	bye     chan struct{}
	byeOnce sync.Once
}

func newPeer(l *links, id actor.NodeID) *peer {
	p := &peer{
		links:  l,
		id:     id,
		base:   actor.MakePID(id, 0),
		events: make(chan any, 64),
		conns:  make(map[connID]*connection),
		paused: make(map[uint64]chan struct{}),
	}
	l.running.Go(p.run)
	return p
}

func (p *peer) post(event any) {
	select {
	case p.events <- event:
	case <-p.links.done:
	}
}

// send takes charge of f, whose body the caller may reuse. errPeerGone: look
// the peer up again. Any other error: f was certainly not taken.
func (p *peer) send(ctx context.Context, f *transport.Frame, urgent bool) error {
	for {
		if !urgent && p.pauses.Load() > 0 {
			if err := p.waitPaused(ctx, f.To); err != nil {
				return err
			}
		}
		if out := p.live.Load(); out != nil {
			err := out.append(ctx, f, urgent)
			if err != errOutboxClosed {
				return err
			}
		}
		p.mu.Lock()
		switch {
		case p.gone:
			p.mu.Unlock()
			return errPeerGone
		case p.live.Load() != nil:
			p.mu.Unlock()
			continue
		case !urgent && p.bytes >= p.links.limits.Outbox:
			if p.room == nil {
				p.room = make(chan struct{})
			}
			room := p.room
			p.mu.Unlock()
			select {
			case <-room:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			continue
		}
		f.Body = slices.Clone(f.Body)
		p.pending = append(p.pending, *f)
		p.bytes += len(f.Body) + 64
		ask := !p.asked
		p.asked = true
		p.mu.Unlock()
		if ask {
			p.post(evWant{})
		}
		return nil
	}
}

var errPeerGone = errors.New("peer gone")

// waitPaused waits while the process of that serial wants no mail.
func (p *peer) waitPaused(ctx context.Context, serial uint64) error {
	p.mu.Lock()
	resumed := p.paused[serial]
	p.mu.Unlock()
	if resumed == nil {
		return nil
	}
	select {
	case <-resumed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *peer) pause(serial uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paused[serial] == nil && len(p.paused) < maxPaused {
		p.paused[serial] = make(chan struct{})
		p.pauses.Store(int32(len(p.paused)))
	}
}

const maxPaused = 1 << 20 // a peer cannot make us remember more

func (p *peer) resume(serial uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if resumed := p.paused[serial]; resumed != nil {
		close(resumed)
		delete(p.paused, serial)
		p.pauses.Store(int32(len(p.paused)))
	}
}

// run is the loop that owns the agreement on the link.
func (p *peer) run() {
	machine := linkup{lower: p.links.self.Node().Incarnation < p.id.Incarnation}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		now := p.links.now()
		next := time.Hour
		if at := machine.wake(); at != 0 {
			next = max(0, at-now)
		}
		if machine.live != 0 {
			next = min(next, p.heartbeat(machine.live, now))
		}
		timer.Reset(next)
		var event any = evTick{}
		select {
		case event = <-p.events:
		case <-timer.C:
		case <-p.links.done:
			p.end()
			return
		}
		if _, ok := event.(evRetire); ok {
			if p.retire(&machine) {
				return
			}
			continue
		}
		if _, ok := event.(evWant); ok {
			p.mu.Lock()
			p.asked = false
			p.mu.Unlock()
		}
		for _, action := range machine.step(event, p.links.now()) {
			p.do(action)
		}
	}
}

// evRetire asks the loop to take an idle peer out of the table.
type evRetire struct{}

// retire ends a peer for which nothing is left to do.
func (p *peer) retire(m *linkup) bool {
	if m.live != 0 || m.in != 0 || m.out != 0 || m.wanted || m.phase == dialing {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.pending) > 0 || len(p.conns) > 0 || len(p.events) > 0 {
		return false
	}
	p.gone = true
	p.links.forget(p)
	return true
}

// end closes everything when the node stops.
func (p *peer) end() {
	p.mu.Lock()
	p.gone = true
	p.links.forget(p) // who looks it up again is told that the node has stopped
	conns := make([]*connection, 0, len(p.conns))
	for _, c := range p.conns {
		conns = append(conns, c)
	}
	p.mu.Unlock()
	for _, c := range conns {
		p.close(c)
	}
	p.abandon(actor.DeadLinkLost, func(actor.PID) error { return errLinksClosed })
	p.down(errLinksClosed)
}

// abandon gives up what waits for a link; whoever waits for an answer is told why.
func (p *peer) abandon(dead actor.DeadReason, why func(to actor.PID) error) {
	p.mu.Lock()
	pending, room := p.pending, p.room
	p.pending, p.bytes, p.room = nil, 0, nil
	p.mu.Unlock()
	if room != nil {
		close(room)
	}
	for i := range pending {
		p.links.deadFrame(p, &pending[i], dead, why(p.base.WithSerial(pending[i].To)))
	}
}

// heartbeat pings over the link when that is due and reports a link that has
// been silent too long. It says when to look again.
func (p *peer) heartbeat(id connID, now time.Duration) time.Duration {
	c := p.connection(id)
	if c == nil {
		return time.Hour
	}
	silent := now - time.Duration(c.heard.Load())
	if silent >= p.links.limits.LinkTimeout {
		p.close(c)
		p.links.running.Go(func() { p.post(evLost{id, errHeartbeat}) })
		return time.Hour
	}
	every := p.links.limits.LinkTimeout / 3
	if silent >= every {
		// The answer counts as heard; until it comes, ping again each time.
		_ = c.control.append(context.Background(), &transport.Frame{Kind: transport.Ping}, true)
		return min(every, p.links.limits.LinkTimeout-silent)
	}
	return every - silent
}

func (p *peer) connection(id connID) *connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conns[id]
}

// do carries out what the machine says.
func (p *peer) do(action any) {
	switch a := action.(type) {
	case acDial:
		p.links.running.Go(p.dial)
	case acVerdict:
		c := p.connection(a.conn)
		if c == nil {
			return
		}
		p.links.sendVerdict(c.control, a.verdict, "")
		if a.verdict != verdictYes {
			p.links.closeLater(func() { p.close(c) })
		}
	case acGo:
		if c := p.connection(a.conn); c != nil {
			_ = c.control.append(context.Background(), &transport.Frame{Kind: transport.Go}, true)
		}
	case acAdopt:
		if c := p.connection(a.conn); c != nil {
			p.up(c)
		}
	case acClose:
		if c := p.connection(a.conn); c != nil {
			p.close(c)
		}
	case acLost:
		p.lost(a.err)
	case acFail:
		p.failed(a.err)
	}
}

// dial makes a connection and reports it to the loop.
func (p *peer) dial() {
	ctx, cancel := p.links.dialContext()
	defer cancel()
	conn, h, err := p.links.dial(ctx, p.id)
	if err != nil {
		p.post(evDialFail{err})
		return
	}
	switch {
	case h.Incarnation != p.id.Incarnation:
		conn.Close()
		p.post(evDialFail{&staleError{want: p.id, found: h.node()}})
		return
	case !p.links.sameCluster(h.Cluster):
		conn.Close()
		p.post(evDialFail{ErrOtherCluster})
		return
	}
	if !p.attach(conn, func(id connID) any { return evDialed{id} }) {
		conn.Close()
	}
}

// staleError: the process's node has restarted, so the process is dead for ever.
type staleError struct{ want, found actor.NodeID }

func (e *staleError) Error() string { return e.want.String() + " is now " + e.found.String() }
func (e *staleError) Unwrap() error { return actor.NoProcess }

// attach takes a connection whose handshake is done into the peer's care, tells
// the loop of it by that event, and then starts to listen in its control lane:
// whatever comes there finds the loop prepared. It says false, and has done
// nothing, if the peer is gone.
func (p *peer) attach(conn transport.Conn, event func(connID) any) bool {
	c := &connection{
		id:      p.links.nextConn(),
		conn:    conn,
		control: newOutbox(transport.Control, 1<<20, conn.MaxFrame()),
		out:     newOutbox(transport.Messages, p.links.limits.Outbox, conn.MaxFrame()),
		bye:     make(chan struct{}),
	}
	c.heard.Store(int64(p.links.now()))
	p.mu.Lock()
	if p.gone {
		p.mu.Unlock()
		return false
	}
	p.conns[c.id] = c
	p.mu.Unlock()
	p.post(event(c.id))
	p.links.running.Go(func() {
		if err := c.control.run(conn); err != errOutboxClosed {
			p.post(evLost{c.id, err})
		}
	})
	p.links.running.Go(func() {
		err := p.readControl(c)
		p.post(evLost{c.id, err})
		p.close(c)
	})
	return true
}

// up makes c the link: first what waited for one, then everything new.
func (p *peer) up(c *connection) {
	p.mu.Lock()
	if p.conns[c.id] != c {
		p.mu.Unlock()
		return // it has ended already: its evLost is on the way
	}
	for i := range p.pending {
		f := &p.pending[i]
		if err := c.out.append(context.Background(), f, true); err != nil {
			p.links.deadFrame(p, f, actor.DeadTooLarge, &sendError{to: p.base.WithSerial(f.To), sort: ErrTooLarge, cause: err})
		}
	}
	p.pending, p.bytes = nil, 0
	p.live.Store(c.out)
	room := p.room
	p.room = nil
	p.mu.Unlock()
	if room != nil {
		close(room)
	}
	p.links.running.Go(func() {
		if err := c.out.run(c.conn); err != errOutboxClosed {
			p.post(evLost{c.id, err})
		}
	})
	p.links.running.Go(func() {
		err := p.readMessages(c)
		p.post(evLost{c.id, err})
		p.close(c)
	})
	p.links.linkUp(p, c)
}

// close ends a connection; its readers and writers end by themselves.
func (p *peer) close(c *connection) {
	p.mu.Lock()
	delete(p.conns, c.id)
	p.live.CompareAndSwap(c.out, nil)
	p.mu.Unlock()
	c.control.close()
	c.out.close()
	c.conn.Close()
	c.byeOnce.Do(func() { close(c.bye) })
}

// lost tells everybody who is bound to the peer that the link is over.
func (p *peer) lost(err error) {
	p.links.linkDown(p, err)
	p.down(actor.LinkLost)
	p.mu.Lock()
	again := len(p.pending) > 0 && !p.asked
	p.asked = p.asked || again
	p.mu.Unlock()
	if again {
		p.links.running.Go(func() { p.post(evWant{}) })
	} else {
		p.links.retireLater(p)
	}
}

// failed gives up what waits for a link that cannot be made.
func (p *peer) failed(err error) {
	dead, reason := actor.DeadLinkLost, error(actor.LinkLost)
	why := func(to actor.PID) error { return &notSentError{to, err} }
	if errors.Is(err, actor.NoProcess) {
		dead, reason = actor.DeadStaleIncarnation, actor.NoProcess
		why = func(to actor.PID) error { return &actor.EndedError{PID: to} }
	}
	p.abandon(dead, why)
	p.links.linkFailed(p, err)
	p.down(reason)
	p.links.retireLater(p)
}

func (p *peer) down(reason error) {
	p.mu.Lock()
	for serial, resumed := range p.paused {
		close(resumed)
		delete(p.paused, serial)
	}
	p.pauses.Store(0)
	p.mu.Unlock()
	p.links.unpause(p)
	p.links.system.NodeLost(p.id, reason)
}

// readMessages hands on what comes in the messages lane.
func (p *peer) readMessages(c *connection) error {
	dec := transport.NewDecoder(transport.LaneReader(c.conn, transport.Messages), p.links.limits.MaxMessage)
	var f transport.Frame
	for {
		if dec.Buffered() == 0 {
			c.heard.Store(int64(p.links.now()))
		}
		if err := dec.Next(&f); err != nil {
			return err
		}
		if f.Kind == transport.Bye {
			// All that the peer had to say has been read.
			_ = c.control.append(context.Background(), &transport.Frame{Kind: transport.Bye}, true)
			continue
		}
		e, ok := p.envelope(&f)
		if !ok {
			continue
		}
		switch p.links.system.Deliver(e) {
		case actor.Full:
			p.links.pauseSender(p, c, e.To)
		case actor.Stale:
			if highest, ok := p.links.system.Terms().Highest(e.Term); ok {
				_ = c.control.append(context.Background(), &transport.Frame{
					Kind: transport.TermStale, Scope: highest.Scope(), TermNumber: highest.Number(),
				}, true)
			}
		}
	}
}

// readControl takes what the nodes say to each other.
func (p *peer) readControl(c *connection) error {
	dec := transport.NewDecoder(transport.LaneReader(c.conn, transport.Control), maxControlFrame)
	var f transport.Frame
	for {
		if err := dec.Next(&f); err != nil {
			return err
		}
		c.heard.Store(int64(p.links.now()))
		switch f.Kind {
		case transport.Verdict:
			p.post(evVerdict{c.id, verdict(f.Flags), string(f.Body)})
		case transport.Go:
			p.post(evGo{c.id})
		case transport.Ping:
			_ = c.control.append(context.Background(), &transport.Frame{Kind: transport.Pong}, true)
		case transport.Announce, transport.TermStale:
			if f.Scope != "" {
				p.links.system.Terms().Heard(actor.MakeTerm(p.links.clusterID(), f.Scope, f.TermNumber))
			}
		case transport.Pause:
			p.pause(f.To)
		case transport.Resume:
			p.resume(f.To)
		case transport.Bye:
			c.byeOnce.Do(func() { close(c.bye) })
		}
	}
}

const maxControlFrame = 64 << 10
