package keeper

import (
	"math/rand/v2"
	"sync"
	"time"
)

// badTime is how long a server that failed us is tried after the others.
const badTime = time.Minute

// hosts chooses the server to try next, for all sessions of a Keeper in turn:
// the one that was not tried for the longest time, those that have failed
// lately last. So a server that accepts connections and does nothing else
// costs us its handshake once a minute and not at every reconnect.
//
// It is the client's HostProvider. Asking for retryStart would make the client
// sleep a second; pauses are the dialer's.
type hosts struct {
	clock Clock

	mu    sync.Mutex
	all   []host
	turns uint64
}

type host struct {
	address string
	tried   uint64        // turn of the last attempt
	bad     time.Duration // Clock until which it counts as bad
}

func newHosts(addresses []string, clock Clock) *hosts {
	h := &hosts{clock: clock}
	for _, i := range rand.Perm(len(addresses)) { // not all nodes at one server
		h.all = append(h.all, host{address: addresses[i], bad: clock()})
	}
	return h
}

func (h *hosts) Init([]string) error { return nil }
func (h *hosts) Len() int            { return len(h.all) }
func (h *hosts) Connected()          {}

func (h *hosts) Next() (address string, retryStart bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.clock()
	best := &h.all[0]
	for i := range h.all[1:] {
		x := &h.all[i+1]
		if bad, worst := x.bad > now, best.bad > now; bad != worst && worst || bad == worst && x.tried < best.tried {
			best = x
		}
	}
	h.turns++
	best.tried = h.turns
	return best.address, false
}

// failed: the server did not answer, or not in time. worked: it did.
func (h *hosts) failed(address string) { h.mark(address, h.clock()+badTime) }
func (h *hosts) worked(address string) { h.mark(address, h.clock()) }

func (h *hosts) mark(address string, bad time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.all {
		if h.all[i].address == address {
			h.all[i].bad = bad
		}
	}
}
