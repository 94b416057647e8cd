package zkdev

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// pipeLimit is how much one direction buffers, as a socket would.
const pipeLimit = 256 << 10

// pipe returns the two ends of a connection in memory. Unlike net.Pipe it
// buffers, so that two ends that both write do not wait for each other.
func pipe() (client, server net.Conn) {
	up, down := newStream(), newStream()
	return &pipeEnd{in: down, out: up}, &pipeEnd{in: up, out: down}
}

// stream is one direction.
type stream struct {
	mu            sync.Mutex
	cond          sync.Cond
	buf           []byte
	writerGone    bool // reads drain what is there, then end
	readerGone    bool // writes fail
	readDeadline  deadline
	writeDeadline deadline
}

func newStream() *stream {
	s := &stream{}
	s.cond.L = &s.mu
	return s
}

// deadline wakes a stream's waiters when it passes.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (s *stream) set(d *deadline, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.at = at
	if wait := time.Until(at); !at.IsZero() && wait > 0 {
		d.timer = time.AfterFunc(wait, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.cond.Broadcast()
		})
	}
	s.cond.Broadcast()
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.readerGone:
			return 0, net.ErrClosed
		case s.readDeadline.passed():
			return 0, os.ErrDeadlineExceeded
		case len(s.buf) > 0:
			n := copy(p, s.buf)
			s.buf = s.buf[n:]
			s.cond.Broadcast()
			return n, nil
		case s.writerGone:
			return 0, io.EOF
		case len(p) == 0:
			return 0, nil
		}
		s.cond.Wait()
	}
}

func (s *stream) write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for {
		switch {
		case s.writerGone:
			return n, net.ErrClosed
		case s.readerGone:
			return n, io.ErrClosedPipe
		case s.writeDeadline.passed():
			return n, os.ErrDeadlineExceeded
		}
		if room := pipeLimit - len(s.buf); room > 0 {
			k := min(room, len(p))
			s.buf = append(s.buf, p[:k]...)
			p = p[k:]
			n += k
			s.cond.Broadcast()
		}
		if len(p) == 0 {
			return n, nil
		}
		s.cond.Wait()
	}
}

// end marks one side as gone.
func (s *stream) end(gone *bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*gone = true
	for _, d := range []*deadline{&s.readDeadline, &s.writeDeadline} {
		if d.timer != nil && s.readerGone && s.writerGone {
			d.timer.Stop()
		}
	}
	s.cond.Broadcast()
}

type pipeEnd struct{ in, out *stream }

func (e *pipeEnd) Read(p []byte) (int, error)  { return e.in.read(p) }
func (e *pipeEnd) Write(p []byte) (int, error) { return e.out.write(p) }

func (e *pipeEnd) Close() error {
	e.in.end(&e.in.readerGone)
	e.out.end(&e.out.writerGone)
	return nil
}

func (e *pipeEnd) SetDeadline(t time.Time) error {
	e.SetReadDeadline(t)
	return e.SetWriteDeadline(t)
}

func (e *pipeEnd) SetReadDeadline(t time.Time) error {
	e.in.set(&e.in.readDeadline, t)
	return nil
}

func (e *pipeEnd) SetWriteDeadline(t time.Time) error {
	e.out.set(&e.out.writeDeadline, t)
	return nil
}

func (e *pipeEnd) LocalAddr() net.Addr  { return memory{} }
func (e *pipeEnd) RemoteAddr() net.Addr { return memory{} }

// memory is the address of both ends.
type memory struct{}

func (memory) Network() string { return "memory" }
func (memory) String() string  { return "zkdev" }
