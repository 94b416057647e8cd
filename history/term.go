package history

import (
	"math"
	"time"
)

// moment is a reading of one node's clock.
type moment struct {
	at   time.Duration
	wall time.Time
	boot string
	node string
}

func (e Event) moment() moment { return moment{e.At, e.Wall, e.Boot, e.Node} }

// seen is the moment at which a witness saw a death, on its clock, not the node's.
func (e Event) seen() moment {
	m := e.moment()
	m.node = ""
	return m
}

// later is the moment at which the same clock shows at.
func (m moment) later(at time.Duration) moment {
	m.wall = m.wall.Add(at - m.at)
	m.at = at
	return m
}

// sharesClock says whether two moments can be compared exactly.
func (m moment) sharesClock(n moment) bool {
	return m.node == n.node || m.boot != "" && m.boot == n.boot
}

// since is how long m is after n. exact is false when they share no clock.
func (m moment) since(n moment) (d time.Duration, exact bool) {
	if m.sharesClock(n) {
		return m.at - n.at, true
	}
	return m.wall.Sub(n.wall), false
}

// clock names what m can be compared with exactly.
func (m moment) clock() string {
	if m.boot == "" {
		return "node " + m.node
	}
	return "boot " + m.boot
}

// never is an end that nothing is known of.
const never = time.Duration(math.MaxInt64 / 4)

// term is one term of one office as one node has recorded it: from began on it
// acted at least until sure and at most until end.
type term struct {
	office
	number int64
	node   *nodeRecord
	pid    string

	hasBegan bool
	first    moment // Began, or the first that is known of it
	until    time.Duration
	leased   bool // until is known
	seen     time.Duration
	ended    *Event

	sure, end moment
	why       endReason
}

// endReason says how the latest end of a term is known.
type endReason uint8

const (
	endUnknown endReason = iota
	endRecorded
	endLease
	endDeath
	endClosed
)

// take notes what the node recorded about its term.
func (t *term) take(e Event) {
	if t.first.node == "" || e.Kind == Began {
		t.first = e.moment()
	}
	if e.PID != "" {
		t.pid = e.PID
	}
	switch e.Kind {
	case Began:
		t.hasBegan = true
		t.see(e.At)
		t.lease(e.Until)
	case Leased:
		t.see(e.At)
		t.lease(e.Until)
	case Ended:
		if t.ended == nil {
			t.ended = &e
		}
	}
}

// see notes that the node held on to the term at that time, as far as the lease
// it had until then allowed.
func (t *term) see(at time.Duration) {
	if t.leased {
		at = min(at, t.until)
	}
	t.seen = max(t.seen, at)
}

func (t *term) lease(until time.Duration) {
	if until == 0 {
		return
	}
	if !t.leased || until > t.until {
		t.until, t.leased = until, true
	}
}

// settle works out when the term ended.
func (t *term) settle(c *check) {
	end, why := never, endUnknown
	sooner := func(at time.Duration, reason endReason) {
		if at < end {
			end, why = at, reason
		}
	}
	if t.leased {
		sooner(t.until, endLease)
	}
	if n := t.node; n.closed != nil {
		sooner(n.closed.At, endClosed)
	}
	for _, d := range t.node.deaths {
		if gap, exact := d.seen().since(t.first); exact {
			sooner(t.first.at+gap, endDeath)
		} else if c.opts.Skew > 0 {
			sooner(t.first.at+gap+c.opts.Skew, endDeath)
		}
	}
	sure := t.seen
	if t.ended != nil {
		sooner(t.ended.At, endRecorded)
		sure = end
	}
	t.sure, t.end, t.why = t.first.later(min(sure, end)), t.first.later(end), why
}

// acted says whether there was a moment in which the term's holder may have acted:
// one whose lease had run out before it began never could.
func (t *term) acted() bool { return t.end.at > t.first.at }
