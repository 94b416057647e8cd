package zkdev

import (
	"maps"
	"net"
	"time"
)

// entry is one transaction as a follower gets it: what to do to the tree and
// the sessions. One without steps has failed, and has only taken its zxid.
type entry struct {
	zxid  int64
	time  int64     // that Stats show
	at    time.Time // when it was committed
	steps []func(*txn)
	after func() // not a transaction but what waits for those before it
}

// record notes a step of a transaction for the followers.
func (t *txn) record(step func(*txn)) { t.steps = append(t.steps, step) }

// recorded reports whether anybody wants to know the steps.
func (t *txn) recorded() bool { return len(t.s.followers) > 0 }

// ship hands a settled transaction to the followers.
func (t *txn) ship() {
	if t.recorded() {
		t.s.ship(entry{zxid: t.zxid, time: t.time, steps: t.steps})
	}
}

func (s *Server) ship(e entry) {
	e.at = time.Now()
	for _, f := range s.followers {
		f.log = append(f.log, e)
		f.catchUp()
	}
}

// then does something once all is applied that is committed now.
func (f *Follower) then(do func()) {
	f.log = append(f.log, entry{at: time.Now(), after: do})
	f.catchUp()
}

// catchUp applies what is due.
func (f *Follower) catchUp() {
	for len(f.log) > 0 && !f.cut && !f.leader.frozen && !f.leader.closed {
		e := f.log[0]
		if wait := time.Until(e.at.Add(f.lag)); wait > 0 {
			if f.apply == nil {
				f.apply = time.AfterFunc(wait, func() {
					f.leader.mu.Lock()
					defer f.leader.mu.Unlock()
					f.catchUp()
				})
			} else {
				f.apply.Reset(wait)
			}
			return
		}
		f.log[0] = entry{}
		f.log = f.log[1:]
		if e.after != nil {
			e.after()
		} else {
			f.replica.redo(e)
		}
	}
}

// redo does what the leader has done. Watches fire as they do there.
func (s *Server) redo(e entry) {
	s.zxid = e.zxid
	t := &txn{s: s, zxid: e.zxid, time: e.time}
	for _, step := range e.steps {
		step(t)
	}
	t.commit()
}

// replicate makes the server of a follower: its own tree, watches and clients,
// and hooks and counters that are the cluster's.
func (s *Server) replicate(f *Follower) *Server {
	r := &Server{
		cfg: s.cfg, log: s.log, start: s.start, secret: s.secret,
		mu: s.mu, hooks: s.hooks, requests: s.requests, closed: s.closed,
		conns:     make(map[*conn]struct{}),
		listeners: make(map[net.Listener]struct{}),
		follower:  f,
	}
	r.copyFrom(s)
	return r
}

// copyFrom gives a replica the leader's state.
func (s *Server) copyFrom(leader *Server) {
	s.zxid = leader.zxid
	s.nodes = make(map[string]*node, len(leader.nodes))
	for path, n := range leader.nodes {
		c := *n
		c.children = maps.Clone(n.children)
		s.nodes[path] = &c
	}
	s.sessions = make(map[int64]*session, len(leader.sessions))
	for id, ss := range leader.sessions {
		s.sessions[id] = &session{id: id, timeout: ss.timeout, ephemerals: maps.Clone(ss.ephemerals)}
	}
}

// know makes a session known to a replica, unless it is already.
func (s *Server) know(id int64, timeout time.Duration) *session {
	ss := s.sessions[id]
	if ss == nil {
		ss = &session{id: id, ephemerals: make(map[string]struct{})}
		s.sessions[id] = ss
	}
	ss.timeout = timeout
	return ss
}

// dismiss ends a session at a replica, and its connection unless it asked for
// that and gets an answer.
func (s *Server) dismiss(id int64) {
	ss := s.sessions[id]
	if ss == nil {
		return
	}
	delete(s.sessions, id)
	if ss.conn != nil && !ss.conn.leaving {
		ss.conn.kill()
	}
}
