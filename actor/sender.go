package actor

import (
	"context"
	"errors"
	"time"
)

// Sender is who sends, calls and looks up: a *Process, the same with a bound
// ([Process.Within]), or a node within a context (its With and Within).
type Sender interface {
	Caller
	// Send is [Process.Send].
	Send(to PID, body any) error
	// GetCapable is [Process.GetCapable].
	GetCapable(service string) ([]PID, error)
	// Backlog is [System.Backlog].
	Backlog(pid PID) (n int, here bool)
}

// ErrNoCapable: nobody offers the service, or is in the set, that mail was for.
var ErrNoCapable = errors.New("nobody offers that service")

// Backlog is how many messages wait in the mailbox of a process of this node;
// for a mailbox of more than 1,024 it may be behind by 63. A process that has
// ended has none. here says whether pid is of this node at all: of other nodes'
// processes nothing is known.
func (s *System) Backlog(pid PID) (n int, here bool) {
	if pid.node != s.self.node {
		return 0, false
	}
	p := s.table.get(pid.serial)
	if p == nil {
		return 0, true
	}
	p.box.mu.Lock()
	defer p.box.mu.Unlock()
	return p.box.counted + int(p.box.unread.Load()), true
}

// Backlog is [System.Backlog] of p's node. It may be called from any goroutine.
func (p *Process) Backlog(pid PID) (n int, here bool) { return p.sys.Backlog(pid) }

// Within is p as a Sender each of whose calls, sends and look-ups ends after d
// with [ErrTimeout]. With a d of 0 or less nothing is waited for.
func (p *Process) Within(d time.Duration) Sender { return bounded{p, d} }

func (b bounded) Send(to PID, body any) error {
	if err := b.p.CheckTerm(); err != nil {
		return err
	}
	ctx := b.context()
	defer ctx.end()
	return b.p.sys.send(ctx, b.p, Envelope{Kind: KindMessage, From: b.p.pid, To: to, Term: b.p.Term(), Body: body})
}

func (b bounded) GetCapable(service string) ([]PID, error) {
	if b.p.sys.cfg.Directory == nil {
		return nil, ErrNoDirectory
	}
	ctx := b.context()
	defer ctx.end()
	return b.p.sys.cfg.Directory.GetCapable(ctx, service)
}

// Bounded is a Caller whose calls end with a context: what Within and With give.
type Bounded interface {
	Caller
	// Bound is for a call that takes several tries: the context that the whole of it
	// ends with if it began then, and the same caller, all of whose calls do. cancel
	// gives it up.
	Bound(began time.Time) (ctx context.Context, c Caller, cancel context.CancelFunc)
}

// Bound makes it a Bounded.
func (b bounded) Bound(began time.Time) (context.Context, Caller, context.CancelFunc) {
	until := began.Add(b.d)
	ctx, cancel := context.WithDeadlineCause(b.p, until, ErrTimeout)
	return ctx, tries{b.p, ctx, until}, cancel
}

// tries is a process as a Caller until some time.
type tries struct {
	p     *Process
	ctx   context.Context
	until time.Time
}

func (t tries) Request(to PID, body any) (Message, error) {
	timer := t.p.startTimer(time.Until(t.until))
	defer timer.Stop()
	return t.p.request(t.ctx, to, body, timer.C)
}

func (b bounded) Backlog(pid PID) (n int, here bool) { return b.p.sys.Backlog(pid) }

func (b bounded) context() *boundContext {
	return &boundContext{Process: b.p, until: time.Now().Add(b.d)}
}
