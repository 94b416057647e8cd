package node

import (
	"errors"

	"conclave/actor"
	"conclave/global"
	"conclave/internal/keeper"
	"conclave/registry"
)

// Errors of a node's calls. Those of processes are in package actor, those of
// ZooKeeper come through from the calls that touch it.
var (
	// ErrStopped: the node has been stopped.
	ErrStopped = actor.ErrStopped
	// ErrNoHolder: nobody held the global within the context's time.
	ErrNoHolder = errors.New("nobody holds that name")
	// ErrNoCapable: nobody offers the service.
	ErrNoCapable = actor.ErrNoCapable
	// ErrUnknownOutcome: the message may or may not have been accepted; it was
	// not repeated.
	ErrUnknownOutcome = errors.New("unknown outcome: it may have been accepted")
	// ErrPeerStopped: the other node has stopped and said so; in events of kind
	// LinkDown.
	ErrPeerStopped = errors.New("the other node has stopped")
	// ErrTooLarge: a message is over the limit of the receiving node.
	ErrTooLarge = errors.New("message too large")
	// ErrUnreachable: a guest, which listens nowhere, has no link with us (any more).
	ErrUnreachable = errors.New("it listens nowhere and has no link with this node")
	// ErrRefused: the other node does not link with this one; the text says why.
	ErrRefused = errors.New("refused by the other node")
	// ErrOtherCluster: the other node belongs to another cluster.
	ErrOtherCluster = errors.New("it belongs to another cluster")
	// ErrNotConnected: ZooKeeper cannot be reached; in events of kind Trouble.
	ErrNotConnected = keeper.ErrNotConnected
	// ErrAuthFailed: ZooKeeper refused the credentials, or they do not suffice
	// for the root; in events of kind Trouble, and from Ready.
	ErrAuthFailed = keeper.ErrAuthFailed
	// ErrConfig is wrapped by what Start says about its Config.
	ErrConfig = errors.New("configuration")

	errReplaced  = errors.New("the other node made a new link")
	errNoVerdict = errors.New("the other node did not answer the handshake")
	errOverflow  = errors.New("the other node does not read what is sent to it")
	errHeartbeat = errors.New("no heartbeat")
)

// told gives the errors of the parts the node's own sentinels.
func told(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, global.ErrNoHolder):
		return &alsoError{ErrNoHolder, err}
	case errors.Is(err, registry.ErrClosed), errors.Is(err, global.ErrClosed), errors.Is(err, keeper.ErrClosed):
		return &alsoError{ErrStopped, err}
	}
	return err
}

// alsoError is an error that is a sentinel of ours too.
type alsoError struct{ sort, cause error }

func (e *alsoError) Error() string   { return e.cause.Error() }
func (e *alsoError) Unwrap() []error { return []error{e.sort, e.cause} }

type refusedError struct{ why string }

func (e *refusedError) Error() string { return ErrRefused.Error() + ": " + e.why }
func (e *refusedError) Unwrap() error { return ErrRefused }
