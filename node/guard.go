package node

import (
	"context"
	"errors"
	"sync"
	"time"

	"conclave/internal/guard"
	"conclave/internal/keeper"
)

// guardTime is how long a session waits for a guard to say that it has it. A
// guard answers in well under a millisecond; one that is paused must not keep us
// out of the cluster.
const guardTime = time.Second

// guarded is what the node has to do with its guard (conclave guard), the parent
// that ends our session should this program die.
type guarded struct {
	n    *Node
	ward *guard.Ward // nil: nobody guards us
	stop func()      // no more word of its end

	mu   sync.Mutex
	held int64 // the session it was handed last, 0: none
}

// newGuarded finds the guard, if there is one.
func newGuarded(n *Node) *guarded {
	g := &guarded{n: n, stop: func() {}}
	ward, err := guard.Inherited()
	switch {
	case err != nil:
		n.unguarded(err)
	case ward != nil:
		g.ward, g.stop = ward, ward.OnLost(n.unguarded)
	}
	return g
}

// unguarded says that a death of this program will cost the session's timeout.
func (n *Node) unguarded(err error) {
	n.log.Warn("not guarded: should this program die, its globals pass only when its session times out", "error", err)
	n.event(Event{Kind: Unguarded, Err: err})
}

// handOver gives the guard a new session, before anything of ours stands under it,
// and takes back the one before.
func (g *guarded) handOver(ctx context.Context, h keeper.Handover) {
	defer clear(h.Password)
	g.mu.Lock()
	defer g.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, guardTime)
	defer cancel()
	err := g.ward.Hold(ctx, guard.Session{
		Incarnation: g.n.id.Incarnation, Label: g.n.id.Name, ID: h.Session, Password: h.Password, Timeout: h.Timeout, Servers: h.Servers,
	})
	if err != nil && !errors.Is(err, guard.ErrNoGuard) { // which has been told
		g.n.unguarded(err)
	}
	g.forget()
	g.held = h.Session // if there was no answer it may have it all the same
}

// over tells the guard that the last session has been ended in order.
func (g *guarded) over() {
	g.stop()
	if g.ward == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forget()
}

func (g *guarded) forget() {
	if g.held != 0 {
		g.ward.Forget(g.n.id.Incarnation, g.held)
		g.held = 0
	}
}
