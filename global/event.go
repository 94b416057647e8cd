//conclave:pure

package global

import "time"

// What happens to an election. Times are readings of one monotonic clock.
type event interface{}

type (
	// Intentions.
	registered struct{}               // somebody offers (new) code
	withdraw   struct{}               // the offer is taken back
	closing    struct{}               // the node leaves: as withdraw, but nothing is waited for that ZooKeeper cannot answer now
	stepBack   struct{ name string }  // our candidate of that name goes to the back, if it stands in line
	transfer   struct{ number int64 } // our term of that number is handed over
	barred     struct{ on bool }      // while on, this node does not stand anew (it has a stuck holder)

	// The session.
	sessionUp struct {
		id int64
		t  time.Duration // its negotiated timeout
	}
	sessionLost struct{ id int64 }
	connection  struct { // suspended or resumed
		id int64
		up bool
	}

	// Answers to requests. Each request gets exactly one, with its number.
	created struct { // to create
		op   uint64
		name string
	}
	listed struct { // to list
		op    uint64
		names []string
	}
	ownRead struct { // to readOwn: our znode is there
		op    uint64
		owner int64 // the session that owns it
		czxid int64
	}
	predRead struct { // to readPred: the one ahead of us is there
		op    uint64
		owner int64 // 0: no session's, so no candidate of ours
	}
	claimed struct { // to claim: the lease is ours
		op    uint64
		heard int64 // the highest term number this node has heard for the name
	}
	published struct{ op uint64 } // to publish
	deleted   struct{ op uint64 } // to remove
	failed    struct {            // to any of them
		op  uint64
		why why
	}

	// Watches.
	ownChanged  struct{ name string }
	predChanged struct{ name string }

	// The term.
	leaseEnded struct {
		number int64
		why    why
	}
	holderExited struct { // the holder's own process has returned
		number int64
		well   bool // it returned nil: it withdraws
	}
	tenureEnded struct{ number int64 } // it and everything it spawned have returned
	passed      struct{ number int64 } // to pass: what was left has been handed over, or will not be

	timer struct{} // the time asked for has come
)

// why says what is known when a request did not succeed, or why a lease ended.
type why uint8

const (
	unknown  why = iota + 1 // no answer: it may have been carried out
	unsent                  // certainly not carried out
	over                    // the session is over
	gone                    // the znode is not there
	refused                 // ZooKeeper said no
	lapsed                  // the lease ran out
	released                // we let the lease go
	outdone                 // a higher term was heard of
)

var whyNames = map[why]string{
	unknown: "unknown", unsent: "unsent", over: "over", gone: "gone",
	refused: "refused", lapsed: "lapsed", released: "released", outdone: "outdone",
}

func (w why) String() string { return whyNames[w] }

// What an election wants done. Requests carry a number that their answer repeats.
type action interface{}

type (
	create struct {
		op   uint64
		guid string
	}
	list struct {
		op   uint64
		sync bool // Sync first
	}
	readOwn struct { // and watch
		op   uint64
		name string
	}
	readPred struct { // and watch
		op   uint64
		name string
	}
	claim struct {
		op   uint64
		name string
	}
	publish struct { // write the holder's PID into our znode
		op   uint64
		name string
	}
	remove struct {
		op   uint64
		name string
	}

	begin struct { // start the holder under the lease got by request lease
		lease  uint64
		number int64
	}
	end struct { // tell the holder, and what it spawned, that the term is over
		number int64
		cause  cause
	}
	pass struct { // everything has returned: hand over what is left of the term
		number int64
	}
	release struct{ lease uint64 }

	report struct { // tell whoever listens
		what what
		name string // of the znode that it is about
	}
)

// cause says why a term ended, or a candidacy.
type cause uint8

const (
	noCause        cause = iota
	causeLapsed          // the lease ran out
	causeSession         // the session is over
	causeDeleted         // somebody deleted our znode
	causeWithdrawn       // the offer was taken back
	causeReturned        // the holder returned nil
	causeFailed          // the holder failed
	causeReleased        // the lease was let go from outside
	causeOutdone         // a successor was heard of
	causeHandOver        // it is handed over as planned
)

var causeNames = map[cause]string{
	causeLapsed: "lapsed", causeSession: "session", causeDeleted: "deleted", causeWithdrawn: "withdrawn",
	causeReturned: "returned", causeFailed: "failed", causeReleased: "released", causeOutdone: "outdone",
	causeHandOver: "hand-over",
}

func (c cause) String() string { return causeNames[c] }

// what is what a report is about.
type what uint8

const (
	reportWithdrawn what = iota + 1
	reportStuck          // the holder does not return
	reportUnstuck        // now it has
	reportStrange        // a znode that no candidate of ours can be
	reportRefused        // ZooKeeper refuses our candidacy
	reportWentBack       // our term's number is not higher than one heard before
)

var whatNames = map[what]string{
	reportWithdrawn: "withdrawn", reportStuck: "stuck", reportUnstuck: "unstuck",
	reportStrange: "strange", reportRefused: "refused", reportWentBack: "went-back",
}

func (w what) String() string { return whatNames[w] }
