package global

import (
	"context"
	"errors"

	"conclave/actor"
	"conclave/internal/keeper"
)

// tenancy is one term of this node: the tenure, and the process that holds it.
type tenancy struct {
	term     actor.Term
	tenure   *actor.Tenure
	pid      actor.PID
	lease    *keeper.Lease
	recorded bool          // its end
	reason   error         // with which the holder has returned
	exited   chan struct{} // closed when it has, and left has been set
	left     error
}

// holderReason comes before holderExited.
type holderReason struct {
	t      *tenancy
	reason error
}

// begin starts the holder under the lease that the claim brought.
func (c *candidacy) begin(a begin) {
	lease := c.leases[a.lease]
	term := c.numbered(a.number)
	t := &tenancy{
		term: term, tenure: actor.NewTenure(lease.Context(), term, lease.Check), lease: lease, exited: make(chan struct{}),
	}
	at := c.g.recordTime()
	if state, ok := c.inheritance.due(c.state.mine, a.number); ok {
		t.tenure.Inherit(state)
	}
	c.inheritance = inheritance{}
	ended := func() {
		c.post(leaseEnded{number: a.number, why: endOf(context.Cause(t.tenure.Context()))})
	}
	context.AfterFunc(t.tenure.Context(), ended)
	c.g.terms().Heard(term)
	ready := make(chan struct{})
	t.pid = c.code.start(c.g.system, ready, []actor.SpawnOption{
		actor.InTenure(t.tenure),
		actor.OnExit(func(_ actor.PID, reason error) {
			t.left = reason
			close(t.exited)
			if t.tenure.Context().Err() != nil {
				ended() // whoever stops because the term is over has not failed
			}
			c.post(holderReason{t, reason}, holderExited{
				number: a.number,
				well:   reason == nil || errors.Is(reason, actor.Normal),
			})
		}),
	})
	c.term = t
	c.g.recordBegan(t, at) // before anybody can hear of it, and its code runs
	c.hold(t)
	c.g.announce(term, t.pid)
	close(ready)
	c.g.tell(TermBegan{Term: term, PID: t.pid})
}

// end ends the term: everything in it is told to return, and the election told
// when it has.
func (c *candidacy) end(a end) {
	t := c.term
	cause := a.cause.error(t.why())
	c.hold(nil)
	if a.cause == causeHandOver {
		c.handing.heir.Ending()
		t.tenure.HandOver(c.handing.heir)
	} else {
		t.tenure.End(cause)
	}
	c.g.recordEnded(t) // before the name can pass
	c.requests.Go(func() {
		select {
		case <-t.tenure.Ended():
			c.post(tenureEnded{number: a.number})
		case <-c.ctx.Done():
		}
	})
	c.g.tell(TermEnded{Term: t.term, PID: t.pid, Cause: cause})
}

// why is what is known of the reason: what the holder said, or its context.
func (t *tenancy) why() error {
	if t.reason != nil {
		return t.reason
	}
	return context.Cause(t.tenure.Context())
}

// hold notes which term lasts, for Holding.
func (c *candidacy) hold(t *tenancy) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = t
}

// holding is the term that this candidacy holds, if it may act under it now.
func (c *candidacy) holding() (*tenancy, bool) {
	c.mu.Lock()
	t := c.held
	c.mu.Unlock()
	return t, t != nil && t.tenure.Check() == nil
}

// endOf says why a tenure's context ended.
func endOf(cause error) why {
	switch {
	case errors.Is(cause, keeper.ErrSessionLost), errors.Is(cause, keeper.ErrClosed):
		return over
	case errors.Is(cause, keeper.ErrOwnerGone):
		return gone
	case errors.Is(cause, keeper.ErrReleased):
		return released
	case errors.Is(cause, actor.ErrTermOver):
		return outdone // by the process table, which heard of a higher term
	default:
		return lapsed
	}
}
