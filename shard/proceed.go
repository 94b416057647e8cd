//conclave:pure

package shard

// What each phase calls for, once what happened has been noted.

func (m *machine) proceed() {
	ready := m.op == 0 && m.session != 0 && m.now >= m.retryAt
	switch m.phase {
	case idle:
		if m.wanted && ready && m.now >= m.standAt {
			m.phase = claiming
			m.do(create{op: m.request(doingCreate)})
		}
	case waiting:
		switch {
		case !m.wanted:
			m.op = 0 // a read
			m.reset()
		case !ready:
		case !m.known:
			m.do(read{op: m.request(doingRead), watch: true})
		case m.now >= m.checkAt:
			m.do(read{op: m.request(doingCheck)})
		}
	case claiming:
		if ready {
			m.do(read{op: m.request(doingRead), sync: true, watch: true})
		}
	case verifying:
		switch {
		case m.op != 0:
		case !m.wanted:
			m.phase = deleting
		case !ready:
		case !m.known:
			m.do(read{op: m.request(doingRead), watch: true})
		default:
			m.do(claim{op: m.request(doingClaim)})
		}
	case owned:
		if m.closing {
			m.drain()
			return
		}
		m.lookAfter(ready)
	case draining:
		if !m.slow && m.now >= m.slowAt {
			m.slow = true
			m.do(alarm{number: m.term, what: troubleSlow, on: true})
		}
		m.lookAfter(ready)
	case stopping:
		if !m.stuck && m.now >= m.stuckAt {
			m.stuck = true
			m.do(alarm{number: m.term, what: troubleStuck, on: true})
		}
	case deleting:
		switch {
		case !ready:
		case !m.known:
			m.do(read{op: m.request(doingRead), sync: true, watch: true})
		default:
			m.do(remove{op: m.request(doingRemove)})
		}
	}
}

// lookAfter looks whether our znode is still there when its watch has fired.
func (m *machine) lookAfter(ready bool) {
	if ready && !m.known {
		m.do(read{op: m.request(doingRead), watch: true})
	}
}
