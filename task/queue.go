package task

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"conclave/actor"
	"conclave/node"
)

// Queue is one node's part in a scope: what it submits, and what it can do. Its
// methods may be called from any goroutine.
type Queue struct {
	n     *node.Node
	scope string
	cfg   Config

	ctx    context.Context
	cancel context.CancelCauseFunc
	stood  chan struct{} // closed when the candidacy is no longer being made
	closed atomic.Bool   // Close was called

	crew crew // who does tasks

	known   chan struct{} // closed when it is known how the scope is divided, or cannot be
	trouble error         // why it cannot; this, and what follows, is set then
	led     leadership
	seen    []latest // by part
}

// opened has the scopes that are open, by node: each once.
var opened sync.Map // openKey -> *Queue

type openKey struct {
	n     *node.Node
	scope string
}

// Open lets a node take part in a scope. The node stands for dispatcher from now on
// (Config.NoDispatch); it works once it handles a kind. An error is about the scope's
// name, the Config, or that the node has opened the scope already.
//
// Open asks ZooKeeper nothing and does not wait, unless Config.Parts is above 1: then
// it waits, up to 5 s, until the scope is known to have so many, and returns ErrMismatch
// if it has not. With 0 and 1, or without ZooKeeper, that is found out later; what is
// asked of the Queue waits for it, and ErrMismatch is the answer.
func Open(n *node.Node, scope string, cfg Config) (*Queue, error) {
	if err := actor.CheckName(globalName(scope)); err != nil || scope == "" {
		return nil, fmt.Errorf("task: scope %q: %w", scope, errors.Join(err, actor.ErrBadName))
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	q := &Queue{n: n, scope: scope, cfg: cfg, stood: make(chan struct{}), known: make(chan struct{})}
	if _, twice := opened.LoadOrStore(openKey{n, scope}, q); twice {
		return nil, fmt.Errorf("task: this node has opened scope %q already", scope)
	}
	q.ctx, q.cancel = context.WithCancelCause(context.Background())
	q.crew.q = q
	go q.stand()
	go q.drain()
	if cfg.Parts < 2 {
		return q, nil
	}
	ctx, cancel := context.WithTimeout(q.ctx, openPatience)
	defer cancel()
	if _, err := q.leader(ctx); err != nil && ctx.Err() == nil {
		q.Close(ctx)
		return nil, err
	}
	return q, nil
}

// openPatience is how long Open waits for ZooKeeper where it has to.
const openPatience = 5 * time.Second

// drain has the worker leave when the node does: node.Drain waits for what it runs.
// A node that has stopped is not held on to, should nobody call Close.
func (q *Queue) drain() {
	select {
	case <-q.n.Draining():
		q.crew.leave()
		q.n.Spawn(q.depart) // a node that drains waits for processes that are at work
	case <-q.ctx.Done():
		return
	}
	select {
	case <-q.n.Stopped():
		opened.CompareAndDelete(openKey{q.n, q.scope}, q)
	case <-q.ctx.Done():
	}
}

// depart is a process that is at work until the workers have left, and after them the
// parts.
func (q *Queue) depart(p *actor.Process) error {
	for _, w := range q.crew.all() {
		if w.works() {
			select {
			case <-w.done:
			case <-p.Done():
				return nil
			}
		}
	}
	select {
	case <-q.known:
		if q.led != nil {
			return q.led.drain(p)
		}
	default: // it stands for nothing yet
	}
	return nil
}

// stand finds out how the scope is divided, and has the node stand for dispatcher.
func (q *Queue) stand() {
	defer close(q.stood)
	parts, err := q.findDivision(q.ctx)
	if err == nil {
		if q.led, err = q.lead(q.ctx, parts); err == nil {
			q.seen = make([]latest, parts)
			q.crew.hire(parts)
		}
	}
	q.trouble = err
	close(q.known)
	what := "the scope cannot be opened"
	if err == nil {
		what = "the node does not stand for dispatcher"
		err = q.led.stand(q.ctx)
	}
	if err != nil && q.ctx.Err() == nil && !errors.Is(err, node.ErrStopped) {
		q.cfg.Logger.Error(what, "scope", q.scope, "error", err)
	}
}

// skipped tells of something foreign or damaged in the store.
func (q *Queue) skipped(err error) { q.cfg.tell(Event{Kind: Skipped, Scope: q.scope, Err: err}) }

// Scope is the scope's name.
func (q *Queue) Scope() string { return q.scope }

// Close ends this node's part in the scope: its worker takes nothing more and
// finishes what it runs, for as long as ctx lasts (then what runs is told to stop
// and goes back into the queue), and the node stands for dispatcher no longer.
// In a divided scope an error can mean that this is not over: the node can open the scope
// again when it is.
// Where work is to be finished it comes before node.Stop, or node.Drain does, which
// lets workers finish as well.
func (q *Queue) Close(ctx context.Context) error {
	if q.closed.Swap(true) {
		return nil
	}
	q.cancel(ErrClosed)
	<-q.stood
	err := q.crew.close(ctx)
	// Not before the candidacy is withdrawn, or the parts are given up: they would be
	// those of whoever opens the scope again.
	shut := func() { opened.CompareAndDelete(openKey{q.n, q.scope}, q) }
	if q.led == nil {
		shut()
		return err
	}
	left := q.led.leave(ctx)
	if left != nil && q.led.parts() > 1 { // it goes on, until all has returned
		go func() {
			_ = q.led.leave(context.Background())
			shut()
		}()
	} else {
		shut()
	}
	return errors.Join(err, left)
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
	return q.crew.handle(kind, h, n)
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
func (q *Queue) Unhandle(kind string) { q.crew.unhandle(kind) }

// Take waits for a task of one of the kinds and gives it to the caller, who says
// what has become of it: for workers that are not written in Go.
func (q *Queue) Take(ctx context.Context, kinds ...string) (*Lease, error) {
	return q.crew.take(ctx, kinds)
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
		a, err := whereverItIs(ctx, q, id, func(l leadership, part int) (a awaitAnswer, err error) {
			a, err = askPart[awaitAnswer](ctx, q, l, part, &awaitCall{ID: id}, nil)
			return a, errors.Join(err, a.Problem.err())
		})
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
//
// Of Cancel, Retry and Delete ErrUnknownOutcome means that it may have been done: no
// answer came, or only that it cannot be done any more, to a question asked again.
func (q *Queue) Delete(ctx context.Context, id string) (Info, error) {
	return q.change(ctx, verbDelete, id)
}

func (q *Queue) change(ctx context.Context, verb, id string) (Info, error) {
	too := []error{ErrNotFound}
	if verb == verbRetry {
		too = append(too, ErrState)
	}
	a, err := whereverItIs(ctx, q, id, func(l leadership, part int) (changeAnswer, error) {
		a, unsure, err := askUntil[changeAnswer](ctx, q, l, part, &changeCall{Verb: verb, ID: id}, nil)
		return a, errors.Join(err, repeated(unsure, a.Problem.err(), too...))
	})
	return a.Info, err
}

// Get is what is known of a task.
func (q *Queue) Get(ctx context.Context, id string) (Details, error) {
	a, err := whereverItIs(ctx, q, id, func(l leadership, part int) (a showAnswer, err error) {
		a, err = askPart[showAnswer](ctx, q, l, part, &showCall{ID: id}, nil)
		return a, errors.Join(err, a.Problem.err())
	})
	d := &a.Details // its bytes are the dispatcher's own, on that one's node
	d.Body, d.Progress, d.Result = bytes.Clone(d.Body), bytes.Clone(d.Progress), bytes.Clone(d.Result)
	return a.Details, err
}

// List selects tasks, oldest first; Filter.After reads on.
func (q *Queue) List(ctx context.Context, f Filter) ([]Info, error) {
	l, err := q.leader(ctx)
	if err != nil {
		return nil, err
	}
	var from *mark
	if l.parts() > 1 && f.After != "" {
		if from, err = q.markOf(ctx, f.After); err != nil {
			return nil, err
		}
	}
	lists, err := ofParts(l.parts(), func(part int) ([]Info, error) {
		own := f
		if from != nil && part != from.Part {
			own.After = ""
		}
		a, err := askPart[listAnswer](ctx, q, l, part, &listCall{Filter: own, From: from}, nil)
		return a.Tasks, errors.Join(err, a.Problem.err())
	})
	switch {
	case err != nil:
		return nil, err
	case len(lists) == 1:
		return lists[0], nil
	}
	return mergeLists(lists, f.limit()), nil
}

// Status says how the scope stands: counts by state and kind, workers, ages.
func (q *Queue) Status(ctx context.Context) (Status, error) {
	l, err := q.leader(ctx)
	if err != nil {
		return Status{}, err
	}
	parts, err := ofParts(l.parts(), func(part int) (Status, error) {
		a, err := askPart[statusAnswer](ctx, q, l, part, &statusCall{}, nil)
		return a.Status, errors.Join(err, a.Problem.err())
	})
	if err != nil {
		return Status{}, err
	}
	return mergeStatus(parts), nil
}

// Candidates are the nodes that stand for dispatcher of the scope, in the order in
// which they would take over: the first is the dispatcher's. In a divided scope they
// are all those that may own parts, those with the most parts first. It asks
// ZooKeeper.
func (q *Queue) Candidates(ctx context.Context) ([]actor.NodeID, error) {
	l, err := q.leader(ctx)
	if err != nil {
		return nil, err
	}
	return l.candidates(ctx)
}

// Dispatching says whether this node is certainly the dispatcher's (in a divided scope
// that of part 0), now: for what one of the programs in a scope is to do. It asks
// nobody. What it says may be over a moment later; so what must not be done twice is
// submitted with an ID, or Unique.
func (q *Queue) Dispatching() bool {
	select {
	case <-q.known:
		return q.led != nil && q.led.leads(0)
	default:
		return false
	}
}

// Scopes are the scopes that tasks were ever submitted to in the node's cluster.
func Scopes(ctx context.Context, n *node.Node) ([]string, error) {
	return scopes(ctx, n.Keeper())
}
