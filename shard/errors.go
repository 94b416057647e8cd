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
)
