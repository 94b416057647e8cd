package actor

import (
	"context"
	"fmt"
	"unique"
)

// awaited is the one reply that a process waits for.
type awaited struct {
	ref     uint64                // of the call; 0: none is awaited
	node    unique.Handle[NodeID] // of the process called,
	serial  uint64                // and its number there
	there   bool                  // message and err are
	message Message
	err     error
}

// takeOut fills m, which is empty, and forgets the call.
func (r *awaited) takeOut(m *Message) {
	m.From.node, m.From.serial = r.message.From.node, r.message.From.serial
	m.Term = r.message.Term
	m.body = r.message.body
	*r = awaited{}
}

// Reply answers a call. Any process of this node may answer, once: the one
// called can pass the message to one it spawns, but if the one called ends
// first, its caller has been told so. A body that is an error fails the call:
// its caller's Call returns it. ErrNoReplyWanted: m is no call, or was answered.
// An answer to a caller that waits no longer is a dead letter, and no error. An
// answer that cannot be encoded for another node is an error, and the call stays
// open for another answer.
func (p *Process) Reply(m Message, body any) error {
	if m.call() == nil {
		return ErrNoReplyWanted
	}
	if err := p.CheckTerm(); err != nil {
		return err
	}
	e := Envelope{Kind: KindReply, From: p.pid, To: m.call().from, Term: p.Term(), Ref: m.call().ref, Body: body}
	if err, failed := body.(error); failed {
		if ended, ok := err.(*EndedError); ok && ended.PID == m.call().owner.pid {
			// Others are turned away by a process that is sealed and reads on. As an answer
			// of its own that must not say that the call was never taken up.
			err = fmt.Errorf("the answer of %s: %w", p.pid, err)
		}
		e.Kind, e.Body, e.Reason = KindReplyError, nil, err
	}
	if e.To.node != p.pid.node && m.call().state.Load() == callOpen {
		if err := p.sys.route(p, &e); err != nil {
			return err // still open: the caller can be given another answer
		}
		m.call().close(callAnswered)
		return nil
	}
	switch {
	case m.call().close(callAnswered):
		p.sys.deliverReply(e)
	case m.call().state.Load() == callForgotten:
		p.sys.DeadLetter(e.dead(DeadLateReply))
	default:
		return ErrNoReplyWanted
	}
	return nil
}

// answer replies to a call on behalf of a process that cannot.
func (s *System) answer(c *openCall, from PID, reason error) {
	e := Envelope{Kind: KindReplyError, From: from, To: c.from, Ref: c.ref, Reason: reason}
	if e.To.node == s.self.node {
		s.deliverReply(e)
		return
	}
	_ = s.route(context.Background(), &e) // if the link is lost, its end tells the caller
}

// deliverReply hands a reply to its waiting caller on this node.
func (s *System) deliverReply(e Envelope) Delivery {
	if !s.admit(e) {
		s.DeadLetter(e.dead(DeadStaleTerm))
		// No other answer will come: the call fails.
		s.resolve(e.To, e.Ref, e.From, Term{}, nil, ErrTermOver)
		return Stale
	}
	if !s.resolve(e.To, e.Ref, e.From, e.Term, e.Body, e.Reason) {
		s.DeadLetter(e.dead(DeadLateReply))
		return Refused
	}
	return Accepted
}

// DeliverReply is Deliver for a reply from another node under no term.
func (s *System) DeliverReply(from, to PID, ref uint64, body any) Delivery {
	if !s.resolve(to, ref, from, Term{}, body, nil) {
		s.DeadLetter(DeadLetter{From: from, To: to, Type: typeName(body), Reason: DeadLateReply})
		return Refused
	}
	return Accepted
}

// resolve ends the waiting for a reply. It says false if nobody waits for it.
func (s *System) resolve(caller PID, ref uint64, from PID, t Term, body any, err error) bool {
	if caller.serial == 0 {
		return s.calls.resolve(ref, Message{From: from, Term: t, body: body}, err)
	}
	p := s.table.get(caller.serial)
	if p == nil || ref == 0 {
		return false
	}
	b := &p.box
	b.mu.Lock()
	r := b.reply
	if r == nil || r.ref != ref || r.there {
		b.mu.Unlock()
		return false
	}
	// Piece by piece: see mailbox.append.
	r.message.From.node, r.message.From.serial = from.node, from.serial
	r.message.Term = t
	r.message.body = body
	r.err, r.there = err, true
	p.rouse(waitingReply)
	return true
}
