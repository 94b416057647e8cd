package shard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
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

	mu     sync.Mutex
	inbox  []any
	wake   chan struct{}
	over   bool
	ended  chan struct{} // closed when the loop is
	resign atomic.Bool   // everything is to be given up at once

	// The loop's own.
	ctx      context.Context // of requests
	cancel   context.CancelFunc
	requests sync.WaitGroup
	gate     chan struct{} // bounds requests under way
	session  *keeper.Session
	guid     string
	holdings map[int]*holding
	waiting  []chan struct{} // told when nothing is held
}

// holding is one part.
type holding struct {
	part   int
	state  part
	at     time.Duration // of its last step
	leases map[uint64]*keeper.Lease
	t      *tenancy // nil: no term
	err    error    // of the last request that failed
}

// What comes into the inbox beside what tenancies say.
type (
	newSession struct {
		session *keeper.Session
		guid    string // of our member in it; "": none
	}
	sessionDone struct{ session *keeper.Session }
	planned     struct {
		guid string
		plan Plan
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
	waits     struct{ ch chan struct{} }
	giveUpAll struct{}
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
		if h.sp.ctx.Err() != nil || len(items) == 0 && h.resign.Load() && h.finished() {
			h.over, h.inbox = true, items
			h.mu.Unlock()
			break
		}
		h.mu.Unlock()
		for _, item := range items {
			h.take(item)
		}
		h.move()
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
	for _, ch := range h.waiting { // the node has stopped: nothing is held any more
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
		}
	}
}

// rest is how long until the first part wants to be woken; 0: none does.
func (h *host) rest() time.Duration {
	var first time.Duration
	for _, p := range h.holdings {
		// What has come due since its last step is due still.
		if at := p.state.wakes(p.at); at != 0 && (first == 0 || at < first) {
			first = at
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
			h.planned(i.plan)
		}
	case happened:
		p := h.holdings[i.part]
		if i.err != nil {
			p.err = i.err
		}
		h.step(p, i.event)
	case newLease:
		h.newLease(h.holdings[i.part], i)
	case waits:
		h.waiting = append(h.waiting, i.ch)
	case giveUpAll:
		h.resign.Store(true)
		for _, p := range h.holdings {
			h.step(p, closing{})
		}
	default:
		h.takeTenancy(item)
	}
}

// planned wants what the plan gives us, and nothing else. Who leaves wants nothing new:
// the plan may be of a time when nobody knew that.
func (h *host) planned(plan Plan) {
	ours := make(map[int]bool)
	if h.guid != "" && !h.resign.Load() {
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

// move has parts that others are to own drained, so many at a time. One that hangs does
// not count: it must not hold up the others.
func (h *host) move() {
	busy := 0
	for _, p := range h.holdings {
		if p.state.phase == draining && !p.state.slow {
			busy++
		}
	}
	for _, p := range h.holdings {
		if busy >= h.sp.cfg.Moves {
			return
		}
		if p.state.mayDrain() {
			busy++
			h.step(p, drainNow{})
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

// tellWaiting tells who waits for this node to hold nothing.
func (h *host) tellWaiting() {
	if len(h.waiting) == 0 {
		return
	}
	for _, p := range h.holdings {
		if p.t != nil || p.state.wanted || p.state.phase != idle {
			return
		}
	}
	for _, ch := range h.waiting {
		close(ch)
	}
	h.waiting = nil
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
		return fmt.Errorf("shard: this node still holds parts of %q: %w", h.sp.name, context.Cause(ctx))
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

// step lets a part's machine go on and does what it wants.
func (h *host) step(p *holding, e event) {
	p.at = h.now()
	next, actions := step(p.state, e, p.at)
	p.state = next
	for _, a := range actions {
		h.do(p, a)
	}
}

func (h *host) do(p *holding, a action) {
	switch a := a.(type) {
	case create:
		h.create(p.part, a)
	case read:
		h.read(p.part, a)
	case claim:
		h.claim(p.part, a)
	case remove:
		h.remove(p.part, a)
	case begin:
		h.begin(p, a)
	case drain:
		close(p.t.giveUp)
	case end:
		h.end(p, a)
	case release:
		if l := p.leases[a.lease]; l != nil {
			delete(p.leases, a.lease)
			l.Release()
		}
	case alarm:
		h.alarm(p, a)
	case report:
		h.report(p, a)
	}
}

func (h *host) alarm(p *holding, a alarm) {
	kind := Unstuck
	var err error
	if a.on {
		kind = Stuck
		err = fmt.Errorf("shard: OnLose of part %d, or what it ran with, has not returned after %v: the part stays here", p.part, h.sp.cfg.Patience)
		if a.what == troubleStuck {
			err = fmt.Errorf("shard: the term of part %d is over, and what ran under it has not returned", p.part)
		}
	}
	h.sp.tell(Event{Kind: kind, Part: p.part, Term: h.numbered(p.part, a.number), Err: err})
}

func (h *host) report(p *holding, a report) {
	path := h.sp.k.Paths().SpaceOwner(h.sp.name, p.part)
	switch a.what {
	case reportStrange:
		h.sp.tell(Event{Kind: Skipped, Part: p.part, Err: fmt.Errorf("shard: %s is not ephemeral, so not of ours: nobody can own the part until it is deleted", path)})
	case reportRefused:
		h.sp.tell(Event{Kind: Refused, Part: p.part, Err: fmt.Errorf("shard: part %d: %w", p.part, p.err)})
	case reportWentBack:
		h.sp.tell(Event{Kind: Refused, Part: p.part, Err: fmt.Errorf("shard: part %d: ZooKeeper numbers its transactions from an earlier point than before: was it restored from an old copy?", p.part)})
	}
}

// numbered is the term of that number in the present cluster.
func (h *host) numbered(part int, number int64) actor.Term {
	if t := h.holdings[part].t; t != nil && t.term.Number() == number {
		return t.term
	}
	cluster := ""
	if h.session != nil {
		cluster = h.session.ClusterID()
	}
	return h.sp.term(cluster, part, number)
}

// begin begins a term under the lease that the claim has brought.
func (h *host) begin(p *holding, a begin) {
	lease := p.leases[a.lease]
	t := newTenancy(h.sp, p.part, h.numbered(p.part, a.number), lease)
	p.t = t
	context.AfterFunc(t.tenure.Context(), func() {
		cause := context.Cause(t.tenure.Context())
		if errors.Is(cause, ErrMoved) {
			return // we ended it, not the lease
		}
		h.post(happened{part: p.part, event: leaseEnded{number: a.number, why: endOf(cause)}})
	})
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

// takeTenancy takes in what a term's process says.
func (h *host) takeTenancy(item any) {
	switch i := item.(type) {
	case hasGained:
		i.t.tried = true
		if p := h.holdings[i.t.part]; p.t == i.t && p.state.runs() {
			h.terms.Store(i.t.part, i.t)
			h.unlate(i.t)
			h.sp.tell(Event{Kind: Gained, Part: i.t.part, Term: i.t.term})
		}
	case hasFailed:
		h.hearEnd(i.t)
		i.t.failed, i.t.tried = i.err, true
		h.unlate(i.t)
		h.sp.tell(Event{Kind: Failed, Part: i.t.part, Term: i.t.term, Err: i.err})
		h.step(h.holdings[i.t.part], broken{number: i.t.term.Number()})
	case isLate:
		if p := h.holdings[i.t.part]; p.t == i.t && !i.t.tried {
			i.t.late = true
			h.sp.tell(Event{Kind: Stuck, Part: i.t.part, Term: i.t.term, Err: fmt.Errorf("shard: OnGain of part %d has not returned after %v", i.t.part, h.sp.cfg.Patience)})
		}
	case hasEnded:
		i.t.tried = true
		p := h.holdings[i.t.part]
		h.hearEnd(i.t)
		h.unlate(i.t)
		h.step(p, broken{number: i.t.term.Number()}) // unless it was to end
		i.t.tenure.End(ErrMoved)                     // what it has spawned ends, too
	case isEmpty:
		p, t := h.holdings[i.t.part], i.t
		h.hearEnd(t)
		h.unlate(t)
		if h.sp.parting() {
			h.step(p, unwanted{}) // whatever an old plan says
		}
		h.step(p, drained{number: t.term.Number()})
		p.t = nil
		why := t.cause.error(t)
		if why == ErrMoved {
			why = nil
		}
		h.sp.tell(Event{Kind: Lost, Part: t.part, Term: t.term, Err: why})
	}
}

// hearEnd takes in that a term has ended, before what is a consequence of that: what
// ran under it can have returned before the news has come.
func (h *host) hearEnd(t *tenancy) {
	cause := context.Cause(t.tenure.Context())
	if cause == nil || errors.Is(cause, ErrMoved) {
		return // it lasts, or we have ended it
	}
	h.step(h.holdings[t.part], leaseEnded{number: t.term.Number(), why: endOf(cause)})
}

// unlate takes back that OnGain is late.
func (h *host) unlate(t *tenancy) {
	if t.late {
		t.late = false
		h.sp.tell(Event{Kind: Unstuck, Part: t.part, Term: t.term})
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
