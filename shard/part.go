//conclave:pure

package shard

import "time"

// The machine that walks one part on one node from nobody's to ours and back. It
// is pure: step takes what happened and says what to do; the loop around it does
// it and reports back. The plan only says what is wanted. What permits is the
// part's owner znode, an ephemeral: its czxid is the term's number.
//
// All nodes create the owner znode of a part under the same path. So it is never
// deleted on a belief: only when a read has shown it to be this session's, and
// neither its watch nor a write of unknown outcome has raised a doubt since. And
// it is never deleted for another session, not even for an earlier one of ours:
// between the read and the delete it could have become another node's.
//
// At most one request is under way at a time, and none follows a write of unknown
// outcome but Sync and a read. So whatever comes in between only changes what
// advance asks for next.

// phase is where the part stands on this node.
type phase uint8

const (
	idle      phase = iota // nothing of ours is in ZooKeeper, and nobody is waited for
	waiting                // somebody's owner znode is there: watch it until it goes
	claiming               // a create is under way, or its outcome is unknown: find out
	verifying              // our znode is there: read it, and get the lease
	owned                  // the term is ours
	draining               // it still is; what runs under it finishes, and takes nothing more
	stopping               // the term is over; what ran under it has not all returned
	deleting               // nothing of ours runs; our znode has to go
)

var phaseNames = [...]string{
	"idle", "waiting", "claiming", "verifying", "owned", "draining", "stopping", "deleting",
}

func (p phase) String() string { return phaseNames[p] }

const (
	retryMin   = 50 * time.Millisecond // a request that failed is made again after this,
	retryMax   = 2 * time.Second       // doubling up to this
	backoffMin = 100 * time.Millisecond
	backoffMax = 30 * time.Second // code that failed gets the part again after min, doubling up to max;
	goodRun    = backoffMax       // a term that lasted this long makes it start over
	checkEvery = time.Minute      // who waits looks whether all is as it believes, should a watch be lost
)

// part is the machine's state, a value.
type part struct {
	drainWithin time.Duration // a drain that takes longer raises an alarm

	wanted  bool // the plan gives us the part
	closing bool // the node leaves

	session int64 // 0: none
	timeout time.Duration

	phase phase
	made  int64 // czxid of our znode, once it has been read; 0: there is none that we know of
	spent int64 // czxid of the last znode of ours whose lease has ended: it serves no other
	known bool  // what is at the path has been read under a watch, and that has not fired
	ahead int64 // waiting: czxid of the znode that is waited for

	checkAt time.Duration

	op      uint64 // the request under way, or 0
	ops     uint64
	doing   doing
	dirty   bool // what is being read has changed meanwhile
	tries   int
	retryAt time.Duration // no request before

	lease   uint64 // the claim that got it; 0: none
	term    int64  // the number of the term under which something may run; 0: none
	begun   time.Duration
	slowAt  time.Duration
	slow    bool // the drain takes too long, and that has been said
	stuckAt time.Duration
	stuck   bool // what ran does not return, and that has been said

	backoff time.Duration
	standAt time.Duration // no create before
}

// newPart is a part that nobody wants on this node. drainWithin is how long a
// drain may take before somebody should look.
func newPart(drainWithin time.Duration) part { return part{drainWithin: drainWithin} }

// doing is what the request under way is for.
type doing uint8

const (
	doingCreate doing = iota + 1
	doingRead
	doingCheck // a read, should a watch be lost
	doingClaim
	doingRemove
)

// patience is how long what ran may take to return when its term has ended with
// its lease. A lease that lapsed leaves its session half of T, at least: a process
// that is ended when this has passed has ended before another can own the part.
func patience(timeout time.Duration) time.Duration { return timeout/2 - timeout/16 }

// step is the protocol: what happened, and what is to be done about it.
func step(s part, e event, now time.Duration) (part, []action) {
	m := machine{part: s, now: now}
	m.take(e)
	m.advance()
	return m.part, m.actions
}

// wakes is when the machine wants a timer event; 0: at no time.
func (s part) wakes(now time.Duration) time.Duration {
	var at time.Duration
	soonest := func(t time.Duration) {
		if t > now && (at == 0 || t < at) {
			at = t
		}
	}
	if s.op == 0 && s.session != 0 {
		soonest(s.retryAt)
	}
	switch s.phase {
	case idle:
		if s.wanted {
			soonest(s.standAt)
		}
	case waiting:
		soonest(s.checkAt)
	case draining:
		if !s.slow {
			soonest(s.slowAt)
		}
	case stopping:
		if !s.stuck {
			soonest(s.stuckAt)
		}
	}
	return at
}

// mayDrain says whether the part is owned and should not be: it waits for
// drainNow. How many of a node's parts are on the move at a time is not for the
// machine of one to say.
func (s part) mayDrain() bool { return s.phase == owned && !s.wanted }

// finished says whether the node may leave as far as this part goes.
func (s part) finished() bool { return s.closing && s.phase == idle }

type machine struct {
	part
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

// answer says whether op is the request under way, which then is over. One that
// comes late, of an earlier session say, is not.
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
	case wanted:
		if !m.wanted && !m.closing {
			m.wanted = true
			m.standAt, m.backoff = 0, 0 // it owes nothing to what failed before
		}
	case unwanted:
		m.wanted = false
	case drainNow:
		if m.mayDrain() {
			m.drain()
		}
	case closing:
		m.wanted, m.closing = false, true
	case sessionUp:
		if e.id == m.session {
			break
		}
		m.loseSession()
		m.session, m.timeout = e.id, e.t
		m.tries, m.retryAt = 0, 0
	case sessionLost:
		if e.id == m.session {
			m.loseSession()
		}
	case created:
		if m.answer(e.op) {
			m.phase, m.known = verifying, false
		}
	case exists:
		if m.answer(e.op) {
			m.phase, m.known, m.ahead = waiting, false, 0
		}
	case ownerRead:
		if m.answer(e.op) {
			m.ownerRead(e)
		}
	case noOwner:
		if m.answer(e.op) {
			m.noOwner()
		}
	case claimed:
		if !m.answer(e.op) {
			m.do(release{lease: e.op}) // it came too late to be of use
			break
		}
		m.claimed(e)
	case deleted:
		if m.answer(e.op) {
			m.reset()
		}
	case failed:
		if e.op != 0 && e.op == m.op {
			m.failed(e.why)
		}
	case ownerChanged:
		m.known = false
		m.dirty = m.op != 0
		if m.phase == waiting && m.op == 0 {
			m.reset() // it has gone, most likely: who creates at once finds out, and waits no longer than he must
		}
	case leaseEnded:
		if m.runs() && e.number == m.term {
			m.leaseEnded(e.why)
		}
	case broken:
		if m.phase == owned && e.number == m.term {
			m.broken()
		}
	case drained:
		if (m.phase == draining || m.phase == stopping) && e.number == m.term {
			m.drained()
		}
	case timer:
	}
}

// runs says whether the term lasts.
func (s part) runs() bool { return s.phase == owned || s.phase == draining }

// advance does what the state calls for.
func (m *machine) advance() {
	for before := deleting + 1; before != m.phase; {
		before = m.phase
		m.proceed()
	}
}
