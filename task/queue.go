package task

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"

	"conclave/actor"
	"conclave/node"
)

// Queue is one node's part in a scope: what it submits, and what it can do. Its
// methods may be called from any goroutine.
type Queue struct {
	n     *node.Node
	scope string
	cfg   Config

	worker *worker
	ctx    context.Context
	cancel context.CancelCauseFunc
	stood  chan struct{} // closed when the candidacy is no longer being made
	closed atomic.Bool   // Close was called

	seen   atomic.Uint64 // the latest serial that a dispatcher has told of
	seenAt atomic.Int64  // when
}

// opened has the scopes that are open, by node: each once.
var opened sync.Map // openKey -> *Queue

type openKey struct {
	n     *node.Node
	scope string
}

// Open lets a node take part in a scope. The node stands for dispatcher from now on
// (Config.NoDispatch); it works once it handles a kind. Open asks ZooKeeper
// nothing and does not wait. An error is about the scope's name, the Config, or
// that the node has opened the scope already.
func Open(n *node.Node, scope string, cfg Config) (*Queue, error) {
	if err := actor.CheckName(globalName(scope)); err != nil || scope == "" {
		return nil, fmt.Errorf("task: scope %q: %w", scope, errors.Join(err, actor.ErrBadName))
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	q := &Queue{n: n, scope: scope, cfg: cfg, stood: make(chan struct{})}
	if _, twice := opened.LoadOrStore(openKey{n, scope}, q); twice {
		return nil, fmt.Errorf("task: this node has opened scope %q already", scope)
	}
	q.ctx, q.cancel = context.WithCancelCause(context.Background())
	q.worker = newWorker(n, scope, cfg)
	go q.stand()
	go q.drain()
	return q, nil
}

// drain has the worker leave when the node does: node.Drain waits for what it runs.
// A node that has stopped is not held on to, should nobody call Close.
func (q *Queue) drain() {
	select {
	case <-q.n.Draining():
		q.worker.post(leave{})
	case <-q.ctx.Done():
		return
	}
	select {
	case <-q.n.Stopped():
		opened.CompareAndDelete(openKey{q.n, q.scope}, q)
	case <-q.ctx.Done():
	}
}

// stand has the node stand for dispatcher.
func (q *Queue) stand() {
	defer close(q.stood)
	if q.cfg.NoDispatch || q.n.ID().Address == "" {
		return
	}
	store := q.cfg.Store
	if store == nil {
		store = ZooKeeper(q.n, q.scope, func(err error) {
			q.cfg.tell(Event{Kind: Skipped, Scope: q.scope, Err: err})
		})
	}
	d := &dispatcher{n: q.n, scope: q.scope, cfg: q.cfg, store: store}
	_, err := q.n.RegisterCandidate(q.ctx, globalName(q.scope), d.run)
	if err != nil && q.ctx.Err() == nil && !errors.Is(err, node.ErrStopped) {
		q.cfg.Logger.Error("the node does not stand for dispatcher", "scope", q.scope, "error", err)
	}
}

// Scope is the scope's name.
func (q *Queue) Scope() string { return q.scope }

// Close ends this node's part in the scope: its worker takes nothing more and
// finishes what it runs, for as long as ctx lasts (then what runs is told to stop
// and goes back into the queue), and the node stands for dispatcher no longer.
// Where work is to be finished it comes before node.Stop, or node.Drain does, which
// lets workers finish as well.
func (q *Queue) Close(ctx context.Context) error {
	if q.closed.Swap(true) {
		return nil
	}
	// Not before the candidacy is withdrawn: it would be that of whoever opens the
	// scope again.
	defer opened.CompareAndDelete(openKey{q.n, q.scope}, q)
	q.cancel(ErrClosed)
	<-q.stood
	err := q.worker.close(ctx)
	if !q.cfg.NoDispatch && q.n.ID().Address != "" {
		err = errors.Join(err, q.n.Withdraw(ctx, globalName(q.scope)))
	}
	return err
}

// Handle lets this node do tasks of a kind, slots of them at a time (0: as many as
// Config.Slots lets it). Called again, it replaces the handler.
func (q *Queue) Handle(kind string, h Handler, slots ...int) error {
	n := 0
	if len(slots) > 0 {
		n = slots[0]
	}
	if err := checkName("kind", kind); err != nil || kind == "" || h == nil || n < 0 {
		return fmt.Errorf("%w: a handler of %q with %d slots (nil: %t): %w", ErrBadTask, kind, n, h == nil, errors.Join(err))
	}
	return q.worker.handle(kind, h, n)
}

// Handle is Queue.Handle with the body decoded as a T. One that does not decode
// has failed with ErrBody: another version of the program may know it, until its
// attempts are used up.
func Handle[T any](q *Queue, kind string, f func(ctx context.Context, t *Task, body T) error, slots ...int) error {
	return q.Handle(kind, func(ctx context.Context, t *Task) error {
		var body T
		if err := t.Decode(&body); err != nil {
			return err
		}
		return f(ctx, t, body)
	}, slots...)
}

// Unhandle lets the node take no more tasks of a kind; those that run go on.
func (q *Queue) Unhandle(kind string) { q.worker.unhandle(kind) }

// Take waits for a task of one of the kinds and gives it to the caller, who says
// what has become of it: for workers that are not written in Go.
func (q *Queue) Take(ctx context.Context, kinds ...string) (*Lease, error) {
	return q.worker.take(ctx, kinds...)
}

// Submit hands a task in and returns its id when it is durable: whatever dies
// then, it is done. The id of a task that is there already (ID) is no error.
//
// ErrTooLarge, ErrBadTask, ErrQueueFull, ErrDuplicate, ErrConflict: nothing was
// submitted. While no dispatcher answers it tries again until ctx ends; then
// ErrUnknownOutcome means that the task may have been submitted, under the id that
// is returned with it, and submitting the same id again is safe.
func (q *Queue) Submit(ctx context.Context, s Spec, opts ...Option) (string, error) {
	for _, opt := range opts {
		opt(&s)
	}
	ids, err := q.SubmitAll(ctx, s)
	if len(ids) == 0 {
		return "", err
	}
	return ids[0], err
}

// SubmitAll submits several tasks in one transaction: all of them or none. At most
// MaxTogether, and about 300 KiB.
func (q *Queue) SubmitAll(ctx context.Context, specs ...Spec) ([]string, error) {
	c := &submitCall{Specs: make([]Spec, len(specs))}
	ids, n := make([]string, len(specs)), 0
	for i, s := range specs {
		if err := s.check(q.cfg.MaxBody); err != nil {
			return nil, err
		}
		if s.ID == "" {
			s.ID = ulid.Make().String()
		}
		ids[i], c.Specs[i] = s.ID, s
		n += s.bytes()
	}
	switch {
	case len(specs) == 0:
		return nil, nil
	case len(specs) > MaxTogether || n > maxTogetherBytes:
		return nil, fmt.Errorf("%w: %d tasks of %d bytes at once, at most %d of %d", ErrTooLarge, len(specs), n, MaxTogether, maxTogetherBytes)
	}
	if err := q.look(ctx); err != nil {
		return nil, err
	}
	c.Seen = q.seen.Load()
	a, err := ask[submitAnswer](ctx, q, c, &submitCall{Specs: c.Specs, Again: true, Seen: c.Seen})
	if err == nil {
		q.saw(a.Seen)
		err = a.Problem.err()
	}
	if errors.Is(err, ErrUnknownOutcome) {
		return ids, err
	}
	if err != nil {
		return nil, err
	}
	return a.IDs, nil
}

// look asks which number is the latest, if that was not heard of late: a
// submission that has to be repeated can be told from one that was done and
// forgotten, as long as little was forgotten since that number was given.
func (q *Queue) look(ctx context.Context) error {
	const late = time.Minute
	if at := q.seenAt.Load(); at != 0 && time.Since(time.UnixMilli(at)) < late {
		return nil
	}
	a, err := ask[submitAnswer](ctx, q, &submitCall{}, nil)
	if errors.Is(err, ErrUnknownOutcome) {
		return fmt.Errorf("task: nothing was submitted: the dispatcher of %q does not answer: %w", q.scope, cmp.Or(context.Cause(ctx), node.ErrStopped))
	}
	if err == nil {
		q.saw(a.Seen)
	}
	return err
}

// saw takes note of a number that was given.
func (q *Queue) saw(n uint64) {
	for old := q.seen.Load(); n > old && !q.seen.CompareAndSwap(old, n); old = q.seen.Load() {
	}
	q.seenAt.Store(time.Now().UnixMilli())
}

// Result is a task that has ended.
type Result struct {
	Info
	// Type and Data are what the handler returned (Task.Return), encoded; nil if
	// it returned nothing.
	Type string
	Data []byte
}

// Decode reads the result into what into points at.
func (r Result) Decode(into any) error { return decode(r.Data, into) }

// Wait waits until a task has ended. nil: it is done. A *DeadError (ErrDead) or
// ErrCancelled says how else it ended; the Result has the rest. ErrNotFound: there
// is none of that id, or it was forgotten.
func (q *Queue) Wait(ctx context.Context, id string) (Result, error) {
	for {
		a, err := ask[awaitAnswer](ctx, q, &awaitCall{ID: id}, nil)
		if err == nil {
			err = a.Problem.err()
		}
		if err != nil {
			return Result{}, err
		}
		if a.Later {
			continue
		}
		// A copy: on the dispatcher's node it is the dispatcher's own.
		r := Result{Info: a.Info, Type: a.Type, Data: bytes.Clone(a.Result)}
		switch a.Info.State {
		case Dead:
			return r, &DeadError{ID: id, Attempts: a.Info.Attempt, Reason: a.Info.Error}
		case Cancelled:
			return r, fmt.Errorf("%w: %s", ErrCancelled, id)
		}
		return r, nil
	}
}

// Cancel ends a task: one that waits is over at once; the handler of one that runs
// is told (its ctx ends, with ErrCancelled), and what it returns decides: nil is
// done, anything else cancelled. Cancelled ones stay as they are. ErrState: it has
// ended otherwise.
func (q *Queue) Cancel(ctx context.Context, id string) (Info, error) {
	return q.change(ctx, verbCancel, id)
}

// Retry lets a dead or cancelled task wait again, with all its attempts before
// it; one that waits for its time or its back-off may start now.
func (q *Queue) Retry(ctx context.Context, id string) (Info, error) {
	return q.change(ctx, verbRetry, id)
}

// Delete forgets a task that has ended.
func (q *Queue) Delete(ctx context.Context, id string) (Info, error) {
	return q.change(ctx, verbDelete, id)
}

func (q *Queue) change(ctx context.Context, verb, id string) (Info, error) {
	a, err := ask[changeAnswer](ctx, q, &changeCall{Verb: verb, ID: id}, nil)
	return a.Info, errors.Join(err, a.Problem.err())
}

// Get is what is known of a task.
func (q *Queue) Get(ctx context.Context, id string) (Details, error) {
	a, err := ask[showAnswer](ctx, q, &showCall{ID: id}, nil)
	d := &a.Details // its bytes are the dispatcher's own, on that one's node
	d.Body, d.Progress, d.Result = bytes.Clone(d.Body), bytes.Clone(d.Progress), bytes.Clone(d.Result)
	return a.Details, errors.Join(err, a.Problem.err())
}

// List selects tasks, oldest first; Filter.After reads on.
func (q *Queue) List(ctx context.Context, f Filter) ([]Info, error) {
	a, err := ask[listAnswer](ctx, q, &listCall{Filter: f}, nil)
	return a.Tasks, errors.Join(err, a.Problem.err())
}

// Status says how the scope stands: counts by state and kind, workers, ages.
func (q *Queue) Status(ctx context.Context) (Status, error) {
	a, err := ask[statusAnswer](ctx, q, &statusCall{}, nil)
	return a.Status, errors.Join(err, a.Problem.err())
}

// Schedule has a task submitted again and again: at each tick one, in the same
// transaction that records that the tick was fired, so that across any number of
// failovers no tick is fired twice. The task's id is the schedule's name, "@" and
// the tick in UTC.
//
// line is a cron line of five fields, or six with seconds first; "@every 90s";
// "@at 2026-12-24T18:00:00+01:00"; or one of "@hourly" and its like. Zones and
// daylight saving: see ScheduleSpec, and docs/guarantees.md.
//
// The same schedule again changes nothing, so every start of a program may make it;
// another of the same name replaces it.
func (q *Queue) Schedule(ctx context.Context, name, line string, s Spec, opts ...ScheduleOption) error {
	spec := ScheduleSpec{Name: name, Line: line, Task: s}
	for _, opt := range opts {
		opt(&spec)
	}
	return q.SetSchedule(ctx, spec)
}

// SetSchedule is Schedule with everything in a struct.
func (q *Queue) SetSchedule(ctx context.Context, spec ScheduleSpec) error {
	if err := spec.check(q.cfg.MaxBody); err != nil {
		return err
	}
	a, err := ask[scheduleAnswer](ctx, q, &scheduleCall{Schedule: spec}, nil)
	return errors.Join(err, a.Problem.err())
}

// Unschedule takes a schedule away. Tasks that it has submitted stay.
func (q *Queue) Unschedule(ctx context.Context, name string) error {
	a, err := ask[scheduleAnswer](ctx, q, &scheduleCall{Schedule: ScheduleSpec{Name: name}, Remove: true}, nil)
	return errors.Join(err, a.Problem.err())
}

// Schedules are all there are, by name.
func (q *Queue) Schedules(ctx context.Context) ([]ScheduleInfo, error) {
	a, err := ask[schedulesAnswer](ctx, q, &schedulesCall{}, nil)
	return a.Schedules, errors.Join(err, a.Problem.err())
}

// ScheduleOption says something more about a schedule.
type ScheduleOption func(*ScheduleSpec)

// Zone reads a cron line in a time zone, by its IANA name. Default: UTC.
func Zone(name string) ScheduleOption { return func(s *ScheduleSpec) { s.Zone = name } }

// MissedSkip leaves ticks out that could not be fired within grace (0: 10 s).
func MissedSkip(grace time.Duration) ScheduleOption {
	return func(s *ScheduleSpec) { s.Missed = Missed{How: "skip", Grace: grace} }
}

// MissedOne fires only the latest of the ticks that are due. It is the default.
func MissedOne() ScheduleOption { return func(s *ScheduleSpec) { s.Missed = Missed{How: "one"} } }

// MissedAll fires all ticks that are due, but the latest most (0: 100) at most.
func MissedAll(most int) ScheduleOption {
	return func(s *ScheduleSpec) { s.Missed = Missed{How: "all", Most: most} }
}

// Overlapping says what is done at a tick while the task of an earlier one is live.
func Overlapping(o Overlap) ScheduleOption { return func(s *ScheduleSpec) { s.Overlap = o } }

// Paused keeps the schedule and fires nothing.
func Paused() ScheduleOption { return func(s *ScheduleSpec) { s.Paused = true } }

// ask calls the dispatcher, and asks again when nobody knows whether it has heard:
// all that it can be asked may be asked twice. again, if not nil, is what it is
// asked from then on.
func ask[A any](ctx context.Context, q *Queue, body, again any) (answer A, err error) {
	unsure := false
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		if q.ctx.Err() != nil {
			return answer, fmt.Errorf("%w: scope %q", ErrClosed, q.scope)
		}
		m, err := q.n.CallGlobal(ctx, globalName(q.scope), body)
		switch {
		case err == nil:
			answer, is := actor.As[A](m)
			if !is {
				return answer, fmt.Errorf("task: the dispatcher of %q answers with a %s: another version?", q.scope, m.Type())
			}
			return answer, nil
		case ctx.Err() != nil:
			unsure = unsure || errors.Is(err, node.ErrUnknownOutcome)
		case !errors.Is(err, node.ErrUnknownOutcome):
			return answer, err
		default:
			unsure = true
		}
		if again != nil {
			body = again
		}
		select {
		case <-time.After(pause/2 + rand.N(pause)):
			continue
		case <-q.n.Stopped():
			err = node.ErrStopped
		case <-ctx.Done():
		}
		switch {
		case !unsure:
			return answer, err
		case changes(body):
			return answer, fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
		}
		return answer, fmt.Errorf("task: the dispatcher of %q has not answered: %w", q.scope, cmp.Or(context.Cause(ctx), err))
	}
}

// changes says whether a call can change anything.
func changes(call any) bool {
	switch call.(type) {
	case *awaitCall, *showCall, *listCall, *statusCall, *schedulesCall:
		return false
	}
	return true
}

// Scopes are the scopes that tasks were ever submitted to in the node's cluster.
func Scopes(ctx context.Context, n *node.Node) ([]string, error) {
	return scopes(ctx, n.Keeper())
}
