package registry

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"conclave/actor"
	"conclave/internal/explore"
)

// The explorer of the roll: callers who register, unregister and leave,
// processes that end, sessions that end, writes whose outcome is unknown, and an
// administrator who deletes what he likes. Everything is drawn from one seed.

func TestExploredRollKeepsItsPromises(t *testing.T) {
	explore.Schedules(t, 15_000, exploreRoll)
}

// caller waits for the answer to a register or unregister.
type caller struct {
	key      offerKey
	register bool
}

type rollModel struct {
	t    *explore.Story
	rnd  *rand.Rand
	now  time.Duration
	r    *roll
	calm bool

	session uint64
	alive   bool
	connect bool
	cluster int
	zxid    int64
	znodes  map[offerKey]uint64   // the session that owns it
	watches map[offerKey][]uint64 // attempts whose watch stands, of this session
	queue   []startWrite
	inbox   []event

	wanted  map[offerKey]bool // what the last call for it asked for
	refused map[offerKey]bool // the last call may have been refused
	callers map[uint64]*caller
	nextID  uint64
	keys    []offerKey
}

func exploreRoll(t *explore.Story) {
	seed := t.Seed
	rnd := rand.New(rand.NewPCG(seed, 2))
	m := &rollModel{
		t: t, rnd: rnd, now: 1,
		r: newRoll(rollConfig{
			writes: 1 + rnd.IntN(4), pause: 10 * time.Millisecond,
			backoff: 10 * time.Millisecond, backoffMax: time.Second,
		}, seed),
		znodes: make(map[offerKey]uint64), watches: make(map[offerKey][]uint64),
		wanted: make(map[offerKey]bool), refused: make(map[offerKey]bool),
		callers: make(map[uint64]*caller),
	}
	for _, service := range []string{"ant", "bee"} {
		for serial := range uint64(3) {
			m.keys = append(m.keys, offerKey{service, actor.MakePID(actor.NodeID{Name: "n", Incarnation: 1}, serial+1)})
		}
	}
	for range 400 {
		m.random()
		if t.Failed() {
			return
		}
	}
	m.quiesce()
}

func (m *rollModel) logf(format string, args ...any) {
	if m.t.Tell {
		m.t.Logf("%v: "+format, append([]any{m.now}, args...)...)
	}
}

func (m *rollModel) key() offerKey { return m.keys[m.rnd.IntN(len(m.keys))] }

func (m *rollModel) random() {
	switch n := m.rnd.IntN(100); {
	case n < 15:
		m.call(m.key(), true)
	case n < 25:
		m.call(m.key(), false)
	case n < 28:
		pid := m.key().pid
		for _, k := range m.keys {
			if k.pid == pid {
				m.wanted[k] = false
			}
		}
		m.step(drop{pid})
	case n < 32 && len(m.callers) > 0:
		ids := slices.Sorted(maps.Keys(m.callers))
		id := ids[m.rnd.IntN(len(ids))]
		c := m.callers[id]
		delete(m.callers, id)
		m.step(leave{id, c.key})
	case n < 60:
		m.serve()
	case n < 80:
		m.work()
	case n < 85:
		m.now += time.Duration(m.rnd.Int64N(int64(50 * time.Millisecond)))
		m.step(tick{})
	case n < 88:
		key := m.key()
		if m.alive && m.znodes[key] != 0 { // the administrator
			m.logf("deleted by hand: %v", key)
			m.remove(key)
		}
	case n < 92:
		if !m.alive {
			m.up()
		} else if m.connect = !m.connect; m.connect {
			m.inbox = append(m.inbox, resumed{m.session})
		} else {
			m.inbox = append(m.inbox, suspended{m.session})
		}
	case n < 94:
		m.expire()
	case n < 95:
		if m.rnd.IntN(3) == 0 {
			m.expire()
			m.cluster++
			clear(m.znodes)
		}
	}
}

func (m *rollModel) call(key offerKey, registers bool) {
	m.nextID++
	m.callers[m.nextID] = &caller{key: key, register: registers}
	m.wanted[key], m.refused[key] = registers, false
	if registers {
		m.step(register{m.nextID, key})
	} else {
		m.step(unregister{m.nextID, key})
	}
}

func (m *rollModel) up() {
	m.session++
	m.alive, m.connect = true, true
	m.inbox = append(m.inbox, sessionUp{m.session, strconv.Itoa(m.cluster)})
}

// expire ends the session. What it owned vanishes, sometimes only later: then
// the next session finds it.
func (m *rollModel) expire() {
	if !m.alive {
		return
	}
	m.alive, m.connect = false, false
	m.queue = nil
	clear(m.watches)
	if m.rnd.IntN(2) == 0 {
		clear(m.znodes)
	}
	m.inbox = append(m.inbox, sessionLost{m.session})
}

func (m *rollModel) remove(key offerKey) {
	delete(m.znodes, key)
	for _, attempt := range m.watches[key] {
		m.inbox = append(m.inbox, vanished{key, attempt})
	}
	delete(m.watches, key)
}

// serve does the next write.
func (m *rollModel) serve() {
	if len(m.queue) == 0 || !m.connect {
		return
	}
	i := m.rnd.IntN(len(m.queue)) // they are done side by side
	a := m.queue[i]
	m.queue = slices.Delete(m.queue, i, i+1)
	done := writeDone{key: a.key, session: a.session, attempt: a.attempt}
	luck := m.rnd.IntN(20)
	if m.calm {
		luck = 19
	}
	switch {
	case luck == 0: // never arrived
		done.outcome = broken
	case luck == 1 && a.kind == writeMake && m.rnd.IntN(4) == 0:
		done.outcome, done.err = refused, ErrClosed
	default:
		if a.kind == writeRemove {
			m.remove(a.key)
		} else {
			m.zxid++
			if m.znodes[a.key] != a.session {
				m.remove(a.key) // of an earlier session
				m.znodes[a.key] = a.session
			}
			done.token = Token{strconv.Itoa(m.cluster), m.zxid}
			if luck != 2 {
				m.watches[a.key] = append(m.watches[a.key], a.attempt)
			}
		}
		if luck == 2 {
			done.outcome = broken // done, and nobody knows
		}
	}
	m.inbox = append(m.inbox, done)
}

func (m *rollModel) work() {
	if len(m.inbox) > 0 {
		ev := m.inbox[0]
		m.inbox = m.inbox[1:]
		m.step(ev)
	}
}

func (m *rollModel) step(ev event) {
	m.logf("event %T%+v", ev, ev)
	if done, ok := ev.(writeDone); ok && done.outcome == refused {
		m.refused[done.key] = true
	}
	for _, a := range m.r.step(ev, m.now) {
		m.logf("    action %T%+v", a, a)
		m.act(ev, a)
	}
	if m.r.busy > m.r.cfg.writes {
		m.t.Errorf("%d writes at once", m.r.busy)
	}
}

func (m *rollModel) act(ev event, a action) {
	switch a := a.(type) {
	case startWrite:
		for _, other := range m.queue {
			if other.key == a.key {
				m.t.Errorf("two writes for %v at once", a.key)
			}
		}
		if a.session == m.session && m.alive {
			m.queue = append(m.queue, a)
		}
	case settled:
		c := m.callers[a.id]
		if c == nil {
			m.t.Errorf("answer to nobody: %+v", a)
			return
		}
		delete(m.callers, a.id)
		done, isDone := ev.(writeDone)
		switch {
		case a.err == nil && c.register && m.wanted[c.key] && isDone && done.key == c.key &&
			a.token != done.token:
			m.t.Errorf("token %v of %v", a.token, done.token)
		case a.err == nil && c.register && m.wanted[c.key] && a.token.IsZero():
			m.t.Errorf("registered without a token")
		case a.err != nil && !c.register:
			m.t.Errorf("unregister: %v", a.err)
		}
	case wrote:
	case report:
		if a.event.Kind == EventRegistrationGone && !m.alive {
			return
		}
	default:
		m.t.Errorf("action %T", a)
	}
}

// quiesce lets everything settle: then exactly what is wanted is there.
func (m *rollModel) quiesce() {
	m.calm = true
	if m.alive && !m.connect {
		m.connect = true
		m.inbox = append(m.inbox, resumed{m.session})
	} else if !m.alive {
		m.up()
	}
	for end := m.now + time.Minute; m.now < end; {
		for len(m.queue)+len(m.inbox) > 0 {
			m.work()
			m.serve()
		}
		at, ok := m.r.deadline()
		if !ok {
			break
		}
		m.now = max(at, m.now+1)
		m.step(tick{})
	}
	for _, key := range m.keys {
		there := m.znodes[key] == m.session
		switch {
		case m.wanted[key] && !there && !m.refused[key]:
			m.t.Errorf("%v is not there", key)
		case !m.wanted[key] && m.znodes[key] != 0 && m.r.offers[key] != nil:
			m.t.Errorf("%v is still there, owned by session %d", key, m.znodes[key])
		case !m.wanted[key] && there:
			m.t.Errorf("%v is still there", key)
		case there && m.wanted[key] && m.r.offers[key] == nil:
			if !m.refused[key] {
				m.t.Errorf("%v is not on the roll", key)
			}
		case there && m.wanted[key] && !slices.Contains(m.watches[key], m.r.offers[key].watching):
			m.t.Errorf("%v is watched by %v", key, m.watches[key])
		}
	}
	if len(m.callers) > 0 || m.r.busy > 0 {
		m.t.Errorf("left over: callers %v, %d writes", m.callers, m.r.busy)
	}
	m.callers[1<<40] = &caller{}
	m.step(dropAll{id: 1 << 40})
	for len(m.queue)+len(m.inbox) > 0 {
		m.work()
		m.serve()
	}
	if len(m.r.offers) > 0 || m.r.wanted != 0 || len(m.r.byPID) > 0 || len(m.callers) > 0 {
		m.t.Errorf("left over after all was dropped: %v, %d wanted, callers %v", m.r.offers, m.r.wanted, m.callers)
	}
}
