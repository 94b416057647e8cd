package keeper

import (
	"math"
	"slices"
	"time"
)

// The arithmetic of leases, as a pure machine. One machine serves all leases
// of one session. T below is the negotiated session timeout; times are
// readings of Clock.
//
// A heartbeat is one write: Set on our own znode and Check of every leased
// one. What an acknowledged heartbeat buys is counted from s, the moment before
// it was sent, and is the least of three things:
//
//   - What is proven. The leader ends a session T after the last touch that has
//     reached it. A handshake touches the session at the leader itself. Anything
//     else that a server answers is a touch that the server hands on within
//     tick/2; so what was sent at w, on the same connection, and answered at
//     least T/4 before s (T is at least two ticks) had reached the leader when
//     the write was committed. Either is a witness, and proves that the session
//     lasts until w + T.
//   - s + T/4 for the first heartbeats of a lease.
//   - s + T/2 once an earlier heartbeat of the same lease was acknowledged at
//     least T/4 before s.
//
// A client that pings every T/3 has a witness that is good for the second and
// third at all times. One that was stopped for a while has an old one, and gets
// less: had it T/4 in any case, a cut right after its claim could leave it with
// a lease on a session that is over.
//
// A client is not told the tick. T/4 stands for tick/2, which is right unless
// somebody has set minSessionTimeout below two ticks.

// leaseEvent is something that happened, as the machine sees it.
type leaseEvent interface{ isLeaseEvent() }

type (
	claimed  struct{ path string } // somebody wants a lease on path
	released struct{ path string } // ... or has given it back
	gone     struct{ path string } // the znode was seen to be gone
	lapsed   struct{ path string } // somebody has seen the end before the machine did
	linkUp   struct {              // requests can be sent, on a new connection
		sent time.Duration // when its handshake began
	}
	heard    struct{ sent time.Duration } // something that was sent then was answered
	linkDown struct{}                     // they cannot; those under way will not be answered
	acked    struct{ beat int }           // heartbeat number beat was acknowledged
	refused  struct {                     // ... was refused because of this path
		beat int
		path string
	}
	failed struct{ beat int } // ... came to nothing
	tick   struct{}           // time has passed
)

func (claimed) isLeaseEvent()  {}
func (released) isLeaseEvent() {}
func (gone) isLeaseEvent()     {}
func (lapsed) isLeaseEvent()   {}
func (linkUp) isLeaseEvent()   {}
func (heard) isLeaseEvent()    {}
func (linkDown) isLeaseEvent() {}
func (acked) isLeaseEvent()    {}
func (refused) isLeaseEvent()  {}
func (failed) isLeaseEvent()   {}
func (tick) isLeaseEvent()     {}

// leaseAction is something to be done.
type leaseAction interface{ isLeaseAction() }

type (
	// sendBeat: send a heartbeat over these paths.
	sendBeat struct {
		beat  int
		paths []string
	}
	// dropLink: close the connection, so that another server can be tried.
	dropLink struct{}
	// extend: the lease on path lasts until then.
	extend struct {
		path  string
		until time.Duration
	}
	// end: the lease on path is over, for ever.
	end struct {
		path  string
		cause error
	}
)

func (sendBeat) isLeaseAction() {}
func (dropLink) isLeaseAction() {}
func (extend) isLeaseAction()   {}
func (end) isLeaseAction()      {}

// leaseMachine is the state. Its zero value with timeout set is ready.
type leaseMachine struct {
	timeout time.Duration // T
	up      bool
	held    []*heldPath // in the order of their claims
	beats   int         // number of the last heartbeat sent
	beat    *beatSent   // the one under way
	last    time.Duration
	soon    bool // send one without waiting for the cadence

	witnesses []witness // of this connection, the oldest first
}

type heldPath struct {
	path    string
	granted bool
	until   time.Duration // of a granted one
	acked   bool          // a heartbeat over it was acknowledged
	first   time.Duration // when the first one was
}

// witness is a touch that the leader knows of from known on.
type witness struct{ sent, known time.Duration }

type beatSent struct {
	sent  time.Duration
	paths []string
}

func (m *leaseMachine) cadence() time.Duration { return m.timeout / 8 }

// step takes in what happened at now and says what to do about it.
func (m *leaseMachine) step(ev leaseEvent, now time.Duration) []leaseAction {
	acts := m.expire(nil, now)
	switch ev := ev.(type) {
	case claimed:
		if m.find(ev.path) == nil {
			m.held = append(m.held, &heldPath{path: ev.path})
			m.soon = true
		}
	case released:
		acts = m.drop(acts, ev.path, ErrReleased)
	case gone:
		acts = m.drop(acts, ev.path, ErrOwnerGone)
	case lapsed:
		acts = m.drop(acts, ev.path, ErrLeaseLapsed)
	case linkUp:
		m.up, m.beat, m.soon = true, nil, true
		m.witnesses = []witness{{ev.sent, ev.sent}}
	case heard:
		m.hear(ev.sent, now)
	case linkDown:
		m.up, m.beat = false, nil
	case acked:
		if m.current(ev.beat) {
			acts = m.acknowledge(acts, now)
		}
	case refused:
		if m.current(ev.beat) {
			m.beat, m.soon = nil, true
			acts = m.drop(acts, ev.path, ErrOwnerGone)
		}
	case failed:
		if m.current(ev.beat) {
			m.beat = nil
		}
	}
	if m.up && m.beat != nil && len(m.held) > 0 && now-m.beat.sent >= m.cadence() {
		m.up, m.beat = false, nil // until the next linkUp
		acts = append(acts, dropLink{})
	}
	if m.up && m.beat == nil && len(m.held) > 0 && (m.soon || now >= m.next()) {
		acts = append(acts, m.send(now))
	}
	return acts
}

// wake is when step wants to see a tick at the latest; false: never.
func (m *leaseMachine) wake() (at time.Duration, ok bool) {
	sooner := func(t time.Duration) {
		if !ok || t < at {
			at, ok = t, true
		}
	}
	for _, h := range m.held {
		if h.granted {
			sooner(h.until)
		}
	}
	switch {
	case !m.up || len(m.held) == 0:
	case m.beat != nil:
		sooner(m.beat.sent + m.cadence())
	default:
		sooner(m.next())
	}
	return at, ok
}

// next is when a heartbeat is due: at the cadence, and as soon as one can buy a
// half for a lease that lives on quarters, which a delay could end.
func (m *leaseMachine) next() time.Duration {
	at := m.last + m.cadence()
	for _, h := range m.held {
		if half := h.first + m.timeout/4; h.acked && m.last < half {
			at = min(at, half)
		}
	}
	return at
}

func (m *leaseMachine) current(beat int) bool { return m.beat != nil && m.beats == beat }

func (m *leaseMachine) find(path string) *heldPath {
	for _, h := range m.held {
		if h.path == path {
			return h
		}
	}
	return nil
}

func (m *leaseMachine) drop(acts []leaseAction, path string, cause error) []leaseAction {
	for i, h := range m.held {
		if h.path == path {
			m.held = slices.Delete(m.held, i, i+1)
			return append(acts, end{path, cause})
		}
	}
	return acts
}

// expire ends what has run out. This comes before anything else in a step, so
// that no acknowledgement can bring a lapsed lease back.
func (m *leaseMachine) expire(acts []leaseAction, now time.Duration) []leaseAction {
	m.held = slices.DeleteFunc(m.held, func(h *heldPath) bool {
		over := h.granted && now >= h.until
		if over {
			acts = append(acts, end{h.path, ErrLeaseLapsed})
		}
		return over
	})
	return acts
}

func (m *leaseMachine) send(now time.Duration) leaseAction {
	paths := make([]string, len(m.held))
	for i, h := range m.held {
		paths[i] = h.path
	}
	m.beats++
	m.beat = &beatSent{now, paths}
	m.last, m.soon = now, false
	return sendBeat{m.beats, paths}
}

func (m *leaseMachine) acknowledge(acts []leaseAction, now time.Duration) []leaseAction {
	b := m.beat
	m.beat = nil
	for _, path := range b.paths {
		h := m.find(path)
		if h == nil {
			continue
		}
		until := m.bought(h, b.sent)
		if !h.acked {
			h.acked, h.first = true, now
		}
		if until <= now || h.granted && until <= h.until {
			continue
		}
		h.granted, h.until = true, until
		acts = append(acts, extend{path, until})
	}
	m.hear(b.sent, now)
	return acts
}

// bought is how far an acknowledged heartbeat sent at s carries, by the rules
// at the top of this file.
func (m *leaseMachine) bought(h *heldPath, s time.Duration) time.Duration {
	most := s + m.timeout/4
	if h.acked && h.first+m.timeout/4 <= s {
		most = s + m.timeout/2
	}
	proven := time.Duration(math.MinInt64)
	for _, w := range m.witnesses {
		if w.known <= s {
			proven = max(proven, w.sent+m.timeout)
		}
	}
	return min(most, proven)
}

// hear keeps what was answered as a witness: one for every T/16, of the last T.
func (m *leaseMachine) hear(sent, now time.Duration) {
	ws := m.witnesses
	if n := len(ws); n > 0 && sent < ws[n-1].sent+m.timeout/16 {
		return
	}
	for len(ws) > 1 && ws[0].sent+m.timeout < now {
		ws = ws[1:]
	}
	m.witnesses = append(ws, witness{sent, now + m.timeout/4})
}
