package node

import (
	"context"
	"sync"

	"conclave/actor"
	"conclave/transport"
)

// Passed waits until the messages and replies that this node has sent to these by now
// have been delivered there, bodies of 32 KiB and more aside, or ctx ends. Who is not
// linked with us is not waited for: whoever waits there for something of ours has been
// told that the link is lost.
//
// The parts of the runtime whose terms pass on in order use it: what was said under a
// term is turned away where the next term has been heard of.
func (n *Node) Passed(ctx context.Context, nodes []actor.NodeID) {
	var asked sync.WaitGroup
	for _, id := range nodes {
		h := actor.MakePID(id, 0).NodeHandle()
		p := n.links.peers.get(h)
		if p == nil || p.link() == nil {
			continue
		}
		asked.Go(func() { _ = n.links.askOnce(ctx, id, transport.Frame{Kind: transport.Moved}) })
	}
	asked.Wait()
}
