package main

import (
	"cmp"
	"fmt"
	"strings"
	"sync/atomic"

	"conclave/node"
)

// connection is how it stands between a node and ZooKeeper, for people.
type connection struct {
	servers string // -zk
	tells   bool   // it tells when it has gone, and when it is back
	up      atomic.Bool
	was     atomic.Bool
}

func (c *connection) hear(e node.Event) {
	switch e.Kind {
	case node.SessionUp, node.SessionResumed:
		if !c.up.Swap(true) && c.was.Swap(true) && c.tells {
			fmt.Println("Connected to ZooKeeper again.")
		}
	case node.SessionSuspended, node.SessionLost:
		if c.up.Swap(false) && c.tells {
			fmt.Println("Disconnected from ZooKeeper: unless that ends soon, this node owns nothing.")
		}
	}
}

// waits tells that nothing goes on without ZooKeeper, if that is not there.
func (c *connection) waits() {
	if !c.up.Load() {
		fmt.Println(c.missing())
	}
}

func (c *connection) missing() string {
	return fmt.Sprintf("ZooKeeper does not answer at %s; \"conclave dev\" is one for development", strings.Join(servers(c.servers), ","))
}

// servers are those that a flag names.
func servers(zk string) []string { return strings.Split(cmp.Or(zk, "127.0.0.1:2181"), ",") }
