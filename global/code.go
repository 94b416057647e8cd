package global

import (
	"context"
	"errors"
	"runtime/debug"

	"conclave/actor"
)

// Code is what a candidate would run if it were elected: [Run] a Func or
// [Handle] messages.
type Code interface {
	// start spawns the holder of one term. Its own code must not run before
	// ready is closed.
	start(s *actor.System, ready <-chan struct{}, opts []actor.SpawnOption) actor.PID
}

// Run is a holder as straight-line code; f runs anew for each term.
func Run(f actor.Func) Code { return runs(f) }

// Handle is an event-driven holder: make gives each term a Handler of its own.
// It runs on the candidacy's goroutine and must not block.
func Handle(make func() actor.Handler) Code { return handles(make) }

type runs actor.Func

func (f runs) start(s *actor.System, ready <-chan struct{}, opts []actor.SpawnOption) actor.PID {
	return s.Spawn(func(p *actor.Process) error {
		select {
		case <-ready:
		case <-p.Done():
		}
		select {
		case <-ready: // also if it is to end: it has to hand over what it may have inherited
			return f(p)
		default:
			return context.Cause(p)
		}
	}, opts...)
}

type handles func() actor.Handler

// A Handler does nothing before its first message, and nobody can send it one
// before its PID is known, so it need not wait.
func (make handles) start(s *actor.System, _ <-chan struct{}, opts []actor.SpawnOption) actor.PID {
	h, err := make.handler()
	if err != nil {
		return s.Spawn(func(*actor.Process) error { return err }, opts...)
	}
	return s.SpawnHandler(h, opts...)
}

func (make handles) handler() (h actor.Handler, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &actor.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	if h = make(); h == nil {
		err = errors.New("no Handler was made")
	}
	return h, err
}
