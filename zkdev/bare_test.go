package zkdev

import (
	"errors"
	"net"
	"testing"
	"time"
)

// bare is a client with nothing in between.
type bare struct {
	t   *testing.T
	nc  net.Conn
	xid int32
	id  int64
	key []byte
}

// arrive attaches a bare client to a server: with a new session, or that of
// another client.
func arrive(t *testing.T, s *Server, timeout time.Duration, as *bare) *bare {
	t.Helper()
	nc, err := s.Dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	b := &bare{t: t, nc: nc}
	if as != nil {
		b.id, b.key = as.id, as.key
	}
	b.id, b.key = attach(t, nc, b.id, b.key, timeout)
	return b
}

// send sends a request about a path. What more it takes is in rest.
func (b *bare) send(op int32, path string, rest func(*writer)) {
	b.t.Helper()
	b.xid++
	w := packet()
	w.int32(b.xid)
	w.int32(op)
	w.string(path)
	if rest != nil {
		rest(w)
	}
	if _, err := b.nc.Write(w.seal()); err != nil {
		b.t.Fatal(err)
	}
}

// reply reads the next packet: its number, its error, and the rest.
func (b *bare) reply() (xid int32, c code, rest *reader, err error) {
	p, err := readPacket(b.nc)
	if err != nil {
		return 0, 0, nil, err
	}
	rest = &reader{b: p}
	xid = rest.int32()
	rest.int64()
	return xid, code(rest.int32()), rest, nil
}

// ask sends a request and wants its answer.
func (b *bare) ask(op int32, path string, rest func(*writer)) code {
	b.t.Helper()
	b.send(op, path, rest)
	for {
		xid, c, _, err := b.reply()
		if err != nil {
			b.t.Fatal(err)
		}
		if xid == b.xid {
			return c
		}
	}
}

// silent reports whether nothing has come for d.
func (b *bare) silent(d time.Duration) bool {
	b.nc.SetReadDeadline(time.Now().Add(d))
	defer b.nc.SetReadDeadline(time.Time{})
	_, err := b.nc.Read(make([]byte, 1))
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func ephemeralNode(w *writer) {
	w.buffer(nil)
	w.acls(openACL)
	w.int32(flagEphemeral)
}

func unwatched(w *writer) { w.bool(false) }
func watched(w *writer)   { w.bool(true) }

func someData(w *writer) {
	w.buffer([]byte("x"))
	w.int32(-1)
}
