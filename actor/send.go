package actor

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Send sends body to a process, here or on another node. On this node the body
// itself arrives, on another a copy; a body that was sent is not touched again
// by its sender.
//
// Messages from one process to another arrive in the order sent, at most once.
// nil means that the message is on its way, no more: mail for a process that is
// not there, or behind a link that breaks, becomes a dead letter. The errors
// are of what certainly was not sent: ErrTermOver, ErrMailboxFull (a process of
// this node), a body that cannot be encoded or is too large for another node,
// or p's own end while it waited for room. It waits only under back-pressure.
func (p *Process) Send(to PID, body any) error {
	if s := p.sys; p.tenure == nil && s.cfg.Tracer == nil {
		// The way of most mail. Whatever is in its way, the longer one below finds
		// again, and what to do about it.
		if to.node != p.pid.node {
			if s.cfg.Router != nil && !to.IsZero() {
				return s.cfg.Router.RouteMail(p, KindMessage, p.pid, to, 0, body)
			}
		} else if target := s.table.get(to.serial); target != nil && target.push(p.pid, body, nil, false) == pushOK {
			return nil
		}
	}
	if err := p.CheckTerm(); err != nil {
		return err
	}
	return p.sys.send(p, p, Envelope{Kind: KindMessage, From: p.pid, To: to, Term: p.Term(), Body: body})
}

// SendName sends body to whichever process of the node of peer has the local
// name. peer is any process of that node.
func (p *Process) SendName(peer PID, name string, body any) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if err := p.CheckTerm(); err != nil {
		return err
	}
	return p.sys.send(p, p, Envelope{
		Kind: KindMessage, From: p.pid, To: PID{node: peer.node}, Name: name, Term: p.Term(), Body: body,
	})
}

// Send sends body from outside any process: the receiver sees no sender. ctx
// bounds the waiting under back-pressure.
func (s *System) Send(ctx context.Context, to PID, body any) error {
	return s.send(ctx, nil, Envelope{Kind: KindMessage, To: to, Body: body})
}

// SendName is Send to whichever process of that node has the local name.
func (s *System) SendName(ctx context.Context, node NodeID, name string, body any) error {
	if err := CheckName(name); err != nil {
		return err
	}
	return s.send(ctx, nil, Envelope{Kind: KindMessage, To: MakePID(node, 0), Name: name, Body: body})
}

// send delivers a message of sender (nil: none), locally or through the router.
// That there is nobody to take it is a dead letter and no error.
func (s *System) send(ctx context.Context, sender *Process, e Envelope) error {
	var sent func(error)
	if s.cfg.Tracer != nil {
		sent = s.traceSend(ctx, &e)
	}
	err := s.put(ctx, sender, e)
	if err == errNobody {
		err = nil
	}
	if sent != nil {
		sent(err)
	}
	return err
}

// errNobody is what put says where send keeps silent.
var errNobody = errors.New("nobody there")

func (s *System) put(ctx context.Context, sender *Process, e Envelope) error {
	if e.To.node != s.self.node {
		if e.To.IsZero() {
			return fmt.Errorf("send to nobody: %w", NoProcess)
		}
		return s.route(ctx, &e)
	}
	if !s.admit(e) {
		s.DeadLetter(e.dead(DeadStaleTerm))
		return ErrTermOver
	}
	target := s.target(e)
	if target == nil {
		return errNobody
	}
	var c *claims
	if sender != nil && sender.tenure != nil && e.Carrier == "" && sender.tenure.claims.term == e.Term {
		c = &sender.tenure.claims // made once
	} else {
		c = claimsOf(e.Term, e.Carrier)
	}
	for {
		switch target.push(e.From, e.Body, c, false) {
		case pushFull:
			if target.box.policy == Refuse || target == sender {
				s.DeadLetter(e.dead(DeadMailboxFull))
				return fmt.Errorf("%w: %s", ErrMailboxFull, e.To)
			}
			if room := target.room(); room != nil {
				select {
				case <-room:
				case <-ctx.Done():
					return fmt.Errorf("waiting for room in the mailbox of %s: %w", e.To, context.Cause(ctx))
				}
				if err := CheckTerm(ctx); err != nil {
					return err // the wait has outlasted the lease
				}
			}
		case pushClosed:
			s.DeadLetter(e.dead(DeadNoProcess))
			return errNobody
		case pushStale:
			s.DeadLetter(e.dead(DeadStaleTerm))
			return ErrTermOver
		default:
			return nil
		}
	}
}

// target is the process that e is for; without one, e is a dead letter.
func (s *System) target(e Envelope) *Process {
	reason := DeadNoProcess
	serial := e.To.serial
	if e.Name != "" {
		reason = DeadNoName
		serial = s.Whereis(e.Name).serial
	}
	p := s.table.get(serial)
	if p == nil {
		s.DeadLetter(e.dead(reason))
	}
	return p
}

// route hands e, which is for another node, to the Router.
func (s *System) route(ctx context.Context, e *Envelope) error {
	if s.cfg.Router == nil {
		s.DeadLetter(e.dead(DeadLinkLost))
		return fmt.Errorf("%s: %w", e.To, LinkLost)
	}
	switch e.Kind {
	case KindMessage, KindCall, KindReply:
		if e.Term.IsZero() && e.Name == "" && e.Carrier == "" {
			return s.cfg.Router.RouteMail(ctx, e.Kind, e.From, e.To, e.Ref, e.Body)
		}
	}
	return s.cfg.Router.Route(ctx, *e)
}

// admit says whether a message may still be listened to, and tells the hook of
// each decision about mail that claims a term.
func (s *System) admit(e Envelope) bool {
	if e.Term.IsZero() {
		return true
	}
	var asked time.Duration
	if s.cfg.Clock != nil {
		asked = s.cfg.Clock()
	}
	ok := s.terms.Heard(e.Term)
	if s.cfg.OnTerm != nil {
		s.cfg.OnTerm(e, ok, asked)
	}
	return ok
}

func (e Envelope) dead(r DeadReason) DeadLetter {
	return DeadLetter{From: e.From, To: e.To, Name: e.Name, Type: typeName(e.Body), Term: e.Term, Reason: r}
}
