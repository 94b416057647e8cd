package transport

import "fmt"

// Kind says what a frame is for. Kinds that a Decoder does not know are
// skipped, so that newer nodes can speak to older ones.
type Kind uint8

// Kinds in the messages lane.
const (
	Message    Kind = 1  // a body for a process
	Call       Kind = 2  // the same, and Ref awaits a Reply or ReplyError
	Reply      Kind = 3  // the answer to the Call with this Ref
	ReplyError Kind = 4  // the Call with this Ref failed
	Link       Kind = 5  // From links itself with To
	Unlink     Kind = 6  // and takes it back
	Exit       Kind = 7  // an exit signal from From to To
	Monitor    Kind = 8  // From wants to know when To ends; Ref names the monitor
	Demonitor  Kind = 9  // and takes it back
	Down       Kind = 10 // the process monitored under Ref has ended
	Moving     Kind = 11 // a name is about to be handed over: send its holder no more for now
	Returned   Kind = 12 // a body that the holder was sent and has not read
	Moved      Kind = 13 // all that the holder has not read has come back
	StepBack   Kind = 14 // a candidate shall go to the back of its line
	TakeOver   Kind = 15 // a candidate shall expect the state of the holder ahead of it
	State      Kind = 16 // that state

	// In the lane Bulk only, beside Message to Down.
	After Kind = 17 // what follows was sent after the first Ref frames of the messages lane
	Sync  Kind = 18 // say Synced when all before this has been delivered
)

// Kinds in the control lane.
const (
	Verdict   Kind = 32 // which of two links between the same nodes lives
	Go        Kind = 33 // the link may be used
	Ping      Kind = 34 // are you there?
	Pong      Kind = 35 // yes
	Announce  Kind = 36 // a term and its holder
	TermStale Kind = 37 // a term you used is over
	Pause     Kind = 38 // send no more to the process To for now
	Resume    Kind = 39 // go on
	Bye       Kind = 40 // this side is leaving and sends no more
	Answer    Kind = 41 // to a Moved, StepBack, TakeOver or State
	BulkLane  Kind = 42 // the lane Bulk is wanted, or open
	Synced    Kind = 43 // all before the Sync with this Ref has been delivered
)

var kindNames = [...]string{
	Message: "Message", Call: "Call", Reply: "Reply", ReplyError: "ReplyError",
	Link: "Link", Unlink: "Unlink", Exit: "Exit",
	Monitor: "Monitor", Demonitor: "Demonitor", Down: "Down",
	Moving: "Moving", Returned: "Returned", Moved: "Moved",
	StepBack: "StepBack", TakeOver: "TakeOver", State: "State", After: "After", Sync: "Sync",
	Verdict: "Verdict", Go: "Go", Ping: "Ping", Pong: "Pong",
	Announce: "Announce", TermStale: "TermStale",
	Pause: "Pause", Resume: "Resume", Bye: "Bye", Answer: "Answer", BulkLane: "BulkLane", Synced: "Synced",
}

// known reports whether k is a kind of this protocol version.
func (k Kind) known() bool { return int(k) < len(kindNames) && kindNames[k] != "" }

// String returns the kind's name.
func (k Kind) String() string {
	if k.known() {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Flags qualify a frame. What a bit means is for the kind to say; the
// transport carries all eight. A receiver ignores bits it does not know.
type Flags uint8

// Bounds of a frame's fields, in bytes, on both sides of every link.
const (
	MaxToName = 255
	MaxScope  = 1024
	MaxType   = 4096
	MaxExt    = 4096
)

// A Frame is one unit in a lane. Fields that are zero cost nothing on the wire,
// except From and To, which cost a byte.
type Frame struct {
	Kind  Kind
	Flags Flags

	// From and To are serials of processes: From's on the node that sends the
	// frame, To's on the node that receives it. Zero: the node itself, or for
	// To, the process named in ToName.
	From, To uint64

	// ToName addresses a process by its local name. At most MaxToName bytes.
	ToName string

	// Scope and TermNumber are the term that the frame is sent under, in the
	// cluster that both nodes belong to. Scope at most MaxScope bytes; it is
	// interned.
	Scope      string
	TermNumber int64

	// Ref correlates: a reply with its call, a Down with its monitor.
	Ref uint64

	// Ext holds extensions (see AppendExtension). At most MaxExt bytes.
	Ext []byte

	// Type is the stable name of the body's type. At most MaxType bytes; it is
	// interned.
	Type string

	// Body is the rest.
	Body []byte
}
