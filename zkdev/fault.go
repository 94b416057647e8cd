package zkdev

import (
	"fmt"
	"slices"
)

// hooks is the state of the faults under way. Server.mu guards it.
type hooks struct {
	down    bool
	frozen  bool
	holdAll bool
	holds   map[int64]bool
	lost    map[string]bool
	faults  []*injected
	delays  delays
}

// Request is what a hook sees of a client's request.
type Request struct {
	Session int64
	// Op is the operation's name: create, create2, createContainer, createTTL,
	// delete, deleteContainer, exists, getData, setData, getACL, setACL,
	// getChildren, getChildren2, getAllChildrenNumber, getEphemerals, sync,
	// ping, check, multi, multiRead, setAuth, whoAmI, setWatches, setWatches2,
	// addWatch, checkWatches, removeWatches, reconfig, closeSession or unknown.
	Op string
	// Paths are the paths it is about: one, or none, or in a multi one for
	// each part, in order.
	Paths []string
}

// Fault is what Inject can do to a request.
type Fault int

const (
	// NoFault handles the request as ever.
	NoFault Fault = iota
	// LoseRequest closes the connection before the request takes effect.
	LoseRequest
	// LoseReply lets the request take effect and closes the connection
	// instead of answering.
	LoseReply
	// HoldReply lets the request take effect and holds back its reply and
	// everything after it on this connection, until ReleaseReplies.
	HoldReply
)

type injected struct{ decide func(Request) Fault }

// Inject asks decide about every request before it is handled; the first
// installed hook that answers anything but NoFault has its way. It runs under
// the server's lock: it must not block and must not call the Server. remove
// takes it out again; doing that twice does no harm.
func (s *Server) Inject(decide func(Request) Fault) (remove func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &injected{decide}
	s.faults = append(s.faults, f)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.faults = slices.DeleteFunc(s.faults, func(o *injected) bool { return o == f })
	}
}

func (s *Server) faultFor(r Request) Fault {
	for _, f := range s.faults {
		if x := f.decide(r); x != NoFault {
			return x
		}
	}
	return NoFault
}

// ExpireSession ends a session as if its time had passed: its ephemerals go,
// watchers are told, its connection closes. False: there is no such session.
func (s *Server) ExpireSession(id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ss := s.sessions[id]
	if ss == nil {
		return false
	}
	s.end(ss)
	if ss.conn != nil {
		ss.conn.kill()
	}
	return true
}

// Disconnect closes the connection of a session, which lives on. False: it has
// none.
func (s *Server) Disconnect(id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.attached(id)
	if c == nil {
		return false
	}
	c.kill()
	return true
}

// DisconnectAll closes every connection. Sessions live on.
func (s *Server) DisconnectAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.killEvery()
}

// Down closes every connection and refuses new ones until Up. Data and
// sessions stay, and sessions expire when their time is over.
func (s *Server) Down() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = true
	s.killEvery()
}

// Up ends Down.
func (s *Server) Up() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = false
}

// Freeze makes the server stop as a process under SIGSTOP does: connections
// stay and new ones are accepted, but nothing is handled, nothing is sent and
// no session expires, until Thaw.
func (s *Server) Freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frozen = true
}

// Thaw ends Freeze. Requests that wait are handled. Sessions whose time is
// over expire, unless a request of theirs waits and comes first.
func (s *Server) Thaw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.frozen {
		return
	}
	s.frozen = false
	s.each(func(c *conn) { c.cond.Broadcast() })
	s.schedule(0)
	for _, f := range s.followers {
		f.resume()
	}
}

// Wipe makes another, empty cluster of the server: data and sessions are gone,
// connections close, and zxids start again from zero as those of a freshly
// installed server do. A client that has seen a higher zxid and still offers
// it is hung up on, over and over.
func (s *Server) Wipe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.killEvery()
	s.nodes = newTree()
	clear(s.reaper.mortals)
	clear(s.sessions)
	s.zxid = 0
	for _, f := range s.followers {
		f.log, f.held = nil, nil
		clear(f.touched)
		f.replica.copyFrom(s)
	}
}

// JumpZxid adds n, at least 0, to the latest zxid.
func (s *Server) JumpZxid(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zxid += max(n, 0)
	s.ship(entry{zxid: s.zxid, time: s.wall()})
}

// HoldReplies keeps everything back that the server has for the session's
// connection, from now on and over reconnects: requests arrive and take
// effect, pings keep the session alive, no answer and no event comes. Session
// 0 means all, and connections that have no session yet.
func (s *Server) HoldReplies(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == 0 {
		s.holdAll = true
	} else {
		if s.holds == nil {
			s.holds = make(map[int64]bool)
		}
		s.holds[id] = true
	}
	s.each(func(c *conn) {
		if s.holdAll || c.session != nil && c.session.id == id {
			c.held = true
		}
	})
}

// ReleaseReplies sends what HoldReplies or the fault HoldReply holds back for
// a session, and holds no more; 0 means for all.
func (s *Server) ReleaseReplies(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == 0 {
		s.holdAll = false
		clear(s.holds)
	} else {
		delete(s.holds, id)
	}
	s.each(func(c *conn) {
		if id == 0 || c.session != nil && c.session.id == id {
			c.held = false
			c.cond.Broadcast()
		}
	})
}

// LoseWatch swallows the next event on a path: the next change that would tell
// watchers of that path uses their watches up and tells none of them. Watches
// on other paths, such as the parent's, hear of the change as ever. With
// followers it is lost at the first server that has it to tell.
func (s *Server) LoseWatch(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost == nil {
		s.lost = make(map[string]bool)
	}
	s.lost[path] = true
}

func sessionName(id int64) string { return fmt.Sprintf("%#x", id) }
