package shard

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"conclave/actor"
	"conclave/internal/keeper"
)

// What the host does about the terms that this node has.

// begin begins a term under the lease that the claim has brought.
func (h *host) begin(p *holding, a begin) {
	lease := p.leases[a.lease]
	t := newTenancy(h.sp, p.part, h.numbered(p.part, a.number), lease)
	p.t = t
	context.AfterFunc(t.tenure.Context(), func() { h.post(news{t: t, what: tenureOver}) })
	t.start()
}

// end ends it: everything in it is told to return.
func (h *host) end(p *holding, a end) {
	h.terms.CompareAndDelete(p.part, p.t)
	p.t.end(a.cause)
}

// error is what those who ran under the term are told.
func (c cause) error(t *tenancy) error {
	switch c {
	case causeDrained:
		return ErrMoved
	case causeLapsed:
		return keeper.ErrLeaseLapsed
	case causeSession:
		return keeper.ErrSessionLost
	case causeDeleted:
		return keeper.ErrOwnerGone
	case causeOutdone:
		return actor.ErrTermOver
	}
	return cmp.Or(t.failed, error(ErrMoved))
}

// hear takes in what a term's process says. What ran under a term can have returned
// before the news of its end is there, which is taken in first.
func (h *host) hear(n news) {
	t, p := n.t, h.holdings[n.t.part]
	if cause := context.Cause(t.tenure.Context()); cause != nil && !errors.Is(cause, ErrMoved) { // not we have ended it
		h.step(p, leaseEnded{number: t.term.Number(), why: endOf(cause)})
	}
	switch {
	case n.what == tenureOver:
		return
	case n.what == late && !t.tried:
		t.late = true
		h.sp.tell(Event{Kind: Stuck, Part: t.part, Term: t.term, Err: fmt.Errorf("shard: OnGain of part %d has not returned after %v: until then the part takes no mail, and stays here", t.part, h.sp.cfg.Patience)})
		return
	case n.what == late:
		return
	}
	t.tried = true
	if t.late {
		t.late = false
		h.sp.tell(Event{Kind: Unstuck, Part: t.part, Term: t.term})
	}
	switch n.what {
	case gained:
		if p.state.runs() {
			h.terms.Store(t.part, t)
			h.sp.tell(Event{Kind: Gained, Part: t.part, Term: t.term})
		}
	case hookFailed:
		t.failed = n.err
		h.sp.tell(Event{Kind: Failed, Part: t.part, Term: t.term, Err: n.err})
		h.step(p, broken{number: t.term.Number()})
	case processEnded:
		h.step(p, broken{number: t.term.Number()}) // unless it was to end
		t.tenure.End(ErrMoved)                     // what it has spawned ends, too
	case allEnded:
		if h.sp.parting() {
			h.step(p, unwanted{}) // whatever an old plan says
		}
		h.step(p, drained{number: t.term.Number()})
		p.t = nil
		h.sp.here(t.part).end(t)
		why := t.cause.error(t)
		if why == ErrMoved {
			why = nil
		}
		h.sp.tell(Event{Kind: Lost, Part: t.part, Term: t.term, Err: why})
	}
}

// endOf says why a tenure's context ended.
func endOf(cause error) why {
	switch {
	case errors.Is(cause, keeper.ErrSessionLost), errors.Is(cause, keeper.ErrClosed):
		return over
	case errors.Is(cause, keeper.ErrOwnerGone):
		return gone
	case errors.Is(cause, actor.ErrTermOver):
		return outdone
	default:
		return lapsed
	}
}
