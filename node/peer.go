package node

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

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
	way   bodyWay   // of bodies from there

	events chan any
	last   *connection            // the loop's: the latest that was the link
	live   atomic.Pointer[outbox] // the messages lane of the link; nil: no link

	mu      sync.Mutex
	gone    bool // not in the table any more: look it up again
	pending []pendingFrame
	bytes   int // of pending
	room    chan struct{}
	asked   bool  // evWant is under way
	ended   bool  // it has said that all its processes have
	parted  error // one of us has said goodbye: why no mail is taken any more
	conns   map[connID]*connection
	paused  map[uint64]chan struct{} // their processes that want no mail for now

	pauses atomic.Int32 // len(paused)
}

// pendingFrame waits for a link.
type pendingFrame struct {
	transport.Frame
	fence context.Context // of the holder whose term it carries; nil: none
}

// connection is one connection with the peer, the link or a candidate for it.
type connection struct {
	id       connID
	conn     transport.Conn
	control  *outbox
	out      *outbox
	cluster  string                // the cluster that terms on it are of
	heard    atomic.Int64          // when the last frame came, links.now
	readers  sync.WaitGroup        // of mail; when they have ended, nothing more of it will be delivered
	passed   passage               // of the messages lane
	bulk     *bulk                 // nil: the peer does not know of it
	progress atomic.Uint64         // bytes read in the bulk lane, or in the messages lane while that waits for it
	cause    atomic.Pointer[error] // of its end
	bye      chan struct{}         // closed when the peer has read our goodbye, or the connection has ended
	byeOnce  sync.Once
	left     chan struct{} // closed when we have read the peer's, or the connection has ended
	leftOnce sync.Once

	confirming sync.Mutex // held from when a message is put into a mailbox until that is confirmed

	answersBye bool // the peer answers a goodbye with its own
	handsOver  bool // the peer knows the frames that hand globals over
}

func newPeer(l *links, id actor.NodeID) *peer {
	p := &peer{
		links:  l,
		id:     id,
		base:   actor.MakePID(id, 0),
		way:    bodyWay{system: l.system, from: actor.MakePID(id, 0), to: l.self},
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

// want tells the loop that a link is wanted. It does not block: a reader that
// the loop waits for may have come here.
func (p *peer) want() {
	select {
	case p.events <- evWant{}:
	default:
		p.links.running.Go(func() { p.post(evWant{}) })
	}
}

// send takes charge of f, whose body the caller may reuse. errPeerGone: look
// the peer up again. Any other error: f was certainly not taken.
//
// A reply waits for no Resume: it enters no mailbox, and who waits for it may read
// nothing else meanwhile, so that no Resume would ever come.
func (p *peer) send(ctx context.Context, f *transport.Frame, urgent bool) error {
	for {
		if !urgent && f.Kind != transport.Reply && p.pauses.Load() > 0 {
			if err := p.waitPaused(ctx, f.To); err != nil {
				return err
			}
		}
		if out := p.live.Load(); out != nil {
			var err error
			if b := out.bulk; b != nil && b.takes(f) {
				err = b.append(ctx, f, urgent)
			} else {
				err = out.append(ctx, f, urgent)
			}
			if err != errOutboxClosed {
				return err
			}
		}
		p.mu.Lock()
		switch {
		case p.gone:
			p.mu.Unlock()
			return errPeerGone
		case p.parted != nil:
			err := p.parted
			p.mu.Unlock()
			return p.turnAway(f, err)
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
			if err := actor.CheckTerm(ctx); err != nil {
				return err
			}
			continue
		case p.bytes >= p.links.limits.Outbox+urgentReserve:
			p.mu.Unlock()
			return actor.LinkLost // so many signals for a node that cannot be reached
		}
		f.Body = slices.Clone(f.Body)
		waits := pendingFrame{Frame: *f}
		if f.Scope != "" {
			waits.fence = ctx
		}
		p.pending = append(p.pending, waits)
		p.bytes += len(f.Body) + 64
		ask := !p.asked
		p.asked = true
		p.mu.Unlock()
		if ask {
			p.want()
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
		return actor.CheckTerm(ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// pause heeds a Pause that came over c, unless c is not the link any more: the
// Resume for that will never come.
func (p *peer) pause(c *connection, serial uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns[c.id] == c && p.paused[serial] == nil && len(p.paused) < maxPaused {
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

// abandon gives up what waits for a link. Whoever waits for an answer is told
// why, and whoever would be bound by it the reason.
func (p *peer) abandon(dead actor.DeadReason, reason error, why func(to actor.PID) error) {
	p.mu.Lock()
	pending, room := p.pending, p.room
	p.pending, p.bytes, p.room = nil, 0, nil
	p.mu.Unlock()
	if room != nil {
		close(room)
	}
	for i := range pending {
		f := &pending[i].Frame
		p.giveUp(f, dead, reason, why(p.base.WithSerial(f.To)))
	}
}

// giveUp ends a frame that was taken and will not be sent.
func (p *peer) giveUp(f *transport.Frame, dead actor.DeadReason, reason, why error) {
	to, from := p.base.WithSerial(f.To), p.links.self.WithSerial(f.From)
	switch f.Kind {
	case transport.Link:
		p.links.system.Deliver(actor.Envelope{Kind: actor.KindExit, From: to, To: from, Reason: reason})
	case transport.Monitor:
		p.links.system.Deliver(actor.Envelope{Kind: actor.KindDown, From: to, To: from, Ref: f.Ref, Reason: reason})
	default:
		p.links.deadFrame(p, f, dead, why)
	}
}

func (p *peer) connection(id connID) *connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conns[id]
}

// attach takes a connection whose handshake is done into the peer's care, tells
// the loop of it by that event, and then starts to listen in its control lane:
// whatever comes there finds the loop prepared. It says false, and has done
// nothing, if the peer is gone or of another cluster than ours is now.
func (p *peer) attach(conn transport.Conn, h hello, event func(connID) any) bool {
	c := &connection{
		handsOver: h.HandsOver,

		id:      p.links.nextConn(),
		conn:    conn,
		control: newOutbox(transport.Control, 1<<20, conn.MaxFrame()),
		out:     newOutbox(transport.Messages, p.links.limits.Outbox, conn.MaxFrame()),
		bye:     make(chan struct{}),
		left:    make(chan struct{}),

		answersBye: h.AnswersBye,
	}
	c.heard.Store(int64(p.links.now()))
	c.control.overflow = func() { p.overflow(c) }
	c.out.overflow = c.control.overflow
	c.passed.moved.L = &c.passed.mu
	if h.Bulk {
		c.bulk = p.newBulk(c)
		c.bulk.out.overflow = c.control.overflow
		c.out.bulk = c.bulk
	}
	p.mu.Lock()
	// setCluster ends the connections it finds here after it has set the id.
	c.cluster = p.links.clusterID()
	if p.gone || h.Cluster != "" && h.Cluster != c.cluster {
		p.mu.Unlock()
		return false
	}
	p.conns[c.id] = c
	p.mu.Unlock()
	p.post(event(c.id))
	p.links.running.Go(func() {
		if err := c.control.run(conn); err != errOutboxClosed {
			p.post(evLost{c.id, c.over(err)})
		}
	})
	p.links.running.Go(func() {
		err := p.readControl(c)
		p.post(evLost{c.id, c.over(err)})
		p.close(c)
	})
	return true
}

// overflow ends a connection whose peer does not read what we owe it.
func (p *peer) overflow(c *connection) {
	err := c.over(errOverflow)
	p.links.running.Go(func() {
		p.close(c)
		p.post(evLost{c.id, err})
	})
}

// over says why a connection ends. The first who knows is believed: what others
// meet with after that is its consequence.
func (c *connection) over(err error) error {
	c.cause.CompareAndSwap(nil, &err)
	return *c.cause.Load()
}

// close ends a connection; its readers and writers end by themselves.
func (p *peer) close(c *connection) {
	p.mu.Lock()
	_, open := p.conns[c.id]
	delete(p.conns, c.id)
	p.live.CompareAndSwap(c.out, nil)
	p.mu.Unlock()
	c.control.close()
	c.out.close()
	if c.bulk != nil {
		c.bulk.out.close()
	}
	if n := c.unsent(); open && n > 0 {
		// One for all, to the node: to know each, it would have to be kept for this.
		p.links.system.DeadLetter(actor.DeadLetter{To: p.base, Reason: actor.DeadLinkLost, More: uint64(n - 1)})
	}
	c.conn.Close()
	c.byeOnce.Do(func() { close(c.bye) })
	c.leftOnce.Do(func() { close(c.left) })
}
