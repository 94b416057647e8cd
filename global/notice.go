package global

import (
	"errors"
	"fmt"

	"conclave/actor"
	"conclave/internal/keeper"
)

var (
	// ErrNoHolder: the name has no holder that has made itself known, and none
	// came within the caller's time.
	ErrNoHolder = errors.New("no holder")
	// ErrNotStanding: the candidacy did not get a place in line within the
	// caller's time; it goes on trying.
	ErrNotStanding = errors.New("the candidacy does not stand yet")
	// ErrWithdrawn: the candidacy was taken back, or its holder returned nil.
	ErrWithdrawn = errors.New("the candidacy is withdrawn")
	// ErrRegisteredAgain: the candidacy was registered again before it was gone.
	ErrRegisteredAgain = errors.New("the candidacy was registered again")
	// ErrClosed: the node is leaving.
	ErrClosed = errors.New("the globals of this node are closed")
	// ErrStuck: a holder has not returned though its term is over.
	ErrStuck = errors.New("the holder does not return")

	// Causes of a term's end, beside ErrWithdrawn and the holder's exit reason.

	// ErrLeaseLapsed: ZooKeeper did not confirm the lease in time.
	ErrLeaseLapsed = keeper.ErrLeaseLapsed
	// ErrSessionLost: the ZooKeeper session is over.
	ErrSessionLost = keeper.ErrSessionLost
	// ErrDeleted: somebody deleted the holder's znode.
	ErrDeleted = errors.New("the candidate's znode was deleted")
	// ErrDeposed: a higher term was heard of.
	ErrDeposed = errors.New("a successor was heard of")
)

// Event is a fact about the globals of this node, handed to Config.OnEvent: one
// of the types below. Those of one candidacy come in order.
type Event interface{ isEvent() }

// TermBegan: this node holds the name Term.Scope() from now on.
type TermBegan struct {
	Term actor.Term
	PID  actor.PID
}

// TermEnded: a term of this node is over: nothing is dispatched to its holder or
// sent by it any more, and it has been told to return. Cause wraps one of the
// errors above, or is the holder's exit reason.
type TermEnded struct {
	Term  actor.Term
	PID   actor.PID
	Cause error
}

// Elected: a holder was found in ZooKeeper, on this node or another.
type Elected struct {
	Term actor.Term
	PID  actor.PID
}

// Stuck: a holder of this node has not returned in the time it had after its
// term's end (7/16 of the session timeout). Until it does, its znode is left alone
// and the node stands anew for nothing. Whoever wants the operating-system
// process to end in this case does it here.
type Stuck struct {
	Term actor.Term
	PID  actor.PID
}

// Unstuck: the stuck holder has returned after all.
type Unstuck struct{ Term actor.Term }

// Withdrawn: nothing of this node's candidacy for Name is left.
type Withdrawn struct{ Name string }

// Refused: ZooKeeper refuses something that the candidacy for Name needs. It is
// tried again.
type Refused struct {
	Name string
	Err  error
}

// Strange: there is a znode that no candidate of ours can have made, or whose
// data cannot be read. It is told once.
type Strange struct {
	Path   string
	Reason string
}

// WentBack: a term of Name would have had a number that is not above one heard
// before: ZooKeeper was restored from an old copy. The node does not hold it, as
// every node that remembers would turn it away; it tries again.
type WentBack struct {
	Name   string
	Number int64      // what the term would have had
	Heard  actor.Term // what was heard
}

func (TermBegan) isEvent() {}
func (TermEnded) isEvent() {}
func (Elected) isEvent()   {}
func (Stuck) isEvent()     {}
func (Unstuck) isEvent()   {}
func (Withdrawn) isEvent() {}
func (Refused) isEvent()   {}
func (Strange) isEvent()   {}
func (WentBack) isEvent()  {}

// error is the cause for people and errors.Is; reason is what the holder said,
// or what the lease's context says.
func (c cause) error(reason error) error {
	var kind error
	switch c {
	case causeWithdrawn:
		return ErrWithdrawn
	case causeReturned:
		return actor.Normal
	case causeFailed:
		if reason == nil {
			return actor.ErrTermOver
		}
		return reason
	case causeSession:
		kind = ErrSessionLost
	case causeDeleted:
		kind = ErrDeleted
	case causeOutdone:
		kind = ErrDeposed
	case causeHandOver:
		return actor.ErrHandOver
	default:
		kind = ErrLeaseLapsed
	}
	if reason == nil || errors.Is(reason, kind) {
		return kind
	}
	return fmt.Errorf("%w: %w", kind, reason)
}
