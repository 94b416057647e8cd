//conclave:pure

package global

import (
	"slices"
	"strconv"
	"strings"
)

// place is the name of a candidate's znode taken apart: <guid>-<sequence>.
type place struct {
	name string
	guid string
	seq  int32
}

// parsePlace reads the name of a znode under a global. ZooKeeper appends its
// 32-bit counter as "%010d": ten digits, or for a counter that has overflowed a
// minus sign and nine or ten. Only what that format can produce is accepted, so
// a name has one reading.
func parsePlace(name string) (place, bool) {
	i := strings.LastIndexByte(name, '-')
	if i < 0 {
		return place{}, false
	}
	digits := name[i+1:]
	// A second minus sign belongs to the number if, with it, the number is
	// written as ZooKeeper writes it: "a--000000001" is guid "a", number -1.
	if i > 0 && name[i-1] == '-' {
		if n, err := strconv.ParseInt("-"+digits, 10, 32); err == nil && sequence(int32(n)) == "-"+digits {
			return place{name: name, guid: name[:i-1], seq: int32(n)}, i > 1
		}
	}
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || sequence(int32(n)) != digits {
		return place{}, false
	}
	return place{name: name, guid: name[:i], seq: int32(n)}, i > 0
}

// sequence writes a counter as ZooKeeper does.
func sequence(n int32) string {
	s := strconv.FormatInt(int64(n), 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	if width := 10 - len(sign); len(s) < width {
		s = strings.Repeat("0", width-len(s)) + s
	}
	return sign + s
}

// before says whether a stands ahead of b in line. The counter wraps from the
// largest int32 to the smallest, so what counts is the signed distance: right as
// long as all candidates alive at one time were created within 2^31 creations
// under their parent. Equal numbers (one was put there by hand) go by name.
func (a place) before(b place) bool {
	if d := a.seq - b.seq; d != 0 {
		return d < 0
	}
	return a.name < b.name
}

// firstInLine is the first of the names that can be read as candidates, other
// than those to skip.
func firstInLine(names []string, skip []string) (first place, ok bool) {
	for _, name := range names {
		p, good := parsePlace(name)
		if !good || slices.Contains(skip, name) {
			continue
		}
		if !ok || p.before(first) {
			first, ok = p, true
		}
	}
	return first, ok
}
