package actor

import (
	"errors"
	"fmt"
	"time"
)

// Supervisor describes a process that starts others, restarts them when they
// end, and stops them. [Supervise] makes it one.
//
// Its meaning is that of Erlang/OTP's supervisor, with these differences: a
// child that does not return cannot be killed (see [Child].Shutdown), there is a
// [Backoff], a restart of a group leaves alone whom somebody terminated, and
// a child's code counts as started as soon as it runs unless it has a StartTimeout.
type Supervisor struct {
	// Strategy says who is restarted when one child ends.
	Strategy Strategy
	// Intensity is how many restarts there may be within any Period. With one
	// more, the supervisor stops its children and ends with
	// [ErrTooManyRestarts]: it could not help, and who supervises it may. Zero:
	// 3; negative: none.
	Intensity int
	// Period is 5 s if zero.
	Period time.Duration
	// Children are started in this order, each when the one before counts as
	// started, and stopped in the reverse order, each when the one before has
	// returned or its Shutdown has passed.
	Children []Child
}

// Strategy says who is restarted, with its Backoff, when one child has ended and
// must start again. Siblings that have to go with it are stopped in reverse
// order, and all of them started in order once every one has returned.
type Strategy uint8

const (
	// OneForOne restarts that child.
	OneForOne Strategy = iota
	// OneForAll restarts all children.
	OneForAll
	// RestForOne restarts it and those that come after it.
	RestForOne
)

// StoppedBySupervisor is the exit reason of a child that its supervisor stopped.
//
//lint:ignore ST1012 It is an exit reason.
var StoppedBySupervisor = errors.New("stopped by its supervisor")

// Supervise is the supervisor as the code of a process: Spawn it, or name it as
// the Start of another's Child. It ends when it is told to stop, by Exit or
// otherwise, after its children have, or with [ErrTooManyRestarts],
// [ErrNotStarted] or [ErrBadSupervisor].
//
// When the node stops, supervisors that are no children are told, and each stops its
// children in order. The children act under its term, if it has one. When that ends,
// all processes are told so at once, and only who waits for whom is in order.
//
// [StartChild], [TerminateChild], [RestartChild], [DeleteChild] and
// [WhichChildren] change and show its children. It is called for that by its PID.
func Supervise(spec Supervisor) Func {
	spec, err := spec.complete()
	return func(p *Process) error {
		if err != nil {
			return err
		}
		return newSupervising(p, spec).run()
	}
}

// complete is a copy of s with its defaults.
func (s Supervisor) complete() (Supervisor, error) {
	switch {
	case s.Strategy > RestForOne:
		return s, fmt.Errorf("%w: its Strategy is none of OneForOne, OneForAll and RestForOne", ErrBadSupervisor)
	case s.Period < 0:
		return s, fmt.Errorf("%w: its Period is negative", ErrBadSupervisor)
	}
	switch {
	case s.Intensity == 0:
		s.Intensity = 3
	case s.Intensity < 0:
		s.Intensity = 0
	}
	if s.Period == 0 {
		s.Period = 5 * time.Second
	}
	children := make([]Child, len(s.Children))
	names := make(map[string]bool)
	for i, c := range s.Children {
		c, err := c.complete()
		if err != nil {
			return s, err
		}
		if names[c.Name] {
			return s, fmt.Errorf("child %q: %w: another has that name", c.Name, ErrBadSupervisor)
		}
		names[c.Name] = true
		children[i] = c
	}
	s.Children = children
	return s, nil
}

func (s Supervisor) supervision() *supervision {
	m := &supervision{strategy: s.Strategy, intensity: s.Intensity, period: s.Period}
	for _, c := range s.Children {
		m.add(c)
	}
	return m
}
