package actor

//lint:file-ignore ST1012 An exit reason says what happened and need not be an error.

import (
	"errors"
	"fmt"
)

// Exit reasons. A process's reason is the error its code returned, the reason
// of the exit signal that stopped it, or a *PanicError. errors.Is works on them
// across nodes: these sentinels keep their identity, any other reason arrives
// as a *RemoteError with its text.
var (
	// Normal is the reason of a process that ended well: a Func that returned
	// nil, a Handler that returned Normal. Processes linked to it go on.
	Normal = errors.New("normal")
	// Killed is the reason of a process that was told to Exit with Killed; it
	// cannot be trapped.
	Killed = errors.New("killed")
	// Shutdown is the reason when the node is leaving.
	Shutdown = errors.New("the node is shutting down")
	// NoProcess: there is no such process, or not any more.
	NoProcess = errors.New("no such process")
	// LinkLost: the link to the other node broke, so nothing is known about
	// what was under way or about the process there.
	LinkLost = errors.New("the link to its node is lost")
)

// Errors that the calls of a process return.
var (
	// ErrMailboxFull: the receiver's mailbox is at its bound and refuses mail.
	ErrMailboxFull = errors.New("mailbox full")
	// ErrTimeout: ReceiveTimeout or a bounded Call waited long enough. A call
	// that timed out may still have been carried out.
	ErrTimeout = errors.New("timed out")
	// ErrNotInHandler: Receive, ReceiveTimeout and Expect are for Funcs; a
	// Handler is handed its messages.
	ErrNotInHandler = errors.New("a Handler cannot receive: it is handed its messages")
	// ErrNoReplyWanted: Reply was given a message that is no call.
	ErrNoReplyWanted = errors.New("the message is not a call, so nobody waits for a reply")
	// ErrUnexpectedReply: the reply to a call is not of the type asked for.
	ErrUnexpectedReply = errors.New("the reply is of another type")
	// ErrNameTaken: another living process of this node has the name.
	ErrNameTaken = errors.New("name taken")
	// ErrStopped: the process system has stopped.
	ErrStopped = errors.New("the node has stopped")
	// ErrNoDirectory: the process's system belongs to no cluster.
	ErrNoDirectory = errors.New("no cluster to ask")
)

// NotSent is the LinkLost of a call that was certainly never sent: there was no
// link, and none could be made.
var NotSent error = notSent{}

type notSent struct{}

func (notSent) Error() string        { return "no link to its node could be made" }
func (notSent) Is(target error) bool { return target == LinkLost }

// PanicError is the exit reason of a process whose code panicked.
type PanicError struct {
	Value any
	Stack []byte
}

// Error tells the value; the stack is for logs.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap gives the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// ErrGoexit is the exit reason of a process whose code called runtime.Goexit.
var ErrGoexit = errors.New("runtime.Goexit")

// RemoteError is an exit reason or a failed call's error that came from another
// node and is none of the sentinels: its text.
type RemoteError struct{ Text string }

// Error is the text as the other node had it.
func (e *RemoteError) Error() string { return e.Text }

func orNormal(reason error) error {
	if reason == nil {
		return Normal
	}
	return reason
}
