package registry

import (
	"maps"
	"slices"
	"time"
)

// The client's side of the model in model_test.go: the registry's loop, its cells
// and its callers, and what must hold.

// deliver hands the client's side the next message from the server.
func (m *model) deliver() {
	if m.half != nil { // what came before is finished before
		m.inbox = append(m.inbox, m.half)
		m.half = nil
		return
	}
	if len(m.toClient) == 0 || !m.connect {
		return
	}
	msg := m.toClient[0]
	m.toClient = m.toClient[1:]
	if msg.post != nil {
		m.inbox = append(m.inbox, msg.post)
		return
	}
	upTo := msg.armed
	if cell := m.cells[msg.key]; cell != nil {
		upTo = cell.doubtful(msg.armed)
		cell.raise(upTo, 0)
	}
	m.logf("watch %d on %v fired up to %d", msg.armed, msg.key, upTo)
	m.half = fired{msg.key, msg.armed, upTo} // posted a moment later
}

// work feeds the machine the next event of its inbox.
func (m *model) work() {
	if len(m.inbox) == 0 {
		return
	}
	ev := m.inbox[0]
	m.inbox = m.inbox[1:]
	if done, ok := ev.(readDone); ok && done.session == m.session {
		m.reading[done.key] = false
	}
	if own, ok := ev.(ownDone); ok {
		m.step(own.ownWrite)
		if own.cluster == m.clusters {
			m.ownAck[own.key] = max(m.ownAck[own.key], own.index)
		}
		return
	}
	m.step(ev)
}

// ownDone is the reply to an own write, which the history has up to index.
type ownDone struct {
	ownWrite
	cluster, index int
}

func (m *model) step(ev event) {
	m.logf("event %T%+v", ev, ev)
	for _, a := range m.c.step(ev, m.now) {
		m.logf("    action %T%+v", a, a)
		m.act(a)
	}
	if m.c.inflight > m.c.cfg.reads {
		m.t.Errorf("%d reads at once", m.c.inflight)
	}
}

func (m *model) cell(key listKey) *cell {
	c := m.cells[key]
	if c == nil {
		c = new(cell)
		m.cells[key] = c
	}
	return c
}

func (m *model) act(a action) {
	switch a := a.(type) {
	case startRead:
		if a.session != m.session || !m.alive {
			return // it will end with its session
		}
		if m.reading[a.key] {
			m.t.Errorf("two reads of %v at once", a.key)
		}
		m.reading[a.key] = true
		if a.watch && len(m.watches[a.key]) > m.lost {
			m.t.Errorf("watches %v on %v already", m.watches[a.key], a.key)
		}
		m.cell(a.key).started.Store(a.read)
		m.toServer = append(m.toServer, a)
	case startCheck:
		if a.session == m.session && m.alive {
			m.toServer = append(m.toServer, a)
		}
	case startSweep:
		var keys []listKey
		for _, k := range slices.SortedFunc(maps.Keys(m.cells), compareKeys) {
			if m.rnd.IntN(3) > 0 {
				keys = append(keys, k)
			}
		}
		m.inbox = append(m.inbox, used{keys})
	case publish:
		old := m.shown[a.key]
		if old != nil && old.cluster == a.list.cluster && old.pzxid > a.list.pzxid {
			m.t.Errorf("%v went back from %d to %d", a.key, old.pzxid, a.list.pzxid)
		}
		m.shown[a.key] = a.list
		m.cell(a.key).list.Store(a.list)
	case doubt:
		m.cell(a.key).raise(a.upTo, 0)
	case hide:
		if a.key == namesKey {
			m.cell(a.key).list.Store(nil)
		} else {
			delete(m.cells, a.key)
		}
	case answer:
		m.answered(a)
	case report:
		if a.event.Kind == EventWentBack {
			m.t.Errorf("history went back: %v", a.event)
		}
	default:
		m.t.Errorf("action %T", a)
	}
}

// ask makes a caller.
func (m *model) ask() {
	m.nextID++
	key := serviceKey(modelServices[m.rnd.IntN(len(modelServices))])
	q := &ask{own: m.ownAck[key], leader: len(m.log), cluster: m.clusters}
	q.want = want{waiter{id: m.nextID}, key}
	switch m.rnd.IntN(6) {
	case 0:
		q.mode = modeFresh
	case 1:
		q.mode, q.members = modeMembers, 1+m.rnd.IntN(3)
	}
	if m.rnd.IntN(6) == 0 && q.mode == modeCached {
		q.mode = modeChange
		if c := m.cells[key]; c != nil {
			q.seen = c.list.Load().token()
		}
	}
	q.need, q.needNames = 1, 1
	if c := m.cells[key]; c != nil {
		if l := c.list.Load(); l != nil && q.mode == modeCached && l.read > c.fired.Load() {
			m.checkAnswer(q, l)
			return
		}
		q.need = c.fired.Load() + 1
	}
	if c := m.cells[namesKey]; c != nil {
		q.needNames = c.fired.Load() + 1
	}
	m.asks[q.id] = q
	m.inbox = append(m.inbox, q.want)
}

func (m *model) answered(a answer) {
	q := m.asks[a.id]
	if q == nil {
		if m.gone[a.id] {
			delete(m.gone, a.id) // the answer crossed the cancellation
			return
		}
		m.t.Errorf("answer to nobody: %+v", a)
		return
	}
	delete(m.asks, a.id)
	if a.err != nil {
		m.t.Errorf("error %v", a.err)
	}
	m.checkAnswer(q, a.list)
}

// checkAnswer: an answer shows at least the caller's own writes, a fresh one
// everything that had been committed when it was asked for.
func (m *model) checkAnswer(q *ask, l *list) {
	m.answers++
	if q.mode == modeChange && l.token() == q.seen {
		m.t.Errorf("%v for one who waits for another list", q.seen)
	}
	if l != nil && l.cluster != m.cluster() || m.lost > 0 {
		return // the wipe has not been noticed yet; what was lost is repaired later
	}
	if l.size() < q.members {
		m.t.Errorf("%d members for one who waits for %d", l.size(), q.members)
	}
	from := q.own
	if q.mode == modeFresh {
		from = q.leader
	}
	if m.rewound && q.mode != modeFresh {
		return // sessions that see less than their own write promise nothing
	}
	if q.cluster != m.clusters {
		return // asked before the wipe
	}
	for i := from; i <= len(m.log); i++ {
		z := m.past[i][q.key]
		if z == nil && l == nil || z != nil && l != nil && z.pzxid == l.pzxid {
			return
		}
		// A fast look-up may be ahead of what this history index says, never behind.
	}
	if !m.alive && q.mode != modeFresh && l == nil {
		return
	}
	m.t.Errorf("%+v got %+v; own %d, leader %d of %d", q.want, l, q.own, q.leader, len(m.log))
}

func (m *model) random() {
	switch n := m.rnd.IntN(100); {
	case n < 12:
		m.ask()
	case n < 17 && len(m.asks) > 0:
		ids := slices.Sorted(maps.Keys(m.asks))
		q := m.asks[ids[m.rnd.IntN(len(ids))]]
		if m.rnd.IntN(4) == 0 {
			delete(m.asks, q.id)
			m.gone[q.id] = true
			m.inbox = append(m.inbox, cancel{q.key, q.id})
		}
	case n < 25:
		m.change()
	case n < 30:
		if m.alive && m.connect {
			key := serviceKey(modelServices[m.rnd.IntN(len(modelServices))])
			m.toServer = append(m.toServer, txn{key: key, child: modelMember(9)})
		}
	case n < 40:
		if m.connect && m.applied < len(m.log) {
			m.advance(m.applied + 1 + m.rnd.IntN(len(m.log)-m.applied))
		}
	case n < 55:
		m.serve()
	case n < 70:
		m.deliver()
	case n < 92:
		m.work()
	case n < 95:
		m.now += time.Duration(m.rnd.Int64N(int64(100 * time.Millisecond)))
		m.step(tick{})
	case n < 96:
		m.now += time.Duration(m.rnd.Int64N(int64(2 * time.Minute)))
		m.step(tick{})
	case n < 98:
		if m.alive {
			m.connect = !m.connect
			if m.connect {
				m.inbox = append(m.inbox, resumed{m.session})
			} else {
				m.inbox = append(m.inbox, suspended{m.session})
			}
		} else {
			m.newSession()
		}
	case n < 99:
		if m.rnd.IntN(3) == 0 {
			m.expire()
		}
	default:
		if m.rnd.IntN(10) == 0 {
			m.wipe()
		}
	}
}

// quiesce lets everything settle and looks whether all is well then: nobody
// waits who need not, and every look-up shows the truth.
func (m *model) quiesce() {
	m.calm = true
	if m.alive && !m.connect {
		m.connect = true
		m.inbox = append(m.inbox, resumed{m.session})
	}
	m.newSession()
	idle := func() {
		for range 10000 {
			m.advance(len(m.log))
			if len(m.toServer)+len(m.toClient)+len(m.inbox) == 0 && m.half == nil {
				return
			}
			m.serve()
			m.deliver()
			m.work()
		}
		m.t.Errorf("it never becomes quiet")
	}
	later := func(d time.Duration) {
		for end := m.now + d; m.now < end; {
			at, ok := m.c.deadline()
			if !ok || at > end {
				at = end
			}
			m.now = max(at, m.now+1)
			m.step(tick{})
			idle()
		}
	}
	idle()
	later(10 * time.Second)
	for range 3 { // everything is in use, so lost watches are found out
		m.step(used{slices.SortedFunc(maps.Keys(m.cells), compareKeys)})
		later(2 * time.Minute)
	}
	if m.everLost == 0 && !m.rewound && m.c.stats.repaired > 0 {
		m.t.Errorf("%d watches repaired, none was lost", m.c.stats.repaired)
	}
	m.lost = 0
	for _, e := range m.c.entries {
		for _, w := range e.waiters {
			if m.gone[w.id] {
				m.t.Errorf("caller %d is gone and not forgotten", w.id)
			}
		}
	}
	for id, q := range m.asks {
		var truth *list
		z := m.leader[q.key]
		if z != nil {
			truth = &list{cluster: m.cluster(), pzxid: z.pzxid}
		}
		switch {
		case !q.waits():
			m.t.Errorf("caller %d still waits: %+v", id, q.want)
		case q.mode == modeMembers && z != nil && len(z.children) >= q.members:
			m.t.Errorf("caller %d still waits: %+v; members: %v", id, q.want, z.children)
		case q.mode == modeChange && truth.token() != q.seen:
			m.t.Errorf("caller %d still waits: %+v; it is %v", id, q.want, truth.token())
		}
	}
	m.asks = make(map[uint64]*ask)
	for _, name := range modelServices {
		key := serviceKey(name)
		for {
			before := m.answers
			m.nextID++
			q := &ask{own: len(m.log), leader: len(m.log), cluster: m.clusters}
			q.want = want{waiter{id: m.nextID, need: 1, needNames: 1}, key}
			if c := m.cells[key]; c != nil {
				q.need = c.fired.Load() + 1
			}
			if c := m.cells[namesKey]; c != nil {
				q.needNames = c.fired.Load() + 1
			}
			m.asks[q.id] = q
			m.inbox = append(m.inbox, q.want)
			idle()
			later(5 * time.Second)
			if m.answers == before {
				m.t.Errorf("look-up of %q is not answered", name)
			}
			break
		}
	}
	if m.c.inflight != 0 || len(m.c.soon) != 0 || len(m.c.later) != 0 {
		m.t.Errorf("left over: %d reads, queues %v %v", m.c.inflight, m.c.soon, m.c.later)
	}
}
