package actor

import (
	"reflect"
	"sync/atomic"
)

// DeadReason says why a message reached nobody.
type DeadReason uint8

// Why a message became a dead letter.
const (
	DeadNoProcess        DeadReason = iota + 1 // there is no such process, or it ended with mail unread
	DeadNoName                                 // no process has that local name
	DeadStaleIncarnation                       // it was meant for a run of the node that is over
	DeadMailboxFull                            // the receiver's mailbox is at its bound
	DeadStaleTerm                              // a higher term has been heard
	DeadTooLarge                               // over the limit of a message
	DeadLinkLost                               // the link broke, or cannot be made; not all that it lost: see DeadLetter
	DeadUndecodable                            // the bytes are not what the type says
	DeadUnhandled                              // a Mux has no function for it
	DeadLateReply                              // the caller waits no longer
	DeadNoHolder                               // handed back by a holder that did not read it, and no other took it
	deadReasons
)

var deadText = [deadReasons]string{
	"", "no such process", "no such name", "stale incarnation", "mailbox full", "stale term",
	"too large", "link lost", "undecodable", "unhandled", "late reply", "no holder",
}

func (r DeadReason) String() string {
	if int(r) < len(deadText) {
		return deadText[r]
	}
	return "unknown reason"
}

// DeadLetter is a message that reached nobody, and why.
//
// For what had been handed to a link that broke, and may not have left this node,
// there is one DeadLetter: its Reason is DeadLinkLost, its To has serial 0 and tells
// the node, and More the number. That is all that the operating system had not taken,
// with the whole batch that it was taking: some of it may have arrived. What it had
// taken, be it still in a buffer of this machine, and did not arrive, nobody knows of:
// it is told and counted nowhere. Who must know has the receiver confirm: [Call], or
// for a holder's mail SendGlobal of package node.
type DeadLetter struct {
	From, To PID
	Name     string // the local name it was addressed to, if it was
	Type     string // the name of its body's type
	Term     Term
	Reason   DeadReason
	More     uint64 // how many more reached nobody at once with this one; all that is known of them is this
	Missed   uint64 // for a subscriber: how many before this one it was not shown, their More included
}

// letterType is how a message with a DeadLetter for a body is called.
var letterType = reflect.TypeFor[DeadLetter]().String()

type deadCounts [deadReasons]atomic.Uint64

// DeadLetter counts d, logs it, and hands it to the hook and to all subscribers.
// Parts of the node that find out about a dead letter call it. One about a
// message that is itself a DeadLetter is only counted.
func (s *System) DeadLetter(d DeadLetter) {
	if d.Reason < deadReasons {
		s.dead[d.Reason].Add(1 + d.More)
	}
	if d.Type == letterType {
		return
	}
	s.deadLog.note(d)
	if s.cfg.OnDeadLetter != nil {
		s.cfg.OnDeadLetter(d)
	}
	s.subscribers.show(d)
}

// DeadLetters is how many there were for a reason since the start.
func (s *System) DeadLetters(r DeadReason) uint64 {
	if r >= deadReasons {
		return 0
	}
	return s.dead[r].Load()
}
