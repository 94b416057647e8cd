package actor

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"
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
	v, err, claimed := as[R](m.body, m.From, m.call())
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
	b.reply.ref, b.reply.node, b.reply.serial = e.Ref, e.To.node, e.To.serial
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
