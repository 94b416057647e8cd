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
		if typ, body, err = encodeBody(buf, e.Body); err != nil {
			return &sendError{to: e.To, sort: err, cause: err}
		}
		if len(body) > l.maxBody() {
			return l.tooLarge(e, typ, fmt.Errorf("%w: %d bytes of %s, at most %d are allowed", ErrTooLarge, len(body), typ, l.maxBody()))
		}
	default:
		urgent = true
		if hasReason(e.Kind) {
			body = appendReason((*buf)[:0], e.Reason)
		}
	}
	var f transport.Frame
	fillFrame(&f, &e, typ, body)
	switch err := l.submit(ctx, e.To, &f, urgent); {
	case err == nil:
		return nil
	case errors.Is(err, transport.ErrTooLarge):
		return l.tooLarge(e, typ, err)
	default:
		return &sendError{to: e.To, sort: err, cause: err}
	}
}

// RouteMail implements actor.Router.
func (l *links) RouteMail(ctx context.Context, kind actor.Kind, from, to actor.PID, ref uint64, body any) error {
	buf := scratch.Get().(*[]byte)
	typ, data, err := encodeBody(buf, body)
	if err == nil && len(data) <= l.maxBody() {
		var f transport.Frame
		f.Kind = frameKinds[kind]
		f.From, f.To, f.Ref = from.Serial(), to.Serial(), ref
		f.Type, f.Body = typ, data
		if err = l.submit(ctx, to, &f, false); err == nil {
			scratch.Put(buf)
			return nil
		}
	}
	scratch.Put(buf)
	if err == nil || errors.Is(err, transport.ErrTooLarge) {
		return l.Route(ctx, actor.Envelope{Kind: kind, From: from, To: to, Ref: ref, Body: body}) // says so
	}
	return &sendError{to: to, sort: err, cause: err}
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

// tooLarge makes a dead letter of what a link cannot carry.
func (l *links) tooLarge(e actor.Envelope, typ string, cause error) error {
	l.system.DeadLetter(deadOf(e, typ, actor.DeadTooLarge))
	return &sendError{to: e.To, sort: ErrTooLarge, cause: cause}
}

// maxBody is the longest body that surely fits in a frame.
func (l *links) maxBody() int { return l.limits.MaxMessage - frameOverhead }

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
	if l.told[pid] == nil {
		l.told[pid] = make(map[*peer]struct{})
	}
	_, told := l.told[pid][p]
	l.told[pid][p] = struct{}{}
	l.mu.Unlock()
	if !told {
		_ = c.control.append(context.Background(), &transport.Frame{Kind: transport.Pause, To: pid.Serial()}, true)
	}
	if !l.system.Full(pid) {
		// It was relieved meanwhile, perhaps before the Pause went out.
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
