package node

import (
	"fmt"
	"strings"

	"conclave/actor"
)

// EventKind says what an Event is about.
type EventKind string

// The kinds of events, and which fields of Event they fill.
const (
	SessionUp        EventKind = "session up"        // a ZooKeeper session is established: Cluster
	SessionSuspended EventKind = "session suspended" // the connection to ZooKeeper is gone; the session may live
	SessionResumed   EventKind = "session resumed"   // connected again, in the same session
	SessionLost      EventKind = "session lost"      // the session is over; a new one is being opened: Err
	ClusterChanged   EventKind = "cluster changed"   // the ensemble was wiped, or is another: Cluster
	Trouble          EventKind = "trouble"           // somebody may have to look: Err
	Unguarded        EventKind = "unguarded"         // the guard is gone or does not answer; the node goes on without: Err

	TermBegan     EventKind = "term began"            // this node holds a global: Term, PID
	TermEnded     EventKind = "term ended"            // no longer: Term, PID, Err
	Elected       EventKind = "elected"               // a holder was seen, here or elsewhere: Term, PID
	StuckHolder   EventKind = "stuck holder"          // a holder's code does not return although its term is over: Term, PID
	UnstuckHolder EventKind = "stuck holder returned" // Term
	Withdrawn     EventKind = "withdrawn"             // a candidacy of this node is over: Name
	Accepted      EventKind = "accepted"              // mail under a term was accepted: Term, From, PID (the receiver)
	Refused       EventKind = "refused"               // mail under a lower term was turned away: Term, From, PID
	Strange       EventKind = "strange znode"         // somebody else's znode under ours was skipped: Name, Err
	Repaired      EventKind = "repaired"              // a watch had been lost and its view was mended: Name

	LinkUp      EventKind = "link up"      // Peer
	LinkDown    EventKind = "link down"    // Peer, Err
	LinkFailed  EventKind = "link failed"  // no link could be made: Peer, Err
	LinkRefused EventKind = "link refused" // somebody who tried to link was turned away: Remote, Err

	Dead      EventKind = "dead letter"        // Letter
	Collision EventKind = "type names collide" // Err
)

// Event is one fact in the life of a node. Fields that do not concern its Kind
// are zero.
type Event struct {
	Kind    EventKind
	Term    actor.Term
	PID     actor.PID
	From    actor.PID
	Peer    actor.NodeID
	Remote  string
	Name    string
	Cluster string
	Letter  actor.DeadLetter
	Err     error
}

// String is the event for people.
func (e Event) String() string {
	var b strings.Builder
	b.WriteString(string(e.Kind))
	add := func(label string, v any, there bool) {
		if there {
			fmt.Fprintf(&b, " %s=%v", label, v)
		}
	}
	add("term", e.Term, !e.Term.IsZero())
	add("pid", e.PID, !e.PID.IsZero())
	add("from", e.From, !e.From.IsZero())
	add("peer", e.Peer, !e.Peer.IsZero())
	add("remote", e.Remote, e.Remote != "")
	add("name", e.Name, e.Name != "")
	add("cluster", e.Cluster, e.Cluster != "")
	add("reason", e.Letter.Reason, e.Kind == Dead)
	add("type", e.Letter.Type, e.Letter.Type != "")
	add("more", e.Letter.More, e.Letter.More > 0)
	add("error", e.Err, e.Err != nil)
	return b.String()
}
