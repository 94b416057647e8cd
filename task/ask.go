package task

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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
	unsure := false
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		if q.ctx.Err() != nil {
			return answer, fmt.Errorf("%w: scope %q", ErrClosed, q.scope)
		}
		m, err := l.call(ctx, part, body)
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
