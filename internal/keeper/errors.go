package keeper

import (
	"errors"
	"fmt"
)

// The errors of this package, for errors.Is. Every error that a call returns
// names the operation and the path and wraps one or more of these.
var (
	// ErrNoNode: the znode (or, for a create, its parent) does not exist.
	ErrNoNode = errors.New("keeper: no such znode")
	// ErrNodeExists: the znode to create is there already.
	ErrNodeExists = errors.New("keeper: znode exists")
	// ErrBadVersion: the znode has another version than the one asked for.
	ErrBadVersion = errors.New("keeper: znode has another version")
	// ErrNotEmpty: a znode with children cannot be deleted.
	ErrNotEmpty = errors.New("keeper: znode has children")
	// ErrNoAuth: the ACL of the znode does not let our credentials do this.
	ErrNoAuth = errors.New("keeper: not permitted by the znode's ACL")
	// ErrAuthFailed: ZooKeeper refused a credential, or with the ones given
	// the root cannot be used.
	ErrAuthFailed = errors.New("keeper: credentials refused")
	// ErrBadRequest: ZooKeeper or its client found the request malformed
	// (path, ACL, a child under an ephemeral). Nothing was done.
	ErrBadRequest = errors.New("keeper: bad request")
	// ErrTooLarge: the request is above MaxRequest. It was not sent.
	ErrTooLarge = errors.New("keeper: request too large")

	// ErrUnknownOutcome: the write may or may not have been done, or may yet
	// be done as long as the session lives. After a successful Sync it is
	// decided: what a read then shows is what became of it.
	ErrUnknownOutcome = errors.New("keeper: outcome unknown")
	// ErrNotConnected: a read got no answer, or a write was certainly not
	// done: there was no connection to send it on before its context ended.
	ErrNotConnected = errors.New("keeper: not connected to ZooKeeper")
	// ErrSessionLost: the session is over. A write that was under way when it
	// ended reports ErrUnknownOutcome as well.
	ErrSessionLost = errors.New("keeper: session lost")
	// ErrClosed: the Keeper was closed.
	ErrClosed = errors.New("keeper: closed")

	// ErrLeaseLapsed: the lease was not renewed in time. This is final.
	ErrLeaseLapsed = errors.New("keeper: lease lapsed")
	// ErrOwnerGone: the znode that a lease or a session stands on is gone, or
	// belongs to somebody else.
	ErrOwnerGone = errors.New("keeper: owner znode is gone")
	// ErrReleased: the lease was given back by its holder.
	ErrReleased = errors.New("keeper: lease released")
)

// OpError says which operation of a Multi (or which single call) failed.
type OpError struct {
	// Index is the place of the operation among those given to Multi, 0 for
	// a single call, and -1 for the fence that the session puts in front.
	Index int
	// Op is what was asked for: "create", "set", "delete", "check", "get" ...
	Op string
	// Path is the znode it was asked for.
	Path string
	// Err wraps one or more of this package's errors.
	Err error

	fence bool // it was the fence, whoever put it there
}

// Error names the operation, the path and what went wrong.
func (e *OpError) Error() string {
	return fmt.Sprintf("%s %q: %v", e.Op, e.Path, e.Err)
}

// Unwrap lets errors.Is find this package's errors.
func (e *OpError) Unwrap() error { return e.Err }
