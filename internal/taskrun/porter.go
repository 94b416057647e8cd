//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"conclave/internal/child"
	"conclave/task"
)

// porter does the tasks of one run of a worker's process.
type porter struct {
	life string // which run it is
	out  *postbox
}

// do has an effect outside, and does what else the errand says. Whoever dies after
// the effect has it repeated.
func (w *porter) do(ctx context.Context, t *task.Task, e Errand) error {
	effect := line{What: lineEffect, ID: t.ID(), Key: t.Key(), Attempt: t.Attempt(), Fence: t.Fence(), Worker: w.life}
	takes := time.Duration(e.Takes) * time.Millisecond
	if e.Careless {
		time.Sleep(takes)
		if err := w.out.post(context.WithoutCancel(ctx), effect); err != nil {
			return fmt.Errorf("the receiver: %w", err)
		}
	} else {
		if err := t.Check(); err != nil {
			return err
		}
		if err := w.out.post(ctx, effect); err != nil {
			return fmt.Errorf("the receiver: %w", err)
		}
		if child.Pause(ctx, takes); ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	if t.Attempt() <= e.Fails {
		return errors.New("as planned")
	}
	for _, next := range e.Then {
		if err := t.Then(task.Of(kindDeliver, next, task.Key(next.Key), patient)); err != nil {
			return err
		}
	}
	return nil
}

// patient are the options of every task: kills must not use up its attempts, nor
// its failures the run's time.
func patient(s *task.Spec) {
	s.Attempts = 10_000
	s.Backoff = task.Backoff{From: 20 * time.Millisecond, To: 200 * time.Millisecond}
}
