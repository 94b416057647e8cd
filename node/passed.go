package node

import (
	"context"
	"sync"

	"conclave/actor"
	"conclave/transport"
)

// Passed waits until the messages and replies that this node has sent to these by now
// have been delivered there, or ctx ends. Who is not linked with us is not waited for:
// whoever waits there for something of ours has been told that the link is lost.
//
// The parts of the runtime whose terms pass on in order use it: what was said under a
// term is turned away where the next term has been heard of.
func (n *Node) Passed(ctx context.Context, nodes []actor.NodeID) {
	var asked sync.WaitGroup
	for _, id := range nodes {
		h := actor.MakePID(id, 0).NodeHandle()
		p := n.links.peers.get(h)
		if p == nil {
			continue
		}
		c := p.link()
		if c == nil {
			continue
		}
		asked.Go(func() { _ = n.links.askOnce(ctx, id, transport.Frame{Kind: transport.Moved}) })
		if c.bulk == nil {
			continue
		}
		if delivered := c.bulk.delivered(); delivered != nil {
			asked.Go(func() {
				select {
				case <-delivered:
				case <-c.left: // its end is told there
				case <-ctx.Done():
				}
			})
		}
	}
	asked.Wait()
}

// Linked says whether there is a link with that node now.
func (n *Node) Linked(id actor.NodeID) bool {
	p := n.links.peers.get(actor.MakePID(id, 0).NodeHandle())
	return p != nil && p.link() != nil
}
