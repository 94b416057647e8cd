package task

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"conclave/actor"
)

// attempt is one of this worker's, from its assignment on.
type attempt struct {
	w      *worker
	a      assignment
	permit *permit

	// The loop's own.
	before   *attempt // an earlier attempt of ours at the same task, which has to return first
	started  bool
	returned bool     // its code has
	stuck    bool     // its code should have
	dropped  bool     // nobody wants to know how it ends
	out      *outcome // how it has ended
	unsent   bool     // and that is to be said
	sent     time.Time
	crowded  time.Time // when it first found no room on the node

	// Set before it starts.
	task    *Task
	handler Handler
	lease   *Lease // nil: a handler makes it

	// The attempt's own, until it has returned.
	end outcome

	over atomic.Bool // reported as failed, whatever its code does

	mu       sync.Mutex
	life     time.Time       // when it last showed life
	quiet    time.Duration   // how long it may show none; 0: for ever
	ctx      context.Context // nil: its code has not begun
	cancel   context.CancelCauseFunc
	stopped  error // to be stopped before it has begun
	ended    bool
	grace    *time.Timer
	watchdog *time.Timer
	saved    []byte // progress that the loop has not seen yet
	reached  []byte // the latest
}

// What comes into the inbox from attempts.
type (
	returned struct{ r *attempt } // its process has ended
	overdue  struct{ r *attempt } // its grace is over
	saved    struct{ r *attempt } // it has made progress
)

// busy says whether its code may still be at work.
func (r *attempt) busy() bool { return r.started && !r.returned && !r.stuck }

// run is the process of an attempt.
func (r *attempt) run(p *actor.Process) error {
	ctx, cancel := context.WithCancelCause(p)
	defer cancel(nil)
	if r.lease != nil {
		r.lease.begin(ctx, p.Done())
	}
	r.begin(ctx, cancel)
	lease := r.permit.lease.Context()
	defer context.AfterFunc(lease, func() { cancel(fmt.Errorf("%w: %w", ErrLost, context.Cause(lease))) })()
	if d := time.Duration(r.a.Timeout) * time.Millisecond; d > 0 {
		t := time.AfterFunc(d, func() { cancel(ErrTimeout) })
		defer t.Stop()
	}
	if r.lease == nil {
		defer context.AfterFunc(ctx, r.await)()
	}
	err := r.call(ctx)
	r.end = r.outcome(err, ctx)
	r.finish()
	return nil
}

// begin notes the context, so that others can end it.
func (r *attempt) begin(ctx context.Context, cancel context.CancelCauseFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.life, r.ctx, r.cancel = time.Now(), ctx, cancel
	if r.stopped != nil {
		cancel(r.stopped)
	}
	r.quiet = time.Duration(r.a.Beat) * time.Millisecond
	if r.quiet == 0 && r.lease != nil {
		r.quiet = leaseQuiet
	}
	if r.quiet > 0 {
		r.watchdog = time.AfterFunc(r.quiet, r.watch)
	}
}

// finish stops what was begun for the attempt.
func (r *attempt) finish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	for _, t := range []*time.Timer{r.grace, r.watchdog} {
		if t != nil {
			t.Stop()
		}
	}
}

// stop ends the context. It may be called from anywhere.
func (r *attempt) stop(cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cancel != nil {
		r.cancel(cause)
	} else if r.stopped == nil {
		r.stopped = cause
	}
}

// cause is why the context has ended, or nil.
func (r *attempt) cause() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.ctx == nil:
		return r.stopped
	case r.ctx.Err() == nil:
		return nil
	}
	return context.Cause(r.ctx)
}

// await gives the handler time to return, now that its context has ended.
func (r *attempt) await() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended {
		r.grace = time.AfterFunc(r.w.cfg.Grace, func() { r.w.post(overdue{r}) })
	}
}

// watch ends an attempt that shows no life.
func (r *attempt) watch() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return
	}
	if left := r.quiet - time.Since(r.life); left > 0 {
		r.watchdog.Reset(left)
		return
	}
	r.cancel(ErrHeartbeat)
}

// call runs the code. A panic of it is an error.
func (r *attempt) call(ctx context.Context) (err error) {
	whole := false
	defer func() {
		if p := recover(); p != nil {
			r.w.cfg.Logger.Error("a handler panicked", "scope", r.w.scope, "kind", r.a.Kind, "task", r.a.ID, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %s%s", fmt.Sprint(p), panicPlace())
		} else if !whole {
			r.end = r.outcome(errors.New("its handler has ended its goroutine"), ctx)
			r.finish()
		}
	}()
	if r.lease != nil {
		err = r.lease.hold()
	} else {
		err = r.handler(ctx, r.task)
	}
	whole = true
	return err
}

// panicPlace is where the code was that has panicked.
func panicPlace() string {
	pc := make([]uintptr, 64)
	frames := runtime.CallersFrames(pc[:runtime.Callers(2, pc)])
	for panicking := false; ; {
		f, more := frames.Next()
		switch inside := strings.HasPrefix(f.Function, "runtime."); {
		case f.Function == "runtime.gopanic":
			panicking = true
		case panicking && !inside && f.Function != "":
			return fmt.Sprintf(" (%s, %s:%d)", f.Function, f.File[strings.LastIndexByte(f.File, '/')+1:], f.Line)
		}
		if !more {
			return ""
		}
	}
}

// outcome is how the attempt has ended, when its code has just returned err.
func (r *attempt) outcome(err error, ctx context.Context) outcome {
	var cause error
	if ctx.Err() != nil {
		cause = context.Cause(ctx)
	}
	var again *retryError
	var discard *discardError
	switch {
	case errors.Is(cause, ErrLost), r.permit.lapse() != nil:
		return outcome{How: howLost}
	case err == nil:
		return outcome{How: howDone, Result: r.task.result, Type: r.task.resultType, Then: r.task.then}
	case errors.Is(cause, ErrCancelled):
		return outcome{How: howDiscard, Error: reason(err, cause)}
	case errors.Is(err, errReleased):
		return outcome{How: howReleased}
	case errors.As(err, &discard):
		return outcome{How: howDiscard, Error: reason(err, nil)}
	case errors.As(err, &again):
		return outcome{How: howAgain, Delay: ceil(again.after)}
	case departs(cause):
		return outcome{How: howReleased}
	}
	return outcome{How: howFailed, Error: reason(err, cause)}
}

// ceil is d in milliseconds, rounded up.
func ceil(d time.Duration) int64 {
	ms := d.Milliseconds()
	if time.Duration(ms)*time.Millisecond < d {
		ms++
	}
	return ms
}

// overdueOutcome is what is said of an attempt that was told to stop and does not;
// the zero outcome if nothing is to be said.
func (r *attempt) overdueOutcome() outcome {
	cause := r.cause()
	text := fmt.Sprintf("%v; %v later its handler had not returned", cause, r.w.cfg.Grace)
	switch {
	case errors.Is(cause, ErrLost):
		return outcome{How: howLost}
	case errors.Is(cause, ErrCancelled):
		return outcome{How: howDiscard, Error: text}
	case departs(cause):
		return outcome{} // it goes back with the znode
	}
	return outcome{How: howFailed, Error: text}
}

// departs says whether the context has ended because the worker, or its node, leaves.
func departs(cause error) bool {
	return errors.Is(cause, ErrClosed) || errors.Is(cause, actor.Shutdown) || errors.Is(cause, actor.ErrStopped)
}

// maxReason is how many bytes of an error are told.
const maxReason = 1 << 10

// reason is the text of an error, with what had ended the context before.
func reason(err, cause error) string {
	text := strings.ToValidUTF8(err.Error(), "\uFFFD")
	switch {
	case cause == nil || errors.Is(err, cause):
	case errors.Is(err, context.Canceled):
		text = cause.Error()
	default:
		text = cause.Error() + ": " + text
	}
	if len(text) <= maxReason {
		return text
	}
	cut := maxReason
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut]
}

// The methods that a Task has of us.

func (r *attempt) check() error {
	if err := r.permit.lapse(); err != nil {
		return err
	}
	if cause := r.cause(); errors.Is(cause, ErrLost) {
		return cause
	}
	if r.over.Load() {
		return fmt.Errorf("%w: it has taken too long", ErrLost)
	}
	return nil
}

func (r *attempt) beat() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.life = time.Now()
}

func (r *attempt) progress(ctx context.Context, data []byte) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if err := r.check(); err != nil {
		return err
	}
	r.mu.Lock()
	first := r.saved == nil
	r.saved, r.reached = data, data
	r.mu.Unlock()
	if first && !r.w.post(saved{r}) {
		return r.w.closed()
	}
	return nil
}

// takeSaved is the latest progress that was not taken yet.
func (r *attempt) takeSaved() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	data := r.saved
	r.saved = nil
	return data
}

// saveAgain has the latest progress saved again. It says false if there is none, or
// it is about to be.
func (r *attempt) saveAgain() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.saved != nil || r.reached == nil {
		return false
	}
	r.saved = r.reached
	return true
}
