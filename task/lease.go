package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Lease is an attempt at a task that somebody outside of this program makes: a
// worker in another language, behind a gateway. It is a Task, for reading the body
// and the rest. Whoever has it must show life (Heartbeat, Progress) within the
// task's Beat or, if it has none, 30 s (Quiet changes that), and say how the
// attempt has ended, by one of Complete, Fail, Again, Discard and Release.
//
// Each of these returns nil when the dispatcher has recorded what was said. ErrLost:
// it was refused, as the task is not this worker's any more, or the lease has ended
// before for the reason that is wrapped. ErrState: something else was said before;
// the same may be said again, by whoever did not hear the answer. When ctx ends
// first its error comes back, and what was said is recorded or refused later.
//
// Its methods may be called from any goroutine.
type Lease struct {
	*Task
	r     *attempt
	taker *taker

	ctx      context.Context // set before the taker gets it
	stopping <-chan struct{} // the node's process has to stop

	said    chan struct{} // closed with word
	settled chan struct{} // closed with fate
	fate    error

	mu   sync.Mutex
	word string // what was said; endedByItself: nothing may be said any more
	err  error  // what a handler would have returned
}

const (
	// leaseQuiet is how long a lease lasts that shows no life, if its task does not
	// say.
	leaseQuiet = 30 * time.Second

	endedByItself = "ended"
)

// errReleased is what stands for a handler's error when its task goes back.
var errReleased = errors.New("released")

// taker waits for a task of one of its kinds.
type taker struct {
	kinds []string
	ch    chan taken // has room for the answer
}

type taken struct {
	lease *Lease
	err   error
}

// untake says that a taker does not wait any more.
type untake struct{ t *taker }

func (t *taker) refuse(err error) { t.ch <- taken{err: err} }

// take waits for a task of one of the kinds. Meanwhile the node offers one slot
// more for each of them.
func (w *worker) take(ctx context.Context, kinds ...string) (*Lease, error) {
	kinds = slices.Compact(slices.Sorted(slices.Values(kinds)))
	if len(kinds) == 0 {
		return nil, fmt.Errorf("%w: a worker that takes no kind", ErrBadTask)
	}
	for _, k := range kinds {
		if err := checkName("kind", k); err != nil || k == "" {
			return nil, fmt.Errorf("%w: a worker of kind %q: %w", ErrBadTask, k, errors.Join(err))
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	t := &taker{kinds, make(chan taken, 1)}
	if err := w.begin(t); err != nil {
		return nil, err
	}
	return w.handed(ctx, t)
}

// handed waits for what a taker gets.
func (w *worker) handed(ctx context.Context, t *taker) (*Lease, error) {
	select {
	case got := <-t.ch:
		return got.lease, got.err
	case <-w.done:
		return nil, w.closed()
	case <-ctx.Done():
	}
	w.post(untake{t})
	select {
	case got := <-t.ch:
		if got.lease != nil { // it came at the last moment
			got.lease.say("release", errReleased)
		}
	case <-w.done:
	}
	return nil, context.Cause(ctx)
}

// taker is the loop's, as are untake and hand.
func (w *worker) taker(t *taker) {
	if w.leaving != nil {
		t.refuse(w.closed())
		return
	}
	w.takers = append(w.takers, t)
	w.reports.changed = true
}

func (w *worker) untake(t *taker) {
	if i := slices.Index(w.takers, t); i >= 0 {
		w.takers = slices.Delete(w.takers, i, i+1)
		t.refuse(nil)
		w.reports.changed, w.review = true, true
	}
}

// hand begins an attempt by a taker, if one waits for such a task.
func (w *worker) hand(r *attempt) bool {
	i := slices.IndexFunc(w.takers, func(t *taker) bool { return slices.Contains(t.kinds, r.a.Kind) })
	if i < 0 {
		return false
	}
	r.lease = &Lease{r: r, taker: w.takers[i], said: make(chan struct{}), settled: make(chan struct{})}
	w.takers = slices.Delete(w.takers, i, i+1)
	w.review, w.reports.changed = true, true // it takes nothing of its other kinds now
	w.launch(r)
	return true
}

// begin and hold stand in for a handler, in the attempt's process.
func (l *Lease) begin(ctx context.Context, stopping <-chan struct{}) {
	l.Task, l.ctx, l.stopping = l.r.task, ctx, stopping
}

func (l *Lease) hold() error {
	l.taker.ch <- taken{lease: l}
	select {
	case <-l.said:
	case <-l.ctx.Done():
		cause := context.Cause(l.ctx)
		if errors.Is(cause, ErrLost) || errors.Is(cause, ErrCancelled) || errors.Is(cause, ErrClosed) {
			// Who has it may be at work yet, and is given time to notice.
			t := time.NewTimer(l.r.w.cfg.Grace)
			defer t.Stop()
			select {
			case <-l.said:
			case <-t.C:
			case <-l.stopping:
			}
		}
		l.put(endedByItself, cause)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// put notes how the attempt has ended, if nobody has yet, and returns what stands.
func (l *Lease) put(word string, err error) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.word == "" {
		l.word, l.err = word, err
		close(l.said)
	}
	return l.word
}

// settled tells who has the lease what has become of the outcome.
func (r *attempt) settled(fate error) {
	l := r.lease
	if l == nil {
		return
	}
	select {
	case <-l.settled:
		return
	default:
	}
	if fate == nil && r.out.How == howLost {
		fate = ErrLost
	}
	l.fate = fate
	close(l.settled)
}

// say notes a word; the error says that another stands.
func (l *Lease) say(word string, err error) error {
	switch stands := l.put(word, err); stands {
	case word:
		return nil
	case endedByItself:
		l.mu.Lock()
		defer l.mu.Unlock()
		if errors.Is(l.err, ErrLost) {
			return l.err
		}
		return fmt.Errorf("%w: %w", ErrLost, l.err)
	default:
		return fmt.Errorf("%w: %q was said of this lease before", ErrState, stands)
	}
}

// close says a word and waits until it is recorded.
func (l *Lease) close(ctx context.Context, word string, err error) error {
	if err := l.say(word, err); err != nil {
		return err
	}
	var why error
	select {
	case <-l.settled:
	case <-l.r.w.done:
		why = fmt.Errorf("%w: the worker has ended", ErrLost)
	case <-ctx.Done():
		why = context.Cause(ctx)
	}
	select {
	case <-l.settled: // that counts, whatever else has come with it
		return l.fate
	default:
		return why
	}
}

// Context ends when the attempt should: see Handler.
func (l *Lease) Context() context.Context { return l.ctx }

// Quiet sets how long the lease lasts while it shows no life.
func (l *Lease) Quiet(d time.Duration) {
	r := l.r
	r.mu.Lock()
	defer r.mu.Unlock()
	r.quiet = max(d, time.Millisecond)
	if !r.ended {
		r.watchdog.Reset(0)
	}
}

// Heartbeat shows life. The error says why the attempt should end, and is what its
// context ends with: ErrLost, ErrCancelled, ErrTimeout, ErrHeartbeat, ErrClosed.
func (l *Lease) Heartbeat() error {
	l.Task.Heartbeat()
	if l.ctx.Err() != nil {
		l.mu.Lock()
		word := l.word
		l.mu.Unlock()
		if word != "" && word != endedByItself {
			return fmt.Errorf("%w: %q was said of this lease before", ErrState, word)
		}
		return context.Cause(l.ctx)
	}
	return l.Check()
}

// Progress saves v for the next attempt and shows life. See Task.Progress; the
// errors are those of Heartbeat, too.
func (l *Lease) Progress(ctx context.Context, v any) error {
	if err := l.Heartbeat(); err != nil {
		return err
	}
	return l.Task.Progress(ctx, v)
}

// Complete says that the work is done: result (nil: none) is for whoever waits, and
// then are submitted in the same transaction. ErrTooLarge and ErrBadTask are about
// these, and the lease goes on.
func (l *Lease) Complete(ctx context.Context, result any, then ...Spec) error {
	if err := l.returns(result, then); err != nil {
		return err
	}
	return l.close(ctx, "complete", nil)
}

// returns is Return and Then, unless something was said already.
func (l *Lease) returns(result any, then []Spec) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.word != "" {
		return nil
	}
	l.result, l.resultType, l.then = nil, "", nil
	if result != nil {
		if err := l.Return(result); err != nil {
			return err
		}
	}
	return l.Then(then...)
}

// Fail says that the attempt has failed. The task is tried again, after its
// back-off, while attempts are left.
func (l *Lease) Fail(ctx context.Context, err error) error {
	if err == nil {
		err = errors.New("failed")
	}
	return l.close(ctx, "fail", err)
}

// Again has the task tried again after d; that uses up no attempt.
func (l *Lease) Again(ctx context.Context, d time.Duration) error {
	return l.close(ctx, "again", Retry(d))
}

// Discard says that trying again is no use: the task is dead.
func (l *Lease) Discard(ctx context.Context, err error) error {
	return l.close(ctx, "discard", Discard(err))
}

// Release gives the task back, not begun: that uses up no attempt.
func (l *Lease) Release(ctx context.Context) error {
	return l.close(ctx, "release", errReleased)
}
