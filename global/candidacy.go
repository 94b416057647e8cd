package global

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
)

// Candidacy is a node's standing offer for a name. Its loop owns the election
// and everything that goes with it; others reach it through its inbox.
type candidacy struct {
	g    *Globals
	name string
	base string // every guid begins with it

	mu       sync.Mutex
	inbox    []any // events, and the items below
	wake     chan struct{}
	finished bool
	held     *tenancy      // while a term lasts, for Holding
	untie    func() bool   // stops what the last offer was tied to from withdrawing it
	ties     int           // counts offers; what an earlier one was tied to has no say
	done     chan struct{} // closed when finished and out of Globals

	// The loop's own.
	ctx      context.Context // of its requests
	cancel   context.CancelFunc
	requests sync.WaitGroup
	state    election
	session  *keeper.Session
	code     Code
	leases   map[uint64]*keeper.Lease
	term     *tenancy
	lastErr  error // of the last request that failed
	standing []chan error
	leaving  []chan error

	handing     *handOver // the last
	early       []any     // questions about a candidate that is being created
	backing     []goBack  // those whose candidate has to be replaced yet
	inheritance inheritance
}

// What comes into the inbox beside events.
type (
	offer struct {
		code   Code
		stands chan error // told once: nil when the candidacy stands
	}
	takeBack struct{ gone chan error } // told once: nil when nothing is left
	newLease struct {                  // before its claimed
		op    uint64
		lease *keeper.Lease
	}
	newSession struct{ session *keeper.Session }
	failure    struct { // before its failed
		err error
	}
)

func newCandidacy(g *Globals, name string) *candidacy {
	c := &candidacy{
		g: g, name: name,
		base:   fmt.Sprintf("%016x.", rand.Uint64()),
		wake:   make(chan struct{}, 1),
		done:   make(chan struct{}),
		leases: make(map[uint64]*keeper.Lease),
	}
	c.state = newElection(c.base)
	c.ctx, c.cancel = context.WithCancel(g.ctx)
	return c
}

// post hands the loop something. It never blocks. It says false when the
// candidacy has finished.
func (c *candidacy) post(items ...any) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.postLocked(items...)
}

func (c *candidacy) postLocked(items ...any) bool {
	if c.finished {
		return false
	}
	c.inbox = append(c.inbox, items...)
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return true
}

// run is the loop.
func (c *candidacy) run() {
	defer c.close()
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	for {
		c.mu.Lock()
		items := c.inbox
		c.inbox = nil
		if len(items) == 0 && c.state.phase == withdrawn {
			c.finished = true
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		for _, item := range items {
			c.take(item)
		}
		if len(items) > 0 {
			continue
		}
		var rings <-chan time.Time
		now := c.g.now()
		if at := c.state.alarm(now); at != 0 {
			alarm.Reset(at - now)
			rings = alarm.C
		}
		select {
		case <-c.wake:
		case <-rings:
			c.step(timer{})
		case <-c.ctx.Done():
			c.mu.Lock()
			c.finished = true
			c.mu.Unlock()
			return
		}
	}
}

// close leaves nothing behind that the loop was responsible for.
func (c *candidacy) close() {
	c.cancel()
	c.requests.Wait()
	c.mu.Lock()
	left := c.inbox
	c.inbox = nil
	if c.untie != nil {
		c.untie()
	}
	c.mu.Unlock()
	c.leaveTransfer(left)
	for _, item := range left { // a request may have brought a lease at the last moment
		switch i := item.(type) {
		case newLease:
			i.lease.Release()
		case offer:
			i.stands <- ErrClosed
		case takeBack:
			i.gone <- ErrClosed
		}
	}
	if t := c.term; t != nil {
		t.tenure.End(ErrClosed) // Close ran out of time; no matter how, it stops
		c.g.recordEnded(t)
	}
	c.g.forget(c)
	if c.state.phase == withdrawn {
		tell(&c.standing, ErrWithdrawn)
		tell(&c.leaving, nil)
	} else {
		tell(&c.standing, ErrClosed)
		tell(&c.leaving, ErrClosed)
	}
	close(c.done)
}

// take deals with one item of the inbox.
func (c *candidacy) take(item any) {
	switch i := item.(type) {
	case offer:
		c.code = i.code
		c.standing = append(c.standing, i.stands)
		if c.state.phase == withdrawn {
			tell(&c.leaving, nil)
		} else {
			tell(&c.leaving, ErrRegisteredAgain)
		}
		c.step(registered{})
	case takeBack:
		c.leaving = append(c.leaving, i.gone)
		c.step(withdraw{})
	case newSession:
		c.session = i.session
		c.step(sessionUp{id: i.session.ID(), t: i.session.Timeout()})
	case newLease:
		if err := i.lease.Check(); err != nil { // the reply took longer than it was worth
			i.lease.Release()
			c.step(failed{op: i.op, why: endOf(err)})
			return
		}
		c.leases[i.op] = i.lease
		heard := int64(-1)
		if h, ok := c.g.terms().Highest(c.numbered(c.state.czxid)); ok {
			heard = h.Number()
		}
		c.step(claimed{op: i.op, heard: heard})
	case failure:
		c.lastErr = i.err
	case holderReason:
		i.t.reason = i.reason
	default:
		if !c.takeTransfer(item) {
			c.step(item)
		}
	}
}

// step lets the election go on and does what it wants.
func (c *candidacy) step(e event) {
	next, actions := step(c.state, e, c.g.now())
	c.state = next
	for _, a := range actions {
		c.do(a)
	}
	switch next.phase {
	case looking, waiting, claiming, holding:
		tell(&c.standing, nil)
	}
	c.stepped()
	if c.inheritance.candidate != next.mine { // that one will hold no term
		c.inheritance = inheritance{}
	}
}

func (c *candidacy) do(a action) {
	switch a := a.(type) {
	case create:
		c.create(a)
	case list:
		c.list(a)
	case readOwn:
		c.readOwn(a)
	case readPred:
		c.readPred(a)
	case claim:
		c.claim(a)
	case publish:
		c.publish(a)
	case remove:
		c.remove(a)
	case begin:
		c.begin(a)
	case end:
		c.end(a)
	case pass:
		c.pass(a)
	case release:
		if l := c.leases[a.lease]; l != nil {
			delete(c.leases, a.lease)
			l.Release()
		}
	case report:
		c.report(a)
	}
}

func (c *candidacy) report(a report) {
	switch a.what {
	case reportWithdrawn:
		c.g.tell(Withdrawn{Name: c.name})
		tell(&c.standing, ErrWithdrawn)
	case reportStuck:
		c.g.tell(Stuck{Term: c.term.term, PID: c.term.pid})
		c.g.bar(+1)
	case reportUnstuck:
		c.g.bar(-1)
		c.g.tell(Unstuck{Term: c.term.term})
	case reportStrange:
		c.g.strange(c.g.paths.Candidate(c.name, a.name), "its name is not a candidate's, or it is not ephemeral")
	case reportRefused:
		c.g.tell(Refused{Name: c.name, Err: c.lastErr})
		tell(&c.standing, c.lastErr)
	case reportWentBack:
		heard, _ := c.g.terms().Highest(c.numbered(c.state.czxid))
		c.g.tell(WentBack{Name: c.name, Number: c.state.czxid, Heard: heard})
	}
}

// numbered is the term of that number in the present cluster.
func (c *candidacy) numbered(n int64) actor.Term {
	cluster := ""
	if c.session != nil {
		cluster = c.session.ClusterID()
	}
	return actor.MakeTerm(cluster, c.name, n)
}

// tell answers everybody who waits, once.
func tell(waiting *[]chan error, err error) {
	for _, ch := range *waiting {
		ch <- err // has room for one
	}
	*waiting = nil
}

// classify says what is known about a request that failed.
func classify(err error) why {
	switch {
	case errors.Is(err, keeper.ErrSessionLost), errors.Is(err, keeper.ErrClosed):
		return over
	case errors.Is(err, keeper.ErrUnknownOutcome):
		return unknown
	case errors.Is(err, keeper.ErrNoNode):
		return gone
	case errors.Is(err, keeper.ErrLeaseLapsed):
		return lapsed
	case errors.Is(err, keeper.ErrNoAuth), errors.Is(err, keeper.ErrAuthFailed),
		errors.Is(err, keeper.ErrBadRequest), errors.Is(err, keeper.ErrTooLarge):
		return refused
	case errors.Is(err, keeper.ErrNotConnected):
		return unsent
	default:
		return unknown
	}
}
