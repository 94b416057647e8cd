package keeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"strings"
	"time"
)

// DefaultSessionTimeout is asked for when Config.SessionTimeout is zero.
const DefaultSessionTimeout = 10 * time.Second

// minSessionTimeout is the least we ask for, and the least we take from a
// server: below it pings and heartbeats would come too thick to mean anything.
const minSessionTimeout = 100 * time.Millisecond

// Clock tells how much time has passed since some fixed moment. It never goes
// back, and goes on while the machine is suspended. It is read without a lock
// from many goroutines.
type Clock func() time.Duration

// SystemClock is the clock that measures leases where a Config has none. On Linux
// all processes of one boot share it.
func SystemClock() Clock { return systemClock() }

// BootID names all processes whose SystemClocks show the same. Empty: this one's
// can be compared with no other.
func BootID() string { return bootID() }

// Config says which ZooKeeper to use and as whom.
type Config struct {
	// Servers are "host:port" (":2181" if no port is named). At least one.
	Servers []string
	// Root is the znode everything lives under; "" for DefaultRoot.
	Root string
	// SessionTimeout is asked for; the server decides (Session.Timeout). Zero
	// for DefaultSessionTimeout, otherwise at least 100 ms.
	SessionTimeout time.Duration
	// Credentials are presented in every session, in this order.
	Credentials []Credential
	// ACL is given to every znode made here; empty for OpenACL.
	ACL []ACL
	// Dial connects to one of Servers; nil for TCP. It must return when ctx
	// ends.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// Clock measures leases; nil for the system's, which counts suspension
	// (CLOCK_BOOTTIME on Linux; plain monotonic time elsewhere).
	Clock Clock
	// Logger gets warnings, and what the ZooKeeper client says at debug
	// level; nil for silence. Credentials and passwords are never logged.
	Logger *slog.Logger
	// Incarnation names our own znode; random, and different for every run.
	Incarnation uint64
	// NodeData is what our own znode holds.
	NodeData []byte
	// Guard is called with each new session before that is handed out, so before
	// anything but our own znode hangs on it; nil for nobody. The session waits
	// until it returns, which it must when ctx ends.
	Guard func(ctx context.Context, h Handover)
	// Notify is called with every Event, in order, from one goroutine; nil
	// for nobody. It may block: events wait, nothing else does.
	Notify func(Event)
}

// prepared is the Config with its defaults filled in, or what is wrong with it.
func (c Config) prepared() (Config, Paths, error) {
	paths, err := NewPaths(c.Root)
	if err != nil {
		return c, paths, err
	}
	if len(c.Servers) == 0 {
		return c, paths, errors.New("keeper: Config.Servers is empty")
	}
	servers := make([]string, len(c.Servers))
	for i, s := range c.Servers {
		if s == "" {
			return c, paths, errors.New("keeper: Config.Servers has an empty entry")
		}
		if c.Dial == nil && !strings.Contains(s, ":") {
			s = net.JoinHostPort(s, "2181")
		}
		servers[i] = s
	}
	c.Servers = servers
	switch {
	case c.SessionTimeout == 0:
		c.SessionTimeout = DefaultSessionTimeout
	case c.SessionTimeout < minSessionTimeout || c.SessionTimeout > math.MaxInt32*time.Millisecond:
		return c, paths, fmt.Errorf("keeper: Config.SessionTimeout is %v, outside %v to 24 days", c.SessionTimeout, minSessionTimeout)
	}
	for _, cred := range c.Credentials {
		if cred.Scheme == "" {
			return c, paths, errors.New("keeper: a Credential has no scheme")
		}
	}
	if len(c.NodeData) > MaxRequest/2 {
		return c, paths, fmt.Errorf("%w: Config.NodeData has %d bytes", ErrTooLarge, len(c.NodeData))
	}
	if len(c.ACL) == 0 {
		c.ACL = OpenACL()
	}
	if c.Dial == nil {
		c.Dial = dialTCP
	}
	if c.Clock == nil {
		c.Clock = systemClock()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, paths, nil
}
