package transport

import (
	"bufio"
	"encoding/binary"
	"net"
	"sync/atomic"
)

// readBuffer is how much is read from the network in one system call. yamux
// itself reads through 4 KiB.
const readBuffer = 64 << 10

// wire is the connection as yamux sees it. yamux writes each frame in two
// pieces, 12 bytes of header and then the data, and would cost two system calls
// and two packets; wire holds the header back and sends both together. One
// goroutine of yamux writes, one reads.
type wire struct {
	conn net.Conn // TCP, or TLS over it
	tcp  net.Conn // what Close closes
	r    *bufio.Reader

	guard guard

	header  [yamuxHeader]byte
	held    bool // header waits for its data
	buffers net.Buffers
	joined  []byte

	broken atomic.Pointer[error] // the first error of conn, for people to read
}

func newWire(conn, tcp net.Conn, listener bool) *wire {
	return &wire{conn: conn, tcp: tcp, r: bufio.NewReaderSize(conn, readBuffer), guard: guard{listener: listener}}
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if n > 0 {
		if err := w.guard.check(p[:n]); err != nil {
			return 0, w.note(err)
		}
	}
	return n, w.note(err)
}

func (w *wire) Write(p []byte) (int, error) {
	if !w.held {
		if len(p) == yamuxHeader && p[1] == yamuxData && binary.BigEndian.Uint32(p[8:]) > 0 {
			copy(w.header[:], p)
			w.held = true
			return len(p), nil
		}
		n, err := w.conn.Write(p)
		return n, w.note(err)
	}
	w.held = false
	var err error
	if w.conn == w.tcp {
		// Gathered by the kernel (writev).
		w.buffers = append(w.buffers[:0], w.header[:], p)
		sent := w.buffers // WriteTo eats it
		_, err = sent.WriteTo(w.conn)
	} else {
		w.joined = append(append(w.joined[:0], w.header[:]...), p...)
		_, err = w.conn.Write(w.joined)
	}
	if err != nil {
		return 0, w.note(err)
	}
	return len(p), nil
}

// Close closes the TCP connection, also under TLS: a TLS connection would first
// say goodbye, and wait up to five seconds for a peer that is not there.
func (w *wire) Close() error { return w.tcp.Close() }

// note remembers the first error.
func (w *wire) note(err error) error {
	if err != nil {
		w.broken.CompareAndSwap(nil, &err)
	}
	return err
}

// why says what broke the connection.
func (w *wire) why() string {
	if err := w.broken.Load(); err != nil {
		return (*err).Error()
	}
	return "session ended"
}
