package actor

import (
	"sync"
	"sync/atomic"
)

// Policy says what happens to mail for a full mailbox.
type Policy uint8

const (
	// Refuse turns it away: a dead letter; a sender on this node gets
	// ErrMailboxFull, a caller anywhere gets an error.
	Refuse Policy = iota
	// Wait makes senders wait, on their own node, until there is room. Mail by name
	// from other nodes is refused all the same: its senders do not know whom to wait
	// for.
	// Expect makes no room by waiting: see there.
	Wait
)

// Mailbox says how much mail may wait for a process. The zero value means the
// system's default.
//
// Calls that the process has taken and not answered wait elsewhere: Limit and
// 2²⁰ of all its calls may be open, and more are refused under both policies.
type Mailbox struct {
	// Limit is how many messages, however large: who gets large ones sets a small
	// limit. Exit signals and Downs do not count. Zero or less: that of the system's
	// default; with Wait, unless that waits, too, at most DefaultWaitLimit.
	Limit int
	// Policy is what happens above it.
	Policy Policy
}

// limit is m's, or where it has none what the system's default says.
func (m Mailbox) limit(standard Mailbox) int {
	n := m.Limit
	if n <= 0 {
		n = standard.Limit
	}
	if n <= 0 {
		n = DefaultMailboxLimit
	}
	if m.Limit <= 0 && m.Policy == Wait && (standard.Limit <= 0 || standard.Policy != Wait) {
		n = min(n, DefaultWaitLimit)
	}
	return n
}

// minReserve is more messages than a link can have under way when those who send
// on it are told to pause. They pause then, so only a peer that does not keep to
// that can use it up.
const minReserve = 1 << 20

const (
	// DefaultMailboxLimit is a mailbox's bound where nothing else is said. It is
	// high: above it, mail is lost.
	DefaultMailboxLimit = 1 << 20
	// DefaultWaitLimit is the same under the Wait policy, where nothing is lost.
	DefaultWaitLimit = 1 << 14
)

type waitingFor uint8

const (
	waitingNot   waitingFor = iota
	waitingMail             // a Func sleeps, a Handler has no runner
	waitingReply            // it sleeps
)

type pushed uint8

const (
	pushOK     pushed = iota
	pushFilled        // taken out of the reserve, for senders elsewhere who should pause
	pushFull
	pushClosed
	pushStale // a higher term was heard of since the message was admitted
)

// door says whether mail is let in.
type door uint8

const (
	doorOpen   door = iota
	doorSealed      // signals are: see System.Seal
	doorClosed      // the process has ended
)

// mailbox is where others leave messages for one process. Senders append to in
// under the mutex. The process takes one batch at a time: a little mail as a
// whole, of much mail the oldest segment, and leaves the empty room of the batch
// before for new mail. So nothing is copied, and the room in use is as much as
// the mail that waits, and still in the processor's caches if that is little.
type mailbox struct {
	// What every message touches is one cache line.
	mu          sync.Mutex
	in          []item // the newest mail: in last, or, of little mail, all, in a slice of its own
	counted     int    // those that wait here and count against the limit
	limit       int
	unread      atomic.Int64 // those that the process has taken, but not consumed
	wantsRelief atomic.Bool
	policy      Policy
	door        door
	waiting     waitingFor // the process must be roused for that
	paused      bool       // senders elsewhere were told to pause

	first, last *segment // the oldest and the newest of much mail; all but last are full
	signals     int32    // those that wait here and do not count
	reserve     int32    // how much is taken above the limit of what was in flight
	relief      chan struct{}
	reply       *awaited // the reply that the process waits for
}

// segment is room for mail. It fills one of the allocator's size classes.
type segment struct {
	mail [51]item
	next *segment
}

// fewMail is how much mail lies in slices that grow; they are 1, 4 and 16 long,
// so that many processes with a message or two each take little memory.
const fewMail = 16

// segments are empty: who takes an item out clears its place.
var segments = sync.Pool{New: func() any { return new(segment) }}

// size is how many messages count against the limit. It is called under mu.
func (b *mailbox) size() int { return b.counted + int(b.unread.Load()) }

// append adds mail. It is called under mu. The parts of an item come one by one,
// here and in push, and are written where they stay: to put an item together and
// then copy it costs more than all the rest (the processor waits until what was
// written in small pieces can be read in large ones).
func (b *mailbox) append(from PID, body any, c *claims) {
	if len(b.in) == cap(b.in) {
		b.grow()
	}
	n := len(b.in)
	b.in = b.in[:n+1]
	it := &b.in[n]
	if it.from.node != from.node { // to write a pointer costs while garbage is collected
		it.from.node = from.node
	}
	it.from.serial = from.serial
	it.body = body
	it.claims = c
}

func (b *mailbox) grow() {
	if n := len(b.in); b.last == nil && n < fewMail {
		b.in = append(make([]item, 0, min(max(1, 4*n), fewMail)), b.in...)
		return
	}
	s := segments.Get().(*segment)
	if b.last == nil {
		b.first = s
		b.in = s.mail[:copy(s.mail[:], b.in)]
	} else {
		b.last.next = s
		b.in = s.mail[:0]
	}
	b.last = s
}

// oldest takes a batch out. It is called under mu, when there is mail.
func (b *mailbox) oldest() batch {
	s := b.first
	switch {
	case s == nil:
		taken := batch{mail: b.in}
		b.in = nil
		return taken
	case s == b.last:
		taken := batch{b.in, s}
		b.in, b.first, b.last = nil, nil, nil
		return taken
	default:
		b.first, s.next = s.next, nil
		return batch{s.mail[:], s}
	}
}

// reuse makes the empty room of a batch the room for new mail, if there is none.
func (b *mailbox) reuse(room batch) {
	switch {
	case cap(b.in) > 0:
		room.release()
	case room.in != nil:
		b.first, b.last = room.in, room.in
		b.in = room.in.mail[:0]
	case cap(room.mail) <= fewMail:
		b.in = room.mail[:0]
	}
}

// batch is mail that was taken out of a mailbox.
type batch struct {
	mail []item
	in   *segment // nil if mail is a slice of its own
}

// release gives a batch up whose items are cleared.
func (t batch) release() {
	if t.in != nil {
		segments.Put(t.in)
	}
}

// push appends to p's mail. reserve is for mail from other nodes under the
// Wait policy: what was in flight before its senders paused is taken above the
// limit, so that nothing of it is lost.
func (p *Process) push(from PID, body any, c *claims, reserve bool) pushed {
	b := &p.box
	signal := isSignal(body)
	b.mu.Lock()
	if b.door != doorOpen && (!signal || b.door == doorClosed) {
		b.mu.Unlock()
		return pushClosed
	}
	if c != nil && !signal && p.sys.terms.passed(c.term) {
		// Asked again under the mutex, so that nobody reads mail under a lower
		// term behind mail under a higher one.
		b.mu.Unlock()
		return pushStale
	}
	result := pushOK
	if !signal {
		if n := b.size(); n >= b.limit {
			if b.policy == Refuse || !reserve || n-b.limit >= int(b.reserve) {
				b.mu.Unlock()
				return pushFull
			}
			b.paused = true
			b.wantsRelief.Store(true)
			result = pushFilled
		}
		b.counted++
	} else {
		b.signals++
	}
	b.append(from, body, c)
	if b.waiting == waitingMail {
		p.rouse(waitingMail)
	} else {
		b.mu.Unlock()
	}
	return result
}

// rouse gets the process going if it waits for that, and unlocks box.mu.
func (p *Process) rouse(w waitingFor) {
	b := &p.box
	if b.waiting != w {
		b.mu.Unlock()
		return
	}
	b.waiting = waitingNot
	b.mu.Unlock()
	if w == waitingMail && p.handler != nil {
		p.sys.runners.add(p)
	} else {
		p.wake <- struct{}{}
	}
}

// next takes the first unread message out into m, which is empty. Where it says
// that there is none, box.mu is locked, so that the caller can go to sleep before
// anything arrives.
func (p *Process) next(m *Message) bool {
	if p.head == len(p.queue.mail) {
		return p.nextOfBox(m)
	}
	p.queue.mail[p.head].takeOut(m)
	p.head++
	p.consumed(m.body)
	return true
}

// nextOfBox is next when all that was taken is read.
func (p *Process) nextOfBox(m *Message) bool {
	b := &p.box
	b.mu.Lock()
	switch {
	case len(b.in) == 0:
		return false
	case len(b.in) > 1 || b.first != b.last:
		p.refill()
		b.mu.Unlock()
		return p.next(m)
	}
	// A single message is taken as it is: who has no more at once needs no
	// second slice for a batch.
	b.in[0].takeOut(m)
	b.in = b.in[:0]
	if isSignal(m.body) {
		b.signals--
	} else {
		b.counted--
	}
	b.mu.Unlock()
	if b.wantsRelief.Load() {
		p.relieve()
	}
	return true
}

// refill takes a batch of what has arrived, behind what the process has not read
// yet. It is called under box.mu, when there is mail.
func (p *Process) refill() {
	b, q := &p.box, &p.queue
	taken := b.oldest()
	n := len(taken.mail)
	if b.signals > 0 {
		for i := range taken.mail {
			if isSignal(taken.mail[i].body) {
				b.signals--
				n--
			}
		}
	}
	b.counted -= n
	p.left += n
	b.unread.Store(int64(p.left))
	if p.head == len(q.mail) {
		b.reuse(*q)
		*q, p.head = taken, 0
		return
	}
	// Expect passed over what is left. It stays, in a slice of its own, where the
	// room of what Expect took is used again.
	left := q.mail[p.head:]
	switch {
	case q.in != nil:
		own := append(make([]item, 0, 2*len(left)+n), left...)
		clear(left)
		q.release()
		*q, p.head = batch{mail: own}, 0
	case p.head > len(q.mail)/2:
		end := copy(q.mail, left)
		clear(q.mail[end:])
		q.mail, p.head = q.mail[:end], 0
	}
	q.mail = append(q.mail, taken.mail...)
	clear(taken.mail)
	b.reuse(taken)
}

// shed gives the empty room back before the process sleeps, but for a little. It
// is called under box.mu.
func (p *Process) shed() {
	b, q := &p.box, &p.queue
	if p.head == len(q.mail) && (q.in != nil || cap(q.mail) > fewMail) {
		q.release()
		*q, p.head = batch{}, 0
	}
	if len(b.in) == 0 && b.last != nil {
		segments.Put(b.last)
		b.in, b.first, b.last = nil, nil, nil
	}
}

// drain takes all mail out. It is called under mu.
func (b *mailbox) drain() []item {
	var all []item
	for len(b.in) > 0 {
		all = append(all, b.oldest().mail...)
	}
	return all
}

// consumed keeps count after a message was taken out of the queue. A large
// mailbox publishes its count now and then only: the bound is then exact to 64.
func (p *Process) consumed(body any) {
	if isSignal(body) {
		return
	}
	p.left--
	if p.left&63 == 0 || p.tight {
		p.box.unread.Store(int64(p.left))
		if p.box.wantsRelief.Load() {
			p.relieve()
		}
	}
}

// take removes the message at i of the queue.
func (p *Process) take(i int) (m Message) {
	mail := p.queue.mail
	mail[i].takeOut(&m)
	copy(mail[p.head+1:i+1], mail[p.head:i])
	mail[p.head].clear()
	p.head++
	p.consumed(m.body)
	return m
}
