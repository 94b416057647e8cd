package zkdev

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"maps"
	"slices"
	"time"
)

// session is a client's life, across its connections.
type session struct {
	id         int64
	timeout    time.Duration // as negotiated by the latest connection
	expires    time.Duration // since Server.start; always a whole number of ticks
	conn       *conn         // the one attached here, or nil
	owner      *Follower     // where it was attached last; nil: at the leader
	ephemerals map[string]struct{}
}

// password proves that a client owns a session. It follows from the id, so
// that nothing needs to be stored.
func (s *Server) password(id int64) []byte {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(s.secret[:], uint64(id)))
	return sum[:16]
}

func (s *Server) passwordFits(id int64, password []byte) bool {
	return subtle.ConstantTimeCompare(password, s.password(id)) == 1
}

// touch lets the session live for its timeout from now, rounded up to the next
// whole tick, strictly: ZooKeeper keeps sessions in one bucket a tick.
func (s *Server) touch(ss *session) {
	if s.follower != nil {
		s.follower.touch(ss.id)
		return
	}
	ss.expires = ((time.Since(s.start)+ss.timeout)/s.cfg.Tick + 1) * s.cfg.Tick
	if s.nextExpiry == 0 || ss.expires < s.nextExpiry {
		s.schedule(ss.expires)
	}
}

// schedule sets the one timer there is.
func (s *Server) schedule(at time.Duration) {
	s.nextExpiry = at
	d := max(at-time.Since(s.start), 0)
	if s.expiry == nil {
		s.expiry = time.AfterFunc(d, s.expire)
	} else {
		s.expiry.Reset(d)
	}
}

// expire ends the sessions whose tick has come.
func (s *Server) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.frozen {
		return
	}
	now := time.Since(s.start)
	var due []*session
	var next time.Duration
	for _, ss := range s.sessions {
		switch {
		case ss.expires <= now:
			due = append(due, ss)
		case next == 0 || ss.expires < next:
			next = ss.expires
		}
	}
	slices.SortFunc(due, func(a, b *session) int { return int(a.expires - b.expires) })
	for _, ss := range due {
		s.log.Debug("session expired", "session", sessionName(ss.id))
		s.end(ss)
		if ss.conn != nil {
			ss.conn.kill()
		}
	}
	s.nextExpiry = 0
	if next != 0 {
		s.schedule(next)
	}
}

// newSession makes a session.
func (s *Server) newSession(timeout time.Duration) *session {
	s.zxid++
	s.nextSession++
	ss := &session{id: s.nextSession, timeout: timeout, ephemerals: make(map[string]struct{})}
	s.sessions[ss.id] = ss
	s.touch(ss)
	if len(s.followers) > 0 {
		know := func(t *txn) { t.s.know(ss.id, timeout) }
		s.ship(entry{zxid: s.zxid, time: s.wall(), steps: []func(*txn){know}})
	}
	s.log.Debug("session begun", "session", sessionName(ss.id), "timeout", timeout)
	return ss
}

// end is a transaction that removes the session and its ephemerals. What
// becomes of its connection is the caller's.
func (s *Server) end(ss *session) {
	t := s.begin(ss.id, nil)
	for _, path := range slices.Sorted(maps.Keys(ss.ephemerals)) {
		t.remove(path)
	}
	delete(s.sessions, ss.id)
	if t.recorded() {
		t.record(func(t *txn) { t.s.dismiss(ss.id) })
	}
	t.commit()
}

// connect is the first packet of a connection: a new session, or an attach to
// one that lives.
func (c *conn) connect(p []byte) {
	s, in := c.s, &reader{b: p}
	in.int32() // protocol version
	seen := in.int64()
	timeout := time.Duration(in.int32()) * time.Millisecond
	id, password := in.int64(), in.buffer()
	if in.err != nil {
		c.kill()
		return
	}
	readOnly := len(in.b) > 0 // newer clients say whether read-only would do
	if seen > s.zxid {
		// The client knows a later state than we have. The real server hopes
		// that another one of the ensemble can serve it, and hangs up.
		s.log.Debug("client is ahead of us", "seen", seen, "zxid", s.zxid)
		c.kill()
		return
	}
	timeout = min(max(timeout, s.cfg.MinSessionTimeout), s.cfg.MaxSessionTimeout)
	if s.follower != nil {
		s.follower.connect(c, id, password, timeout, readOnly)
		return
	}
	var ss *session
	if id == 0 {
		ss = s.newSession(timeout)
	} else {
		ss = s.sessions[id]
		if ss != nil && ss.conn != nil {
			ss.conn.kill() // even if the password is wrong, as the real server does
		}
		if ss != nil && s.passwordFits(id, password) {
			ss.timeout, ss.owner = timeout, nil
			s.touch(ss)
			s.log.Debug("session attached again", "session", sessionName(id), "timeout", timeout)
		} else {
			ss = nil
		}
	}
	c.welcome(ss, timeout, readOnly)
}

// welcome answers the handshake; a nil session is one there is not.
func (c *conn) welcome(ss *session, timeout time.Duration, readOnly bool) {
	if c.dead {
		return
	}
	w := packet()
	w.int32(0)
	if ss == nil {
		w.int32(0)
		w.int64(0)
		w.buffer(make([]byte, 16))
	} else {
		ss.conn, c.session = c, ss
		c.held = c.held || c.s.holds[ss.id]
		w.int32(int32(timeout / time.Millisecond))
		w.int64(ss.id)
		w.buffer(c.s.password(ss.id))
	}
	if readOnly {
		w.bool(false)
	}
	c.send(w.seal())
	if ss == nil {
		c.closeAfterFlush()
	}
}

// closeSession ends the session at its client's wish, and the connection once
// the reply is out.
func (k *call) closeSession() error {
	ss := k.s.sessions[k.c.session.id]
	k.s.log.Debug("session closed by its client", "session", sessionName(ss.id))
	k.s.end(ss)
	if ss.conn != nil && ss.conn != k.c {
		ss.conn.kill() // it had moved from here
	}
	return nil
}
