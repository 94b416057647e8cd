//conclave:pure

package global

import "time"

// The machine that walks one node's offer for one name through its terms. It is
// pure: step takes what happened and says what to do; the candidacy does it and
// reports back. At most one request is under way at a time, so whatever comes in
// between only changes what advance asks for next.

// phase is where the offer stands.
type phase uint8

const (
	idle      phase = iota // nothing of ours is in ZooKeeper; stands when it may
	creating               // a create is under way
	unsure                 // the create's outcome is unknown: find out
	looking                // our znode is there; find who is ahead of us
	waiting                // somebody is ahead of us and watched
	claiming               // we are first: get the lease
	holding                // the term is ours
	stopping               // the term is over; its processes have not all returned
	passing                // they have; what is left of the term is being handed over
	deleting               // nothing of ours runs; our znode has to go
	withdrawn              // the offer is taken back, and nothing is left of it
)

var phaseNames = [...]string{
	"idle", "creating", "unsure", "looking", "waiting", "claiming", "holding", "stopping", "passing", "deleting", "withdrawn",
}

func (p phase) String() string { return phaseNames[p] }

const (
	retryMin   = 50 * time.Millisecond // a request that failed is made again after this,
	retryMax   = 2 * time.Second       // doubling up to this,
	backoffMin = 100 * time.Millisecond
	backoffMax = 30 * time.Second // a failed holder stands again after min, doubling up to max;
	goodRun    = backoffMax       // a term that lasted this long makes it start over
	checkEvery = time.Minute      // a waiting candidate looks whether all is as it believes, should a watch be lost
)

// election is the machine's state, a value.
type election struct {
	base string // every guid of this candidacy begins with it

	wanted  bool // somebody wants us to stand
	closing bool // the node leaves
	barred  bool // we must not stand anew for now
	offers  int  // how often code has been registered

	session   int64 // 0: none
	timeout   time.Duration
	suspended bool

	phase phase
	guid  string // of the candidate that stands or is being created
	guids int
	mine  string // our znode's name, once known
	czxid int64  // of our znode: the term's number

	ownKnown  bool     // our znode has been read under a watch, is ours, and the watch has not fired
	listKnown bool     // pred is the one ahead of us
	pred      string   // "": we are first
	leftover  string   // a znode of ours from an earlier session
	skip      []string // znodes found to be nobody's candidates
	checkAt   time.Duration

	op      uint64 // the request under way, or 0
	ops     uint64
	doing   doing
	dirty   bool // what is being read has changed meanwhile
	tries   int
	retryAt time.Duration // no request before

	lease     uint64 // the claim that got it; 0: none
	offer     int    // the registration whose code runs
	begun     time.Duration
	published bool
	stuckAt   time.Duration
	stuck     bool
	planned   bool // the term was ended to be handed over

	back bool // our candidate has to go to the back of the line

	backoff time.Duration
	standAt time.Duration // not before
}

// newElection is of a node that offers nothing yet. Every guid begins with base,
// which no other candidacy, of this node or another, has.
func newElection(base string) election { return election{base: base, phase: withdrawn} }

// doing is what the request under way is for.
type doing uint8

const (
	doingCreate doing = iota + 1
	doingFind         // our guid after an unknown outcome
	doingList
	doingOwn
	doingPred
	doingCheck // the list, should a watch be lost
	doingSweep // removing a leftover
	doingClaim
	doingPublish
	doingRemove
)

// patience is how long a holder may take to return when its term is over. A lease
// that lapsed leaves its session half of T, at least: a process that is ended
// when this has passed has ended before another can hold the name.
func patience(timeout time.Duration) time.Duration { return timeout/2 - timeout/16 }

// step is the protocol: what happened, and what is to be done about it.
func step(s election, e event, now time.Duration) (election, []action) {
	m := machine{election: s, now: now}
	m.take(e)
	m.advance()
	return m.election, m.actions
}

// alarm is when the machine wants a timer event; 0: at no time.
func (s election) alarm(now time.Duration) time.Duration {
	var at time.Duration
	soonest := func(t time.Duration) {
		if t > now && (at == 0 || t < at) {
			at = t
		}
	}
	if s.op == 0 && s.connected() {
		soonest(s.retryAt)
	}
	switch s.phase {
	case idle:
		soonest(s.standAt)
	case waiting:
		soonest(s.checkAt)
	case stopping:
		if !s.stuck {
			soonest(s.stuckAt)
		}
	}
	return at
}

func (s election) connected() bool { return s.session != 0 && !s.suspended }

type machine struct {
	election
	now     time.Duration
	actions []action
}

func (m *machine) do(a action) { m.actions = append(m.actions, a) }

// request numbers a request and notes what it is for.
func (m *machine) request(d doing) uint64 {
	m.ops++
	m.op, m.doing, m.dirty = m.ops, d, false
	return m.op
}

// answer says whether op is the request under way, which then is over.
func (m *machine) answer(op uint64) bool {
	if op == 0 || op != m.op {
		return false
	}
	m.op, m.tries, m.retryAt = 0, 0, 0
	return true
}

// take notes what happened.
func (m *machine) take(e event) {
	switch e := e.(type) {
	case registered:
		m.wanted = true
		m.offers++
		if m.phase == withdrawn {
			m.phase = idle
		}
		if m.phase == idle { // new code owes nothing to the failures of the old
			m.standAt, m.backoff = 0, 0
		}
	case withdraw:
		m.wanted = false
	case closing:
		m.wanted, m.closing = false, true
	case stepBack:
		if e.name == m.mine && m.mayStepBack() {
			m.back = true
		}
	case transfer:
		if m.phase == holding && e.number == m.czxid {
			m.planned = true
			m.end(causeHandOver)
		}
	case passed:
		if m.phase == passing && e.number == m.czxid {
			m.letGo()
		}
	case barred:
		m.barred = e.on
	case sessionUp:
		if e.id == m.session {
			break
		}
		m.loseSession()
		m.session, m.timeout, m.suspended = e.id, e.t, false
		m.tries, m.retryAt = 0, 0
	case sessionLost:
		if e.id == m.session {
			m.loseSession()
		}
	case connection:
		if e.id == m.session {
			m.suspended = !e.up
			if e.up {
				m.tries, m.retryAt = 0, 0
			}
		}
	case created:
		if m.answer(e.op) {
			m.stand(e.name)
		}
	case listed:
		if m.answer(e.op) {
			m.listed(e.names)
		}
	case ownRead:
		if m.answer(e.op) {
			m.ownRead(e)
		}
	case predRead:
		if m.answer(e.op) {
			m.predRead(e)
		}
	case claimed:
		if !m.answer(e.op) {
			m.do(release{lease: e.op}) // it came too late to be of use
			break
		}
		m.claimed(e)
	case published:
		if m.answer(e.op) {
			m.published = true
		}
	case deleted:
		if m.answer(e.op) {
			m.removed()
		}
	case failed:
		if e.op != 0 && e.op == m.op {
			m.failed(e.why)
		}
	case ownChanged:
		if e.name == m.mine {
			m.ownKnown = false
			m.dirty = m.dirty || m.op != 0 && m.doing == doingOwn
		}
	case predChanged:
		if e.name == m.pred {
			if m.phase == waiting {
				m.look()
			}
			m.dirty = m.dirty || m.op != 0 && m.doing == doingPred
		}
	case leaseEnded:
		if m.phase == holding && e.number == m.czxid {
			m.leaseEnded(e.why)
		}
	case holderExited:
		if m.phase == holding && e.number == m.czxid {
			m.holderExited(e.well)
		}
	case tenureEnded:
		if m.phase == stopping && e.number == m.czxid {
			m.stopped()
		}
	case timer:
	}
}

// advance does what the state calls for.
func (m *machine) advance() {
	for before := withdrawn + 1; before != m.phase; {
		before = m.phase
		m.proceed()
	}
}
