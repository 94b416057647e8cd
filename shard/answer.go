//conclave:pure

package shard

// What the answers to a part's requests mean, and a session's end.

// loseSession forgets what went with the session. Its znode goes by itself, perhaps
// late: then the next create finds it, as another session's, and waits.
func (m *machine) loseSession() {
	m.session = 0
	m.op = 0
	switch m.phase {
	case owned, draining:
		m.end(causeSession)
	case stopping:
	default:
		m.phase = idle
	}
	m.forget()
}

// forget forgets what is at the path.
func (m *machine) forget() { m.made, m.ahead, m.known = 0, 0, false }

// reset goes back to having nothing there.
func (m *machine) reset() {
	m.phase = idle
	m.forget()
}

func (m *machine) ownerRead(e ownerRead) {
	if m.doing == doingCheck { // it set no watch, so it shows only whether all is as it was
		m.known = m.known && e.czxid == m.ahead
		m.checkAt = m.now + checkEvery
		return
	}
	m.known = !m.dirty
	ours := e.session == m.session
	switch {
	case m.runs():
		if !ours || e.czxid != m.made {
			m.endDeleted()
		}
	case !ours:
		if e.session == 0 && e.czxid != m.ahead {
			m.do(report{what: reportStrange})
		}
		m.phase, m.made, m.ahead = waiting, 0, e.czxid
		m.checkAt = m.now + checkEvery
	case m.phase == deleting, e.czxid == m.spent:
		m.phase, m.made = deleting, e.czxid
	default: // our create's, or of an earlier life of this session: no lease of it has ended here
		m.phase, m.made = verifying, e.czxid
	}
}

func (m *machine) noOwner() {
	if m.runs() {
		m.endDeleted()
		return
	}
	m.reset()
}

func (m *machine) claimed(e claimed) {
	m.lease = e.op
	switch {
	case !m.wanted:
		m.letGo()
	case !m.known, e.czxid != m.made:
		// Its watch fired meanwhile, or it is not the one that was read: nothing
		// begins on a doubt.
		m.known = false
		m.letGo()
	case e.heard >= m.made:
		// ZooKeeper's numbers went back (it was restored from an old copy):
		// every node that remembers would turn our messages away.
		m.do(report{what: reportWentBack})
		m.later()
		m.letGo()
	default:
		m.phase, m.term, m.begun = owned, m.made, m.now
		m.do(begin{lease: m.lease, number: m.term})
	}
}

func (m *machine) failed(w why) {
	m.op = 0
	if w == over {
		m.loseSession()
		return
	}
	switch m.doing {
	case doingCreate:
		if w != unknown {
			m.phase = idle
		}
	case doingCheck:
		m.checkAt = m.now + checkEvery
		return
	case doingClaim:
		switch w {
		case lapsed: // final: this znode serves no term
			m.spent, m.phase = m.made, deleting
		case gone:
			m.reset()
		}
	case doingRemove:
		switch w {
		case unknown: // what is there now may be another's
			m.known = false
		case gone:
			m.reset()
			m.tries, m.retryAt = 0, 0
			return
		}
	}
	if w == refused {
		if m.tries == 0 {
			m.do(report{what: reportRefused})
		}
		if m.phase == idle {
			m.later()
		}
	}
	m.retryAt = m.now + min(retryMin<<min(m.tries, 10), retryMax)
	m.tries++
}
