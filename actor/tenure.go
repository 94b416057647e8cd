package actor

import (
	"context"
	"errors"
	"sync"
)

// ErrTermOver is the exit reason of a holder whose term has ended, and what its
// sends return from then on. It wraps the cause where there is one.
var ErrTermOver = errors.New("the term is over")

// Tenure is a term while it lasts: the term, the check that must pass before
// each dispatch and each send, and all the processes that act under it. It is
// given to a process at Spawn and inherited by what that process spawns.
type Tenure struct {
	term  Term
	check func() error
	ctx   context.Context

	cancel context.CancelCauseFunc
	gone   chan struct{} // closed when it has ended and no process is left

	claims claims // of the mail that its processes send

	inherited any  // the state that the holder before handed over,
	inherits  bool // if it did

	mu        sync.Mutex
	over      bool
	heir      Heir // gets what is left, when it is handed over
	processes map[*Process]struct{}
}

// NewTenure makes a tenure that lasts until parent is done or End is called.
// check (nil: always passes) must return nil only while the lease behind the
// term holds; it is called before every send, from any goroutine, and must not
// block.
func NewTenure(parent context.Context, term Term, check func() error) *Tenure {
	t := &Tenure{
		term:      term,
		check:     check,
		gone:      make(chan struct{}),
		processes: make(map[*Process]struct{}),
		claims:    claims{term: term},
	}
	t.ctx, t.cancel = context.WithCancelCause(parent)
	context.AfterFunc(t.ctx, func() { t.End(context.Cause(t.ctx)) })
	return t
}

// Term is the term that this is the tenure of.
func (t *Tenure) Term() Term { return t.term }

// Context is done when the tenure has ended; its cause says why.
func (t *Tenure) Context() context.Context { return t.ctx }

// Check returns nil while whoever acts under the tenure may do so; otherwise an
// error that wraps [ErrTermOver].
func (t *Tenure) Check() error {
	if t.ctx.Err() != nil {
		return termOver(context.Cause(t.ctx))
	}
	if t.check == nil {
		return nil
	}
	if err := t.check(); err != nil {
		return termOver(err)
	}
	return nil
}

// within asks a context for the process that it comes from.
type within struct{}

// ProcessOf is the process that ctx is, or comes from; nil: none.
func ProcessOf(ctx context.Context) *Process {
	p, _ := ctx.Value(within{}).(*Process)
	return p
}

// CheckTerm is Process.CheckTerm of the process that acts within ctx; nil where
// none does. Whoever waits on behalf of a holder asks it again after the wait.
func CheckTerm(ctx context.Context) error {
	if p, ok := ctx.(interface{ CheckTerm() error }); ok {
		return p.CheckTerm()
	}
	if p := ProcessOf(ctx); p != nil {
		return p.CheckTerm()
	}
	return nil
}

// End ends the tenure: every process in it must stop, with an exit reason that
// wraps [ErrTermOver] and cause, and nothing more is sent or spawned under it.
// It does not wait; see Ended.
func (t *Tenure) End(cause error) {
	if cause == nil || errors.Is(cause, context.Canceled) {
		cause = ErrTermOver
	}
	t.cancel(cause)
	t.mu.Lock()
	if t.over {
		t.mu.Unlock()
		return
	}
	t.over = true
	left := make([]*Process, 0, len(t.processes))
	for p := range t.processes {
		left = append(left, p)
	}
	if len(left) == 0 {
		close(t.gone)
	}
	t.mu.Unlock()
	for _, p := range left {
		p.stop(termOver(cause))
	}
}

// lapsed says whether the process acts under a term that is over. It reads nothing
// any more, though it may not have noticed yet: what were confirmed to its sender now
// would be lost.
func (p *Process) lapsed() bool { return p.tenure != nil && p.tenure.Check() != nil }

// Ended is closed when the tenure has ended and every process spawned in it has
// returned. Only then may its name pass to somebody else.
func (t *Tenure) Ended() <-chan struct{} { return t.gone }

// Processes is how many processes act under the tenure.
func (t *Tenure) Processes() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.processes)
}

func (t *Tenure) add(p *Process) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over || t.ctx.Err() != nil {
		return termOver(context.Cause(t.ctx))
	}
	t.processes[p] = struct{}{}
	return nil
}

func (t *Tenure) remove(p *Process) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.processes, p)
	if t.over && len(t.processes) == 0 {
		close(t.gone)
	}
}

func termOver(cause error) error {
	if cause == nil || cause == ErrTermOver || errors.Is(cause, context.Canceled) {
		return ErrTermOver
	}
	if errors.Is(cause, ErrTermOver) {
		return cause
	}
	return &overError{cause}
}

type overError struct{ cause error }

func (e *overError) Error() string   { return ErrTermOver.Error() + ": " + e.cause.Error() }
func (e *overError) Unwrap() []error { return []error{ErrTermOver, e.cause} }
