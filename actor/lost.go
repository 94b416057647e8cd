package actor

import (
	"maps"
	"sync"
	"unique"
)

// tied finds the processes that must hear of a lost link.
type tied struct {
	mu sync.Mutex
	m  map[unique.Handle[NodeID]]map[*Process]struct{}
}

func (t *tied) add(node unique.Handle[NodeID], p *Process) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m == nil {
		t.m = make(map[unique.Handle[NodeID]]map[*Process]struct{})
	}
	if t.m[node] == nil {
		t.m[node] = make(map[*Process]struct{})
	}
	t.m[node][p] = struct{}{}
}

func (t *tied) remove(p *Process, nodes []unique.Handle[NodeID]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, node := range nodes {
		delete(t.m[node], p)
		if len(t.m[node]) == 0 {
			delete(t.m, node)
		}
	}
}

// to are the processes that are bound to the nodes of these.
func (t *tied) to(pids []PID) map[*Process]struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	all, seen := make(map[*Process]struct{}), make(map[unique.Handle[NodeID]]struct{})
	for _, pid := range pids {
		if _, again := seen[pid.node]; !again {
			seen[pid.node] = struct{}{}
			maps.Copy(all, t.m[pid.node])
		}
	}
	return all
}

func (t *tied) take(node unique.Handle[NodeID]) map[*Process]struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	ps := t.m[node]
	delete(t.m, node)
	return ps
}

// lostCall is the end of a call by the loss of its node: it says what that means
// for the process called, which the mailbox does not remember.
type lostCall func(to PID) error

func (lostCall) Error() string { return "the node is lost" }

// NodeLost tells every process that is bound to one of that node, by a link, a
// monitor or a call under way, that it cannot be known about any more.
func (s *System) NodeLost(node NodeID, reason error) {
	s.nodeLost(node, reason, func(PID) error { return reason })
}

// NodeUnreached is NodeLost where nothing under way can have been sent: calls
// end with what unsent says about the process called.
func (s *System) NodeUnreached(node NodeID, reason error, unsent func(to PID) error) {
	s.nodeLost(node, reason, unsent)
}

// NodeStopped is NodeLost where the node has said that it has stopped: links and
// monitors end with Shutdown. If it has said, too, that all its processes had ended by
// then (ended), what it has not answered was certainly not taken up.
func (s *System) NodeStopped(node NodeID, ended bool) {
	var reason error
	if !ended {
		reason = Shutdown
	}
	s.nodeLost(node, Shutdown, func(to PID) error { return &EndedError{PID: to, Reason: reason} })
}

// GiveUp ends the calls, and the confirmed messages, that wait for an answer of these
// processes of other nodes, with that error.
func (s *System) GiveUp(to []PID, why error) {
	given := make(map[PID]struct{}, len(to))
	for _, pid := range to {
		given[pid] = struct{}{}
	}
	for p := range s.tied.to(to) {
		p.giveUp(given, why)
	}
	s.calls.giveUp(given, why)
}

func (p *Process) giveUp(to map[PID]struct{}, why error) {
	p.box.mu.Lock()
	if r := p.box.reply; r != nil && r.ref != 0 && !r.there {
		if _, is := to[PID{r.node, r.serial}]; is {
			r.err, r.there = why, true
			p.rouse(waitingReply)
			return
		}
	}
	p.box.mu.Unlock()
}

func (s *System) nodeLost(node NodeID, reason error, call func(to PID) error) {
	h := unique.Make(node)
	for p := range s.tied.take(h) {
		p.nodeLost(h, reason, call)
	}
	s.calls.nodeLost(h, call)
}
