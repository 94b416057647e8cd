package conclavetest

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"time"
)

// lineConn is a connection over a line. The line's lock guards all but Conn.
type lineConn struct {
	net.Conn // with the server
	line     *line
	node     *Node

	out      []byte // written by the node, not sent
	flushing bool   // somebody sends it
	in       []byte // come from the server, not read
	inErr    error  // the end, after that
	until    time.Time
	follower bool   // the server is the node's follower
	attached bool   // the server has let the session in
	closed   bool   // by the node
	head     []byte // the first bytes from the server
}

// holdsOut and holdsIn say whether a direction is cut now.
func (c *lineConn) holdsOut() bool { return c.line.up || c.line.paused }
func (c *lineConn) holdsIn() bool  { return c.line.down || c.line.paused }

func (c *lineConn) Write(b []byte) (int, error) {
	l := c.line
	l.mu.Lock()
	if c.closed {
		l.mu.Unlock()
		return 0, net.ErrClosed
	}
	if c.holdsOut() || c.flushing {
		c.out = append(c.out, b...)
		l.mu.Unlock()
		return len(b), nil
	}
	l.mu.Unlock()
	return c.Conn.Write(b)
}

// settle sends what was held and is to be held no more, and then, if the node
// has closed, the end. The line's lock is held.
func (c *lineConn) settle() {
	switch {
	case c.flushing || c.holdsOut():
	case len(c.out) > 0:
		c.flushing = true
		go c.flush()
	case c.closed:
		delete(c.line.conns, c)
		c.Conn.Close()
		return
	}
	if c.closed {
		c.Conn.SetReadDeadline(time.Unix(1, 0)) // who reads must not wait for that
	}
}

// flush writes what was held. Nobody else writes meanwhile.
func (c *lineConn) flush() {
	l := c.line
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(c.out) > 0 && !c.holdsOut() {
		out := c.out
		c.out = nil
		l.mu.Unlock()
		c.Conn.Write(out) // if it fails, who reads is told
		l.mu.Lock()
	}
	c.flushing = false
	c.settle()
}

func (c *lineConn) Close() error {
	l := c.line
	l.mu.Lock()
	defer l.mu.Unlock()
	if !c.closed {
		c.closed = true
		l.changed.Broadcast()
		c.settle()
	}
	return nil
}

func (c *lineConn) Read(b []byte) (int, error) {
	l := c.line
	for {
		l.mu.Lock()
		n, err, done := c.take(b)
		l.mu.Unlock()
		if done {
			return n, err
		}
		n, err = c.Conn.Read(b)
		l.mu.Lock()
		c.learn(b[:n])
		switch {
		case c.closed:
			n, err = 0, net.ErrClosed
		case !c.holdsIn():
		case errors.Is(err, os.ErrDeadlineExceeded) && n == 0:
			for c.line.paused && !c.closed {
				l.changed.Wait() // who stands still does not notice the time
			}
		default:
			c.in, c.inErr = append(c.in, b[:n]...), err
			l.mu.Unlock()
			continue
		}
		l.mu.Unlock()
		return n, err
	}
}

// take is what is there to be read, once it is held no more; done is false if
// there is nothing. The line's lock is held.
func (c *lineConn) take(b []byte) (n int, err error, done bool) {
	for {
		if c.closed {
			return 0, net.ErrClosed, true
		}
		if len(c.in) == 0 && c.inErr == nil {
			return 0, nil, false
		}
		if !c.holdsIn() {
			break
		}
		late := !c.until.IsZero() && !time.Now().Before(c.until)
		if late && !c.line.paused {
			return 0, os.ErrDeadlineExceeded, true
		}
		var timer *time.Timer
		if !c.until.IsZero() && !late {
			timer = time.AfterFunc(time.Until(c.until), c.line.wake)
		}
		c.line.changed.Wait()
		if timer != nil {
			timer.Stop()
		}
	}
	if n = copy(b, c.in); n > 0 {
		c.in = c.in[n:]
		return n, nil, true
	}
	return 0, c.inErr, true
}

// learn reads the session's id out of the server's first reply: its length, the
// protocol's version and the timeout come before.
func (c *lineConn) learn(b []byte) {
	if len(c.head) >= 20 {
		return
	}
	c.head = append(c.head, b...)
	if len(c.head) >= 20 {
		if id := int64(binary.BigEndian.Uint64(c.head[12:20])); id != 0 {
			c.line.sessions[c.node] = id
			c.attached = true
			c.line.moving = c.line.moving && !c.follower
		}
	}
}

func (c *lineConn) SetReadDeadline(t time.Time) error {
	c.line.mu.Lock()
	defer c.line.mu.Unlock()
	c.until = t
	c.line.changed.Broadcast()
	if c.closed {
		return net.ErrClosed
	}
	return c.Conn.SetReadDeadline(t)
}

func (c *lineConn) SetDeadline(t time.Time) error {
	c.SetWriteDeadline(t)
	return c.SetReadDeadline(t)
}
