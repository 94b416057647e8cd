package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"conclave/task"
)

// taskSession is a guest of the cluster that looks into one scope.
type taskSession struct {
	guest
	scope string
	stdin io.Reader
	q     *task.Queue
}

func newTaskSession(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) *taskSession {
	s := &taskSession{guest: guest{ctx: ctx, stdout: stdout, stderr: stderr}, stdin: stdin}
	s.opened, s.missing = s.openQueue, s.noDispatcher
	return s
}

func (s *taskSession) openQueue() (err error) {
	if s.scope == "" {
		return nil
	}
	// The dispatcher knows how large a body may be.
	s.q, err = task.Open(s.n, s.scope, task.Config{NoDispatch: true, MaxBody: 256 << 10, Logger: s.config.Logger})
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	return nil
}

func (s *taskSession) end() {
	s.close(func(ctx context.Context) {
		if s.q != nil {
			_ = s.q.Close(ctx)
		}
	})
}

// noDispatcher says what is known of one that has not answered.
func (s *taskSession) noDispatcher(err, misfit error) error {
	switch {
	case misfit != nil:
		return fmt.Errorf("the dispatcher of scope %q cannot be talked to: %w", s.scope, misfit)
	case errors.Is(err, task.ErrUnknownOutcome):
		return fmt.Errorf("the dispatcher of scope %q did not answer within %v: %w", s.scope, s.timeout, err)
	}
	text := fmt.Sprintf("scope %q has no dispatcher within %v: does a program run that opens it?", s.scope, s.timeout)
	ctx, cancel := context.WithTimeout(s.ctx, time.Second)
	defer cancel()
	switch names, err := task.Scopes(ctx, s.n); {
	case err != nil:
	case slices.Contains(names, s.scope):
		text += " Its tasks are kept until then"
	case len(names) == 0:
		text += fmt.Sprintf(" There are no scopes under %s", s.config.Root)
	default:
		text += fmt.Sprintf(" The scopes under %s are %s", s.config.Root, strings.Join(names, ", "))
	}
	return errors.New(text)
}
