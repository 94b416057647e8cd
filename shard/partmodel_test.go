package shard

import "slices"

// What ZooKeeper and the session do for a node of the explorer.

func (n *partNode) send(a action) {
	if !n.connected {
		n.inbox = append(n.inbox, failed{op: requestOf(a), why: unsent})
		return
	}
	n.requests = append(n.requests, a)
}

// connect reaches some server: the session goes on, is found expired, or is made.
func (n *partNode) connect() {
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
		n.fire()
		return
	}
	w.change(func(t *partTree, zxid int64) {
		n.session = zxid<<8 | int64(n.id)
		t.sessions[n.session] = true
	})
	w.tell("%d: session %d", n.id, n.session)
	w.touched[n.session] = w.now
	n.view = len(w.history) - 1
	n.feed(sessionUp{id: n.session, t: partT})
}

// apply is a write's effect on the truth, and its answer.
func (n *partNode) apply(session int64, a action) event {
	w := n.w
	op := requestOf(a)
	if !w.truth().sessions[session] {
		return failed{op: op, why: over}
	}
	z := w.truth().owner
	switch a.(type) {
	case create:
		if z.czxid != 0 {
			w.change(func(*partTree, int64) {}) // a refusal is a transaction, too
			return exists{op: op}
		}
		w.change(func(t *partTree, zxid int64) { t.owner = ownerZnode{session: session, czxid: zxid} })
		return created{op: op}
	case remove:
		if z.czxid == 0 {
			return failed{op: op, why: gone}
		}
		if z.session != session {
			if !w.powers.admin {
				w.wrong("node %d deletes the znode of session %d", n.id, z.session)
			}
			w.depose()
		}
		w.change(func(t *partTree, _ int64) { t.owner = ownerZnode{} })
		return deleted{op: op}
	case claim:
		switch {
		case z.session != session: // the session looks itself
			return failed{op: op, why: gone}
		case z.czxid == n.spent:
			return failed{op: op, why: lapsed}
		case n.lease != 0:
			return failed{op: op, why: refused}
		}
		w.change(func(*partTree, int64) {}) // a heartbeat
		n.lease, n.until, n.leased = op, w.now+partT/4, z.czxid
		return claimed{op: op, czxid: z.czxid}
	}
	return nil
}

// touches says whether what the node sends keeps its session alive.
func (n *partNode) touches() bool {
	return n.connected && !n.cut && n.w.truth().sessions[n.session]
}

// serve carries out the node's next request.
func (n *partNode) serve() {
	w := n.w
	a := n.requests[0]
	r, isRead := a.(read)
	if n.cut && (!isRead || r.sync) {
		return // there is no answer
	}
	n.requests = n.requests[1:]
	if n.cut {
		n.inbox = append(n.inbox, n.look(r))
		return
	}
	if !w.truth().sessions[n.session] {
		if isRead && !r.sync && w.history[n.view].sessions[n.session] {
			n.inbox = append(n.inbox, n.look(r)) // its follower does not know yet
			return
		}
		w.tell("%d: is told that session %d is over", n.id, n.session)
		n.requests = append(n.requests, a)
		n.loseSession()
		return
	}
	w.touched[n.session] = w.now
	if isRead {
		if r.sync { // behind it, every write of the session is decided
			session := n.session
			n.turnUp(50, func(z partZombie) bool { return z.session == session })
			n.zombies = slices.DeleteFunc(n.zombies, func(z partZombie) bool { return z.session == session })
			n.view = len(w.history) - 1
			n.fire()
		}
		n.inbox = append(n.inbox, n.look(r))
		return
	}
	answer := n.apply(n.session, a)
	n.view = len(w.history) - 1 // the reply comes through the follower
	n.fire()
	n.inbox = append(n.inbox, answer)
}

// look is a read's answer, from the node's follower.
func (n *partNode) look(r read) event {
	z := n.w.history[n.view].owner
	if z.czxid == 0 {
		return noOwner{op: r.op}
	}
	if r.watch {
		n.watch = &z
	}
	return ownerRead{op: r.op, session: z.session, czxid: z.czxid}
}

// catchUp lets the node's follower come nearer to the truth.
func (n *partNode) catchUp() {
	if behind := len(n.w.history) - 1 - n.view; behind > 0 && n.connected && !n.cut {
		n.view += 1 + n.w.rand.IntN(behind)
		n.fire()
	}
	n.turnUp(10, func(partZombie) bool { return true })
}

// fire tells the node of what its follower has seen change.
func (n *partNode) fire() {
	if n.watch == nil || n.w.history[n.view].owner == *n.watch {
		return
	}
	n.watch = nil
	// Watch events and replies come to the part's loop on different ways.
	n.inbox = slices.Insert(n.inbox, n.w.rand.IntN(len(n.inbox)+1), event(ownerChanged{}))
}

// renew is a heartbeat that works: a write that checks the znode. That the znode
// there is another's is told by the lease's own watch before the answer comes.
func (n *partNode) renew() {
	w := n.w
	if n.lease == 0 || !n.touches() {
		return
	}
	if w.truth().owner.czxid != n.leased {
		w.tell("%d: finds its znode gone", n.id)
		n.endLease(gone)
		return
	}
	w.touched[n.session] = w.now
	n.until = w.now + partT/2
}
