package actor

import (
	"sync/atomic"
)

// openCall is a call that a process has not answered yet. It stands in the
// list of the process it was made to, so that its caller is told if that ends.
type openCall struct {
	from  PID
	ref   uint64
	owner *Process

	claims claims // those of its message: its term, and this call

	taken      bool          // its owner has taken it out of the mailbox; the owner's own
	state      atomic.Uint32 // one of:
	prev, next *openCall     // guarded by owner.mu
}

const (
	callOpen      = iota
	callAnswered  // or its caller was told that it will not be
	callForgotten // its caller waits no longer
)

// maxOwed bounds the calls that a process has taken and not answered: they are
// memory that its callers make it hold, as mail is. A process has at most so many
// open, and as many as its mailbox has room for; more are refused as mail above
// the mailbox's bound is under Refuse.
const maxOwed = 1 << 20

// newCall notes a call to p, or says why p does not take it.
func (p *Process) newCall(e Envelope) (*openCall, DeadReason) {
	c := &openCall{from: e.From, ref: e.Ref, owner: p}
	c.claims = claims{e.Term, e.Carrier, c}
	p.mu.Lock()
	defer p.mu.Unlock()
	if why := p.openLocked(c); why != 0 {
		return nil, why
	}
	return c, 0
}

// openLocked puts a call in p's list, or says why not: p has ended
// (DeadNoProcess), or owes too many answers (DeadMailboxFull).
func (p *Process) openLocked(c *openCall) DeadReason {
	switch {
	case p.ended:
		return DeadNoProcess
	case int(p.open)-p.sys.owed >= p.box.limit:
		return DeadMailboxFull
	}
	p.open++
	if c.next = p.calls; c.next != nil {
		c.next.prev = c
	}
	p.calls = c
	if c.from.node != p.pid.node {
		p.tieLocked(c.from.node)
		if p.ties.callers != nil {
			p.ties.callers[caller{c.from, c.ref}] = c
		}
	}
	return 0
}

// caller is by what its node knows a call.
type caller struct {
	pid PID
	ref uint64
}

// close takes the call off its owner's list. It says whether the call was still
// open, so that exactly one answer is given.
func (c *openCall) close(state uint32) bool {
	if !c.state.CompareAndSwap(callOpen, state) {
		return false
	}
	c.owner.mu.Lock()
	defer c.owner.mu.Unlock()
	c.owner.open--
	switch {
	case c.prev != nil:
		c.prev.next = c.next
	case c.owner.calls == c:
		c.owner.calls = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
	if t := c.owner.ties; t != nil && t.callers != nil {
		if k := (caller{c.from, c.ref}); t.callers[k] == c {
			delete(t.callers, k)
		}
		if c.owner.open == 0 {
			t.callers = nil // what a map has grown to it keeps
		}
	}
	return true
}

// forget drops a call from another node whose caller waits no longer.
func (p *Process) forget(from PID, ref uint64) {
	if c := p.called(from, ref); c != nil {
		c.close(callForgotten)
	}
}

// fewCalls is among how many a call is looked for one by one.
const fewCalls = 16

// called finds an open call from another node, or nil. Whoever holds up the node's
// link asks, for each call that is given up: among many it must not search.
func (p *Process) called(from PID, ref uint64) *openCall {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ties == nil {
		return nil // p has ended, and fails them all; or nobody from another node calls
	}
	if p.open <= fewCalls {
		c := p.calls
		for c != nil && (c.from != from || c.ref != ref) {
			c = c.next
		}
		return c
	}
	if p.ties.callers == nil {
		p.ties.callers = make(map[caller]*openCall, p.open)
		for c := p.calls; c != nil; c = c.next {
			if c.from.node != p.pid.node {
				p.ties.callers[caller{c.from, c.ref}] = c
			}
		}
	}
	return p.ties.callers[caller{from, ref}]
}

// fail answers a call, if it is one and still open, with that error.
func (c *openCall) fail(err error) {
	if c != nil && c.close(callAnswered) {
		c.owner.sys.answer(c, c.owner.pid, err)
	}
}
