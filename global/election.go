package global

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

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
	deleting               // nothing of ours runs; our znode has to go
	withdrawn              // the offer is taken back, and nothing is left of it
)

var phaseNames = [...]string{
	"idle", "creating", "unsure", "looking", "waiting", "claiming", "holding", "stopping", "deleting", "withdrawn",
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
	m.czxid, m.ownKnown, m.listKnown = 0, false, false
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
	m.stuckAt, m.stuck = m.now+m.timeout/2, false
}

// stopped: everything that ran in the term has returned.
func (m *machine) stopped() {
	if m.stuck {
		m.stuck = false
		m.do(report{what: reportUnstuck})
	}
	m.letGo()
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

// advance does what the state calls for.
func (m *machine) advance() {
	for before := withdrawn + 1; before != m.phase; {
		before = m.phase
		m.proceed()
	}
}

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
		case !m.wanted:
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
	case !m.wanted:
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
