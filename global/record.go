package global

import (
	"time"

	"conclave/actor"
)

// Recorder gets a history of the terms that a node holds. Its methods are called
// at moments that count: an interval is told before it opens, with a time from
// before, and after it has closed. They must not block.
type Recorder interface {
	// Now is the clock of leases.
	Now() time.Duration
	// Began: from at on, the holder may act until then. Its code does not run yet.
	Began(term actor.Term, pid actor.PID, at, until time.Duration)
	// Leased: the holder may act until then, as soon as this returns.
	Leased(term actor.Term, until time.Duration)
	// Ended: the holder may not act any more. The name has not passed yet.
	Ended(term actor.Term, pid actor.PID)
}

func (g *Globals) recordTime() time.Duration {
	if g.cfg.Record == nil {
		return 0
	}
	return g.cfg.Record.Now()
}

// recordBegan tells that t began at that time, and from now on of each extension
// of its lease.
func (g *Globals) recordBegan(t *tenancy, at time.Duration) {
	r := g.cfg.Record
	if r == nil {
		return
	}
	until := max(at, t.lease.Until())
	r.Began(t.term, t.pid, at, until)
	leased := func(until time.Duration) { r.Leased(t.term, until) }
	if now := t.lease.OnExtend(leased); now > until {
		leased(now)
	}
}

// recordEnded tells that t has ended, once.
func (g *Globals) recordEnded(t *tenancy) {
	if g.cfg.Record == nil || t.recorded {
		return
	}
	t.recorded = true
	t.lease.OnExtend(nil)
	g.cfg.Record.Ended(t.term, t.pid)
}
