package global

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// feed lets the node's election take an event and does what it wants.
func (n *modelNode) feed(e event) {
	if n.w.verbose {
		n.w.tell("%d: %T %+v in %s", n.id, e, e, n.state.phase)
	}
	if c, ok := e.(claimed); ok {
		c.heard = n.w.highest
		if e = c; c.op != n.lease { // it ended on the way
			e = failed{op: c.op, why: lapsed}
		}
	}
	var actions []action
	n.state, actions = step(n.state, e, n.w.now)
	for _, a := range actions {
		if n.w.verbose {
			n.w.tell("%d:     %T %+v", n.id, a, a)
		}
		n.do(a)
	}
}

func (n *modelNode) do(a action) {
	w := n.w
	switch a := a.(type) {
	case begin:
		w.tell("%d: begins term %d", n.id, a.number)
		if a.lease != n.lease {
			w.wrong("node %d begins under a lease that it does not have", n.id)
		}
		if n.running {
			w.wrong("node %d begins while its old holder runs", n.id)
		}
		if a.number <= w.highest && !n.deposed {
			w.wrong("term %d begins after %d", a.number, w.highest)
		}
		n.mayBegin()
		w.highest = max(w.highest, a.number)
		w.terms++
		n.running, n.ended = true, false
	case end:
		w.tell("%d: ends term %d, %s", n.id, a.number, a.cause)
		n.ended, n.over = true, a.number
		n.returns = w.now + time.Duration(w.rand.Int64N(int64(modelT/2)))
		if w.powers.stuck && w.rand.IntN(3) == 0 {
			n.returns += modelT
		}
	case pass:
		if n.running {
			w.wrong("node %d passes on what is left while its holder runs", n.id)
		}
		n.passes = w.now + 1 + time.Duration(w.rand.Int64N(int64(modelT/4)))
	case release:
		if n.passes != 0 {
			w.wrong("node %d lets its lease go before all is passed on", n.id)
		}
		if a.lease == n.lease {
			n.lease = 0
		}
		n.deposed = false
	case report:
		switch a.what {
		case reportStuck:
			n.barred = true
			n.feed(barred{on: true})
		case reportUnstuck:
			n.barred = false
			n.feed(barred{on: false})
		}
	case remove:
		if n.running {
			w.wrong("node %d deletes %s while its holder runs", n.id, a.name)
		}
		n.send(a)
	default:
		n.send(a)
	}
}

// mayBegin checks that the node has jumped no queue: nobody who stands in line is
// ahead of it.
func (n *modelNode) mayBegin() {
	mine, _ := parsePlace(n.state.mine)
	for name := range n.w.truth().nodes {
		if p, ok := parsePlace(name); ok && p.before(mine) && !n.deposed {
			n.w.wrong("node %d begins with %s, though %s is ahead of it", n.id, n.state.mine, name)
		}
	}
}

func (n *modelNode) send(a action) {
	if !n.connected {
		n.inbox = append(n.inbox, failed{op: opOf(a), why: unsent})
		return
	}
	n.requests = append(n.requests, a)
}

func opOf(a action) uint64 {
	switch a := a.(type) {
	case create:
		return a.op
	case list:
		return a.op
	case readOwn:
		return a.op
	case readPred:
		return a.op
	case claim:
		return a.op
	case publish:
		return a.op
	case remove:
		return a.op
	}
	return 0
}

// connect reaches some server: the session goes on, is found expired, or is made.
func (n *modelNode) connect() {
	w := n.w
	n.seen = max(n.seen, n.view)
	n.view = n.seen + w.rand.IntN(len(w.history)-n.seen)
	if n.session != 0 && !w.truth().sessions[n.session] {
		w.tell("%d: learns that session %d is over", n.id, n.session)
		n.loseSession()
		return
	}
	n.connected = true
	if n.session != 0 {
		w.tell("%d: resumes", n.id)
		w.touched[n.session] = w.now
		n.feed(connection{id: n.session, up: true})
		n.fire()
		return
	}
	w.change(func(t *tree, zxid int64) {
		n.session = zxid<<8 | int64(n.id)
		t.sessions[n.session] = true
	})
	w.tell("%d: session %d", n.id, n.session)
	w.touched[n.session] = w.now
	n.view = len(w.history) - 1
	n.feed(sessionUp{id: n.session, t: modelT})
}

// disconnect loses what is under way: requests may have been carried out, may
// yet be, or not.
func (n *modelNode) disconnect() {
	w := n.w
	w.tell("%d: loses its connection", n.id)
	n.drop()
	n.feed(connection{id: n.session, up: false})
}

func (n *modelNode) drop() {
	w := n.w
	n.connected = false
	n.seen = max(n.seen, n.view)
	lost := n.requests
	n.requests = nil
	// Answers on their way do not arrive; watch events do, in the end.
	inbox := n.inbox
	n.inbox = nil
	for _, e := range inbox {
		if op := answerTo(e); op == 0 {
			n.inbox = append(n.inbox, e)
		} else {
			n.feed(failed{op: op, why: unknown})
		}
	}
	for _, a := range lost {
		switch w.rand.IntN(3) {
		case 0:
			n.apply(a)
		case 1:
			n.zombies = append(n.zombies, a)
		}
		n.feed(failed{op: opOf(a), why: unknown})
	}
}

func answerTo(e event) uint64 {
	switch e := e.(type) {
	case created:
		return e.op
	case listed:
		return e.op
	case ownRead:
		return e.op
	case predRead:
		return e.op
	case claimed:
		return e.op
	case published:
		return e.op
	case deleted:
		return e.op
	case failed:
		return e.op
	}
	return 0
}

// abandon gives the session up, though ZooKeeper may keep it a while.
func (n *modelNode) abandon() {
	n.w.tell("%d: gives up session %d", n.id, n.session)
	if n.connected {
		n.drop()
	}
	n.loseSession()
}

func (n *modelNode) loseSession() {
	old := n.session
	n.connected, n.session = false, 0
	n.requests, n.inbox, n.zombies = nil, nil, nil
	clear(n.watches)
	n.endLease(over)
	n.feed(sessionLost{id: old})
}

// apply is a write's effect on the truth.
func (n *modelNode) apply(a action) event {
	w := n.w
	if !w.truth().sessions[n.session] {
		return failed{op: opOf(a), why: over}
	}
	switch a := a.(type) {
	case create:
		name := a.guid + "-" + sequence(w.seq)
		w.seq++
		w.change(func(t *tree, zxid int64) { t.nodes[name] = znode{owner: n.session, czxid: zxid} })
		return created{op: a.op, name: name}
	case publish:
		if _, there := w.truth().nodes[a.name]; !there {
			return failed{op: a.op, why: gone}
		}
		w.change(func(t *tree, _ int64) {
			z := t.nodes[a.name]
			z.version++
			t.nodes[a.name] = z
		})
		return published{op: a.op}
	case remove:
		if _, there := w.truth().nodes[a.name]; !there {
			return failed{op: a.op, why: gone}
		}
		w.change(func(t *tree, _ int64) { delete(t.nodes, a.name) })
		return deleted{op: a.op}
	case claim:
		z, there := w.truth().nodes[a.name]
		if !there || z.owner != n.session {
			return failed{op: a.op, why: gone}
		}
		w.change(func(*tree, int64) {})
		return claimed{op: a.op}
	}
	return nil
}

// serve carries out the node's next request.
func (n *modelNode) serve() {
	w := n.w
	a := n.requests[0]
	n.requests = n.requests[1:]
	if !w.truth().sessions[n.session] {
		if w.history[n.view].sessions[n.session] && !isWrite(a) {
			n.read(a) // its follower does not know yet
			return
		}
		w.tell("%d: is told that session %d is over", n.id, n.session)
		n.loseSession()
		return
	}
	w.touched[n.session] = w.now
	if !isWrite(a) {
		n.read(a)
		return
	}
	answer := n.apply(a)
	n.view = len(w.history) - 1 // the reply comes through the follower
	n.fire()
	if c, ok := a.(claim); ok {
		if _, ok := answer.(claimed); ok {
			n.lease, n.until, n.renewed, n.leased = c.op, w.now+modelT/4, false, c.name
		}
	}
	n.inbox = append(n.inbox, answer)
}

func isWrite(a action) bool {
	switch a.(type) {
	case create, publish, remove, claim:
		return true
	}
	return false
}

func (n *modelNode) read(a action) {
	w := n.w
	if l, ok := a.(list); ok {
		if l.sync {
			for _, z := range n.zombies {
				if w.rand.IntN(2) == 0 {
					n.apply(z)
				}
			}
			n.zombies = nil
			n.view = len(w.history) - 1
			n.fire()
		}
		names := slices.Collect(maps.Keys(w.history[n.view].nodes))
		n.inbox = append(n.inbox, listed{op: l.op, names: names})
		return
	}
	here := w.history[n.view].nodes
	var answer event
	switch a := a.(type) {
	case readOwn:
		z, there := here[a.name]
		if answer = (ownRead{op: a.op, owner: z.owner, czxid: z.czxid}); !there {
			answer = failed{op: a.op, why: gone}
		} else {
			n.watches["own "+a.name] = z
		}
	case readPred:
		z, there := here[a.name]
		if answer = (predRead{op: a.op, owner: z.owner}); !there {
			answer = failed{op: a.op, why: gone}
		} else {
			n.watches["pred "+a.name] = z
		}
	}
	n.inbox = append(n.inbox, answer)
}

// catchUp lets the node's follower come nearer to the truth.
func (n *modelNode) catchUp() {
	if behind := len(n.w.history) - 1 - n.view; behind > 0 && n.connected {
		n.view += 1 + n.w.rand.IntN(behind)
		n.fire()
	}
	for i, z := range n.zombies { // a lost request turns up
		if n.w.rand.IntN(10) == 0 {
			n.zombies = slices.Delete(n.zombies, i, i+1)
			n.apply(z)
			break
		}
	}
}

// fire tells the node of what its follower has seen change.
func (n *modelNode) fire() {
	here := n.w.history[n.view].nodes
	for _, watch := range slices.Sorted(maps.Keys(n.watches)) {
		kind, name, _ := strings.Cut(watch, " ")
		if here[name] == n.watches[watch] {
			continue
		}
		delete(n.watches, watch)
		// Watch events and replies come to the candidacy on different ways.
		at := n.w.rand.IntN(len(n.inbox) + 1)
		var e event = ownChanged{name: name}
		if kind == "pred" {
			e = predChanged{name: name}
		}
		n.inbox = slices.Insert(n.inbox, at, e)
	}
}

// renew is a heartbeat that works: a write that checks the znode.
func (n *modelNode) renew() {
	w := n.w
	if n.lease == 0 || !n.connected || !w.truth().sessions[n.session] {
		return
	}
	if _, there := w.truth().nodes[n.leased]; !there {
		w.tell("%d: finds its znode gone", n.id)
		n.endLease(gone)
		return
	}
	w.touched[n.session] = w.now
	n.until, n.renewed = w.now+modelT/2, true
}
