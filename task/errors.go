package task

import (
	"errors"
	"fmt"
)

// The errors of this package, for errors.Is.
var (
	// ErrTooLarge: a body, a result, the metadata or all of what was submitted at
	// once is above its bound. Nothing was submitted.
	ErrTooLarge = errors.New("task: too large")
	// ErrBadTask: what was submitted cannot be a task; the text says why.
	ErrBadTask = errors.New("task: bad task")
	// ErrQueueFull: the scope has as many live tasks, or as many bytes of them, as
	// it may have (Config.MaxLive, Config.MaxBytes). Nothing was submitted.
	ErrQueueFull = errors.New("task: queue full")
	// ErrDuplicate: a live task has the same unique key; a *DuplicateError says which.
	ErrDuplicate = errors.New("task: a task with this unique key is there already")
	// ErrConflict: another task has this id.
	ErrConflict = errors.New("task: another task has this id")
	// ErrNotFound: there is no task (or schedule) of that name, or it has ended so
	// long ago that it was forgotten.
	ErrNotFound = errors.New("task: not found")
	// ErrState: the task is in a state in which that cannot be done.
	ErrState = errors.New("task: not in this state")
	// ErrUnknownOutcome: what was asked may have been done or not. Submitting the
	// same id again is safe, and tells.
	ErrUnknownOutcome = errors.New("task: unknown outcome: it may have been submitted")
	// ErrLost: the task is not this worker's any more, or may not be: another may
	// run it. It is the cause with which a handler's context ends.
	ErrLost = errors.New("task: the assignment is lost")
	// ErrCancelled: the task was cancelled. It is the cause with which a handler's
	// context ends, and what Wait returns.
	ErrCancelled = errors.New("task: cancelled")
	// ErrTimeout: the handler took longer than its task's timeout.
	ErrTimeout = errors.New("task: timeout")
	// ErrHeartbeat: the handler let no heartbeat be heard for too long.
	ErrHeartbeat = errors.New("task: no heartbeat")
	// ErrBody: the body is not what the handler takes. The attempt has failed:
	// another version of the handler may know better.
	ErrBody = errors.New("task: body does not fit")
	// ErrDead: the task has failed for good. Wait returns it in a *DeadError.
	ErrDead = errors.New("task: dead")
	// ErrBadSchedule: the schedule can never fire, or is not written as one.
	ErrBadSchedule = errors.New("task: bad schedule")
	// ErrClosed: the Queue was closed. It is the cause with which a handler's context
	// ends that has not returned in the time that Close was given.
	ErrClosed = errors.New("task: queue closed")
)

// DuplicateError says which task has the unique key. It is an ErrDuplicate.
type DuplicateError struct{ ID, Unique string }

// Error names both.
func (e *DuplicateError) Error() string {
	return fmt.Sprintf("%v: %s has %q", ErrDuplicate, e.ID, e.Unique)
}

// Unwrap makes it an ErrDuplicate.
func (e *DuplicateError) Unwrap() error { return ErrDuplicate }

// DeadError is why a task has failed for good. It is an ErrDead.
type DeadError struct {
	ID       string
	Attempts int    // how often it was tried
	Reason   string // of the last failure
}

// Error names the task and the last failure.
func (e *DeadError) Error() string {
	return fmt.Sprintf("%v: %s after %d attempts: %s", ErrDead, e.ID, e.Attempts, e.Reason)
}

// Unwrap makes it an ErrDead.
func (e *DeadError) Unwrap() error { return ErrDead }

// codes are the sentinels that travel. Of several the first counts.
var codes = []struct {
	code string
	err  error
}{
	{"bad schedule", ErrBadSchedule},
	{"too large", ErrTooLarge},
	{"bad task", ErrBadTask},
	{"full", ErrQueueFull},
	{"duplicate", ErrDuplicate},
	{"conflict", ErrConflict},
	{"not found", ErrNotFound},
	{"state", ErrState},
	{"unknown", ErrUnknownOutcome},
	{"other part", ErrOtherPart},
}

// problemOf is err for the way to a client.
func problemOf(err error) problem {
	if err == nil {
		return problem{}
	}
	p := problem{Code: "other", Text: err.Error()}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			p.Code = c.code
			break
		}
	}
	var dup *DuplicateError
	if errors.As(err, &dup) {
		p.ID, p.Text = dup.ID, dup.Unique
	}
	return p
}

// err is what problemOf was given, as far as it travels.
func (p problem) err() error {
	if p.Code == "" {
		return nil
	}
	for _, c := range codes {
		switch {
		case c.code != p.Code:
		case c.err == ErrDuplicate:
			return &DuplicateError{ID: p.ID, Unique: p.Text}
		default:
			return &remoteError{p.Text, c.err}
		}
	}
	return errors.New(p.Text)
}

// remoteError is an error that was met by the dispatcher.
type remoteError struct {
	text string
	is   error
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.is }
