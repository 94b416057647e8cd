package keeper

import "sync"

// Event is a fact about our life in ZooKeeper, handed to Config.Notify: one of
// SessionUp, Suspended, Resumed, SessionLost, ClusterChanged and Trouble.
//
// They come in the order in which they happened, one at a time, from one
// goroutine; none is dropped. For one session the order is SessionUp, any
// number of Suspended and Resumed in turn, SessionLost.
type Event interface{ isEvent() }

// SessionUp: a session is established: credentials accepted, root paths and
// cluster id there, our own znode made under it. What it reads is at least as
// new as that write.
type SessionUp struct {
	Session   *Session
	ClusterID string
}

// Suspended: the connection is gone. The session may live; whether it does is
// known with Resumed or SessionLost.
type Suspended struct{ Session *Session }

// Resumed: connected again under the same session. Watches have been set
// again; those that are found to have missed something fire soon after.
type Resumed struct{ Session *Session }

// SessionLost: the session is over, its leases have ended and its ephemerals
// are gone or will be soon. The Keeper is opening the next one (unless it is
// being closed).
type SessionLost struct {
	Session *Session
	Err     error
}

// ClusterChanged comes before a SessionUp that found another cluster id than
// the session before: the ensemble was wiped, or we talk to a different one.
type ClusterChanged struct{ Old, New string }

// Trouble is something a person may have to look at: no server reachable,
// credentials refused, the root unusable. The Keeper goes on trying. The same
// trouble is repeated at most twice a minute.
type Trouble struct{ Err error }

func (SessionUp) isEvent()      {}
func (Suspended) isEvent()      {}
func (Resumed) isEvent()        {}
func (SessionLost) isEvent()    {}
func (ClusterChanged) isEvent() {}
func (Trouble) isEvent()        {}

// notifier hands events to a callback in order from one goroutine, which
// exists only while there is something to hand over. Its queue has no bound:
// events are as rare as connections, and losing one would be worse.
type notifier struct {
	notify func(Event)

	mu      sync.Mutex
	queue   []Event
	running bool
}

func (n *notifier) post(e Event) {
	if n.notify == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.queue = append(n.queue, e)
	if !n.running {
		n.running = true
		go n.run()
	}
}

func (n *notifier) run() {
	for {
		n.mu.Lock()
		if len(n.queue) == 0 {
			n.running = false
			n.mu.Unlock()
			return
		}
		e := n.queue[0]
		n.queue = n.queue[1:]
		n.mu.Unlock()
		n.notify(e)
	}
}
