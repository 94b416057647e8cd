package node

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"conclave/actor"
	"conclave/transport"
)

var errOutboxClosed = errors.New("outbox closed")

// outbox gathers the frames for one lane of one connection. Senders append,
// encoding on their own goroutine, plain mail by way of trays; one writer takes all
// there is and writes it as soon as the write before has returned: no timer, small
// batches when idle, large ones under load.
type outbox struct {
	lane  transport.Lane
	limit int // bytes above which senders wait

	plainMax int           // see isPlain
	full     atomic.Bool   // limit is reached: mail must wait, and goes on no tray
	laid     atomic.Uint32 // which trays are not empty, a bit for each
	asleep   atomic.Bool   // the writer waits for kick
	trays    [trays]tray

	mu      sync.Mutex
	enc     *transport.Encoder
	buf     []byte
	mail    int // messages, calls and replies in buf
	writing int // those of the batch that is being written
	spare   []byte
	heaped  bool        // there was much on a tray
	seen    uint64      // how many frames there had been when rest last looked
	resting *time.Timer // to look again; nil: there is nothing to give back
	closed  bool
	parted  bool          // no more mail is taken
	room    chan struct{} // closed when a full outbox has been taken
	kick    chan struct{}
	bulk    *bulk // of a messages lane whose link can have a bulk lane

	overflow func() // ends the connection
}

func newOutbox(lane transport.Lane, limit, maxFrame int) *outbox {
	return &outbox{
		lane:     lane,
		limit:    limit,
		plainMax: min(plainMax, maxFrame-frameOverhead),
		enc:      transport.NewEncoder(maxFrame),
		kick:     make(chan struct{}, 1),
	}
}

// append adds f. With urgent false it waits while the outbox is full.
// errOutboxClosed: the connection is over and f was not taken.
func (o *outbox) append(ctx context.Context, f *transport.Frame, urgent bool) error {
	plain := !urgent && o.isPlain(f)
	if plain && o.put(f) {
		return nil
	}
	o.mu.Lock()
	for !urgent && len(o.buf) >= o.limit && !o.closed && !o.parted {
		if o.room == nil {
			o.room = make(chan struct{})
		}
		room := o.room
		o.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := actor.CheckTerm(ctx); err != nil {
			return err // the wait has outlasted a holder's lease
		}
		o.mu.Lock()
	}
	if o.closed || o.parted && !urgent {
		o.mu.Unlock()
		return errOutboxClosed
	}
	o.gather() // what its sender sent before comes first
	if len(o.buf) >= o.limit+urgentReserve {
		// Answers and signals do not wait. A peer that makes us owe it so many
		// and does not read them loses the link.
		o.mu.Unlock()
		o.overflow()
		return errOutboxClosed
	}
	buf, err := o.enc.Append(o.buf, f)
	o.buf = buf
	o.grown()
	if err == nil && isMail(f.Kind) {
		o.mail++
	}
	if plain && err == nil {
		if code, ok := o.enc.TypeCode(f.Type); ok {
			t, _ := o.tray(f.From)
			t.learn(f.Type, code)
		}
	}
	o.mu.Unlock()
	o.rouse()
	return err
}

// grown takes note that buf is longer. It is called under mu.
func (o *outbox) grown() {
	if len(o.buf) >= o.limit && !o.full.Load() {
		o.full.Store(true)
	}
}

// rouse wakes the writer, if it sleeps.
func (o *outbox) rouse() {
	if o.asleep.Load() && o.asleep.CompareAndSwap(true, false) {
		o.kick <- struct{}{}
	}
}

// run writes until the outbox is closed or a write fails.
func (o *outbox) run(conn transport.Conn) error {
	for {
		// Others who are about to send get the chance to join this batch.
		runtime.Gosched()
		o.mu.Lock()
		for o.gather(); len(o.buf) == 0 && !o.closed; o.gather() {
			if o.resting == nil && (cap(o.buf) > smallBatch || cap(o.spare) > smallBatch || o.heaped) {
				o.resting = time.AfterFunc(bufferRest, o.rest)
			}
			o.asleep.Store(true)
			if o.laid.Load() != 0 && o.asleep.CompareAndSwap(true, false) {
				continue // who has put that down before we fell asleep has not roused us
			}
			o.mu.Unlock()
			<-o.kick
			runtime.Gosched()
			o.mu.Lock()
		}
		if o.closed {
			o.mu.Unlock()
			return errOutboxClosed
		}
		batch := o.buf
		o.buf, o.spare = o.spare[:0], nil
		o.mail, o.writing = 0, o.mail
		if o.full.Load() {
			o.full.Store(false)
		}
		room := o.room
		o.room = nil
		o.mu.Unlock()
		if room != nil {
			close(room)
		}
		if err := conn.Write(o.lane, batch); err != nil {
			return err
		}
		o.mu.Lock()
		o.writing = 0
		if cap(batch) <= max(4*o.limit, smallBatch) {
			o.spare = batch[:0] // of use again; what a burst of signals needed is given back
		}
		o.mu.Unlock()
	}
}

// rest gives large buffers back if nothing has been sent since it last looked.
func (o *outbox) rest() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gather()
	switch frames := o.enc.Count(); {
	case o.closed:
	case frames != o.seen || len(o.buf) > 0:
		o.seen = frames
		o.resting.Reset(bufferRest)
	default:
		o.buf, o.spare, o.heaped = nil, nil, false
		o.clear()
		o.resting = nil
	}
}

// bufferRest is how often it is looked whether a link still uses its large buffers.
const bufferRest = time.Second

// urgentReserve is how many bytes of answers and signals may wait above the limit.
const urgentReserve = 16 << 20

// smallBatch is how large a buffer may be kept for ever.
const smallBatch = 64 << 10

// part takes no more mail from now on; who waits for room is told so.
func (o *outbox) part() {
	o.mu.Lock()
	o.shut()
	o.parted = true
	room := o.room
	o.room = nil
	o.mu.Unlock()
	if room != nil {
		close(room)
	}
}

// close ends the writer and releases who waits. What was not written is lost.
func (o *outbox) close() {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return
	}
	o.shut()
	o.closed = true
	room := o.room
	o.room, o.buf = nil, nil
	if o.resting != nil {
		o.resting.Stop()
	}
	o.mu.Unlock()
	if room != nil {
		close(room)
	}
	o.rouse()
}

// count is how many frames have been appended.
func (o *outbox) count() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gather()
	return o.enc.Count()
}

// unsent is how many messages, calls and replies were taken and not, or not
// certainly, handed to the network.
func (o *outbox) unsent() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gather()
	return o.mail + o.writing
}

func isMail(k transport.Kind) bool {
	return k == transport.Message || k == transport.Call || k == transport.Reply
}

// notSentError is an actor.NotSent that says to whom and why.
type notSentError struct {
	to    actor.PID
	cause error
}

func (e *notSentError) Error() string {
	return e.to.String() + ": " + actor.NotSent.Error() + ": " + e.cause.Error()
}
func (e *notSentError) Unwrap() []error { return []error{actor.NotSent, e.cause} }

// sendError is a message that was not sent.
type sendError struct {
	to          actor.PID
	sort, cause error
}

func (e *sendError) Error() string   { return "send to " + e.to.String() + ": " + e.cause.Error() }
func (e *sendError) Unwrap() []error { return []error{e.sort, e.cause} }
