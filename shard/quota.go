//conclave:pure

package shard

import (
	"cmp"
	"slices"
)

// apportion sets the quotas: each fair share rounded down or up, so that they add
// up to all parts (to 0 if nobody has weight).
//
// How many shares are to be rounded up is given. If one is whose member has more
// than the share rounded down, a part stays where it is, otherwise a part has to
// move; so those come first, and no other choice moves fewer parts. Next are
// members that come, so that a part moves to them and not between others. Then the
// larger fraction of a part counts, which also makes the first plan as fair as can
// be, and last a hash.
func apportion(seats []seat, parts int) {
	var total int64
	for _, s := range seats {
		total += int64(s.weight)
	}
	if total == 0 {
		return
	}
	type rounding struct {
		*seat
		fraction int64 // of a part, as a multiple of 1/total
	}
	var open []rounding
	left := parts
	for i := range seats {
		s := &seats[i]
		share := int64(parts) * int64(s.weight) // in the same unit; below 2^32
		s.quota = int(share / total)
		left -= s.quota
		if fraction := share % total; fraction > 0 {
			open = append(open, rounding{s, fraction})
		}
	}
	slices.SortStableFunc(open, func(a, b rounding) int {
		return cmp.Or(
			first(len(a.parts) > a.quota, len(b.parts) > b.quota),
			first(a.comes, b.comes),
			cmp.Compare(b.fraction, a.fraction),
			cmp.Compare(b.hash, a.hash),
		)
	})
	for _, r := range open[:left] { // the fractions add up to left parts, each is below one
		r.quota++
	}
}

// first orders those of whom it is true before the others.
func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}
