package zkdev

import (
	"maps"
	"math"
	"slices"
	"time"
)

// What a node is besides persistent stands in its owner, as in ZooKeeper: an
// ephemeral has its session's id there, a container the lowest number there is,
// and a node with a time to live has that time below a first byte of ones,
// which no session's id has.
const (
	containerOwner = math.MinInt64
	ttlMark        = int64(-1) << 56
	maxTTL         = 1<<40 - 1 // milliseconds
)

func ttlOwner(ttl int64) int64 { return ttlMark | ttl }

// timeToLive is how long a node may be idle, if it has such a time.
func timeToLive(owner int64) (time.Duration, bool) {
	if owner&ttlMark != ttlMark {
		return 0, false
	}
	return time.Duration(owner&maxTTL) * time.Millisecond, true
}

// ephemeral reports an owner that is a session.
func ephemeral(owner int64) bool {
	return owner != 0 && owner != containerOwner && owner&ttlMark != ttlMark
}

// sessionOwner is what clients see of an owner: a session's id, or 0.
func sessionOwner(owner int64) int64 {
	if ephemeral(owner) {
		return owner
	}
	return 0
}

// mortal reports a node that the server may delete by itself.
func mortal(owner int64) bool { return owner != 0 && !ephemeral(owner) }

// reaper deletes containers that have become empty, and nodes whose time to
// live has passed. It looks at them all at once, now and then.
type reaper struct {
	mortals map[string]struct{}
	timer   *time.Timer
}

// mind has the reaper look at a node from now on, or no more. There is a timer
// only while there is something to look at.
func (s *Server) mind(path string, yes bool) {
	r := &s.reaper
	if s.follower != nil {
		return // the leader's alone
	}
	if !yes {
		delete(r.mortals, path)
		return
	}
	if r.mortals == nil {
		r.mortals = make(map[string]struct{})
	}
	r.mortals[path] = struct{}{}
	if len(r.mortals) == 1 {
		s.nextReap()
	}
}

// nextReap sets the timer to the next whole interval since the server's start.
func (s *Server) nextReap() {
	d := s.cfg.ContainerCheck - time.Since(s.start)%s.cfg.ContainerCheck
	if s.reaper.timer == nil {
		s.reaper.timer = time.AfterFunc(d, s.reap)
	} else {
		s.reaper.timer.Reset(d)
	}
}

func (s *Server) reap() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if !s.frozen {
		s.checkContainers()
	}
	if len(s.reaper.mortals) > 0 {
		s.nextReap()
	}
}

// checkContainers deletes what is due, each in a transaction of its own. Who is
// due is decided first, so a container in a container goes one check later.
func (s *Server) checkContainers() {
	var due []string
	for _, path := range slices.Sorted(maps.Keys(s.reaper.mortals)) {
		n := s.nodes[path]
		ttl, mayExpire := timeToLive(n.owner)
		idle := time.Duration(s.wall()-n.mtime) * time.Millisecond
		switch {
		case len(n.children) > 0:
		case mayExpire && idle > ttl, !mayExpire && n.created > 0: // a container must have been used
			due = append(due, path)
		}
	}
	for _, path := range due {
		t := s.begin(0, nil)
		t.remove(path)
		t.commit()
	}
}

// deleteContainer is what the real server asks itself when a container is due.
// It misreads the request when a client asks it, and refuses always.
func (k *call) deleteContainer() error {
	return k.transact(func(*txn) error { return codeBadArguments })
}
