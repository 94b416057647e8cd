package history

import (
	"log/slog"
	"time"
)

// Kind says what an Event is about.
type Kind string

// The kinds of events, and which fields they fill beside those that all have.
const (
	Opened   Kind = "opened"   // the record of a node begins
	Closed   Kind = "closed"   // it ends in order: nothing is missing
	Began    Kind = "began"    // the node may act as the holder: Name, Number, PID, Until
	Leased   Kind = "leased"   // it may until then, unless it hears otherwise: Name, Number, Until
	Ended    Kind = "ended"    // it may no longer: Name, Number, PID
	Raised   Kind = "raised"   // the node has heard of a higher number: Name, Number
	Accepted Kind = "accepted" // mail under a term was let in: Name, Number, From, PID (the receiver)
	Refused  Kind = "refused"  // mail under a term was turned away: Name, Number, From, PID
	Forgot   Kind = "forgot"   // the cluster was wiped; what was heard of the one in Cluster counts no more
	Died     Kind = "died"     // a witness saw the node's process dead: Node
)

// Event is one fact about terms, as one node saw it. All have Kind, At, Wall,
// Boot and Node; those about a term have Cluster too.
//
// At and Until are readings of a clock that counts suspension and that all
// processes of one boot of one machine share (CLOCK_BOOTTIME on Linux); Boot
// tells which boot. An empty Boot is like no other: such times are compared with
// those of other nodes by Wall.
//
// So that a checker misses nothing, an interval is recorded no shorter than it
// was: Began is read before the holder is let loose, Ended after its last check
// must have failed, and a Leased is recorded before it takes effect. That accuses
// nobody wrongly, as a name is passed on only after Ended was read. Of what is
// accepted the opposite holds: Accepted is read before the terms were compared,
// Raised after it was taken note of, so an Accepted later than a Raised was
// certainly compared with it. Died is read when the process certainly acts no more.
type Event struct {
	Kind    Kind          `json:"kind"`
	At      time.Duration `json:"at"`   // in a line: nanoseconds
	Wall    time.Time     `json:"wall"` // the same moment on the calendar; less exact
	Boot    string        `json:"boot,omitempty"`
	Node    string        `json:"node"`            // the incarnation: 16 hex digits
	Label   string        `json:"label,omitempty"` // the node's name, for people
	Cluster string        `json:"cluster,omitempty"`
	Name    string        `json:"name,omitempty"` // of the global (the term's scope)
	Number  int64         `json:"number,omitempty"`
	Until   time.Duration `json:"until,omitempty"`
	PID     string        `json:"pid,omitempty"`
	From    string        `json:"from,omitempty"`
}

// LogValue is the event as a group of attributes, those that are filled.
func (e Event) LogValue() slog.Value {
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs,
		slog.String("kind", string(e.Kind)),
		slog.Duration("at", e.At),
		slog.Time("wall", e.Wall),
	)
	text := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	text("boot", e.Boot)
	text("node", e.Node)
	text("label", e.Label)
	text("cluster", e.Cluster)
	text("name", e.Name)
	if e.Number != 0 {
		attrs = append(attrs, slog.Int64("number", e.Number))
	}
	if e.Until != 0 {
		attrs = append(attrs, slog.Duration("until", e.Until))
	}
	text("pid", e.PID)
	text("from", e.From)
	return slog.GroupValue(attrs...)
}

// ofTerm says whether events of that kind are about a term, and known whether
// there is such a kind.
func (k Kind) ofTerm() bool {
	switch k {
	case Began, Leased, Ended, Raised, Accepted, Refused:
		return true
	}
	return false
}

func (k Kind) known() bool {
	switch k {
	case Opened, Closed, Forgot, Died:
		return true
	}
	return k.ofTerm()
}
