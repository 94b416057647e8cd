//conclave:pure

package global

import (
	"slices"
	"strings"
)

// What the answers to an election's requests mean, and a session's end.

// loseSession forgets what went with the session. A znode that stood in line
// goes with it by itself; where it may take a while (the session was given up,
// not expired), the next candidate of ours finds it in its list as a leftover.
func (m *machine) loseSession() {
	m.session, m.suspended = 0, false
	m.op = 0
	m.ownKnown, m.listKnown = false, false
	switch m.phase {
	case creating, unsure, looking, waiting, claiming:
		m.reset()
	case holding:
		m.end(causeSession)
	}
}

// reset goes back to having no candidate.
func (m *machine) reset() {
	m.phase = idle
	m.mine, m.guid, m.pred, m.leftover, m.skip = "", "", "", "", nil
	m.czxid, m.ownKnown, m.listKnown, m.back = 0, false, false, false
}

// stand takes up our znode, which is there now.
func (m *machine) stand(name string) {
	m.phase, m.mine = looking, name
	m.ownKnown, m.listKnown, m.skip = false, false, nil
}

// look looks again at the one ahead of us: first at itself, as its znode may
// only have got its holder's PID.
func (m *machine) look() {
	m.phase = looking
	if m.op != 0 && m.doing == doingCheck {
		m.op = 0
	}
}

func (m *machine) listed(names []string) {
	if m.phase == unsure {
		for _, name := range names {
			if p, ok := parsePlace(name); ok && p.guid == m.guid {
				m.stand(name)
				return
			}
		}
		m.reset() // it never happened
		return
	}
	me, _ := parsePlace(m.mine)
	there, was := false, m.pred
	m.leftover, m.pred = "", ""
	var ahead place
	for _, name := range names {
		p, ok := parsePlace(name)
		switch {
		case !ok:
			m.do(report{what: reportStrange, name: name})
		case name == m.mine:
			there = true
		case strings.HasPrefix(p.guid, m.base):
			m.leftover = name
		case p.before(me) && !slices.Contains(m.skip, name):
			if m.pred == "" || ahead.before(p) {
				m.pred, ahead = name, p
			}
		}
	}
	if !there {
		m.reset() // somebody deleted it
		return
	}
	m.listKnown = m.leftover == ""
	if m.phase == waiting {
		if m.checkAt = m.now + checkEvery; !m.listKnown || m.pred != was {
			m.look()
		}
	}
}

func (m *machine) ownRead(e ownRead) {
	m.ownKnown = !m.dirty
	if e.owner != m.session {
		// It has our guid but another session made it, and takes it along when
		// it ends. It is not ours to hold.
		switch m.phase {
		case holding:
			m.end(causeDeleted)
			m.mine = ""
		default:
			m.reset()
		}
		return
	}
	m.czxid = e.czxid
}

func (m *machine) predRead(e predRead) {
	switch {
	case e.owner == 0:
		m.do(report{what: reportStrange, name: m.pred})
		m.skip = append(m.skip[:len(m.skip):len(m.skip)], m.pred)
		m.look()
		m.listKnown = false
	case m.dirty:
		m.look()
	default:
		m.phase, m.checkAt = waiting, m.now+checkEvery
	}
}

func (m *machine) claimed(e claimed) {
	m.lease = e.op
	switch {
	case !m.wanted:
		m.letGo()
	case !m.ownKnown:
		// Its watch fired meanwhile: make sure that it is still there.
		m.letGo()
		m.phase = looking
	case e.heard >= m.czxid:
		// ZooKeeper's numbers went back (it was restored from an old copy):
		// every node that remembers would turn our messages away.
		m.do(report{what: reportWentBack, name: m.mine})
		m.later()
		m.letGo()
	default:
		m.phase, m.offer, m.begun, m.published = holding, m.offers, m.now, false
		m.do(begin{lease: m.lease, number: m.czxid})
	}
}

// removed: a znode of ours is certainly gone.
func (m *machine) removed() {
	if m.doing == doingSweep {
		m.leftover = ""
		return
	}
	m.reset()
}

func (m *machine) failed(w why) {
	m.op = 0
	if w == over {
		m.loseSession()
		return
	}
	if w == gone && m.missing() {
		return
	}
	switch {
	case m.doing == doingCheck:
		m.checkAt = m.now + checkEvery
		return
	case m.doing == doingCreate && w == unknown:
		m.phase = unsure
	case m.doing == doingCreate:
		m.reset()
	case m.doing == doingClaim && w == lapsed:
		m.phase = deleting // final: this znode serves no term
	}
	if w == refused {
		if m.tries == 0 {
			m.do(report{what: reportRefused, name: m.mine})
		}
		if m.phase == idle {
			m.later()
		}
	}
	m.retryAt = m.now + min(retryMin<<min(m.tries, 10), retryMax)
	m.tries++
}

// missing deals with a znode that is not there. It says false where that means
// nothing but to try again.
func (m *machine) missing() bool {
	switch m.doing {
	case doingCreate: // not even what it goes under
		return false
	case doingFind, doingRemove:
		m.reset()
	case doingSweep:
		m.leftover = ""
	case doingPred:
		m.look()
		m.listKnown = false
	case doingOwn, doingPublish:
		if m.phase == holding {
			m.end(causeDeleted)
			m.mine = ""
			break
		}
		m.reset()
	case doingList, doingCheck, doingClaim:
		m.reset()
	}
	m.tries, m.retryAt = 0, 0
	return true
}
