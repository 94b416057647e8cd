package shard

import "errors"

// The errors of this package, for errors.Is. The text says what was wrong.
var (
	// ErrBadParts: a space cannot have that many parts.
	ErrBadParts = errors.New("shard: bad number of parts")
	// ErrBadMember: a member's ID or weight is out of its range, two members have
	// one ID, or there are too many.
	ErrBadMember = errors.New("shard: bad member")
	// ErrBadPlan: these bytes are not a plan, or are damaged.
	ErrBadPlan = errors.New("shard: not a plan")
	// ErrOtherPlan: these bytes are a whole plan, but another version of this
	// program wrote it, in a form that this one does not know.
	ErrOtherPlan = errors.New("shard: a plan of another version")

	// ErrNoSpace: nobody has ever opened a space of that name.
	ErrNoSpace = errors.New("shard: no such space")
	// ErrNoPart: the space has no part of that number.
	ErrNoPart = errors.New("shard: no such part")
	// ErrNoMember: the node is no member of the space (now).
	ErrNoMember = errors.New("shard: not a member")
	// ErrAmbiguous: several members are called that. Their ids tell them apart.
	ErrAmbiguous = errors.New("shard: ambiguous name")
	// ErrNoShare: the member is to own nothing, as it leaves, has not the labels that
	// the space needs, or has too little weight.
	ErrNoShare = errors.New("shard: the member is to own nothing")
	// ErrHasPart: the member owns the part already.
	ErrHasPart = errors.New("shard: it owns the part already")
	// ErrPending: what was asked for is written down, and will come about without
	// us; it had not when the context ended, or cannot while whoever asks waits for it.
	ErrPending = errors.New("shard: not yet done")
)
