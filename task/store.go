package task

import (
	"context"
	"errors"
	"fmt"

	"conclave/actor"
)

// Store keeps a scope's records: bytes by key, written by one dispatcher at a time.
// Package task/storetest has what every store must pass.
type Store interface {
	// Open takes the records over for a dispatcher's term, and has load called with
	// every record there is, in no order. From its return on no Commit of an earlier
	// term is done any more: what a deposed dispatcher asks for fails with
	// ErrDeposed. load keeps value; the store does not change it.
	Open(ctx context.Context, term actor.Term, load func(key string, value []byte) error) (Log, error)
}

// Log is a Store that was opened by a dispatcher. Its methods are for one
// goroutine at a time.
type Log interface {
	// Commit does all changes or none, and returns nil when they would survive the
	// end of this process (and whatever else the store promises to survive).
	// workers are names of worker znodes which must be there for it, where the store
	// can check that in the same transaction: a *WorkerGoneError names one that is
	// not, and nothing was done. Any other error is the end of this Log: after
	// ErrDeposed nothing was done, otherwise nobody knows.
	Commit(ctx context.Context, changes []Change, workers []string) error
}

// Change sets a record, or deletes it if Value is nil. Neither is changed later.
type Change struct {
	Key   string
	Value []byte
}

// ErrDeposed: a later dispatcher has taken the store over, or will.
var ErrDeposed = errors.New("task: another dispatcher has taken over")

// WorkerGoneError is why a Commit was not done: a worker has no znode any more.
type WorkerGoneError struct{ Worker string }

// Error names the worker.
func (e *WorkerGoneError) Error() string { return fmt.Sprintf("task: worker %s is gone", e.Worker) }
