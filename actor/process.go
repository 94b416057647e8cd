package actor

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
	"unique"
)

// Func is a process as straight-line code. The error it returns is its exit
// reason; nil is [Normal]. It should return soon after p is done.
type Func func(p *Process) error

// Handler is an event-driven process: it owns no goroutine while idle. Receive
// is called with one message at a time. The first error it returns ends the
// process with that reason; [Normal] ends it well.
type Handler interface {
	Receive(p *Process, m Message) error
}

// Process is a mailbox and the code that reads it. It is a context.Context,
// done when the process must stop (an exit signal, the end of its term, the
// node's leaving) with the exit reason as its cause, so that what the code
// calls stops by itself.
//
// Send, Exit and the Context methods are safe from any goroutine; everything
// else only from the process's own.
type Process struct {
	// What its reader touches with each message and what its senders do (box)
	// are in cache lines of their own. The first line hardly changes.
	sys      *System
	pid      PID
	tenure   *Tenure
	handler  Handler
	wake     chan struct{}
	stopping atomic.Bool
	tight    bool // a small mailbox, whose count is always exact
	traits   traits
	ended    bool // guarded by mu, as trap is
	trap     bool

	// The reader's own.
	queue   batch
	head    int // the first unread of queue
	left    int // unread of queue that count against the limit
	lastRef uint64
	timer   *time.Timer

	box mailbox

	mu     sync.Mutex // guards what follows
	reason error      // set when it must stop
	sleeps uint32     // how often it has begun to wait for mail; guarded by box.mu
	open   int32      // how many calls
	onExit func(PID, error)
	calls  *openCall // in the mailbox, or taken and not answered yet
	ctx    context.Context
	cancel context.CancelCauseFunc
	ties   *ties

	nextReady *Process // guarded by sys.runners.mu
}

// traits are what a process is from its start to its end, in one byte: see Process.
type traits uint8

const (
	isEndless traits = 1 << iota // a drain does not wait for it
	isKept                       // its supervisor, or whoever has spawned it, stops it when the system stops
)

// ties are what binds a process to others; most processes have few or none.
type ties struct {
	links    map[PID]struct{}
	monitors map[Ref]PID             // ours on others
	watchers map[watcher]struct{}    // others' on us
	nodes    []unique.Handle[NodeID] // where any of these live, calls included
	names    []string
	ends     []func(PID, error)
	started  func() // tells the supervisor
	timers   *Timer // pending; they end with the process
	sealed   error  // the reason to stop with when all mail is read; nil: not sealed
	tracing  *tracing
	callers  map[caller]*openCall // the calls from other nodes; nil: not needed yet
}

type watcher struct {
	pid PID
	ref uint64
}

// Self is the process's own PID.
func (p *Process) Self() PID { return p.pid }

// Term is the term that the process acts under; zero unless it, or one that
// spawned it, holds a global or a part.
func (p *Process) Term() Term {
	if p.tenure == nil {
		return Term{}
	}
	return p.tenure.term
}

// CheckTerm returns nil while the lease of the process's term holds, or if it
// has none. Code that acts on the outside world checks before it does. It makes
// no request.
func (p *Process) CheckTerm() error {
	if p.tenure == nil {
		return nil
	}
	return p.tenure.Check()
}

// Deadline: a process has none.
func (p *Process) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done is closed when the process must stop.
func (p *Process) Done() <-chan struct{} { return p.context().Done() }

// Err is context.Canceled once the process must stop; context.Cause(p) is why.
func (p *Process) Err() error {
	if p.stopping.Load() {
		return p.context().Err()
	}
	return nil
}

// Value is that of the message which the process works on, if the system has a
// Tracer; it also lets contexts derived from p find what they derive from.
func (p *Process) Value(key any) any {
	if key == (within{}) {
		return p
	}
	if p.sys.cfg.Tracer != nil {
		if ctx := p.traced(); ctx != nil {
			if v := ctx.Value(key); v != nil {
				return v
			}
		}
	}
	return p.context().Value(key)
}

func (p *Process) context() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx == nil {
		p.ctx, p.cancel = context.WithCancelCause(context.Background())
		if p.reason != nil {
			p.cancel(p.reason)
		}
	}
	return p.ctx
}

// Cause is the reason why the process must stop, or nil.
func (p *Process) cause() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reason
}

func (p *Process) hasEnded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

// stop makes the process stop with that reason; the first one counts.
func (p *Process) stop(reason error) {
	p.mu.Lock()
	stops := p.stopLocked(reason)
	p.mu.Unlock()
	if stops {
		p.rouseToStop()
	}
}

// stopLocked is the part of stop under p.mu; rouseToStop follows if it says so.
// The context is cancelled before p.mu is released, so that whoever sees that
// the process is stopping finds the cause there too.
func (p *Process) stopLocked(reason error) bool {
	if p.reason != nil || p.ended {
		return false
	}
	p.reason = orNormal(reason)
	p.stopping.Store(true)
	if p.cancel != nil {
		p.cancel(p.reason)
	}
	return true
}

func (p *Process) rouseToStop() {
	p.box.mu.Lock()
	if p.box.waiting == waitingReply {
		p.rouse(waitingReply)
	} else {
		p.rouse(waitingMail)
	}
}

// signal is an exit signal: from a linked process (linked) or from Exit. What
// it does is done before p.mu is released: an Unlink that finds the link gone
// already also finds p stopped, or the Exited in its mailbox.
func (p *Process) signal(from PID, reason error, linked bool) {
	p.mu.Lock()
	if linked && !p.dropLinkLocked(from) {
		p.mu.Unlock()
		return // unlinked in the meantime
	}
	stops := false
	switch {
	case p.trap && (linked || reason != Killed):
		p.push(from, Exited{From: from, Reason: reason}, nil, false)
	case linked && reason == Normal:
	default:
		stops = p.stopLocked(reason)
	}
	p.mu.Unlock()
	if stops {
		p.rouseToStop()
	}
}

func (p *Process) runFunc(f Func) {
	defer func() { p.finish(recover()) }()
	p.result(f(p))
}

// mustStop is asked before each message is handed out: a process must stop when
// it was told to, and a holder as soon as its lease has lapsed, told or not.
func (p *Process) mustStop() bool {
	if p.tenure != nil && !p.stopping.Load() {
		if err := p.tenure.Check(); err != nil {
			p.stop(err)
		}
	}
	return p.stopping.Load()
}

func (p *Process) runHandler() {
	idle := false
	defer func() {
		if !idle {
			p.finish(recover())
		}
	}()
	for {
		if p.mustStop() {
			p.result(nil)
			return
		}
		var m Message
		if !p.next(&m) {
			if p.box.door == doorSealed {
				p.box.mu.Unlock()
				p.stop(p.sealedFor())
				continue
			}
			if idle = !p.stopping.Load(); idle {
				p.box.waiting = waitingMail
				p.sleeps++
				p.shed()
			}
			p.box.mu.Unlock()
			if idle {
				return
			}
			continue
		}
		traced := p.sys.cfg.Tracer != nil
		if traced {
			p.traceReceive(&m)
		}
		if err := p.handler.Receive(p, m); err != nil {
			p.result(err)
			return
		}
		if traced {
			p.traceDone(nil)
		}
	}
}

// result notes how the code ended; finish's function acts on it.
func (p *Process) result(reason error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// A process that was told to stop and then returns says the same with
	// p's own error, or nil, as with the reason itself.
	if p.reason != nil && (reason == nil || errors.Is(reason, context.Canceled)) {
		reason = p.reason
	}
	if reason == nil && p.ties != nil {
		reason = p.ties.sealed
	}
	p.reason = orNormal(reason)
	p.ended = true
}

// finish ends the process after its code has: with the panic, if there was one.
func (p *Process) finish(panicked any) {
	p.mu.Lock()
	switch {
	case panicked != nil:
		p.reason = &PanicError{Value: panicked, Stack: debug.Stack()}
	case !p.ended:
		p.reason = ErrGoexit
	}
	p.ended = true
	p.mu.Unlock()
	p.leave()
}
