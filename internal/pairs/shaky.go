package pairs

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"conclave/transport"
)

// Shaky is a Transport whose connections can be closed and stalled: one of them at
// random, or all. Its methods are safe for concurrent use.
type Shaky struct {
	transport.Transport

	mu      sync.Mutex
	rnd     *rand.Rand
	conns   []*shakyConn // that are open
	each    int64        // one is cut each time that so many more bytes have been written; 0: none
	written int64
	cuts    int
}

// NewShaky makes a Shaky of t, which chooses by that seed.
func NewShaky(t transport.Transport, seed uint64) *Shaky {
	return &Shaky{Transport: t, rnd: rand.New(rand.NewPCG(seed, 1))}
}

// CutEach has a connection closed each time that so many more bytes have been
// written.
func (s *Shaky) CutEach(bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.each, s.written = bytes, 0
}

// Cut closes a connection. It says false if there is none.
func (s *Shaky) Cut() bool {
	conn := s.any()
	if conn == nil {
		return false
	}
	s.mu.Lock()
	s.cuts++
	s.mu.Unlock()
	conn.Close()
	return true
}

// CutAll closes all connections.
func (s *Shaky) CutAll() {
	s.mu.Lock()
	conns := append([]*shakyConn(nil), s.conns...)
	s.cuts += len(conns)
	s.mu.Unlock()
	for _, conn := range conns {
		conn.Close()
	}
}

// Stall has nothing more read from a connection for that long, as if this side had
// stopped reading. It says false if there is none.
func (s *Shaky) Stall(d time.Duration) bool {
	conn := s.any()
	if conn != nil {
		conn.stall(time.Now().Add(d))
	}
	return conn != nil
}

// Cuts is how many connections were closed.
func (s *Shaky) Cuts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cuts
}

// Open is how many connections are open, and how many of them have their lane for
// large bodies open.
func (s *Shaky) Open() (all, bulk int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.conns {
		if conn.BulkOpen() {
			bulk++
		}
	}
	return len(s.conns), bulk
}

func (s *Shaky) any() *shakyConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) == 0 {
		return nil
	}
	return s.conns[s.rnd.IntN(len(s.conns))]
}

// Listen is the Transport's, and so is Dial.
func (s *Shaky) Listen(ctx context.Context, address string, o transport.Options) (transport.Listener, error) {
	l, err := s.Transport.Listen(ctx, address, o)
	if err != nil {
		return nil, err
	}
	return shakyListener{l, s}, nil
}

// Dial is the Transport's.
func (s *Shaky) Dial(ctx context.Context, address string, o transport.Options) (transport.Conn, error) {
	return s.wrap(s.Transport.Dial(ctx, address, o))
}

func (s *Shaky) wrap(conn transport.Conn, err error) (transport.Conn, error) {
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	own := &shakyConn{Conn: conn, s: s, closed: make(chan struct{})}
	s.conns = append(s.conns, own)
	return own, nil
}

// drop takes a closed connection off the list.
func (s *Shaky) drop(conn *shakyConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, c := range s.conns {
		if c == conn {
			last := len(s.conns) - 1
			s.conns[i], s.conns[last] = s.conns[last], nil
			s.conns = s.conns[:last]
			return
		}
	}
}

// wrote counts. It says whether it is time to cut.
func (s *Shaky) wrote(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written += int64(n)
	if s.each == 0 || s.written < s.each {
		return false
	}
	s.written = 0
	return true
}

type shakyListener struct {
	transport.Listener
	s *Shaky
}

func (l shakyListener) Accept() (transport.Conn, error) { return l.s.wrap(l.Listener.Accept()) }

type shakyConn struct {
	transport.Conn
	s      *Shaky
	once   sync.Once
	closed chan struct{}

	mu    sync.Mutex
	until time.Time // nothing that was read is given before
}

func (c *shakyConn) stall(until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if until.After(c.until) {
		c.until = until
	}
}

func (c *shakyConn) Read(l transport.Lane, buf []byte) (int, error) {
	n, err := c.Conn.Read(l, buf)
	for err == nil {
		c.mu.Lock()
		wait := time.Until(c.until)
		c.mu.Unlock()
		if wait <= 0 {
			break
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-c.closed:
			timer.Stop()
			return 0, transport.ErrClosed
		}
	}
	return n, err
}

func (c *shakyConn) Write(l transport.Lane, batch []byte) error {
	if c.s.wrote(len(batch)) {
		c.s.Cut()
	}
	return c.Conn.Write(l, batch)
}

func (c *shakyConn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.s.drop(c)
	})
	return c.Conn.Close()
}
