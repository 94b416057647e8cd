package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
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
	away      map[string]bool // servers that cannot be reached
	absent    bool            // that is all of them
	starting  string          // what has gone wrong since
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
		c.connected, c.absent, c.starting = true, false, ""
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
		transport.ErrWrongSecret, transport.ErrTLS, transport.ErrVersion, transport.ErrNotConclave, node.ErrOtherCluster, node.ErrRefused,
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
		// A server that was away may hang up while it starts: that is told only
		// if it does not get over it.
		if text := err.Error(); c.absent && c.starting != text {
			c.starting = text
			return
		}
		c.tell("trouble with ZooKeeper", err, "")
		return
	}
	// Of several servers some may be away: only without the last there is none.
	for _, server := range c.servers {
		if strings.Contains(err.Error(), server) {
			c.away[server] = true
		}
	}
	there := func(server string) bool { return !c.away[server] }
	if !c.connected && !c.absent && !slices.ContainsFunc(c.servers, there) {
		c.absent = true
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
