package shard

import (
	"slices"
	"time"
)

// stage is what runs under a term on a node, as the node's processes know it.
type stage uint8

const (
	nothing   stage = iota
	serving         // since begin
	finishing       // since drain
	ending          // since end
)

func (s stage) String() string { return [...]string{"nothing", "serving", "finishing", "ending"}[s] }

// stageOf is what has to run in each phase.
var stageOf = map[phase]stage{owned: serving, draining: finishing, stopping: ending}

type partNode struct {
	w     *partWorld
	id    int
	state part

	session   int64 // as the client believes
	connected bool
	cut       bool          // connected to a follower that is cut off from its quorum
	away      time.Duration // until then there is no connection to be had
	view      int           // the transaction up to which its follower is
	seen      int           // what the client has seen: it accepts no older follower
	requests  []action
	zombies   []partZombie
	inbox     []event
	late      []event     // answers to what the node has given up asking
	watch     *ownerZnode // armed, and what it was like

	lease  uint64
	until  time.Duration // of the lease
	leased int64         // czxid
	spent  int64         // czxid on which a lease of this session has ended

	stage   stage
	term    int64
	since   time.Duration // of the stage
	returns time.Duration // when what is told to will have returned
	heard   int64
	alarms  map[trouble]bool
	deposed bool // its znode was deleted by hand: the exception
}

// partZombie is a write that was lost on its way, perhaps not quite.
type partZombie struct {
	session int64
	action  action
}

// plan is what the plan says of this node.
func (n *partNode) plan() bool { return n.w.wish == n.id }

// feed lets the node's part take an event and does what it wants.
func (n *partNode) feed(e event) {
	w := n.w
	if w.verbose {
		w.tell("%d: %T %+v in %s", n.id, e, e, n.state.phase)
	}
	if c, ok := e.(claimed); ok {
		if w.rand.IntN(4) == 0 {
			n.heard = w.highest
		}
		c.heard = n.heard
		// One that has ended on the way is no answer: the loop looks. But one that
		// comes too late may end only after that.
		if e = c; c.op != n.lease && (c.op == n.state.op || w.rand.IntN(2) == 0) {
			e = failed{op: c.op, why: lapsed}
		}
	}
	var actions []action
	n.state, actions = step(n.state, e, w.now)
	for _, a := range actions {
		if w.verbose {
			w.tell("%d:     %s", n.id, tellAction(a))
		}
		n.do(a)
	}
	if n.stage != stageOf[n.state.phase] {
		w.wrong("node %d is %s, but what it runs is %s", n.id, n.state.phase, n.stage)
	}
}

func (n *partNode) do(a action) {
	w := n.w
	switch a := a.(type) {
	case begin:
		w.tell("%d: begins term %d", n.id, a.number)
		n.mayBegin(a)
		w.highest, n.heard = max(w.highest, a.number), max(n.heard, a.number)
		w.terms++
		n.enter(serving)
		n.term = a.number
	case drain:
		w.tell("%d: drains term %d", n.id, a.number)
		if n.stage != serving || n.term != a.number || n.state.wanted {
			w.wrong("node %d drains term %d, but what it runs is %s of %d", n.id, a.number, n.stage, n.term)
		}
		n.enter(finishing)
		n.returns = w.now + w.span(2*time.Second)
		if w.rand.IntN(4) == 0 {
			n.returns += w.span(2 * partDrains)
		}
		if w.powers.hang && !w.calm && w.rand.IntN(4) == 0 {
			n.returns += time.Hour
		}
	case end:
		w.tell("%d: ends term %d, %s", n.id, a.number, a.cause)
		n.end(a)
	case release:
		if a.lease == n.lease {
			if n.stage != nothing {
				w.wrong("node %d lets its lease go, but what it runs is %s", n.id, n.stage)
			}
			n.dropLease()
		}
		n.deposed = false
	case alarm:
		w.tell("%d: %s", n.id, tellAction(a))
		if n.alarms[a.what] == a.on || a.number != n.state.spent && a.number != n.term {
			w.wrong("node %d: %s, and it was %v before", n.id, tellAction(a), n.alarms[a.what])
		}
		n.alarms[a.what] = a.on
	case report:
	case remove:
		if n.stage != nothing {
			w.wrong("node %d deletes, but what it runs is %s", n.id, n.stage)
		}
		n.decided(a)
		n.send(a)
	case create:
		if n.stage != nothing {
			w.wrong("node %d creates, but what it runs is %s", n.id, n.stage)
		}
		n.decided(a)
		n.send(a)
	default:
		n.send(a)
	}
}

func (n *partNode) enter(s stage) { n.stage, n.since = s, n.w.now }

// mayBegin checks that a term may begin.
func (n *partNode) mayBegin(a begin) {
	w := n.w
	if n.stage != nothing {
		w.wrong("node %d begins, but what it runs is %s", n.id, n.stage)
	}
	if a.lease == 0 || a.lease != n.lease || w.now >= n.until {
		w.wrong("node %d begins under a lease that it does not have", n.id)
	}
	if n.deposed {
		return
	}
	if a.number <= w.highest {
		w.wrong("term %d begins after %d", a.number, w.highest)
	}
	if z := w.truth().owner; z.session != n.session || z.czxid != a.number {
		w.wrong("node %d begins term %d, but the owner is %+v", n.id, a.number, z)
	}
}

// end is told to what runs, or that it is over to what has returned.
func (n *partNode) end(a end) {
	w := n.w
	if n.term != a.number || n.stage == ending || (n.stage == nothing) != (a.cause == causeDrained) {
		w.wrong("node %d ends term %d, %s, but what it runs is %s of %d", n.id, a.number, a.cause, n.stage, n.term)
	}
	if a.cause == causeDrained {
		w.drains++
		return
	}
	returns := w.now + w.span(partT/2)
	if w.powers.hang && !w.calm && w.rand.IntN(3) == 0 {
		returns += partT
	} else if n.stage == finishing {
		returns = min(returns, n.returns)
	}
	n.returns = returns
	n.enter(ending)
}

// decided checks that a write does not follow one of which nobody knows what
// became: the two could be done in either order, or late.
func (n *partNode) decided(a action) {
	for _, z := range n.zombies {
		if z.session == n.session {
			n.w.wrong("node %d: %s, though nobody knows what became of %s", n.id, tellAction(a), tellAction(z.action))
		}
	}
}

// checkAlarms: who takes too long is reported, and nobody else.
func (n *partNode) checkAlarms() {
	for what, late := range map[trouble]bool{
		troubleSlow:  n.stage == finishing && n.w.now > n.since+partDrains,
		troubleStuck: n.stage == ending && n.w.now > n.since+patience(partT),
	} {
		if late && !n.alarms[what] {
			n.w.wrong("node %d is %s since %v, and nobody is told", n.id, n.stage, n.since)
		}
	}
	if n.alarms[troubleSlow] && n.stage != finishing || n.alarms[troubleStuck] && n.stage != ending {
		n.w.wrong("node %d is %s, and the alarm has not been taken back", n.id, n.stage)
	}
}

func (n *partNode) due() []time.Duration {
	due := []time.Duration{n.state.wakes(n.w.now)}
	if n.lease != 0 {
		due = append(due, n.until)
	}
	if n.stage == finishing || n.stage == ending {
		due = append(due, n.returns)
	}
	return due
}

// lapse ends a lease that ran out.
func (n *partNode) lapse() {
	if n.lease != 0 && n.w.now >= n.until {
		n.w.tell("%d: lease lapses", n.id)
		n.endLease(lapsed)
	}
}

func (n *partNode) dropLease() { n.lease, n.spent = 0, n.leased }

func (n *partNode) endLease(why why) {
	if n.lease == 0 {
		return
	}
	n.dropLease()
	if n.stage == serving || n.stage == finishing {
		n.feed(leaseEnded{number: n.term, why: why})
	}
}

func (n *partNode) punctual() {
	if (n.stage == finishing || n.stage == ending) && n.w.now >= n.returns {
		n.w.tell("%d: all returned", n.id)
		n.stage = nothing
		n.feed(drained{number: n.term})
	}
	if at := n.state.wakes(n.w.now - 1); at != 0 && at <= n.w.now {
		n.feed(timer{})
	}
}

// restart: the node has left, and comes back as another.
func (n *partNode) restart() {
	n.w.tell("%d: comes back", n.id)
	if n.connected && n.w.truth().sessions[n.session] {
		n.w.endSession(n.session)
	}
	if n.stage != nothing || n.alarms[troubleSlow] || n.alarms[troubleStuck] {
		n.w.wrong("node %d has finished, but what it runs is %s, alarms %v", n.id, n.stage, n.alarms)
	}
	*n = partNode{
		w: n.w, id: n.id, state: newPart(partDrains), alarms: n.alarms,
		zombies: n.zombies, seen: max(n.seen, n.view), // of the old session: harmless, or not?
	}
}

// abandon gives the session up, though ZooKeeper may keep it a while.
func (n *partNode) abandon() {
	n.w.tell("%d: gives up session %d", n.id, n.session)
	if n.connected {
		n.drop()
	}
	n.loseSession()
}

func (n *partNode) loseSession() {
	old := n.session
	n.connected, n.cut, n.session, n.watch = false, false, 0, nil
	n.late = append(n.late, n.inbox...) // answers may be late, and so may events
	for _, a := range n.requests {
		n.late = append(n.late, failed{op: requestOf(a), why: over})
	}
	if n.w.rand.IntN(4) == 0 {
		n.late = append(n.late, sessionLost{id: old})
	}
	n.requests, n.inbox = nil, nil
	if n.w.rand.IntN(2) == 0 { // it is told in either order
		n.endLease(over)
	}
	n.feed(sessionLost{id: old})
	n.endLease(over)
	n.spent = 0
}

// drop loses the connection and what is under way.
func (n *partNode) drop() {
	n.connected, n.cut = false, false
	n.seen = max(n.seen, n.view)
	lost, inbox := n.requests, n.inbox
	n.requests, n.inbox = nil, nil
	for _, e := range inbox { // watch events arrive in the end
		if op := partAnswerTo(e); op == 0 {
			n.inbox = append(n.inbox, e)
		} else {
			n.unanswered(op, e)
		}
	}
	for _, a := range lost {
		n.lose(a)
	}
}

// lose: no answer comes to a request. It has been carried out, may yet be, or not.
func (n *partNode) lose(a action) {
	w := n.w
	var answer event
	switch _, isRead := a.(read); w.rand.IntN(3) {
	case 0:
		if answer = n.apply(n.session, a); isRead {
			answer = n.look(a.(read))
		}
	case 1:
		if _, isClaim := a.(claim); !isRead && !isClaim {
			n.zombies = append(n.zombies, partZombie{n.session, a})
		}
	}
	n.unanswered(requestOf(a), answer)
}

// unanswered tells the node that no answer came; if there is one, it may come late.
func (n *partNode) unanswered(op uint64, answer event) {
	if answer != nil && n.w.rand.IntN(2) == 0 {
		n.late = append(n.late, answer)
	}
	if n.lease == op { // who asked for it has gone
		n.dropLease()
	}
	n.feed(failed{op: op, why: unknown})
}

func partAnswerTo(e event) uint64 {
	switch e := e.(type) {
	case created:
		return e.op
	case exists:
		return e.op
	case ownerRead:
		return e.op
	case noOwner:
		return e.op
	case claimed:
		return e.op
	case deleted:
		return e.op
	case failed:
		return e.op
	}
	return 0
}

// turnUp lets lost writes arrive: each with that chance in percent.
func (n *partNode) turnUp(percent int, of func(partZombie) bool) {
	n.zombies = slices.DeleteFunc(n.zombies, func(z partZombie) bool {
		if !of(z) || n.w.rand.IntN(100) >= percent {
			return false
		}
		n.apply(z.session, z.action)
		return true
	})
}
