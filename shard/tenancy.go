package shard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
)

// tenancy is one term of this node in a part: the tenure, and the process in which
// the hooks run.
type tenancy struct {
	sp     *Space
	part   int
	term   actor.Term
	tenure *actor.Tenure
	lease  *keeper.Lease
	giveUp chan struct{} // closed when the part is to be given up in order
	kept   any           // by Keep; guarded by the mutex of the part's entities
	ready  chan struct{} // closed when the hooks may run
	pid    actor.PID     // of the process in which they do

	// The host's own.
	failed   error // of a hook
	tried    bool  // OnGain has returned
	late     bool  // it has not in time, and that was told
	cause    cause // why it has ended
	recorded bool  // that it has
}

// news is what comes to the host from a tenancy.
type news struct {
	t    *tenancy
	what tidings
	err  error // of hookFailed
}

type tidings uint8

const (
	gained       tidings = iota + 1 // OnGain has returned well
	late                            // it has not in time, unless it has meanwhile
	hookFailed                      // one of the two
	processEnded                    // others under the term may run yet
	allEnded
	tenureOver
)

// newTenancy begins a term under the lease that the claim has brought.
func newTenancy(sp *Space, part int, term actor.Term, lease *keeper.Lease) *tenancy {
	t := &tenancy{sp: sp, part: part, term: term, lease: lease, giveUp: make(chan struct{}), ready: make(chan struct{})}
	t.tenure = actor.NewTenure(lease.Context(), term, lease.Check)
	return t
}

// start spawns its process. The term is recorded before the hooks run.
func (t *tenancy) start() {
	record, at := t.sp.n.TermRecorder(), time.Duration(0)
	if record != nil {
		at = record.Now()
	}
	system := t.sp.n.System()
	system.Terms().Heard(t.term)
	t.sp.here(t.part).begin(t)
	t.pid = system.Spawn(t.run, actor.InTenure(t.tenure), actor.StoppedBySpawner(), actor.OnExit(func(actor.PID, error) {
		t.sp.host.post(news{t: t, what: processEnded})
	}))
	if record != nil {
		until := max(at, t.lease.Until())
		record.Began(t.term, t.pid, at, until)
		leased := func(until time.Duration) { record.Leased(t.term, until) }
		if now := t.lease.OnExtend(leased); now > until {
			leased(now)
		}
	}
	close(t.ready)
	go func() {
		<-t.tenure.Ended()
		t.sp.host.post(news{t: t, what: allEnded})
	}()
}

// end ends the term: everything that runs under it is told to return.
func (t *tenancy) end(c cause) {
	t.cause = c
	t.tenure.End(c.error(t))
	if record := t.sp.n.TermRecorder(); record != nil && !t.recorded {
		t.recorded = true
		t.lease.OnExtend(nil)
		record.Ended(t.term, t.pid)
	}
}

// run is the process.
func (t *tenancy) run(p *actor.Process) error {
	<-t.ready
	cfg := &t.sp.cfg
	var why error // nil: it is given up in order
	if cfg.OnGain != nil {
		clock := time.AfterFunc(cfg.Patience, func() { t.sp.host.post(news{t: t, what: late}) })
		returned := make(chan struct{})
		go func() {
			select {
			case <-t.sp.stops:
				p.Exit(p.Self(), actor.Shutdown)
			case <-returned:
			}
		}()
		why = t.hook("OnGain", func() error { return cfg.OnGain(p, t.part) })
		close(returned)
		clock.Stop()
	}
	if why == nil {
		why = t.hold(p)
	}
	if err := t.tenure.Check(); err != nil {
		why = cmp.Or(context.Cause(t.tenure.Context()), err)
	} else if why != nil {
		t.sp.host.post(news{t, hookFailed, why})
	}
	if cfg.OnLose == nil {
		return nil
	}
	if why == nil && p.Err() != nil { // the node stopped while OnGain ran
		why = context.Cause(p)
	}
	if err := t.hook("OnLose", func() error { return cfg.OnLose(p, t.part, why) }); err != nil {
		t.sp.host.post(news{t, hookFailed, err})
	}
	return nil
}

// hold has the part's processes take mail until the part is to be given up, for nil or
// because something has failed, and they have ended.
func (t *tenancy) hold(p *actor.Process) (why error) {
	es := t.sp.here(t.part)
	own := es.serve(t)
	t.sp.host.post(news{t: t, what: gained})
	var ownEnded <-chan struct{}
	if own != nil {
		ownEnded = own.ended
	}
	var late <-chan time.Time
	select {
	case <-t.giveUp:
	case <-t.sp.stops: // p is let finish what it has to, as when the part moves
	case <-ownEnded:
		if p.Err() == nil {
			why = fmt.Errorf("the part's own process has ended: %w", own.reason)
		} else {
			why = t.stopped(p)
		}
	case <-p.Done():
		why = t.stopped(p)
	}
	if why != nil { // nobody watches over this, as the machine does over a drain
		timer := time.NewTimer(t.sp.cfg.Patience)
		defer timer.Stop()
		late = timer.C
	}
	es.leave(t, late)
	return why
}

// stopped is why p was stopped while the term lasts: by what it is linked with, say. A
// node that stops does so in order.
func (t *tenancy) stopped(p *actor.Process) error {
	cause := context.Cause(p)
	if errors.Is(cause, actor.Shutdown) {
		return nil
	}
	return fmt.Errorf("the part's process was stopped: %w", cause)
}

// hook calls code that is not ours, in a goroutine that is its to end. That it has not
// returned, but panicked or called runtime.Goexit, is an error.
func (t *tenancy) hook(name string, f func() error) (err error) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() {
			if r := recover(); r != nil {
				t.sp.cfg.Logger.Error("shard: a hook panicked", "space", t.sp.name, "part", t.part, "hook", name, "panic", r, "stack", string(debug.Stack()))
				err = fmt.Errorf("%s panicked: %v", name, r)
			}
		}()
		err = fmt.Errorf("%s: %w", name, actor.ErrGoexit)
		if err = f(); err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		}
	}()
	<-ended
	return err
}
