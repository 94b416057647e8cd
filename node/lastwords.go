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
	return n.beforeEnd.add(f)
}

// lastWords calls what BeforeEnd was given.
func (n *Node) lastWords(ctx context.Context) {
	var all sync.WaitGroup
	for _, f := range n.beforeEnd.list() {
		all.Go(func() { f(ctx) })
	}
	all.Wait()
}
