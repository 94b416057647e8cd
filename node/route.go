package node

import (
	"context"
	"errors"
	"fmt"

	"conclave/actor"
	"conclave/transport"
)

// Route implements actor.Router.
func (l *links) Route(ctx context.Context, e actor.Envelope) error {
	buf := scratch.Get().(*[]byte)
	defer scratch.Put(buf)
	var typ string
	var body []byte
	urgent := false
	switch e.Kind {
	case actor.KindMessage, actor.KindCall, actor.KindReply:
		var err error
		if typ, body, err = l.encode(buf, e.Body); err != nil {
			return l.notSent(e, typ, err)
		}
	case actor.KindConfirm:
		// It comes from a link's reader, which must not wait for room: two that wait
		// for each other's would wait for ever.
		urgent = true
		typ, body, _ = encodeBody(buf, nil)
	default:
		urgent = true
		if hasReason(e.Kind) {
			body = appendReason((*buf)[:0], e.Reason)
		}
	}
	var f transport.Frame
	fillFrame(&f, &e, typ, body)
	if err := l.submit(ctx, e.To, &f, urgent); err != nil {
		return l.notSent(e, typ, err)
	}
	return nil
}

// RouteMail implements actor.Router.
func (l *links) RouteMail(ctx context.Context, kind actor.Kind, from, to actor.PID, ref uint64, body any) error {
	buf := scratch.Get().(*[]byte)
	typ, data, err := l.encode(buf, body)
	if err == nil {
		var f transport.Frame
		f.Kind = frameKinds[kind]
		f.From, f.To, f.Ref = from.Serial(), to.Serial(), ref
		f.Type, f.Body = typ, data
		err = l.submit(ctx, to, &f, false)
	}
	scratch.Put(buf)
	if err != nil {
		return l.notSent(actor.Envelope{From: from, To: to}, typ, err)
	}
	return nil
}

// encode is encodeBody of what surely fits in a frame.
func (l *links) encode(buf *[]byte, body any) (typ string, data []byte, err error) {
	typ, data, err = encodeBody(buf, body)
	if most := l.limits.MaxMessage - frameOverhead; err == nil && len(data) > most {
		err = fmt.Errorf("%w: %d bytes of %s, at most %d are allowed", ErrTooLarge, len(data), typ, most)
	}
	return typ, data, err
}

// notSent is what the sender of a message is told that was not sent. What is too
// large is a dead letter, too.
func (l *links) notSent(e actor.Envelope, typ string, err error) error {
	sort := err
	if errors.Is(err, ErrTooLarge) || errors.Is(err, transport.ErrTooLarge) {
		sort = ErrTooLarge
		l.system.DeadLetter(deadOf(e, typ, actor.DeadTooLarge))
	}
	return &sendError{to: e.To, sort: sort, cause: err}
}

// submit hands a frame to the peer that it is for.
func (l *links) submit(ctx context.Context, to actor.PID, f *transport.Frame, urgent bool) error {
	for {
		p := l.peer(to.NodeHandle())
		if p == nil {
			return ErrStopped
		}
		if err := p.send(ctx, f, urgent); err != errPeerGone {
			return err
		}
	}
}

// frameOverhead is more than a frame's header can take, ToName included.
const frameOverhead = 1 << 10

func deadOf(e actor.Envelope, typ string, r actor.DeadReason) actor.DeadLetter {
	return actor.DeadLetter{From: e.From, To: e.To, Name: e.Name, Type: typ, Term: e.Term, Reason: r}
}

// deadFrame is a frame that was taken and will certainly not arrive. Whoever
// waits for an answer to it gets why.
func (l *links) deadFrame(p *peer, f *transport.Frame, r actor.DeadReason, why error) {
	from := actor.PID{}
	if f.From != 0 {
		from = l.self.WithSerial(f.From)
	}
	if f.Ref != 0 && (f.Kind == transport.Message || f.Kind == transport.Call) {
		l.system.Deliver(actor.Envelope{
			Kind: actor.KindReplyError, From: p.base.WithSerial(f.To), To: l.self.WithSerial(f.From), Ref: f.Ref, Reason: why,
		})
	}
	if isAsk(f.Kind) {
		l.asks.end(f.Ref, p.base.NodeHandle(), why)
	}
	if isMail(f.Kind) || f.Kind == transport.Returned {
		l.system.DeadLetter(actor.DeadLetter{
			From: from, To: p.base.WithSerial(f.To), Name: f.ToName, Type: f.Type, Term: l.termOf(f), Reason: r,
		})
	}
}

// termOf is the term that a frame of ours is sent under.
func (l *links) termOf(f *transport.Frame) actor.Term {
	if f.Scope == "" {
		return actor.Term{}
	}
	return actor.MakeTerm(l.clusterID(), f.Scope, f.TermNumber)
}

// Relieved implements actor.Router: the mailbox has room again.
func (l *links) Relieved(pid actor.PID) {
	l.mu.Lock()
	told := l.told[pid]
	delete(l.told, pid)
	l.mu.Unlock()
	for p := range told {
		p.sendControl(&transport.Frame{Kind: transport.Resume, To: pid.Serial()})
	}
}

// pauseSender tells the peer to send no more to that process of ours for now.
func (l *links) pauseSender(p *peer, c *connection, pid actor.PID) {
	l.mu.Lock()
	_, told := l.told[pid][p]
	l.mu.Unlock()
	if !told {
		// Noted behind the Pause: a relief in between would send the Resume before it,
		// and the next one would know nothing of this peer.
		_ = c.control.append(context.Background(), &transport.Frame{Kind: transport.Pause, To: pid.Serial()}, true)
		l.mu.Lock()
		if l.told[pid] == nil {
			l.told[pid] = make(map[*peer]struct{})
		}
		l.told[pid][p] = struct{}{}
		l.mu.Unlock()
	}
	if !l.system.Full(pid) {
		// It was relieved meanwhile, perhaps before the peer was noted.
		l.mu.Lock()
		if delete(l.told[pid], p); len(l.told[pid]) == 0 {
			delete(l.told, pid)
		}
		l.mu.Unlock()
		_ = c.control.append(context.Background(), &transport.Frame{Kind: transport.Resume, To: pid.Serial()}, true)
	}
}

// unpause forgets what a peer was told when the link with it is over.
func (l *links) unpause(p *peer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for pid, told := range l.told {
		delete(told, p)
		if len(told) == 0 {
			delete(l.told, pid)
		}
	}
}

// sendControl sends over the link, if there is one.
func (p *peer) sendControl(f *transport.Frame) {
	if c := p.link(); c != nil {
		_ = c.control.append(context.Background(), f, true)
	}
}

// announceTerm tells every linked peer who holds what from now on.
func (l *links) announceTerm(t actor.Term, holder actor.PID) {
	for _, p := range l.peers.all() {
		p.sendControl(announcement(t, holder))
	}
}

func announcement(t actor.Term, holder actor.PID) *transport.Frame {
	return &transport.Frame{
		Kind: transport.Announce, From: holder.Serial(), Scope: t.Scope(), TermNumber: t.Number(),
	}
}
