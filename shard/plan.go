//conclave:pure

package shard

import (
	"fmt"
	"slices"
	"strings"
)

// The bounds keep the largest plan under the 900 KB that a znode may have.
const (
	// MaxParts is how many parts a space may have. The least is 1. (One heartbeat
	// checks all that a node owns, in all of its spaces: with names of 50 bytes there
	// is room for about 4,000. What does not fit is refused, and has no owner.)
	MaxParts = 4096
	// MaxMembers is how many members a space may have.
	MaxMembers = 4096
	// MaxMemberID is how many bytes a member's ID may have. The least is 1.
	MaxMemberID = 128
	// MaxWeight is the largest weight.
	MaxWeight = 1_000_000
)

// Member is one that may own parts.
type Member struct {
	// ID tells it from all others, and from itself in an earlier life.
	ID string
	// Weight is how much it should own, in proportion to the others: one of weight
	// 2 twice as much as one of weight 1. From 0, for one that is to own nothing
	// (because it leaves, or cannot serve this space), to MaxWeight.
	Weight int
}

// Check returns ErrBadMember if ID or Weight is out of its range.
func (m Member) Check() error {
	switch {
	case m.ID == "":
		return fmt.Errorf("%w: it has no ID", ErrBadMember)
	case len(m.ID) > MaxMemberID:
		return fmt.Errorf("%w: its ID has %d bytes, at most %d may be", ErrBadMember, len(m.ID), MaxMemberID)
	case m.Weight < 0 || m.Weight > MaxWeight:
		return fmt.Errorf("%w: %q has weight %d; it must be from 0 to %d", ErrBadMember, m.ID, m.Weight, MaxWeight)
	}
	return nil
}

// Plan says which member should own which part: a wish, not a permission. It is a
// value that never changes. The zero Plan has no parts.
type Plan struct {
	members []Member // by ID
	owners  []int    // of each part, its owner's index in members, or nobody
}

const nobody = -1

// NewPlan is the plan of a space that has no members yet. It returns ErrBadParts
// unless parts is from 1 to MaxParts.
func NewPlan(parts int) (Plan, error) {
	if parts < 1 || parts > MaxParts {
		return Plan{}, fmt.Errorf("%w: %d; it must be from 1 to %d", ErrBadParts, parts, MaxParts)
	}
	return Plan{owners: slices.Repeat([]int{nobody}, parts)}, nil
}

// Parts is how many parts there are.
func (p Plan) Parts() int { return len(p.owners) }

// Members are those that the plan was made for, by ID, those of weight 0 among them.
func (p Plan) Members() []Member { return slices.Clone(p.members) }

// Owner is the ID of the member that should own a part. There is none if no member
// has any weight, or there is no such part.
func (p Plan) Owner(part int) (id string, ok bool) {
	if part < 0 || part >= len(p.owners) || p.owners[part] == nobody {
		return "", false
	}
	return p.members[p.owners[part]].ID, true
}

// PartsOf are the parts that a member should own, in order.
func (p Plan) PartsOf(id string) (parts []int) {
	member, ok := p.find(id)
	if !ok {
		return nil
	}
	for part, owner := range p.owners {
		if owner == member {
			parts = append(parts, part)
		}
	}
	return parts
}

// Move is the plan with one part at another member, and such that Next keeps it so:
// a member that would have more than its share, or leave its partner with less, gives
// a part in exchange. (That is so if Next kept p; otherwise the Next of what Move
// returns may put the part elsewhere.) It lasts until members come, go or change:
// plans do not remember that somebody wanted a part to be there.
//
// It is p itself if the member has the part. It returns ErrNoPart, ErrNoMember, and
// ErrNoShare for a member of weight 0, or one that has no part to give in exchange.
func (p Plan) Move(part int, id string) (Plan, error) {
	to, there := p.find(id)
	switch {
	case part < 0 || part >= len(p.owners):
		return Plan{}, fmt.Errorf("%w: %d; they are 0 to %d", ErrNoPart, part, len(p.owners)-1)
	case !there:
		return Plan{}, fmt.Errorf("%w: %q", ErrNoMember, id)
	case p.members[to].Weight == 0:
		return Plan{}, fmt.Errorf("%w: %q has weight 0", ErrNoShare, id)
	}
	from := p.owners[part]
	if from == to {
		return p, nil
	}
	moved := Plan{p.members, slices.Clone(p.owners)}
	moved.owners[part] = to
	if from == nobody || p.members[from].Weight == 0 || moved.lasts() {
		return moved, nil
	}
	back, highest, partner := nobody, uint64(0), hash(p.members[from].ID)
	for i, owner := range p.owners {
		if r := rank(partner, i); owner == to && (back == nobody || r > highest) {
			back, highest = i, r
		}
	}
	if back == nobody {
		return Plan{}, fmt.Errorf("%w: the share of %q is less than a part, and it has none to give in exchange", ErrNoShare, id)
	}
	moved.owners[back] = from
	return moved, nil
}

// lasts says whether the plan stays as it is while its members do.
func (p Plan) lasts() bool {
	next, err := p.Next(p.members)
	return err == nil && next.Equal(p)
}

// Equal says whether both have the same parts, members, weights and owners.
func (p Plan) Equal(q Plan) bool {
	return slices.Equal(p.members, q.members) && slices.Equal(p.owners, q.owners)
}

// IsFor says whether the plan was made for these members with these weights, in any
// order. If not, the next one is due. (Another version of this program may make
// another plan for the same members; that is no reason to make one anew.)
func (p Plan) IsFor(members []Member) bool {
	return slices.Equal(p.members, byID(members))
}

func byID(members []Member) []Member {
	return slices.SortedFunc(slices.Values(members), func(a, b Member) int { return strings.Compare(a.ID, b.ID) })
}

// find is the index of a member.
func (p Plan) find(id string) (int, bool) {
	return slices.BinarySearchFunc(p.members, id, func(m Member, id string) int { return strings.Compare(m.ID, id) })
}
