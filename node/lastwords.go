package node

import (
	"context"
	"sync"
)

// BeforeEnd has f called when the node stops, all its processes have ended (or Stop's
// time is over), and its session has not. f does not wait for ZooKeeper, which may be
// away; Stop waits for f as long as ctx lasts. It is for the parts of the runtime that
// have terms, whose ends are to be recorded before the session's. cancel takes it back.
func (n *Node) BeforeEnd(f func(ctx context.Context)) (cancel func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.beforeEnd == nil {
		n.beforeEnd = make(map[*func(context.Context)]struct{})
	}
	n.beforeEnd[&f] = struct{}{}
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.beforeEnd, &f)
	}
}

// lastWords calls what BeforeEnd was given.
func (n *Node) lastWords(ctx context.Context) {
	n.mu.Lock()
	var all sync.WaitGroup
	for f := range n.beforeEnd {
		all.Go(func() { (*f)(ctx) })
	}
	n.mu.Unlock()
	all.Wait()
}
