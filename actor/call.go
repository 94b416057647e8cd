package actor

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"time"
	"unique"
)

// openCall is a call that a process has not answered yet. It stands in the
// list of the process it was made to, so that its caller is told if that ends.
type openCall struct {
	from  PID
	ref   uint64
	owner *Process

	claims claims // those of its message: its term, and this call

	state      atomic.Uint32 // one of:
	prev, next *openCall     // guarded by owner.mu
}

// awaited is the one reply that a process waits for.
type awaited struct {
	ref     uint64 // of the call; 0: none is awaited
	node    unique.Handle[NodeID]
	there   bool // message and err are
	message Message
	err     error
}

// takeOut fills m, which is empty, and forgets the call.
func (r *awaited) takeOut(m *Message) {
	m.From.node, m.From.serial = r.message.From.node, r.message.From.serial
	m.Term = r.message.Term
	m.body = r.message.body
	*r = awaited{}
}

// maxOwed bounds the calls that a process has taken and not answered: they are
// memory that its callers make it hold, as mail is. A process has at most so many
// open, and as many as its mailbox has room for; more are refused as mail above
// the mailbox's bound is under Refuse.
const maxOwed = 1 << 20

const (
	callOpen      = iota
	callAnswered  // or its caller was told that it will not be
	callForgotten // its caller waits no longer
)

// Caller can make calls: a *Process, a node, or one of these with a bound.
type Caller interface {
	// Request sends body as a call and waits for the reply. Use [Call]. The Message
	// has a sender also where the reply is an error; it has none where there was no
	// reply.
	Request(to PID, body any) (Message, error)
}

// Call sends body to a process and waits for its Reply, which must be an R. It
// ends, with an error that says which, when the process is not there or ends
// without an answer (wraps [NoProcess] and its exit reason), when the link to
// its node breaks ([LinkLost]), when the caller must stop, or when a bound set
// by Within has passed ([ErrTimeout]). After LinkLost and ErrTimeout the call
// may still have been carried out. Other mail waits meanwhile.
func Call[R any](c Caller, to PID, body any) (R, error) {
	var zero R
	m, err := c.Request(to, body)
	if err != nil {
		return zero, err
	}
	v, err, claimed := as[R](m.body, m.call())
	switch {
	case err == nil:
		return v, nil
	case claimed:
		return zero, err
	default:
		return zero, fmt.Errorf("%w: a %s, not a %s", ErrUnexpectedReply, m.Type(), reflect.TypeFor[R]())
	}
}

// EndedError is what a call returns when the process ended before it answered.
type EndedError struct {
	PID PID
	// Reason is its exit reason. Nil: the call was certainly never taken up, as
	// the process was not there any more or ended with the call unread.
	Reason error
}

func (e *EndedError) Error() string {
	if e.Reason == nil {
		return fmt.Sprintf("%s: %v", e.PID, NoProcess)
	}
	return fmt.Sprintf("%s ended before it replied: %v", e.PID, e.Reason)
}

// Unwrap gives NoProcess and the exit reason.
func (e *EndedError) Unwrap() []error {
	if e.Reason == nil {
		return []error{NoProcess}
	}
	return []error{NoProcess, e.Reason}
}

type bounded struct {
	p *Process
	d time.Duration
}

func (b bounded) Request(to PID, body any) (Message, error) {
	timer := b.p.startTimer(b.d)
	defer timer.Stop()
	ctx := b.context()
	defer ctx.end()
	return b.p.request(ctx, to, body, timer.C)
}

// boundContext bounds the sending of a call, which may wait under
// back-pressure. It becomes a context only if it has to: most calls do not wait.
type boundContext struct {
	*Process
	until  time.Time
	once   sync.Once
	ctx    context.Context
	cancel context.CancelFunc
}

func (c *boundContext) get() context.Context {
	c.once.Do(func() { c.ctx, c.cancel = context.WithDeadlineCause(c.Process, c.until, ErrTimeout) })
	return c.ctx
}

func (c *boundContext) end() {
	if c.cancel != nil {
		c.cancel()
	}
}

func (c *boundContext) Deadline() (time.Time, bool) { return c.until, true }
func (c *boundContext) Done() <-chan struct{}       { return c.get().Done() }
func (c *boundContext) Err() error                  { return c.get().Err() }
func (c *boundContext) Value(key any) any           { return c.get().Value(key) }

// Request makes p a Caller.
func (p *Process) Request(to PID, body any) (Message, error) { return p.request(p, to, body, nil) }

func (p *Process) request(ctx context.Context, to PID, body any, timeout <-chan time.Time) (Message, error) {
	if err := p.CheckTerm(); err != nil {
		return Message{}, err
	}
	if p.stopping.Load() {
		return Message{}, p.cause()
	}
	p.lastRef++
	e := Envelope{Kind: KindCall, From: p.pid, To: to, Term: p.Term(), Ref: p.lastRef, Body: body}
	if p.sys.cfg.Tracer == nil {
		return p.exchange(ctx, &e, timeout)
	}
	answered := p.sys.traceSend(ctx, &e)
	m, err := p.exchange(ctx, &e, timeout)
	if answered != nil {
		answered(err)
	}
	return m, err
}

// exchange sends a call and waits for its answer.
func (p *Process) exchange(ctx context.Context, e *Envelope, timeout <-chan time.Time) (m Message, err error) {
	b := &p.box
	b.mu.Lock()
	if b.reply == nil {
		b.reply = new(awaited)
	}
	b.reply.ref, b.reply.node = e.Ref, e.To.node
	b.mu.Unlock()
	call, err := p.sys.sendCall(ctx, p, e)
	sent, inTime := err == nil, true
	if sent {
		inTime = p.sleep(waitingReply, timeout)
	}
	b.mu.Lock()
	replyErr, replied := b.reply.err, b.reply.there
	b.reply.takeOut(&m)
	b.mu.Unlock()
	switch {
	case replied && p.tenure != nil && p.mustStop():
		return Message{}, p.cause() // a reply is mail too: none is handed out after the lease
	case replied:
		if lost, ok := replyErr.(lostCall); ok {
			replyErr = lost(e.To)
		}
		return m, replyErr
	case !sent:
		return Message{}, err
	case p.stopping.Load():
		err = p.cause()
	case !inTime:
		err = fmt.Errorf("call to %s: %w", e.To, ErrTimeout)
	}
	p.sys.cancelCall(e, call)
	return Message{}, err
}

// sendCall sends a call of sender (nil: of the node). What it returns besides
// the error is the call, if it is to a process of this node.
func (s *System) sendCall(ctx context.Context, sender *Process, e *Envelope) (*openCall, error) {
	if e.To.node != s.self.node {
		if e.To.IsZero() {
			return nil, fmt.Errorf("call to nobody: %w", NoProcess)
		}
		if sender != nil {
			sender.tie(e.To.node)
		}
		return nil, s.route(ctx, e)
	}
	if sender != nil && e.To == sender.pid {
		return nil, fmt.Errorf("%s calls itself and would wait for ever", e.To)
	}
	if !s.admit(*e) {
		s.DeadLetter(e.dead(DeadStaleTerm))
		return nil, ErrTermOver
	}
	target := s.target(*e)
	if target == nil {
		return nil, &EndedError{PID: e.To}
	}
	call, why := target.newCall(*e)
	if call == nil {
		s.DeadLetter(e.dead(why))
		if why == DeadMailboxFull {
			return nil, fmt.Errorf("%w: %s owes too many answers", ErrMailboxFull, e.To)
		}
		return nil, refusal(why, e.To)
	}
	for {
		switch target.push(e.From, e.Body, &call.claims, false) {
		case pushFull:
			if target.box.policy == Refuse {
				call.close(callAnswered)
				s.DeadLetter(e.dead(DeadMailboxFull))
				return nil, fmt.Errorf("%w: %s", ErrMailboxFull, e.To)
			}
			if room := target.room(); room != nil {
				select {
				case <-room:
				case <-ctx.Done():
					call.close(callAnswered)
					return nil, fmt.Errorf("waiting for room in the mailbox of %s: %w", e.To, context.Cause(ctx))
				}
				if err := CheckTerm(ctx); err != nil {
					call.close(callAnswered)
					return nil, err // the wait has outlasted the lease
				}
			}
		case pushStale:
			call.close(callAnswered)
			s.DeadLetter(e.dead(DeadStaleTerm))
			return nil, ErrTermOver
		case pushClosed:
			s.refuse(e, call, DeadNoProcess)
			return call, nil
		default:
			return call, nil
		}
	}
}

// cancelCall tells the other side that nobody waits for that reply any more.
func (s *System) cancelCall(e *Envelope, call *openCall) {
	if call != nil {
		call.close(callForgotten)
		return
	}
	e.Kind, e.Body = KindCancel, nil
	_ = s.route(expired, e) // best effort: the reply would come late
}

// expired is the context of what must not wait.
var expired = func() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errWouldWait)
	return ctx
}()

var errWouldWait = errors.New("it would have to wait")

// newCall notes a call to p, or says why p does not take it.
func (p *Process) newCall(e Envelope) (*openCall, DeadReason) {
	c := &openCall{from: e.From, ref: e.Ref, owner: p}
	c.claims = claims{e.Term, e.Carrier, c}
	p.mu.Lock()
	defer p.mu.Unlock()
	if why := p.openLocked(c); why != 0 {
		return nil, why
	}
	return c, 0
}

// openLocked puts a call in p's list, or says why not: p has ended
// (DeadNoProcess), or owes too many answers (DeadMailboxFull).
func (p *Process) openLocked(c *openCall) DeadReason {
	switch {
	case p.ended:
		return DeadNoProcess
	case int(p.open)-p.sys.owed >= p.box.limit:
		return DeadMailboxFull
	}
	p.open++
	if c.next = p.calls; c.next != nil {
		c.next.prev = c
	}
	p.calls = c
	if c.from.node != p.pid.node {
		p.tieLocked(c.from.node)
		if p.ties.callers != nil {
			p.ties.callers[caller{c.from, c.ref}] = c
		}
	}
	return 0
}

// caller is by what its node knows a call.
type caller struct {
	pid PID
	ref uint64
}

// close takes the call off its owner's list. It says whether the call was still
// open, so that exactly one answer is given.
func (c *openCall) close(state uint32) bool {
	if !c.state.CompareAndSwap(callOpen, state) {
		return false
	}
	c.owner.mu.Lock()
	defer c.owner.mu.Unlock()
	c.owner.open--
	switch {
	case c.prev != nil:
		c.prev.next = c.next
	case c.owner.calls == c:
		c.owner.calls = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
	if t := c.owner.ties; t != nil && t.callers != nil {
		if k := (caller{c.from, c.ref}); t.callers[k] == c {
			delete(t.callers, k)
		}
		if c.owner.open == 0 {
			t.callers = nil // what a map has grown to it keeps
		}
	}
	return true
}

// forget drops a call from another node whose caller waits no longer.
func (p *Process) forget(from PID, ref uint64) {
	if c := p.called(from, ref); c != nil {
		c.close(callForgotten)
	}
}

// fewCalls is among how many a call is looked for one by one.
const fewCalls = 16

// called finds an open call from another node, or nil. Whoever holds up the node's
// link asks, for each call that is given up: among many it must not search.
func (p *Process) called(from PID, ref uint64) *openCall {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ties == nil {
		return nil // p has ended, and fails them all; or nobody from another node calls
	}
	if p.open <= fewCalls {
		c := p.calls
		for c != nil && (c.from != from || c.ref != ref) {
			c = c.next
		}
		return c
	}
	if p.ties.callers == nil {
		p.ties.callers = make(map[caller]*openCall, p.open)
		for c := p.calls; c != nil; c = c.next {
			if c.from.node != p.pid.node {
				p.ties.callers[caller{c.from, c.ref}] = c
			}
		}
	}
	return p.ties.callers[caller{from, ref}]
}

// Reply answers a call. Any process of this node may answer, once: the one
// called can pass the message to one it spawns, but if the one called ends
// first, its caller has been told so. A body that is an error fails the call:
// its caller's Call returns it. ErrNoReplyWanted: m is no call, or was answered.
// An answer to a caller that waits no longer is a dead letter, and no error. An
// answer that cannot be encoded for another node is an error, and the call stays
// open for another answer.
func (p *Process) Reply(m Message, body any) error {
	if m.call() == nil {
		return ErrNoReplyWanted
	}
	if err := p.CheckTerm(); err != nil {
		return err
	}
	e := Envelope{Kind: KindReply, From: p.pid, To: m.call().from, Term: p.Term(), Ref: m.call().ref, Body: body}
	if err, failed := body.(error); failed {
		e.Kind, e.Body, e.Reason = KindReplyError, nil, err
	}
	if e.To.node != p.pid.node && m.call().state.Load() == callOpen {
		if err := p.sys.route(p, &e); err != nil {
			return err // still open: the caller can be given another answer
		}
		m.call().close(callAnswered)
		return nil
	}
	switch {
	case m.call().close(callAnswered):
		p.sys.deliverReply(e)
	case m.call().state.Load() == callForgotten:
		p.sys.DeadLetter(e.dead(DeadLateReply))
	default:
		return ErrNoReplyWanted
	}
	return nil
}

// fail answers a call, if it is one and still open, with that error.
func (c *openCall) fail(err error) {
	if c != nil && c.close(callAnswered) {
		c.owner.sys.answer(c, c.owner.pid, err)
	}
}

// answer replies to a call on behalf of a process that cannot.
func (s *System) answer(c *openCall, from PID, reason error) {
	e := Envelope{Kind: KindReplyError, From: from, To: c.from, Ref: c.ref, Reason: reason}
	if e.To.node == s.self.node {
		s.deliverReply(e)
		return
	}
	_ = s.route(context.Background(), &e) // if the link is lost, its end tells the caller
}

// deliverReply hands a reply to its waiting caller on this node.
func (s *System) deliverReply(e Envelope) Delivery {
	if !s.admit(e) {
		s.DeadLetter(e.dead(DeadStaleTerm))
		// No other answer will come: the call fails.
		s.resolve(e.To, e.Ref, e.From, Term{}, nil, ErrTermOver)
		return Stale
	}
	if !s.resolve(e.To, e.Ref, e.From, e.Term, e.Body, e.Reason) {
		s.DeadLetter(e.dead(DeadLateReply))
		return Refused
	}
	return Accepted
}

// DeliverReply is Deliver for a reply from another node under no term.
func (s *System) DeliverReply(from, to PID, ref uint64, body any) Delivery {
	if !s.resolve(to, ref, from, Term{}, body, nil) {
		s.DeadLetter(DeadLetter{From: from, To: to, Type: typeName(body), Reason: DeadLateReply})
		return Refused
	}
	return Accepted
}

// resolve ends the waiting for a reply. It says false if nobody waits for it.
func (s *System) resolve(caller PID, ref uint64, from PID, t Term, body any, err error) bool {
	if caller.serial == 0 {
		return s.calls.resolve(ref, Message{From: from, Term: t, body: body}, err)
	}
	p := s.table.get(caller.serial)
	if p == nil || ref == 0 {
		return false
	}
	b := &p.box
	b.mu.Lock()
	r := b.reply
	if r == nil || r.ref != ref || r.there {
		b.mu.Unlock()
		return false
	}
	// Piece by piece: see mailbox.append.
	r.message.From.node, r.message.From.serial = from.node, from.serial
	r.message.Term = t
	r.message.body = body
	r.err, r.there = err, true
	p.rouse(waitingReply)
	return true
}
