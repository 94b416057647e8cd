package task

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"conclave/codec"
)

// Handler does tasks of one kind. It returns nil when the work is done; Retry to
// be asked again later; Discard for a task that can never be done; any other
// error has it tried again after its back-off, until its attempts are used up and
// it is dead. A panic is an error.
//
// ctx ends when the assignment is lost (ErrLost), when the task was cancelled
// (ErrCancelled), has taken too long (ErrTimeout, ErrHeartbeat) or the worker must
// leave; context.Cause says which. The handler should return then: while it heeds
// its ctx, no other worker runs the task at the same time.
//
// What it does to the outside is done at least once: a worker can die between the
// effect and the record. An outside store that keeps t.Fence() beside what it was
// told, and refuses lower ones, is safe from a late worker; one that keeps t.ID()
// recognises a repetition.
type Handler func(ctx context.Context, t *Task) error

// Task is one attempt at a task, for the handler that makes it. Its methods are for
// the handler's goroutine and those that it starts, and only until it returns.
type Task struct {
	a       assignment
	maxBody int
	divided bool // the scope has parts
	run     backer

	result     []byte
	resultType string
	then       []Spec
}

// backer is what stands behind a Task: the worker, or a test.
type backer interface {
	check() error
	beat()
	progress(ctx context.Context, data []byte) error
}

// ID names the task.
func (t *Task) ID() string { return t.a.ID }

// Kind is its kind.
func (t *Task) Kind() string { return t.a.Kind }

// Key is its key; "" if it has none.
func (t *Task) Key() string { return t.a.Key }

// Meta is its metadata; not to be changed.
func (t *Task) Meta() map[string]string { return t.a.Meta }

// Attempt counts, from 1, how often the task was given to a worker.
func (t *Task) Attempt() int { return t.a.Attempt }

// Fence rises with every assignment of the scope: of two attempts at a task (or
// two tasks of one key) the later has the higher number. An outside store that
// refuses lower ones than it has seen is safe from a late worker.
func (t *Task) Fence() uint64 { return t.a.Fence }

// Timeout is how long an attempt may take; 0: as long as it likes.
func (t *Task) Timeout() time.Duration { return time.Duration(t.a.Timeout) * time.Millisecond }

// Beat is how often the handler must show life; 0: never.
func (t *Task) Beat() time.Duration { return time.Duration(t.a.Beat) * time.Millisecond }

// Body is the body's bytes, msgpack, and the name of its type.
func (t *Task) Body() (data []byte, typeName string) { return t.a.Body, t.a.Type }

// Decode reads the body into what into points at. The type's name does not matter;
// an ErrBody says what did not fit.
func (t *Task) Decode(into any) error {
	return decode(t.a.Body, into)
}

// Return sets the result, for whoever waits: anything that a message can be, at
// most as large as a body.
func (t *Task) Return(v any) error {
	data, name, err := encodeBody(v)
	switch {
	case err != nil:
		return err
	case len(data) > t.maxBody:
		return fmt.Errorf("%w: the result takes %d bytes, at most %d: keep it elsewhere and return where it is", ErrTooLarge, len(data), t.maxBody)
	}
	then := len(data) + len(name)
	for i := range t.then {
		then += t.then[i].bytes()
	}
	if then > maxTogetherBytes {
		return fmt.Errorf("%w: the result and the tasks to follow take %d bytes, at most %d", ErrTooLarge, then, maxTogetherBytes)
	}
	t.result, t.resultType = data, name
	return nil
}

// Then submits what follows, if the handler returns nil: in the same transaction
// that records the completion. A follower without an id is called after this task:
// its id, a slash and a number. One whose unique key is taken is left out, and so is
// one whose id is another task's (event FollowerLeftOut). Followers may pass
// Config.MaxLive, up to twice that; above it the attempt has failed, as the queue is
// full.
//
// In a divided scope what follows has the key of this task, or neither key nor unique
// key nor id: otherwise ErrOtherPart.
func (t *Task) Then(next ...Spec) error {
	then, n := append([]Spec(nil), t.then...), 0
	for _, s := range next {
		if err := s.check(t.maxBody); err != nil {
			return err
		}
		then = append(then, s)
	}
	if t.divided {
		if err := followsIn(t.a.Key, then); err != nil {
			return err
		}
	}
	for i := range then {
		n += then[i].bytes()
	}
	if n += len(t.result) + len(t.resultType); n > maxTogetherBytes || len(then) > MaxTogether {
		return fmt.Errorf("%w: %d tasks to follow, with the result %d bytes, at most %d of %d", ErrTooLarge, len(then), n, MaxTogether, maxTogetherBytes)
	}
	t.then = then
	return nil
}

// Check is nil while the task is certainly this worker's: before a step that must
// not be made by two. It asks nobody: the worker's lease says so.
func (t *Task) Check() error { return t.run.check() }

// Heartbeat shows that the handler is alive; see Beat.
func (t *Task) Heartbeat() { t.run.beat() }

// Progress saves v, for whoever looks at the task and for the next attempt, if this
// one fails (Saved); at most as large as a body. It returns when it is on its way:
// what was saved last may be lost with the worker. It is a Heartbeat, too.
func (t *Task) Progress(ctx context.Context, v any) error {
	data, _, err := encodeBody(v)
	switch {
	case err != nil:
		return err
	case len(data) > t.maxBody:
		return fmt.Errorf("%w: progress of %d bytes, at most %d", ErrTooLarge, len(data), t.maxBody)
	}
	t.run.beat()
	return t.run.progress(ctx, data)
}

// Saved reads what an earlier attempt has saved by Progress. It says false if
// there was nothing.
func (t *Task) Saved(into any) (bool, error) {
	if t.a.Progress == nil {
		return false, nil
	}
	return true, decode(t.a.Progress, into)
}

// Retry is what a handler returns to be asked again after d, without having
// failed: it uses up no attempt.
func Retry(d time.Duration) error { return &retryError{max(d, 0)} }

type retryError struct{ after time.Duration }

func (e *retryError) Error() string { return fmt.Sprintf("task: again in %v", e.after) }

// Discard is what a handler returns when trying again is no use: the task is dead,
// with err as the reason.
func Discard(err error) error {
	if err == nil {
		err = errors.New("discarded")
	}
	return &discardError{err}
}

type discardError struct{ err error }

func (e *discardError) Error() string { return e.err.Error() }
func (e *discardError) Unwrap() error { return e.err }

// decode reads data into what into points at, whatever the type's name was.
func decode(data []byte, into any) error {
	t := reflect.TypeOf(into)
	if t == nil || t.Kind() != reflect.Pointer || reflect.ValueOf(into).IsNil() {
		return fmt.Errorf("%w: it is to be read into a %T, which is no pointer", ErrBody, into)
	}
	if len(data) == 0 { // a task without a body
		reflect.ValueOf(into).Elem().SetZero()
		return nil
	}
	name := codec.Name(t.Elem())
	if t.Elem().Kind() == reflect.Interface {
		name = "" // none that is known: maps and slices, then
	}
	if err := codec.Decode(name, data, into); err != nil {
		return fmt.Errorf("%w: %w", ErrBody, err)
	}
	return nil
}
