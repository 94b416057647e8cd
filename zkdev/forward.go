package zkdev

import "time"

// pendingLimit is how many requests of a follower's client may wait for the
// leader; ZooKeeper's default is the same for a whole server.
const pendingLimit = 1000

// forwarded are the operations that a follower sends to the leader.
var forwarded = map[int32]bool{
	opCreate: true, opCreate2: true, opCreateContainer: true, opCreateTTL: true,
	opDelete: true, opDeleteContainer: true, opSetData: true, opSetACL: true,
	opCheck: true, opMulti: true, opReconfig: true, opSync: true, opCloseSession: true,
}

// pending is a request at a follower that waits: for its answer from the
// leader, or behind one that does.
type pending struct {
	answer func() // puts the answer into the outbox; nil: not there yet
}

// forward does something at the leader, or keeps it until that can be reached.
func (f *Follower) forward(do func()) {
	if f.cut {
		f.held = append(f.held, do)
	} else {
		do()
	}
}

// take handles a request of a client: it goes to the leader, or behind what
// waits, or is answered now.
func (f *Follower) take(c *conn, xid, op int32, in *reader, fault Fault) {
	here := func() {
		before := len(c.out)
		c.answer(xid, op, in)
		if fault == LoseReply {
			c.unsend(before)
		}
	}
	switch {
	case forwarded[op]:
		p := &pending{}
		c.pending = append(c.pending, p)
		c.leaving = c.leaving || op == opCloseSession
		f.forward(func() { f.submit(c, xid, op, in, fault, p) })
	case len(c.pending) > 0 && op != opSetAuth: // who it is does not wait
		c.pending = append(c.pending, &pending{answer: here})
	default:
		here()
	}
}

// submit does a request at the leader and has it answered when the follower
// shows what it did.
func (f *Follower) submit(c *conn, xid, op int32, in *reader, fault Fault, p *pending) {
	s := f.leader
	ss := s.sessions[c.session.id]
	k := &call{s: s, c: c, op: op, in: in, out: &writer{}}
	var err error
	switch {
	case op == opSync:
		err = k.sync() // whose session it is does not matter: ZOOKEEPER-915
	case ss == nil:
		err = codeSessionExpired
	case ss.owner != f:
		err = codeSessionMoved
	case operations[op].run == nil:
		err = codeUnimplemented
	default:
		err = operations[op].run(k)
	}
	f.then(func() {
		p.answer = func() {
			if err == codeSessionMoved || fault == LoseReply {
				c.closeAfterFlush() // as the real one does, which tells nobody why
				return
			}
			w := reply(xid, f.replica.zxid, codeOf(err))
			if err == nil {
				w.b = append(w.b, k.out.b...)
			}
			c.send(w.seal())
			if op == opCloseSession || err == codeUnimplemented {
				c.closeAfterFlush()
			}
		}
		c.settle()
	})
}

// settle answers what waits, up to the first that still does.
func (c *conn) settle() {
	for len(c.pending) > 0 && c.pending[0].answer != nil {
		answer := c.pending[0].answer
		c.pending = c.pending[1:]
		if !c.dead && !c.closing {
			answer()
		}
	}
	c.cond.Broadcast() // there is room for more
}

// connect asks the leader for a session, or for one to come here.
func (f *Follower) connect(c *conn, id int64, password []byte, timeout time.Duration, readOnly bool) {
	s, r := f.leader, f.replica
	if old := r.sessions[id]; old != nil && old.conn != nil {
		old.conn.kill() // even if the password is wrong, as the real server does
	}
	if id != 0 && !r.passwordFits(id, password) {
		c.welcome(nil, timeout, readOnly)
		return
	}
	f.forward(func() {
		if id == 0 {
			ss := s.newSession(timeout)
			ss.owner = f
			f.then(func() { c.welcome(r.sessions[ss.id], timeout, readOnly) })
			return
		}
		ss := s.sessions[id]
		if ss == nil {
			c.welcome(nil, timeout, readOnly)
			return
		}
		// Even if the client has gone elsewhere meanwhile: ZOOKEEPER-2886.
		ss.timeout, ss.owner = timeout, f
		s.touch(ss)
		s.log.Debug("session attached again at a follower", "session", sessionName(id), "timeout", timeout)
		c.welcome(r.know(id, timeout), timeout, readOnly)
	})
}
