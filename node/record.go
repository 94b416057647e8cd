package node

import (
	"fmt"
	"time"

	"conclave/actor"
	"conclave/global"
	"conclave/history"
	"conclave/internal/keeper"
)

// recorder turns what happens to terms into a history. A nil one records nothing.
type recorder struct {
	to   func(history.Event)
	now  func() time.Duration
	same history.Event // what all events of this node have in common
}

// newRecorder is nil unless somebody wants a history.
func newRecorder(cfg Config) *recorder {
	if cfg.History == nil {
		return nil
	}
	r := &recorder{to: cfg.History, now: cfg.Clock, same: history.Event{Label: cfg.Name}}
	if r.now == nil {
		r.now = keeper.SystemClock()
		r.same.Boot = keeper.BootID()
	}
	return r
}

// clock is nil if nothing is recorded, and so need not be read.
func (r *recorder) clock() func() time.Duration {
	if r == nil {
		return nil
	}
	return r.now
}

// heed records whatever is heard of higher terms.
func (r *recorder) heed(terms *actor.Terms) {
	if r != nil {
		terms.OnRaise(func(t actor.Term) { r.term(history.Raised, t, r.now()) })
	}
}

// open begins the record: before anything else is recorded.
func (r *recorder) open(id actor.NodeID) {
	if r != nil {
		r.same.Node = fmt.Sprintf("%016x", id.Incarnation)
		r.record(history.Event{Kind: history.Opened, At: r.now()})
	}
}

// close ends it: nothing else will be recorded.
func (r *recorder) close() {
	if r != nil {
		r.record(history.Event{Kind: history.Closed, At: r.now()})
	}
}

// forget tells that what was heard of the cluster is about to be forgotten.
func (r *recorder) forget(cluster string) {
	if r != nil {
		r.record(history.Event{Kind: history.Forgot, At: r.now(), Cluster: cluster})
	}
}

// mail tells of a message under a term. asked is from before the terms were compared.
func (r *recorder) mail(e actor.Envelope, accepted bool, asked time.Duration) {
	if r == nil {
		return
	}
	kind := history.Accepted
	if !accepted {
		kind = history.Refused
	}
	h := ofTerm(kind, e.Term, asked)
	h.PID, h.From = e.To.String(), e.From.String()
	r.record(h)
}

func (r *recorder) term(kind history.Kind, t actor.Term, at time.Duration) {
	r.record(ofTerm(kind, t, at))
}

func ofTerm(kind history.Kind, t actor.Term, at time.Duration) history.Event {
	return history.Event{Kind: kind, At: at, Cluster: t.Cluster(), Name: t.Scope(), Number: t.Number()}
}

// record fills in what is the same in all events, and the calendar's time of e.At.
func (r *recorder) record(e history.Event) {
	e.Wall = time.Now().Add(e.At - r.now()).Round(0)
	e.Boot, e.Node, e.Label = r.same.Boot, r.same.Node, r.same.Label
	r.to(e)
}

// tenures is the recorder as what package global wants; nil if nothing is recorded.
func (r *recorder) tenures() global.Recorder {
	if r == nil {
		return nil
	}
	return tenureRecorder{r}
}

// tenureRecorder records the terms of this node.
type tenureRecorder struct{ *recorder }

func (r tenureRecorder) Now() time.Duration { return r.now() }

func (r tenureRecorder) Began(t actor.Term, pid actor.PID, at, until time.Duration) {
	e := ofTerm(history.Began, t, at)
	e.PID, e.Until = pid.String(), until
	r.record(e)
}

func (r tenureRecorder) Leased(t actor.Term, until time.Duration) {
	e := ofTerm(history.Leased, t, r.now())
	e.Until = until
	r.record(e)
}

func (r tenureRecorder) Ended(t actor.Term, pid actor.PID) {
	e := ofTerm(history.Ended, t, r.now())
	e.PID = pid.String()
	r.record(e)
}
