//conclave:pure

package shard

// How a term of a part ends, and what comes after.

// drain begins the move to another: everything finishes under the lease, which
// lasts. There is no way back: who wants the part again gets a new term of it.
func (m *machine) drain() {
	m.do(drain{number: m.term})
	m.phase, m.slowAt = draining, m.now+m.drainWithin
}

func (m *machine) leaseEnded(w why) {
	switch w {
	case over:
		m.end(causeSession)
	case gone:
		m.endDeleted()
	case outdone:
		m.end(causeOutdone)
	default:
		m.end(causeLapsed)
	}
}

// endDeleted: the znode is not there, or another's.
func (m *machine) endDeleted() {
	m.end(causeDeleted)
	m.forget()
}

// broken: the code failed. The part is given up, as nothing serves it, and taken
// anew after a while, if nobody else is to have it.
func (m *machine) broken() {
	if m.now-m.begun >= goodRun {
		m.backoff = 0
	}
	m.later()
	m.end(causeFailed)
}

// later makes us claim again only after a while.
func (m *machine) later() {
	m.backoff = min(max(2*m.backoff, backoffMin), backoffMax)
	m.standAt = m.now + m.backoff
}

// end ends the term out of order: everything that runs in it stops, and only then
// the znode goes.
func (m *machine) end(c cause) {
	m.calm()
	m.do(end{number: m.term, cause: c})
	m.phase, m.op, m.spent = stopping, 0, m.term
	m.known = false // before it is deleted it is read again: something is not as it should be
	// A lease is half of what the session has left; the code gets the other half.
	m.stuckAt = m.now + patience(m.timeout)
}

// drained: all that ran under the term has returned.
func (m *machine) drained() {
	m.calm()
	if m.phase == draining {
		m.do(end{number: m.term, cause: causeDrained})
	}
	m.letGo()
}

// letGo gives up a lease under which nothing runs, and the znode with it.
func (m *machine) letGo() {
	m.do(release{lease: m.lease})
	m.lease, m.term = 0, 0
	if m.made == 0 {
		m.phase = idle
		return
	}
	m.spent, m.phase = m.made, deleting
}

// calm takes alarms back.
func (m *machine) calm() {
	if m.slow {
		m.slow = false
		m.do(alarm{number: m.term, what: troubleSlow})
	}
	if m.stuck {
		m.stuck = false
		m.do(alarm{number: m.term, what: troubleStuck})
	}
}
