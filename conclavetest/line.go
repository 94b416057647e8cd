package conclavetest

import (
	"context"
	"net"
	"sync"

	"conclave/zkdev"
)

// The servers in every node's list. The second is the leader like the first, until
// the node is given a follower of its own.
const (
	leaderAddress   = "leader:2181"
	followerAddress = "follower:2181"
)

// line is a host's way to ZooKeeper. It can be cut, each direction by itself:
// bytes then stay under way, and so does the end of a connection. So what a node
// wrote into a connection that it has long given up arrives when the line is
// mended, as it does with TCP.
type line struct {
	leader *zkdev.Server

	mu       sync.Mutex
	changed  sync.Cond       // any of the following, or something in a connection
	up, down bool            // cut: what the node sends, what it is sent
	paused   bool            // the node stands still
	over     bool            // the test is
	follower *zkdev.Follower // nil: none yet
	moving   bool            // to the follower: until the node is there
	conns    map[*lineConn]struct{}
	sessions map[*Node]int64 // the latest of each run
	turn     chan struct{}   // closed and replaced with every change
}

func newLine(leader *zkdev.Server) *line {
	l := &line{
		leader:   leader,
		conns:    make(map[*lineConn]struct{}),
		sessions: make(map[*Node]int64),
		turn:     make(chan struct{}),
	}
	l.changed.L = &l.mu
	return l
}

// dialer connects one run of the host's node.
func (l *line) dialer(n *Node) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, address string) (net.Conn, error) {
		for {
			l.mu.Lock()
			open, turn := !l.up && !l.down && !l.paused, l.turn
			l.mu.Unlock()
			switch {
			case n.dead.Load():
				return nil, errKilled
			case open:
				return l.connect(ctx, address, n)
			}
			select {
			case <-turn:
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			case <-n.ctx.Done():
				return nil, errKilled
			}
		}
	}
}

func (l *line) connect(ctx context.Context, address string, n *Node) (net.Conn, error) {
	l.mu.Lock()
	dial, follower := l.leader.DialContext, l.follower
	if follower != nil && (l.moving || address == followerAddress) {
		dial = follower.DialContext
	} else {
		follower = nil
	}
	l.mu.Unlock()
	conn, err := dial(ctx, address)
	if err != nil {
		return nil, err
	}
	c := &lineConn{Conn: conn, line: l, node: n, follower: follower != nil}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || n.dead.Load() {
		conn.Close()
		return nil, errKilled
	}
	l.conns[c] = struct{}{}
	return c, nil
}

// set changes the line and lets go what it held before and does not now.
func (l *line) set(change func(*line)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
	close(l.turn)
	l.turn = make(chan struct{})
	for c := range l.conns {
		c.settle()
	}
	l.changed.Broadcast()
}

// wake has everybody who waits look again.
func (l *line) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changed.Broadcast()
}

// kill ends the connections of a run. What is under way stays so.
func (l *line) kill(n *Node) {
	l.set(func(l *line) {
		l.paused = false
		for c := range l.conns {
			c.closed = c.closed || c.node == n
		}
	})
}

// follow gives the node a follower, if it has none, and leads it there.
func (l *line) follow() *zkdev.Follower {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.follower == nil {
		l.follower = l.leader.Follower()
	}
	if !l.following() {
		l.moving = true
		l.drop()
	}
	return l.follower
}

// own is the node's follower, or nil.
func (l *line) own() *zkdev.Follower {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.follower
}

// following says whether the node is connected with its follower. l.mu is held.
func (l *line) following() bool {
	for c := range l.conns {
		if c.follower && c.attached && !c.closed {
			return true
		}
	}
	return false
}

// arrived says whether the node has come to its follower.
func (l *line) arrived() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.following()
}

// disconnect ends the node's connections, for both sides.
func (l *line) disconnect() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop()
}

func (l *line) drop() {
	for c := range l.conns {
		c.Conn.Close()
	}
}

// close ends everything when the test does.
func (l *line) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	for c := range l.conns {
		c.closed = true
		c.Conn.Close()
	}
	clear(l.conns)
	l.changed.Broadcast()
}

// session is the latest ZooKeeper session of a run; 0: it has had none.
func (l *line) session(n *Node) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sessions[n]
}
