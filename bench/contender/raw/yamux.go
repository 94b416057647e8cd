package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"

	"github.com/hashicorp/yamux"

	"conclave/bench/child"
)

// openYamux has one session for everything, over a connection that is tuned, with a
// window that does not hold up large bodies.
func openYamux(*child.Child) child.Remote {
	config := yamux.DefaultConfig()
	config.MaxStreamWindowSize = 4 << 20
	config.LogOutput = io.Discard
	var dialed *yamux.Session
	return &remote{
		listen: func() (string, func() (net.Conn, error)) {
			l := listenTCP()
			var session *yamux.Session
			return l.Addr().String(), func() (net.Conn, error) {
				if session == nil {
					conn, err := l.Accept()
					child.Check(err)
					session, err = yamux.Server(newTuned(conn), config)
					child.Check(err)
				}
				conn, err := session.Accept()
				if errors.Is(err, io.EOF) {
					select {} // the sender has ended
				}
				return conn, err
			}
		},
		dial: func(address string) (net.Conn, error) {
			if dialed == nil {
				conn, err := net.Dial("tcp", address)
				if err != nil {
					return nil, err
				}
				if dialed, err = yamux.Client(newTuned(conn), config); err != nil {
					return nil, err
				}
			}
			return dialed.Open()
		},
	}
}

// tuned is a connection that sends yamux's header of a frame together with its
// body, which yamux writes one after the other, and reads through a larger buffer.
type tuned struct {
	net.Conn
	in     *bufio.Reader
	header []byte // written, and not yet sent
}

func newTuned(conn net.Conn) *tuned {
	return &tuned{Conn: conn, in: bufio.NewReaderSize(conn, buffer)}
}

func (t *tuned) Read(b []byte) (int, error) { return t.in.Read(b) }

// Write is called by one goroutine of yamux.
func (t *tuned) Write(b []byte) (int, error) {
	const size, kind, data, length = 12, 1, 0, 8 // of a header
	if t.header == nil && len(b) == size && b[kind] == data && binary.BigEndian.Uint32(b[length:]) > 0 {
		t.header = append(make([]byte, 0, size), b...)
		return size, nil
	}
	both := net.Buffers{t.header, b}
	t.header = nil
	n, err := both.WriteTo(t.Conn)
	return min(int(n), len(b)), err
}
