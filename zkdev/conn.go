package zkdev

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// handshakeTime is how long a connection may stay without a session.
	handshakeTime = 10 * time.Second
	// outboxLimit is how many unsent bytes a connection may have before its
	// next request waits. Watch events are not held to it.
	outboxLimit = 4 << 20
)

// conn is one client connection. One goroutine reads and handles its requests,
// one writes its outbox. Everything here is guarded by Server.mu.
type conn struct {
	s       *Server
	nc      net.Conn
	ids     []identity // what it has proved to be; see withIdentity
	session *session
	watched [watchKinds]map[string]struct{}
	traffic traffic

	cond    sync.Cond // on any change below, and when the server freezes or thaws
	out     []byte
	late    []late // parts of the outbox that may not go yet
	held    bool   // a hook holds back the outbox
	closing bool   // close when the outbox is empty
	dead    bool

	// Of a follower's client:
	pending []*pending // requests not answered yet, the oldest first
	leaving bool       // it has asked for the end of its session
}

// serve runs the connection until it ends.
func (s *Server) serve(nc net.Conn) {
	c := &conn{s: s, nc: nc}
	c.cond.L = s.mu
	for k := range c.watched {
		c.watched[k] = make(map[string]struct{})
	}
	c.ids = []identity{c.address()}
	s.mu.Lock()
	if s.closed || s.away() {
		s.mu.Unlock()
		nc.Close()
		return
	}
	c.held = s.holdAll
	c.traffic.since = time.Now()
	s.conns[c] = struct{}{}
	s.wg.Add(2)
	s.mu.Unlock()
	go c.writeLoop()
	go c.readLoop()
}

func remoteIP(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return "127.0.0.1"
	}
	return host
}

func (c *conn) readLoop() {
	defer c.s.wg.Done()
	defer func() {
		c.s.mu.Lock()
		c.kill()
		c.s.mu.Unlock()
	}()
	r := bufio.NewReader(c.nc)
	c.nc.SetReadDeadline(time.Now().Add(handshakeTime))
	if c.word(r) {
		return
	}
	for attached := false; ; attached = true {
		p, err := readPacket(r)
		if err != nil {
			return
		}
		if !attached {
			c.nc.SetReadDeadline(time.Time{})
		}
		if !c.take(p, attached) {
			return
		}
	}
}

// take handles a packet once there is room for its reply, and reports whether
// the connection lives on.
func (c *conn) take(p []byte, attached bool) bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock() // in a panic too, or it would end in a deadlock
	for !c.dead && (c.s.frozen || len(c.out) > outboxLimit || len(c.pending) >= pendingLimit) {
		c.cond.Wait()
	}
	switch {
	case c.dead, c.closing: // nothing more is answered
	case attached:
		c.handle(p)
	default:
		c.connect(p)
	}
	return !c.dead
}

// readPacket reads one packet without its length.
func readPacket(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxPacket {
		return nil, errMalformed
	}
	p := make([]byte, n)
	_, err := io.ReadFull(r, p)
	return p, err
}

func (c *conn) writeLoop() {
	defer c.s.wg.Done()
	defer c.nc.Close()
	for {
		c.s.mu.Lock()
		for !c.dead && (c.held || c.s.frozen || c.ready() == 0 && !(c.closing && len(c.out) == 0)) {
			c.cond.Wait()
		}
		p := c.sendable()
		if c.dead || len(p) == 0 {
			c.kill()
			c.s.mu.Unlock()
			return
		}
		c.cond.Broadcast() // the outbox has room again
		c.s.mu.Unlock()
		if _, err := c.nc.Write(p); err != nil {
			c.s.mu.Lock()
			c.kill()
			c.s.mu.Unlock()
			return
		}
	}
}

// send puts a packet into the outbox.
func (c *conn) send(p []byte) {
	if c.dead || c.closing {
		return
	}
	c.out = append(c.out, p...)
	c.traffic.sent++
	c.s.traffic.sent++
	c.cond.Broadcast()
}

// closeAfterFlush ends the connection once everything so far is written.
func (c *conn) closeAfterFlush() {
	c.closing = true
	c.cond.Broadcast()
}

// kill ends the connection now. What is in the outbox is lost. The session, if
// it lives, goes on without a connection.
func (c *conn) kill() {
	if c.dead {
		return
	}
	c.dead = true
	c.nc.Close()
	c.s.watches.forget(c)
	delete(c.s.conns, c)
	if c.session != nil && c.session.conn == c {
		c.session.conn = nil
	}
	c.cond.Broadcast()
}
