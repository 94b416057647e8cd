//conclave:pure

package shard

import (
	"cmp"
	"fmt"
	"slices"
)

// Next is the plan for the members that there are now: all of them, in any order,
// whatever has changed. It returns ErrBadMember if one of them fails its Check, an
// ID is there twice or there are more than MaxMembers, and ErrBadParts if p has no
// parts.
//
//   - A member's fair share is parts x its weight / all weights. It gets the share
//     rounded down or the share rounded up. So each part has one owner as long as
//     any member has weight, and no owner if none has.
//   - The parts that change their owner are as few as that allows. In particular,
//     if nothing has changed then none does.
//   - If all weights are equal (those of 0 aside), who comes gets parts and nobody
//     else does, and when somebody goes nobody else loses any: of N members about
//     one part in N moves.
//   - If they are not, then of those who stay each may gain one part when somebody
//     comes, and lose one when somebody goes: their shares shrink and grow by
//     different amounts, and have to be rounded anew (the paradoxes of apportionment:
//     M. Balinski, H. P. Young, Fair Representation, 1982).
//
// Where a choice is left it is made by hashes of members and parts, the same in
// all spaces.
func (p Plan) Next(members []Member) (Plan, error) {
	if len(p.owners) == 0 {
		return Plan{}, fmt.Errorf("%w: 0: begin with NewPlan", ErrBadParts)
	}
	next := Plan{byID(members), make([]int, len(p.owners))}
	if err := check(next.members); err != nil {
		return Plan{}, err
	}
	seats := next.seats(p)
	apportion(seats, len(next.owners))
	for part := range next.owners {
		next.owners[part] = nobody
	}
	for i := range seats {
		for _, part := range seats[i].keeps() {
			next.owners[part] = i
		}
	}
	next.fill(seats)
	return next, nil
}

// check is for members ordered by ID.
func check(members []Member) error {
	if len(members) > MaxMembers {
		return fmt.Errorf("%w: there are %d, at most %d may be", ErrBadMember, len(members), MaxMembers)
	}
	for i, m := range members {
		if err := m.Check(); err != nil {
			return err
		}
		if i > 0 && m.ID == members[i-1].ID {
			return fmt.Errorf("%w: %q is there twice", ErrBadMember, m.ID)
		}
	}
	return nil
}

// seat is a member while a plan is made.
type seat struct {
	weight int
	hash   uint64 // of its ID
	comes  bool   // it had no weight in the plan before
	parts  []int  // it had then, in order
	quota  int    // how many it is to have
}

// seats are those of p's members, with what they had in the plan before.
func (p Plan) seats(before Plan) []seat {
	seats := make([]seat, len(p.members))
	now := make([]int, len(before.members)) // indexes in p of its members
	for i := range now {
		now[i] = nobody
	}
	for i, m := range p.members {
		was, there := before.find(m.ID)
		if there {
			now[was] = i
		}
		seats[i] = seat{weight: m.Weight, hash: hash(m.ID), comes: !there || before.members[was].Weight == 0}
	}
	for part, owner := range before.owners {
		if owner != nobody && now[owner] != nobody {
			s := &seats[now[owner]]
			s.parts = append(s.parts, part)
		}
	}
	return seats
}

// keeps are the parts that a member goes on having: all that its quota allows,
// those that rank highest with it.
func (s *seat) keeps() []int {
	if len(s.parts) > s.quota {
		slices.SortFunc(s.parts, func(a, b int) int { return cmp.Compare(rank(s.hash, b), rank(s.hash, a)) })
		s.parts = s.parts[:s.quota]
	}
	return s.parts
}

// fill gives the parts that nobody has to members below their quota: each to the
// one with which it ranks highest (rendezvous hashing: D. Thaler, C. Ravishankar,
// Using Name-Based Mappings to Increase Hit Rates, 1998).
func (p Plan) fill(seats []seat) {
	var below []int // in order, so that of equals the first ID counts
	var hashes []uint64
	for i, s := range seats {
		if len(s.parts) < s.quota {
			below, hashes = append(below, i), append(hashes, s.hash)
		}
	}
	for part, owner := range p.owners {
		if owner != nobody || len(below) == 0 {
			continue
		}
		best, highest := 0, uint64(0)
		for i, h := range hashes {
			if r := rank(h, part); r > highest {
				best, highest = i, r
			}
		}
		s := &seats[below[best]]
		p.owners[part], s.parts = below[best], append(s.parts, part)
		if len(s.parts) == s.quota {
			below, hashes = slices.Delete(below, best, best+1), slices.Delete(hashes, best, best+1)
		}
	}
}

// rank is a number for a member and a part. Equal ones mean that the members'
// hashes, or the parts, are the same.
func rank(member uint64, part int) uint64 { return mix(member ^ mix(uint64(part))) }
