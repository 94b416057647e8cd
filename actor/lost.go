package actor

import (
	"errors"
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

func (t *tied) take(node unique.Handle[NodeID]) map[*Process]struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	ps := t.m[node]
	delete(t.m, node)
	return ps
}

// errNodeGone is NoProcess as a call has it that waits for a node which will never
// be there again: it was certainly not taken up, and is told so with the PID.
var errNodeGone = errors.New("the node is gone")

// NodeLost tells every process that is bound to one of that node, by a link, a
// monitor or a call under way, that it cannot be known about any more.
func (s *System) NodeLost(node NodeID, reason error) {
	h := unique.Make(node)
	for p := range s.tied.take(h) {
		p.nodeLost(h, reason)
	}
	s.calls.nodeLost(h, reason)
}
