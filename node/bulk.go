package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"conclave/transport"
)

// bulkBody is the least body that goes in the bulk lane.
const bulkBody = 32 << 10

// bulkChunk is the most that is given to the bulk connection in one go, so that
// what is small gets the processor in between.
const bulkChunk = 256 << 10

// bulkRetry is how long after an attempt to open the bulk lane the next one may be.
const bulkRetry = 10 * time.Second

// bulkOpen in a BulkLane: it is open. Without: it is wanted.
const bulkOpen transport.Flags = 1

// bulk is our end of a link's bulk lane, from before it is open. It decides what
// goes there, so that between two processes order holds over both lanes: what
// follows messages says so (After); and who has sent something here goes on here,
// to the same receiver, until the peer has said (Synced) that all was delivered.
type bulk struct {
	messages *outbox
	out      *outbox
	want     func() // asks for the lane to be opened
	now      func() time.Duration

	open   atomic.Bool
	again  atomic.Int64 // not before then is it asked for
	pinned atomic.Int32 // len(pins)
	moved  atomic.Int64 // when it last got on, or had nothing to get on with

	mu      sync.Mutex
	after   uint64          // the last After
	serial  uint64          // rises with what is sent
	pins    map[pair]uint64 // what was sent last, by pair, and is not certainly delivered
	syncing uint64          // the Sync that is not answered; 0: none
	waits   []bulkWait      // for what was sent to be delivered
	read    uint64          // how far the peer has read, as its last Pong says
	same    time.Duration   // when the first Pong came that said so
}

// pair is a sender and a receiver, by their serials.
type pair struct{ from, to uint64 }

// Receivers that are no process. A name may stand for any.
const (
	byName   = ^uint64(0)
	anywhere = byName - 1
)

// takes says whether f must go in the bulk lane. That it need not, and could, is no
// reason to.
func (b *bulk) takes(f *transport.Frame) bool {
	if len(f.Body) >= bulkBody && isMail(f.Kind) {
		if b.open.Load() {
			return true
		}
		b.ask()
		return false
	}
	// What concerns hand-overs has an order of its own, all in the messages lane.
	return b.pinned.Load() > 0 && !forHandOver(f.Kind) && b.holds(f)
}

// holds says whether something that must come before f may be under way.
func (b *bulk) holds(f *transport.Frame) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f.ToName != "" {
		return b.pins[pair{f.From, anywhere}] > 0
	}
	return b.pins[pair{f.From, f.To}] > 0 || b.pins[pair{f.From, byName}] > 0
}

// append is outbox.append for what takes has said yes to.
func (b *bulk) append(ctx context.Context, f *transport.Frame, urgent bool) error {
	if err := b.follow(); err != nil {
		return err
	}
	if err := b.out.append(ctx, f, urgent); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.serial++
	to := f.To
	if f.ToName != "" {
		to = byName
	}
	b.pins[pair{f.From, to}] = b.serial
	b.pins[pair{f.From, anywhere}] = b.serial
	b.pinned.Store(int32(len(b.pins)))
	b.sync()
	return nil
}

// follow puts everything after what has gone into the messages lane.
func (b *bulk) follow() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	sent := b.messages.count()
	if sent == b.after {
		return nil
	}
	b.after = sent
	return b.out.append(context.Background(), &transport.Frame{Kind: transport.After, Ref: sent}, true)
}

// sync asks how far the peer has got, unless it was asked before. b.mu is held.
func (b *bulk) sync() {
	if b.syncing == 0 && b.out.append(context.Background(), &transport.Frame{Kind: transport.Sync, Ref: b.serial}, true) == nil {
		b.syncing = b.serial
		b.moved.Store(int64(b.now()))
	}
}

// synced takes the answer.
func (b *bulk) synced(ref uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ref == 0 || ref != b.syncing {
		return
	}
	b.syncing = 0
	for k, serial := range b.pins {
		if serial <= ref {
			delete(b.pins, k)
		}
	}
	b.pinned.Store(int32(len(b.pins)))
	b.waits = slices.DeleteFunc(b.waits, func(w bulkWait) bool {
		if w.serial <= ref {
			close(w.done)
		}
		return w.serial <= ref
	})
	if len(b.pins) > 0 {
		b.sync()
	}
}

// bulkWait waits until all up to serial has been delivered.
type bulkWait struct {
	serial uint64
	done   chan struct{}
}

// delivered is closed when all that was sent here by now has been delivered; nil: it has.
func (b *bulk) delivered() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.pins) == 0 {
		return nil
	}
	w := bulkWait{b.serial, make(chan struct{})}
	b.waits = append(b.waits, w)
	return w.done
}

// ask has the lane opened, unless that was asked for a short while ago. It remembers
// when; a timer would keep a lost connection and its buffers in memory.
func (b *bulk) ask() {
	now, again := b.now(), b.again.Load()
	if int64(now) >= again && b.again.CompareAndSwap(again, int64(now+bulkRetry)) {
		b.want()
	}
}

// still is for how long the bulk lane has not got on, as far as is known here, though
// something of it is under way. Then it is time to ask.
func (b *bulk) still(now time.Duration) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.syncing == 0 {
		return 0
	}
	return now - time.Duration(b.moved.Load())
}

// pong takes what a Pong says of how far the peer has read. It returns for how long
// Pongs have said the same, and nothing was given to the network: what that holds may
// take it long to carry, and so may Pings and Pongs.
func (b *bulk) pong(read uint64) (stalled time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if read != b.read {
		b.read = read
		b.moved.Store(int64(now))
	}
	if b.syncing == 0 || b.same < time.Duration(b.moved.Load()) {
		b.same = now
	}
	return now - b.same
}

// newBulk prepares the bulk lane of a connection.
func (p *peer) newBulk(c *connection) *bulk {
	return &bulk{
		messages: c.out,
		out:      newOutbox(transport.Bulk, p.links.limits.Outbox, c.conn.MaxFrame()),
		want:     func() { p.links.running.Go(func() { p.openBulk(c) }) },
		now:      p.links.now,
		pins:     make(map[pair]uint64),
	}
}

// openBulk opens the bulk lane, or asks the peer to. If it cannot be opened, large
// bodies go on in the messages lane.
func (p *peer) openBulk(c *connection) {
	ctx, cancel := p.links.dialContext()
	defer cancel()
	err := c.conn.OpenBulk(ctx)
	switch {
	case err == nil:
		_ = c.control.append(ctx, &transport.Frame{Kind: transport.BulkLane, Flags: bulkOpen}, true)
		p.post(evBulk{c.id})
	case errors.Is(err, transport.ErrNoBulk):
		_ = c.control.append(ctx, &transport.Frame{Kind: transport.BulkLane}, true)
	default:
		p.links.logger.Load().Info("no bulk lane", "peer", p.id, "error", err)
	}
}

// evBulk tells the loop that the bulk connection of a connection is open.
type evBulk struct{ conn connID }

// bulkLane takes a BulkLane.
func (p *peer) bulkLane(c *connection, f *transport.Frame) error {
	switch {
	case c.bulk == nil:
	case f.Flags&bulkOpen == 0:
		c.bulk.ask()
	case !c.conn.BulkOpen():
		return errNoBulk
	default:
		p.post(evBulk{c.id})
	}
	return nil
}

var (
	errNoBulk      = errors.New("the peer speaks of a bulk connection that there is not")
	errBulkStalled = errors.New("the bulk connection does not get on")
	errBulkOver    = errors.New("the messages lane is over")
	errNotBulk     = errors.New("a frame does not belong in the bulk lane")
)

// startBulk lets the bulk lane of the link be used.
func (p *peer) startBulk(c *connection) {
	b := c.bulk
	if b == nil || b.open.Load() {
		return
	}
	p.links.running.Go(func() {
		if err := b.out.run(&bulkWriter{c.conn, b}); err != errOutboxClosed {
			p.post(evLost{c.id, c.over(err)})
			p.close(c)
		}
	})
	c.readers.Add(1)
	p.links.running.Go(func() {
		err := p.readBulk(c)
		c.readers.Done()
		p.post(evLost{c.id, c.over(err)})
		p.close(c)
	})
	b.open.Store(true)
}

// readBulk hands on what comes in the bulk lane.
func (p *peer) readBulk(c *connection) error {
	dec := transport.NewBulkDecoder(&tally{transport.LaneReader(c.conn, transport.Bulk), &c.progress, nil}, p.links.limits.MaxMessage)
	pace := pace{passed: &c.passed, now: p.links.now, since: p.links.now()}
	var f transport.Frame
	for {
		if err := dec.Next(&f); err != nil {
			return err
		}
		switch f.Kind {
		case transport.After:
			if !c.passed.wait(f.Ref) {
				return errBulkOver
			}
		case transport.Sync:
			_ = c.control.append(context.Background(), &transport.Frame{Kind: transport.Synced, Ref: f.Ref}, true)
		default:
			if f.Kind > transport.Down && f.Kind != transport.Bye {
				return fmt.Errorf("%w: %v", errNotBulk, f.Kind)
			}
			p.take(c, &f)
			pace.read(len(f.Body))
		}
	}
}

// bulkWriter writes piece by piece and notes that it gets on.
type bulkWriter struct {
	transport.Conn
	bulk *bulk
}

func (w *bulkWriter) Write(l transport.Lane, batch []byte) error {
	for len(batch) > 0 {
		n := min(len(batch), bulkChunk)
		if err := w.Conn.Write(l, batch[:n]); err != nil {
			return err
		}
		w.bulk.moved.Store(int64(w.bulk.now()))
		batch = batch[n:]
	}
	return nil
}

// sayBye sends the last frame, after all others.
func (c *connection) sayBye(ctx context.Context, ended bool) {
	bye := &transport.Frame{Kind: transport.Bye}
	if ended {
		bye.Flags = byeEnded
	}
	if b := c.bulk; b != nil && b.open.Load() { // also when nothing seems to be under way there: mail may just be being added
		_ = b.append(ctx, bye, true)
		return
	}
	_ = c.out.append(ctx, bye, true)
}

// unsent counts what was taken and not, or not certainly, handed to the network.
func (c *connection) unsent() int {
	n := c.out.unsent()
	if c.bulk != nil {
		n += c.bulk.out.unsent()
	}
	return n
}
