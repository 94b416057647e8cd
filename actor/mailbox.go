package actor

import (
	"sync"
	"sync/atomic"
	"unique"
)

// Policy says what happens to mail for a full mailbox.
type Policy uint8

const (
	// Refuse turns it away: a dead letter; a sender on this node gets
	// ErrMailboxFull, a caller anywhere gets an error.
	Refuse Policy = iota
	// Wait makes senders wait, on their own node, until there is room.
	Wait
)

// Mailbox says how much mail may wait for a process. The zero value means the
// system's default.
type Mailbox struct {
	// Limit is how many messages; exit signals and Downs do not count.
	Limit int
	// Policy is what happens above it.
	Policy Policy
}

// minReserve is more messages than a link can have under way when those who send
// on it are told to pause. They pause then, so only a peer that does not keep to
// that can use it up.
const minReserve = 1 << 20

// DefaultMailboxLimit is a mailbox's bound where nothing else is said.
const DefaultMailboxLimit = 1 << 20

type waitingFor uint8

const (
	waitingNot waitingFor = iota
	waitingMail
	waitingReply
)

type pushed uint8

const (
	pushOK     pushed = iota
	pushFilled        // taken out of the reserve, for senders elsewhere who should pause
	pushFull
	pushClosed
	pushStale // a higher term was heard of since the message was admitted
)

// mailbox is where others leave messages for one process. Senders append to in
// under the mutex; the process swaps in for an empty slice when it has read
// what it took before.
type mailbox struct {
	mu        sync.Mutex
	in        []Message
	counted   int // those of in that count against the limit
	limit     int
	reserve   int // how much is taken above it of what was in flight
	policy    Policy
	closed    bool
	running   bool       // a Handler: a goroutine is at work
	waiting   waitingFor // the process sleeps until its wake channel is fed
	paused    bool       // senders elsewhere were told to pause
	replied   bool       // reply and replyErr are there
	relief    chan struct{}
	replyRef  uint64 // the call whose reply is awaited; 0: none
	replyNode unique.Handle[NodeID]
	reply     Message
	replyErr  error

	unread      atomic.Int64 // taken by the process, not yet consumed
	wantsRelief atomic.Bool
}

// push appends m. reserve is for mail from other nodes under the Wait policy:
// what was in flight before its senders paused is taken above the limit, so
// that nothing of it is lost.
func (p *Process) push(m Message, reserve bool) pushed {
	b := &p.box
	signal := isSignal(m.body)
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return pushClosed
	}
	if !signal && p.sys.terms.passed(m.Term) {
		// Asked again under the mutex, so that nobody reads mail under a lower
		// term behind mail under a higher one.
		b.mu.Unlock()
		return pushStale
	}
	result := pushOK
	if !signal {
		if n := b.counted + int(b.unread.Load()); n >= b.limit {
			if b.policy == Refuse || !reserve || n-b.limit >= b.reserve {
				b.mu.Unlock()
				return pushFull
			}
			b.paused = true
			b.wantsRelief.Store(true)
			result = pushFilled
		}
		b.counted++
	}
	b.in = append(b.in, m)
	p.rouse(waitingMail)
	return result
}

// rouse gets the process going if it sleeps waiting for that, and unlocks box.mu.
func (p *Process) rouse(w waitingFor) {
	b := &p.box
	switch {
	case b.waiting == w:
		b.waiting = waitingNot
		b.mu.Unlock()
		p.wake <- struct{}{}
	case p.handler != nil && !b.running && w == waitingMail:
		b.running = true
		b.mu.Unlock()
		go p.runHandler()
	default:
		b.mu.Unlock()
	}
}

// room is closed when the mailbox has room again, or has closed; nil if it has
// room now.
func (p *Process) room() <-chan struct{} {
	b := &p.box
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	// First say that relief is wanted, then look: the process publishes its
	// count, then looks whether relief is wanted, so one of the two sees.
	b.wantsRelief.Store(true)
	if b.counted+int(b.unread.Load()) < b.limit {
		b.wantsRelief.Store(b.relief != nil || b.paused)
		return nil
	}
	if b.relief == nil {
		b.relief = make(chan struct{})
	}
	return b.relief
}

// relieve tells those who wait for room, once the mailbox is half empty.
func (p *Process) relieve() {
	b := &p.box
	b.mu.Lock()
	if b.counted+int(b.unread.Load()) > b.limit/2 {
		b.mu.Unlock()
		return
	}
	p.relieveLocked()
}

func (p *Process) relieveLocked() {
	b := &p.box
	relief, paused := b.relief, b.paused
	b.relief, b.paused = nil, false
	b.wantsRelief.Store(false)
	b.mu.Unlock()
	if relief != nil {
		close(relief)
	}
	if paused && p.sys.cfg.Router != nil {
		p.sys.cfg.Router.Relieved(p.pid)
	}
}

// refill takes what has arrived behind what the process has not read yet. It
// says false when there was nothing.
func (p *Process) refill() bool {
	b := &p.box
	b.mu.Lock()
	n := len(b.in)
	if n == 0 {
		b.mu.Unlock()
		return false
	}
	if p.head == len(p.queue) {
		p.queue, b.in, p.head = b.in, p.queue[:0], 0
	} else {
		if p.head > len(p.queue)/2 {
			// What Expect passed over stays; the room of what it took is used again.
			left := copy(p.queue, p.queue[p.head:])
			clear(p.queue[left:])
			p.queue, p.head = p.queue[:left], 0
		}
		p.queue = append(p.queue, b.in...)
		clear(b.in)
		b.in = b.in[:0]
	}
	p.peak = max(p.peak, n)
	p.left += b.counted
	b.counted = 0
	b.unread.Store(int64(p.left))
	b.mu.Unlock()
	return true
}

// shed gives back, before the process sleeps, room that a burst took and that
// was not needed again since it slept last. It is called under box.mu.
func (p *Process) shed() {
	keep := min(max(minSpare, 4*p.peak), maxSpare)
	p.peak = 0
	if p.head == len(p.queue) && cap(p.queue) > keep {
		p.queue, p.head = nil, 0
	}
	if len(p.box.in) == 0 && cap(p.box.in) > keep {
		p.box.in = nil
	}
}

// How many messages' room a process keeps while it sleeps: always, and when it
// is in use.
const (
	minSpare = 256
	maxSpare = 1 << 14
)

// consumed keeps count after a message was taken out of the queue. A large
// mailbox publishes its count now and then only: the bound is then exact to 64.
func (p *Process) consumed(m *Message) {
	if isSignal(m.body) {
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

// next takes the first unread message.
func (p *Process) next() (Message, bool) {
	if p.head == len(p.queue) && !p.refill() {
		return Message{}, false
	}
	m := p.queue[p.head]
	p.queue[p.head] = Message{}
	p.head++
	p.consumed(&m)
	m.handOut()
	return m, true
}

// take removes the message at i of the queue.
func (p *Process) take(i int) Message {
	m := p.queue[i]
	copy(p.queue[p.head+1:i+1], p.queue[p.head:i])
	p.queue[p.head] = Message{}
	p.head++
	p.consumed(&m)
	m.handOut()
	return m
}

// full says whether mail would have to wait.
func (p *Process) full() bool {
	b := &p.box
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.closed && b.paused
}
