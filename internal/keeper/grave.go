package keeper

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"
)

// grave is what the client of a dead session is connected to: a server without
// anything behind it. It accepts the session, swallows what the client still
// had to send, and confirms its close.
//
// Without it the client would try to reconnect for ever, and its Close would
// often wait a second for an answer that nobody gives: it queues the close
// after it has told its loop to quit.
type grave struct {
	mu     sync.Mutex
	cond   sync.Cond
	out    []byte // what the client has to read
	reborn bool   // the handshake is over
	closed bool
	ready  func() // called when the client has taken in the handshake
}

func newGrave(ready func()) *grave {
	g := &grave{ready: ready}
	g.cond.L = &g.mu
	return g
}

// Write takes one whole frame.
func (g *grave) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.reborn {
		g.reborn = true
		reply := make([]byte, 4+36)
		binary.BigEndian.PutUint32(reply, 36)
		binary.BigEndian.PutUint32(reply[8:], 60_000) // session timeout
		binary.BigEndian.PutUint64(reply[12:], 1)     // session
		binary.BigEndian.PutUint32(reply[20:], 16)    // length of the password
		g.out = append(g.out, reply...)
	} else if len(p) >= 12 {
		switch int32(binary.BigEndian.Uint32(p[8:])) {
		case codeAuth, codeClose:
			reply := make([]byte, 4+16)
			binary.BigEndian.PutUint32(reply, 16)
			copy(reply[4:8], p[4:8])
			g.out = append(g.out, reply...)
		}
	}
	g.cond.Broadcast()
	return len(p), nil
}

func (g *grave) Read(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.out) == 0 && !g.closed {
		g.cond.Wait()
	}
	if g.closed {
		return 0, io.EOF
	}
	n := copy(p, g.out)
	g.out = g.out[n:]
	if len(g.out) == 0 && g.ready != nil {
		g.ready()
		g.ready = nil
	}
	return n, nil
}

func (g *grave) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.cond.Broadcast()
	return nil
}

func (g *grave) LocalAddr() net.Addr              { return &net.UnixAddr{Name: "grave"} }
func (g *grave) RemoteAddr() net.Addr             { return &net.UnixAddr{Name: "grave"} }
func (g *grave) SetDeadline(time.Time) error      { return nil }
func (g *grave) SetReadDeadline(time.Time) error  { return nil }
func (g *grave) SetWriteDeadline(time.Time) error { return nil }
