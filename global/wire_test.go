package global

import (
	"context"
	"net"
	"sync"
)

// wire is a node's connection to ZooKeeper, which can be cut.
type wire struct {
	c     *cluster
	to    dial // nil: the cluster's one server
	mu    sync.Mutex
	hole  bool
	conns []net.Conn
}

type dial func(ctx context.Context, address string) (net.Conn, error)

func newWire(c *cluster) *wire { return &wire{c: c} }

func (w *wire) dial(ctx context.Context, address string) (net.Conn, error) {
	w.mu.Lock()
	hole := w.hole
	w.mu.Unlock()
	if hole {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	var conn net.Conn
	var err error
	if w.to != nil {
		conn, err = w.to(ctx, address)
	} else if w.c.virtual {
		conn, err = w.c.dev.Dial()
	} else {
		conn, err = new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	if err != nil {
		return nil, err
	}
	conn = &wireConn{conn, w}
	w.mu.Lock()
	w.conns = append(w.conns, conn)
	w.mu.Unlock()
	return conn, nil
}

// cut swallows everything from now on, as a broken network does.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hole = true
}

// mend lets new connections through; those from before the cut are dead.
func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hole {
		for _, c := range w.conns {
			c.Close()
		}
		w.conns, w.hole = nil, false
	}
}

type wireConn struct {
	net.Conn
	w *wire
}

func (c *wireConn) cut() bool {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	return c.w.hole
}

func (c *wireConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil || !c.cut() {
			return n, err
		}
	}
}

func (c *wireConn) Write(b []byte) (int, error) {
	if c.cut() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}
