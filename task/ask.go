package task

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"conclave/actor"
	"conclave/node"
)

// leader is who leads the scope, as soon as it is known how that is divided.
func (q *Queue) leader(ctx context.Context) (leadership, error) {
	select {
	case <-q.known:
		return q.led, q.trouble
	default:
	}
	why := func() error { return fmt.Errorf("%w: scope %q", ErrClosed, q.scope) }
	select {
	case <-q.known:
		return q.led, q.trouble
	case <-q.ctx.Done():
	case <-q.n.Stopped():
		why = func() error { return node.ErrStopped }
	case <-ctx.Done():
		why = func() error {
			return fmt.Errorf("task: scope %q: %w, as far as is known yet: %w", q.scope, node.ErrNoHolder, context.Cause(ctx))
		}
	}
	return nil, why()
}

// askPart calls a part's dispatcher, and asks again when nobody knows whether it has
// heard: all that it can be asked may be asked twice. again, if not nil, is what it is
// asked from then on.
func askPart[A any](ctx context.Context, q *Queue, l leadership, part int, body, again any) (answer A, err error) {
	answer, _, err = askUntil[A](ctx, q, l, part, body, again)
	return answer, err
}

// askUntil is askPart that says whether an earlier try may have been heard, and done.
// Then no error says that it was not.
func askUntil[A any](ctx context.Context, q *Queue, l leadership, part int, body, again any) (answer A, unsure bool, err error) {
	told := func(err error) error {
		if unsure && changes(body) {
			return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
		}
		return err
	}
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		if q.ctx.Err() != nil {
			return answer, unsure, told(fmt.Errorf("%w: scope %q", ErrClosed, q.scope))
		}
		m, err := l.call(ctx, part, body)
		switch {
		case err == nil:
			answer, is := actor.As[A](m)
			if !is {
				err = fmt.Errorf("task: the dispatcher of %q answers with a %s: another version?", q.scope, m.Type())
			}
			return answer, unsure, err
		case errors.Is(err, node.ErrUnknownOutcome):
			unsure = true
		case ctx.Err() == nil:
			return answer, unsure, told(err)
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
		if unsure && !changes(body) {
			err = fmt.Errorf("task: the dispatcher of %q has not answered: %w", q.scope, cmp.Or(context.Cause(ctx), err))
		}
		return answer, unsure, told(err)
	}
}

// repeated is what the answer says to a change that may have been done before: that it
// cannot be done is one of these errors then, too.
func repeated(unsure bool, err error, too ...error) error {
	if unsure && slices.ContainsFunc(too, func(one error) bool { return errors.Is(err, one) }) {
		return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
	}
	return err
}

// changes says whether a call can change anything.
func changes(call any) bool {
	switch c := call.(type) {
	case *awaitCall, *showCall, *listCall, *statusCall, *schedulesCall:
		return false
	case *submitCall:
		return len(c.Specs) > 0 // else it asks for the latest number
	}
	return true
}
