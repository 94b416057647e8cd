package node

import (
	"time"
)

// linkup is how two nodes agree on one link, whoever dials: the machine of one
// side, for one peer. It is pure: step takes what happened and says what to do.
//
// A connection becomes the link in three moves. The dialer's side has connected
// and both know who the other is; the other side gives its verdict; if it is
// yes, the dialer, unless it has a link by then, says go. Who says go or hears
// it has the link. So a side that was promised a connection and a side that is
// about to use another cannot miss each other:
//
//   - While we dial, the peer's own connection is turned down if our incarnation
//     is the lower one and accepted if it is the higher: of two simultaneous
//     dials the lower node's lives.
//   - A side that said yes waits for go and drops its own attempt.
//   - With a link up, a connection from the peer is still accepted: the peer may
//     have lost the link before we noticed. Its go ends the old link; a dialer
//     that has the link already does not say it.
type linkup struct {
	lower bool // our incarnation is the lower one

	live  connID // the link
	out   connID // dialed by us, awaiting the verdict
	in    connID // dialed by the peer, accepted, awaiting go
	phase dialPhase

	wanted   bool          // there is something to send
	failures int           // dials in a row that failed
	timer    time.Duration // when to act again; 0: never
	inUntil  time.Duration // when to give up waiting for go
}

type connID int

type dialPhase uint8

const (
	dialIdle    dialPhase = iota
	dialing               // the dial is under way
	dialVerdict           // connected, awaiting the verdict
	dialYield             // turned down: the peer's own dial should arrive
	dialBackoff           // failed: not before the timer
)

// What can happen.
type (
	evWant     struct{}
	evDialed   struct{ conn connID }
	evDialFail struct{ err error }
	evVerdict  struct {
		conn    connID
		verdict verdict
		why     string
	}
	evInbound struct{ conn connID }
	evGo      struct{ conn connID }
	evLost    struct {
		conn connID
		err  error
	}
	evTick struct{}
)

type verdict uint8

const (
	verdictYes   verdict = iota // say go and use it
	verdictYield                // our own connection will live
	verdictNo                   // we do not link: why says the reason
)

// What to do.
type (
	acDial    struct{}
	acVerdict struct {
		conn    connID
		verdict verdict
	}
	acGo    struct{ conn connID }
	acAdopt struct{ conn connID }
	acClose struct{ conn connID }
	acLost  struct{ err error } // the link is over: tell who is bound to the peer
	acFail  struct{ err error } // no link can be made: what waits is lost
)

const (
	goPatience    = 5 * time.Second        // for the go after our yes
	yieldPatience = time.Second            // for the peer's own connection after its yield
	backoffFirst  = 50 * time.Millisecond  // after a failed dial
	backoffMost   = 500 * time.Millisecond // a failover may wait for this once: keep it short
)

func (l *linkup) step(event any, now time.Duration) (actions []any) {
	do := func(a ...any) { actions = append(actions, a...) }
	dial := func() {
		if l.wanted && l.live == 0 && l.in == 0 && l.phase == dialIdle {
			l.phase, l.timer = dialing, 0
			do(acDial{})
		}
	}
	dropOut := func() {
		if l.out != 0 {
			do(acClose{l.out})
		}
		l.out = 0
		if l.phase != dialing {
			l.phase, l.timer = dialIdle, 0
		}
	}
	adopt := func(c connID) {
		l.live, l.wanted, l.failures = c, false, 0
		do(acAdopt{c})
	}
	fail := func(err error) {
		l.failures++
		l.phase = dialBackoff
		l.timer = now + min(backoffMost, backoffFirst<<min(l.failures-1, 10))
		if l.live == 0 && l.in == 0 {
			l.wanted = false
			do(acFail{err})
		}
	}

	switch e := event.(type) {
	case evWant:
		l.wanted = l.live == 0
		dial()

	case evDialed:
		if l.phase != dialing {
			do(acClose(e))
			break
		}
		if l.live != 0 || l.in != 0 {
			l.phase = dialIdle
			do(acClose(e))
			break
		}
		l.phase, l.out = dialVerdict, e.conn
		l.timer = now + goPatience

	case evDialFail:
		if l.phase == dialing {
			fail(e.err)
		}

	case evVerdict:
		if e.conn != l.out || l.phase != dialVerdict {
			break
		}
		switch {
		case l.live != 0 || l.in != 0:
			dropOut() // a connection of the peer's was promised or is in use
		case e.verdict == verdictYes:
			l.out, l.phase, l.timer = 0, dialIdle, 0
			do(acGo{e.conn})
			adopt(e.conn)
		case e.verdict == verdictYield:
			dropOut()
			l.phase, l.timer = dialYield, now+yieldPatience
		default:
			dropOut()
			fail(&refusedError{e.why})
		}

	case evInbound:
		switch {
		case l.live == 0 && l.in == 0 && (l.phase == dialing || l.phase == dialVerdict) && l.lower:
			do(acVerdict{e.conn, verdictYield})
		default:
			if l.in != 0 {
				do(acClose{l.in}) // the peer has given that one up
			}
			if l.phase == dialYield || l.phase == dialBackoff {
				l.phase, l.timer = dialIdle, 0
			}
			l.in, l.inUntil = e.conn, now+goPatience
			do(acVerdict{e.conn, verdictYes})
		}

	case evGo:
		if e.conn != l.in {
			do(acClose(e))
			break
		}
		l.in = 0
		if l.live != 0 {
			do(acClose{l.live}, acLost{errReplaced})
		}
		dropOut()
		adopt(e.conn)

	case evLost:
		switch e.conn {
		case l.live:
			l.live = 0
			do(acClose{e.conn}, acLost{e.err})
			dial()
		case l.in:
			l.in = 0
			do(acClose{e.conn})
			dial()
		case l.out:
			dropOut()
			if l.live == 0 && l.in == 0 {
				fail(e.err)
			}
		}

	case evTick:
		if l.in != 0 && now >= l.inUntil {
			do(acClose{l.in})
			l.in = 0
			dial()
		}
		if l.timer == 0 || now < l.timer {
			break
		}
		switch l.phase {
		case dialVerdict:
			dropOut()
			fail(errNoVerdict)
		case dialYield, dialBackoff:
			l.phase, l.timer = dialIdle, 0
			dial()
		}
	}
	return actions
}

// wake is when step wants an evTick; 0: not at all.
func (l *linkup) wake() time.Duration {
	switch {
	case l.in == 0:
		return l.timer
	case l.timer == 0:
		return l.inUntil
	}
	return min(l.timer, l.inUntil)
}
