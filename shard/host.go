package shard

import (
	"context"
	"fmt"
	"sync"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
)

// host is what a node has to do with the parts of a space. Its loop owns the machine
// of every part, and what goes with it; others reach it through its inbox.
type host struct {
	sp    *Space
	start time.Time
	terms sync.Map // part -> *tenancy, of those that are owned, for others to look at

	mu    sync.Mutex
	inbox []any
	wake  chan struct{}
	over  bool
	ended chan struct{} // closed when the loop is

	// The loop's own.
	ctx      context.Context // of requests
	cancel   context.CancelFunc
	requests sync.WaitGroup
	gate     chan struct{} // bounds requests under way
	session  *keeper.Session
	guid     string
	holdings map[int]*holding
	plan     Plan                 // the last one
	doors    map[string]actor.PID // of the members in it
	paced    time.Duration        // when handOver looked last
	vain     bool                 // somebody to whom it gives a part has not taken that
	resign   bool                 // everything is to be given up at once
	waiting  []chan struct{}      // told when nothing is held
	quiet    []chan struct{}      // told when no term lasts
}

// What comes into the inbox beside what tenancies say.
type (
	newSession struct {
		session *keeper.Session
		guid    string // of our member in it; "": none
	}
	sessionDone struct{ session *keeper.Session }
	planned     struct {
		guid  string
		plan  Plan
		doors map[string]actor.PID // of members
	}
	happened struct { // to a part
		part  int
		event event
		err   error // behind a failed
	}
	newLease struct {
		part  int
		op    uint64
		lease *keeper.Lease
	}
	waits      struct{ ch chan struct{} }
	waitsQuiet struct{ ch chan struct{} }
	giveUpAll  struct{}
)

// maxRequests is how many requests of a space are under way at a time.
const maxRequests = 64

func newHost(sp *Space) *host {
	h := &host{
		sp: sp, start: time.Now(), wake: make(chan struct{}, 1), ended: make(chan struct{}),
		gate: make(chan struct{}, maxRequests), holdings: make(map[int]*holding),
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	go h.run()
	return h
}

func (h *host) now() time.Duration { return time.Since(h.start) }

// post hands the loop something. It never blocks. It says false when the loop has
// ended.
func (h *host) post(items ...any) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return false
	}
	h.inbox = append(h.inbox, items...)
	select {
	case h.wake <- struct{}{}:
	default:
	}
	return true
}

// run is the loop.
func (h *host) run() {
	defer close(h.ended)
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	for {
		h.mu.Lock()
		items := h.inbox
		h.inbox = nil
		if h.sp.ctx.Err() != nil || len(items) == 0 && h.resign && h.finished() {
			h.over, h.inbox = true, items
			h.mu.Unlock()
			break
		}
		h.mu.Unlock()
		for _, item := range items {
			h.take(item)
		}
		h.handOver()
		h.tellWaiting()
		if len(items) > 0 {
			continue
		}
		var rings <-chan time.Time
		if wait := h.rest(); wait > 0 {
			alarm.Reset(wait)
			rings = alarm.C
		}
		select {
		case <-h.wake:
		case <-h.sp.ctx.Done(): // the node has stopped, and with it all that ran
		case <-rings:
			for _, p := range h.holdings {
				h.step(p, timer{})
			}
		}
	}
	h.cancel()
	h.requests.Wait()
	for _, p := range h.holdings {
		if p.t != nil {
			p.t.end(causeSession)
		}
		for _, l := range p.leases {
			l.Release()
		}
	}
	for _, ch := range append(h.waiting, h.quiet...) { // the node has stopped: nothing is held any more
		close(ch)
	}
	h.mu.Lock()
	left := h.inbox
	h.inbox = nil
	h.mu.Unlock()
	for _, item := range left { // a request may have brought a lease at the last moment
		switch i := item.(type) {
		case newLease:
			i.lease.Release()
		case waits:
			close(i.ch)
		case waitsQuiet:
			close(i.ch)
		}
	}
}

// rest is how long until the first part wants to be woken; 0: none does.
func (h *host) rest() time.Duration {
	var first time.Duration
	soonest := func(at time.Duration) {
		if at != 0 && (first == 0 || at < first) {
			first = at
		}
	}
	for _, p := range h.holdings {
		soonest(p.state.wakes(p.at)) // what has come due since its last step is due still
		if p.handover != nil {
			soonest(p.handover.wakes(h.paced))
		}
	}
	if first == 0 {
		return 0
	}
	return max(first-h.now(), 1)
}

// take deals with one item of the inbox.
func (h *host) take(item any) {
	switch i := item.(type) {
	case newSession:
		h.session, h.guid = i.session, i.guid
		go func() {
			select {
			case <-i.session.Done():
				h.post(sessionDone{i.session})
			case <-h.ended:
			}
		}()
		for _, p := range h.holdings {
			h.step(p, unwanted{}) // it was another member that the plan had parts for
			h.step(p, sessionUp{id: i.session.ID(), t: i.session.Timeout()})
		}
	case sessionDone:
		for _, p := range h.holdings {
			h.step(p, sessionLost{id: i.session.ID()})
		}
		if h.session == i.session {
			h.session, h.guid = nil, ""
		}
	case planned:
		if i.guid == h.guid {
			h.planned(i.plan, i.doors)
		}
	case happened:
		p := h.holdings[i.part]
		if i.err != nil {
			p.err = i.err
		}
		h.step(p, i.event)
	case newLease:
		h.newLease(h.holdings[i.part], i)
	case taken:
		h.taken(i)
	case waits:
		h.waiting = append(h.waiting, i.ch)
	case waitsQuiet:
		h.quiet = append(h.quiet, i.ch)
	case giveUpAll:
		h.resign = true
		for _, p := range h.holdings {
			h.step(p, closing{})
		}
	case news:
		h.hear(i)
	}
}

// planned wants what the plan gives us, and nothing else. Who leaves wants nothing new:
// the plan may be of a time when nobody knew that.
func (h *host) planned(plan Plan, doors map[string]actor.PID) {
	h.replan(plan)
	h.doors = doors
	ours := make(map[int]bool)
	if h.guid != "" && !h.resign {
		leaves := h.sp.parting()
		for _, part := range plan.PartsOf(h.guid) {
			p := h.holdings[part]
			ours[part] = !leaves || p != nil && p.t != nil
		}
	}
	for part, is := range ours {
		if is && h.holdings[part] == nil {
			p := &holding{part: part, state: newPart(h.sp.cfg.Patience), leases: make(map[uint64]*keeper.Lease)}
			h.holdings[part] = p
			h.step(p, sessionUp{id: h.session.ID(), t: h.session.Timeout()})
		}
	}
	for part, p := range h.holdings {
		if ours[part] {
			h.step(p, wanted{})
		} else {
			h.step(p, unwanted{})
		}
	}
}

// finished says whether nothing is left that this node would have to do.
func (h *host) finished() bool {
	for _, p := range h.holdings {
		if !p.state.finished() || p.t != nil {
			return false
		}
	}
	return true
}

// tellWaiting tells who waits for this node to hold nothing, or to have no terms.
func (h *host) tellWaiting() {
	if len(h.waiting)+len(h.quiet) == 0 {
		return
	}
	holds, quiet := false, true
	for _, p := range h.holdings {
		holds = holds || p.t != nil || p.state.wanted || p.state.phase != idle
		quiet = quiet && p.t == nil
	}
	tell := func(all *[]chan struct{}) {
		for _, ch := range *all {
			close(ch)
		}
		*all = nil
	}
	if !holds {
		tell(&h.waiting)
	}
	if quiet {
		tell(&h.quiet)
	}
}

// lastWords waits until no term lasts any more: all that ran has ended, and that is to
// be recorded. It asks ZooKeeper nothing.
func (h *host) lastWords(ctx context.Context) {
	ch := make(chan struct{})
	if !h.post(waitsQuiet{ch}) {
		return
	}
	select {
	case <-ch:
	case <-ctx.Done():
	}
}

// wait waits until this node holds nothing.
func (h *host) wait(ctx context.Context) error {
	ch := make(chan struct{})
	if !h.post(waits{ch}) {
		return nil
	}
	select {
	case <-ch:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("shard: this node still holds %s of %q: %w", h.sp.held(), h.sp.name, context.Cause(ctx))
	}
}

// close gives everything up.
func (h *host) close() { h.post(giveUpAll{}) }

// owned is the term under which this node may act as the owner now.
func (h *host) owned(part int) (actor.Term, bool) {
	t, ok := h.terms.Load(part)
	if !ok || t.(*tenancy).tenure.Check() != nil {
		return actor.Term{}, false
	}
	return t.(*tenancy).term, true
}
