package actor

import (
	"context"
)

// Kind says what an Envelope carries.
type Kind uint8

// What travels between processes. The wire has one frame for each.
const (
	KindMessage    Kind = iota + 1 // with a Ref, the sender's node wants a reply once it is accepted
	KindCall                       // a message whose sender waits for the reply with the same Ref
	KindReply                      //
	KindReplyError                 // the call failed: Reason says why
	KindCancel                     // the caller waits no longer
	KindLink                       //
	KindUnlink                     //
	KindExit                       // an exit signal of a linked process, with its Reason
	KindStop                       // somebody called Exit: Reason
	KindMonitor                    //
	KindDemonitor                  //
	KindDown                       // a monitored process has ended: Reason
	KindConfirm                    // a reply to a message with a Ref: it is in the mailbox
)

// Envelope is one thing on its way between processes of different nodes.
type Envelope struct {
	Kind   Kind
	From   PID
	To     PID
	Name   string // instead of a serial in To: a local name there
	Term   Term
	Ref    uint64
	Body   any   // messages, calls, replies
	Reason error // exits, stops, downs, failed calls

	Carrier string // messages, calls: of the Tracer
}

// Router takes what is addressed to processes of other nodes. A node supplies it.
type Router interface {
	// Route takes charge of e. It returns an error when e certainly was not
	// taken: it cannot be encoded, is too large, the node has stopped. Messages,
	// calls and replies wait under back-pressure until ctx is done, which is asked
	// for Done only in order to wait, and CheckTerm(ctx) passes after each wait or
	// they are not taken (a lease has lapsed, a timer was stopped); the other kinds
	// never wait, because Deliver, which has a link's reader waiting, and
	// processes that end send some of them. Everything from one process to
	// another arrives in the order of the calls to Route.
	Route(ctx context.Context, e Envelope) error
	// RouteMail is Route for a message, call or reply under no term, without a name
	// or a trace: the way of most mail, on which no Envelope is copied.
	RouteMail(ctx context.Context, kind Kind, from, to PID, ref uint64, body any) error
	// Relieved tells that the mailbox of a process that an Envelope had filled
	// (Deliver said Full) has room again, or that the process has ended. It must
	// not block. It may come before Deliver's caller has acted on Full: who has
	// told senders to pause then asks System.Full whether that still holds.
	Relieved(pid PID)
}

// Directory answers names for processes. A node supplies it.
type Directory interface {
	GetCapable(ctx context.Context, service string) ([]PID, error)
	WaitCapable(ctx context.Context, service string, n int) ([]PID, error)
	WhereisGlobal(ctx context.Context, name string) (PID, error)

	// What a process of this node does in a service: see the methods of Process.
	Offer(ctx context.Context, service string, pid PID) error
	Retract(ctx context.Context, service string, pid PID) error
	SubscribeCapable(service string, pid PID) error
	UnsubscribeCapable(service string, pid PID)

	// NameChanged tells that a process of this node got (there true) or lost a
	// local name, one change at a time, in the order in which they happened. It
	// must not block, nor change names itself.
	NameChanged(name string, pid PID, there bool)
}

// Delivery is what became of an Envelope.
type Delivery uint8

const (
	// Accepted: it is the process's now.
	Accepted Delivery = iota
	// Full: accepted, but the mailbox waits for relief: senders should pause
	// until the Router is told that it is relieved.
	Full
	// Refused: a dead letter; its caller, if any, was told.
	Refused
	// Stale: refused because a higher term has been heard.
	Stale
)
