//conclave:pure

package global

// How a term of an election ends, and what comes after.

// letGo gives up a lease under which nothing runs.
func (m *machine) letGo() {
	m.do(release{lease: m.lease})
	m.lease, m.phase = 0, deleting
}

func (m *machine) leaseEnded(w why) {
	switch w {
	case over:
		m.end(causeSession)
	case gone:
		m.end(causeDeleted)
		m.mine = ""
	case released:
		m.end(causeReleased)
	case outdone:
		m.end(causeOutdone)
	default:
		m.end(causeLapsed)
	}
}

func (m *machine) holderExited(well bool) {
	if !well {
		if m.now-m.begun >= goodRun {
			m.backoff = 0
		}
		m.later()
		m.end(causeFailed)
		return
	}
	// It has withdrawn, unless somebody has registered code since: that was
	// offered later and wants its turn.
	if m.offer == m.offers {
		m.wanted = false
	}
	m.end(causeReturned)
}

// later makes us stand again only after a while.
func (m *machine) later() {
	m.backoff = min(max(2*m.backoff, backoffMin), backoffMax)
	m.standAt = m.now + m.backoff
}

// end ends the term: first everything that runs in it stops, then the znode goes.
func (m *machine) end(c cause) {
	m.do(end{number: m.czxid, cause: c})
	m.phase, m.op = stopping, 0
	// A lease is half of what the session has left; the code gets the other half.
	m.stuckAt, m.stuck = m.now+patience(m.timeout), false
}

// stopped: everything that ran in the term has returned.
func (m *machine) stopped() {
	if m.stuck {
		m.stuck = false
		m.do(report{what: reportUnstuck})
	}
	if m.planned {
		m.planned, m.phase = false, passing
		m.do(pass{number: m.czxid})
		return
	}
	m.letGo()
}

// mayStepBack says whether our candidate can be asked to go to the back: it
// stands in line, and a new one would be made in its place.
func (s election) mayStepBack() bool {
	return (s.phase == looking || s.phase == waiting) && s.wanted && !s.barred
}
