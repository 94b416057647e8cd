package transport

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// lobby is where connections wait between arriving at a listener and coming out
// of Accept, while they do their handshake: a bounded number of them, for a
// bounded time. It is the common part of the transports' listeners.
type lobby struct {
	o     Options
	ready chan Conn
	over  chan struct{} // closed by close

	mu      sync.Mutex
	hello   []byte
	closed  bool
	pending []*attempt            // oldest first
	links   map[linkKey]*bulkPort // of those that have come from here and are not over
	running sync.WaitGroup
}

// newLobby makes a lobby; o is filled.
func newLobby(o Options) *lobby {
	return &lobby{o: o, hello: slices.Clone(o.Hello), links: make(map[linkKey]*bulkPort), ready: make(chan Conn, o.MaxHandshakes), over: make(chan struct{})}
}

// admit lets a connection in. shake takes it from there to a Conn, or to the link
// whose bulk connection it is (nil), in a goroutine of its own, and must end soon
// after abort has been called.
func (l *lobby) admit(remote string, abort func(), shake func(offer) (Conn, error)) {
	a := &attempt{abort: abort}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		abort()
		return
	}
	var oldest *attempt
	if len(l.pending) >= l.o.MaxHandshakes {
		oldest = l.pending[0]
		l.pending = slices.Delete(l.pending, 0, 1)
	}
	l.pending = append(l.pending, a)
	own := l.o.offer(l.hello)
	l.running.Add(1)
	l.mu.Unlock()

	if oldest != nil {
		oldest.fail(ErrBusy)
	}
	go func() {
		defer l.running.Done()
		timer := time.AfterFunc(l.o.HandshakeTimeout, func() { a.fail(ErrHandshakeTimeout) })
		c, err := shake(own)
		c, err = finish(a, c, err)
		timer.Stop()
		l.settle(a, remote, c, err)
	}()
}

// settle hands c to Accept, or reports err.
func (l *lobby) settle(a *attempt, remote string, c Conn, err error) {
	l.mu.Lock()
	if i := slices.Index(l.pending, a); i >= 0 {
		l.pending = slices.Delete(l.pending, i, i+1)
	}
	closed := l.closed
	if c != nil && !closed {
		select {
		case l.ready <- c:
			c = nil
		default: // nobody accepts
			err = wrapHandshake(ErrBusy)
		}
	}
	l.mu.Unlock()
	if c != nil {
		c.Close()
	}
	if err != nil && !closed {
		l.o.Refused(remote, err)
	}
}

// accept waits for a Conn.
func (l *lobby) accept() (Conn, error) {
	select {
	case <-l.over:
		return nil, fmt.Errorf("%w: listener", ErrClosed)
	default:
	}
	select {
	case c := <-l.ready:
		return c, nil
	case <-l.over:
		return nil, fmt.Errorf("%w: listener", ErrClosed)
	}
}

// enlist lets a link that came from here have a bulk connection, until its port is
// closed.
func (l *lobby) enlist(key linkKey, version int, p *bulkPort) {
	p.linkVersion = version
	p.leave = func() {
		l.mu.Lock()
		delete(l.links, key)
		l.mu.Unlock()
	}
	l.mu.Lock()
	l.links[key] = p
	l.mu.Unlock()
}

// claim gives a bulk connection to its link.
func (l *lobby) claim(key linkKey, version int, stream io.ReadWriteCloser) error {
	l.mu.Lock()
	p := l.links[key]
	l.mu.Unlock()
	if p == nil || p.linkVersion != version {
		return ErrNoLink
	}
	return p.plug(stream)
}

// setHello replaces what is told to those who arrive from now on.
func (l *lobby) setHello(hello []byte) error {
	if len(hello) > MaxHello {
		return fmt.Errorf("%w: hello of %d bytes, at most %d", ErrTooLarge, len(hello), MaxHello)
	}
	l.mu.Lock()
	l.hello = slices.Clone(hello)
	l.mu.Unlock()
	return nil
}

// close ends everything in the lobby and waits until it has ended.
func (l *lobby) close() {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.over)
	}
	pending := l.pending
	l.pending = nil
	l.mu.Unlock()
	for _, a := range pending {
		a.fail(errListenerClosed)
	}
	l.running.Wait()
	for {
		select {
		case c := <-l.ready:
			c.Close()
		default:
			return
		}
	}
}

var errListenerClosed = errors.New("listener closed")

// offer is what o brings to a handshake, with this hello.
func (o Options) offer(hello []byte) offer {
	return offer{lowest: MinVersion, highest: MaxVersion, hello: hello, secret: o.Secret, maxFrame: o.MaxFrame}
}
