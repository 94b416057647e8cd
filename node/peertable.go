package node

import (
	"maps"
	"sync"
	"sync/atomic"
	"unique"

	"conclave/actor"
)

// peerTable finds a node's peers. It is read for every message and changes when
// nodes come and go, so readers load a snapshot and whoever changes it makes a
// new one.
type peerTable struct {
	mu       sync.Mutex // held by whoever makes a snapshot
	snapshot atomic.Pointer[map[unique.Handle[actor.NodeID]]*peer]
}

// get is the peer of that node; nil if there is none.
func (t *peerTable) get(node unique.Handle[actor.NodeID]) *peer { return t.all()[node] }

// all is the table as it is now. It must not be changed.
func (t *peerTable) all() map[unique.Handle[actor.NodeID]]*peer {
	if all := t.snapshot.Load(); all != nil {
		return *all
	}
	return nil
}

func (t *peerTable) put(p *peer) {
	t.change(func(all map[unique.Handle[actor.NodeID]]*peer) { all[p.base.NodeHandle()] = p })
}

func (t *peerTable) remove(p *peer) {
	t.change(func(all map[unique.Handle[actor.NodeID]]*peer) { delete(all, p.base.NodeHandle()) })
}

func (t *peerTable) change(f func(map[unique.Handle[actor.NodeID]]*peer)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := maps.Clone(t.all())
	if all == nil {
		all = make(map[unique.Handle[actor.NodeID]]*peer)
	}
	f(all)
	t.snapshot.Store(&all)
}
