//conclave:pure

package global

import "strconv"

// What each phase calls for, once what happened has been noted.

func (m *machine) proceed() {
	if m.closing && !m.connected() && m.phase < holding || m.closing && !m.connected() && m.phase == deleting {
		// What is left goes with the session.
		m.op = 0
		m.reset()
	}
	ready := m.op == 0 && m.connected() && m.now >= m.retryAt
	switch m.phase {
	case idle:
		if !m.wanted {
			m.phase = withdrawn
			m.do(report{what: reportWithdrawn})
			return
		}
		if ready && !m.barred && m.now >= m.standAt {
			m.guids++
			m.guid = m.base + strconv.Itoa(m.guids)
			m.phase = creating
			m.do(create{op: m.request(doingCreate), guid: m.guid})
		}
	case unsure:
		if ready {
			m.do(list{op: m.request(doingFind), sync: true})
		}
	case looking:
		m.proceedLooking(ready)
	case waiting:
		switch {
		case !m.wanted, m.back:
			m.op, m.phase = 0, deleting
		case !m.ownKnown:
			m.look()
		case ready && m.now >= m.checkAt:
			m.do(list{op: m.request(doingCheck)})
		}
	case claiming:
		switch {
		case m.op != 0:
		case !m.wanted:
			m.phase = deleting
		case !m.ownKnown:
			m.phase = looking
		case ready:
			m.do(claim{op: m.request(doingClaim), name: m.mine})
		}
	case holding:
		switch {
		case !m.wanted:
			m.end(causeWithdrawn)
		case !ready:
		case !m.published:
			m.do(publish{op: m.request(doingPublish), name: m.mine})
		case !m.ownKnown:
			m.do(readOwn{op: m.request(doingOwn), name: m.mine})
		}
	case stopping:
		if !m.stuck && m.now >= m.stuckAt {
			m.stuck = true
			m.do(report{what: reportStuck})
		}
	case deleting:
		switch {
		case m.mine == "":
			m.reset()
		case ready:
			m.do(remove{op: m.request(doingRemove), name: m.mine})
		}
	}
}

// proceedLooking finds out whether we are first, and watches who is ahead if not.
func (m *machine) proceedLooking(ready bool) {
	switch {
	case m.op != 0:
	case !m.wanted, m.back:
		m.phase = deleting
	case m.ownKnown && m.listKnown && m.pred == "":
		m.phase = claiming
	case !ready:
	case !m.ownKnown:
		m.do(readOwn{op: m.request(doingOwn), name: m.mine})
	case m.leftover != "":
		m.do(remove{op: m.request(doingSweep), name: m.leftover})
	case !m.listKnown:
		m.do(list{op: m.request(doingList)})
	default:
		m.do(readPred{op: m.request(doingPred), name: m.pred})
	}
}
