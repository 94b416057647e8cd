//conclave:pure

package shard

import "time"

// What happens to a part. Times are readings of one monotonic clock.
type event interface{}

type (
	// Intentions.
	wanted   struct{} // the plan gives this node the part
	unwanted struct{} // the plan gives it to another, or to nobody
	drainNow struct{} // the part, owned and unwanted, has its turn to move
	closing  struct{} // the node leaves: as unwanted, but it drains at once

	// The session.
	sessionUp struct {
		id int64
		t  time.Duration // its negotiated timeout
	}
	sessionLost struct{ id int64 }

	// Answers to requests. Each request gets exactly one, with its number.
	created   struct{ op uint64 } // to create: the znode is there, and ours
	exists    struct{ op uint64 } // to create: a znode was there already
	ownerRead struct {            // to read: there is an owner znode
		op      uint64
		session int64 // the session that owns it; 0: none, so it is no owner of ours
		czxid   int64
	}
	noOwner struct{ op uint64 } // to read: there is no owner znode
	claimed struct {            // to claim: the lease is ours
		op    uint64
		czxid int64 // of the znode that is leased
		heard int64 // the highest term number this node has heard of for the part
	}
	deleted struct{ op uint64 } // to remove
	failed  struct {            // to any of them
		op  uint64
		why why
	}

	// The watch that a read has set.
	ownerChanged struct{}

	// The term.
	leaseEnded struct {
		number int64
		why    why
	}
	broken  struct{ number int64 } // the code that should serve the part failed
	drained struct{ number int64 } // all that ran under the term has returned, and nothing will begin under it

	timer struct{} // the time asked for has come
)

// why says what is known when a request did not succeed, or why a lease ended.
type why uint8

const (
	unknown why = iota + 1 // no answer: it may have been carried out
	unsent                 // certainly not carried out
	over                   // the session is over
	gone                   // the znode is not there, or another's
	refused                // ZooKeeper, or our own session, said no
	lapsed                 // the lease ran out
	outdone                // a higher term was heard of
)

var whyNames = map[why]string{
	unknown: "unknown", unsent: "unsent", over: "over", gone: "gone",
	refused: "refused", lapsed: "lapsed", outdone: "outdone",
}

func (w why) String() string { return whyNames[w] }

// What a part wants done. Requests carry a number that their answer repeats; all
// are about the part's one owner znode.
type action interface{}

type (
	create struct{ op uint64 } // an ephemeral
	read   struct {
		op    uint64
		sync  bool // Sync first
		watch bool
	}
	claim  struct{ op uint64 } // the lease
	remove struct{ op uint64 } // retried by the machine only when it knows what became of it

	begin struct { // serve the part, under the lease got by request lease
		lease  uint64
		number int64
	}
	drain struct{ number int64 } // take nothing more, finish, persist: then drained
	end   struct {               // the term is over: what still runs is told to return, then drained
		number int64
		cause  cause
	}
	release struct{ lease uint64 }

	alarm struct { // somebody should look; or need not any more
		number int64
		what   trouble
		on     bool
	}
	report struct{ what what } // tell whoever listens
)

// cause says why a term ended.
type cause uint8

const (
	causeDrained cause = iota + 1 // in order: all that ran had returned
	causeLapsed                   // the lease ran out
	causeSession                  // the session is over
	causeDeleted                  // somebody deleted our znode
	causeOutdone                  // a successor was heard of
	causeFailed                   // the code failed
)

var causeNames = map[cause]string{
	causeDrained: "drained", causeLapsed: "lapsed", causeSession: "session",
	causeDeleted: "deleted", causeOutdone: "outdone", causeFailed: "failed",
}

func (c cause) String() string { return causeNames[c] }

// trouble is what an alarm is about. It lasts until the alarm is taken back.
type trouble uint8

const (
	troubleSlow  trouble = iota + 1 // the drain does not end: the part stays where it is
	troubleStuck                    // the term is over, and what ran under it does not return
)

var troubleNames = map[trouble]string{troubleSlow: "slow", troubleStuck: "stuck"}

func (t trouble) String() string { return troubleNames[t] }

// what is what a report is about.
type what uint8

const (
	reportStrange  what = iota + 1 // a znode of no session is where the owner's should be: it will not go by itself
	reportRefused                  // ZooKeeper refuses what the part needs
	reportWentBack                 // the new term's number is not higher than one heard before
)

var whatNames = map[what]string{
	reportStrange: "strange", reportRefused: "refused", reportWentBack: "went-back",
}

func (w what) String() string { return whatNames[w] }
