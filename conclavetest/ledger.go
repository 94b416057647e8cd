package conclavetest

import (
	"fmt"
	"sync"
	"time"

	"conclave/actor"
)

// Stamp marks one message of a test: it is the Number-th, from 1, of a Stream of
// messages that one sender sends in order. Put it into the message; it travels
// between nodes.
type Stamp struct {
	Stream string
	Number int
}

func (s Stamp) String() string { return fmt.Sprintf("%s/%d", s.Stream, s.Number) }

// ledger is what the test has said of its stamped messages.
type ledger struct {
	mu       sync.Mutex
	streams  map[string]*stream
	received []receipt // in the order in which it was said
}

// stream is the messages of one stream, number n at n-1.
type stream struct{ messages []message }

// message is what is known of a stamped message.
type message struct {
	sent     time.Time
	answered time.Time // zero: nothing is known of it
	fate     fate
	receipts []int // in ledger.received
}

type fate uint8

const (
	fateUnknown fate = iota
	fateAcked
	fateNotSent
)

// receipt is one reception.
type receipt struct {
	stamp Stamp
	by    actor.PID
	term  actor.Term // that the receiver holds, or zero
	at    time.Time
}

// Stamp is the stamp of the next message of a stream, which is about to be sent.
func (c *Cluster) Stamp(streamName string) Stamp {
	l := &c.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.streams[streamName]
	if s == nil {
		s = &stream{}
		l.streams[streamName] = s
	}
	s.messages = append(s.messages, message{sent: time.Now()})
	return Stamp{streamName, len(s.messages)}
}

// Acked says that the sender of a stamped message was told that it was accepted:
// SendGlobal has returned nil, a call was answered.
func (c *Cluster) Acked(s Stamp) { c.answered(s, fateAcked) }

// NotSent says that the sender of a stamped message was told that it certainly was
// not accepted, and has given it up.
func (c *Cluster) NotSent(s Stamp) { c.answered(s, fateNotSent) }

func (c *Cluster) answered(s Stamp, f fate) {
	l := &c.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := l.message(s); m != nil {
		m.fate, m.answered = f, time.Now()
	}
}

// Received says that p, the receiver, has just taken a stamped message. What is
// received on a node that has been killed does not count, and a zero Stamp is none.
func (c *Cluster) Received(p *actor.Process, s Stamp) {
	if s == (Stamp{}) {
		return
	}
	c.mu.Lock()
	n := c.byRun[p.Self().Node().Incarnation]
	c.mu.Unlock()
	if n == nil || n.dead.Load() {
		return
	}
	l := &c.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := l.message(s); m != nil {
		m.receipts = append(m.receipts, len(l.received))
	}
	l.received = append(l.received, receipt{s, p.Self(), p.Term(), time.Now()})
}

// message is the entry of a stamp, or nil if nobody has stamped it. l.mu is held.
func (l *ledger) message(s Stamp) *message {
	if stream := l.streams[s.Stream]; stream != nil && s.Number >= 1 && s.Number <= len(stream.messages) {
		return &stream.messages[s.Number-1]
	}
	return nil
}

// Count is how many stamped messages there were, and what became of them.
type Count struct{ Sent, Acked, NotSent, Received int }

// Count counts the stamped messages of all streams.
func (c *Cluster) Count() (n Count) {
	l := &c.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	n.Received = len(l.received)
	for _, s := range l.streams {
		n.Sent += len(s.messages)
		for i := range s.messages {
			switch s.messages[i].fate {
			case fateAcked:
				n.Acked++
			case fateNotSent:
				n.NotSent++
			}
		}
	}
	return n
}
