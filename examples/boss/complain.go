package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"

	"conclave/node"
	"conclave/transport"
)

// complaints tells a person what is wrong around the node, each thing once for
// as long as it lasts.
type complaints struct {
	servers []string

	mu        sync.Mutex
	connected bool
	away      map[string]bool // what was said about servers that cannot be reached
	told      map[string]bool
	misfits   bool // a node would not link with us
}

func newComplaints(cfg node.Config) *complaints {
	return &complaints{servers: cfg.ZooKeeper, away: map[string]bool{}, told: map[string]bool{}}
}

// hear takes the node's events.
func (c *complaints) hear(e node.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e.Kind {
	case node.SessionUp, node.SessionResumed:
		c.connected = true
		clear(c.away)
		clear(c.told)
	case node.SessionSuspended, node.SessionLost:
		c.connected = false
	case node.Trouble:
		c.trouble(e.Err)
	case node.LinkRefused:
		if misfit(e.Err) {
			c.tell("refused a link", e.Err, "from "+e.Remote)
		}
	case node.LinkFailed:
		if misfit(e.Err) {
			c.misfits = true
			c.tell("no link", e.Err, "with "+e.Peer.String())
		}
	}
}

// misfit says whether a link failed because the nodes do not belong together. A
// node that is gone, or has given up, is nothing to complain about.
func misfit(err error) bool {
	for _, sort := range []error{
		transport.ErrWrongSecret, transport.ErrVersion, transport.ErrNotConclave, node.ErrOtherCluster, node.ErrRefused,
	} {
		if errors.Is(err, sort) {
			return true
		}
	}
	return false
}

func (c *complaints) trouble(err error) {
	var dial *net.OpError
	if !errors.As(err, &dial) || dial.Op != "dial" {
		c.tell("trouble with ZooKeeper", err, "")
		return
	}
	// Of several servers some may be away: only without the last there is none.
	if c.away[err.Error()] = true; !c.connected && len(c.away) >= len(c.servers) {
		clear(c.away) // ... and all have to be found away before it is said again
		c.tell("no ZooKeeper at "+strings.Join(c.servers, ","), dial.Err, "- start one with: go run ./cmd/conclave dev")
	}
}

// tell says what is wrong, once for each reason.
func (c *complaints) tell(what string, reason error, more string) {
	key := what + reason.Error()
	if c.told[key] {
		return
	}
	if len(c.told) >= 100 { // strangers can make reasons up
		clear(c.told)
	}
	c.told[key] = true
	fmt.Fprintln(os.Stderr, strings.TrimSpace(fmt.Sprintf("boss: %s (%v) %s", what, reason, more)))
}

// state is whether there is ZooKeeper, and whether a node would not link with us.
func (c *complaints) state() (connected, misfits bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.connected, c.misfits
}
