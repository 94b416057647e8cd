package transport

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// The lanes of a memLink: those of a Conn and one for the handshake.
const (
	laneHandshake = numLanes
	memLanes      = numLanes + 1
)

// The sides of a memLink.
const (
	dialerSide = iota
	listenerSide
)

// memLink is one connection in a Network: both sides of it, and what is under
// way between them.
type memLink struct {
	network *Network
	hosts   [2]string // of the sides
	names   [2]string // their addresses
	bulk    bool      // it belongs to another memLink

	mu    sync.Mutex
	cut   [2]bool // by the side that writes
	delay time.Duration
	pipes [2][memLanes]pipe // by the side that writes
	sides [2]memSide
	timer *time.Timer // for the next arrival
}

// memSide is what has happened at one side.
type memSide struct {
	closed bool      // by its own Close
	heard  bool      // that the other side has closed
	lastAt time.Time // when the last thing sent by this side arrives
	ended  time.Time // when the news that this side has closed arrives
}

// newMemLink makes a link between two hosts. n.mu is held.
func newMemLink(n *Network, hosts, names [2]string) *memLink {
	l := &memLink{network: n, hosts: hosts, names: names, cut: n.cutOf(hosts), delay: n.delays[pairOf(hosts[0], hosts[1])]}
	for side := range l.pipes {
		for lane := range l.pipes[side] {
			p := &l.pipes[side][lane]
			p.readable.L, p.writable.L = &l.mu, &l.mu
		}
	}
	return l
}

// arrival is when something sent now by a side arrives; zero: at once. l.mu is
// held.
func (l *memLink) arrival(side int) time.Time {
	s := &l.sides[side]
	slow := l.delay > 0 || l.cut[side]
	if !slow && s.lastAt.IsZero() {
		return time.Time{}
	}
	at := time.Now().Add(l.delay)
	switch {
	case at.Before(s.lastAt):
		return s.lastAt // nothing is overtaken
	case slow:
		s.lastAt = at
		return at
	}
	s.lastAt = time.Time{} // all that was delayed has arrived
	return time.Time{}
}

// settle lets arrive what has arrived by now, and sets the timer for what
// follows. l.mu is held.
func (l *memLink) settle() {
	now := time.Now()
	var next time.Time
	soonest := func(at time.Time) {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	for side := range l.pipes {
		if l.cut[side] {
			continue
		}
		for lane := range l.pipes[side] {
			p := &l.pipes[side][lane]
			p.land(now)
			if at, ok := p.next(); ok {
				soonest(at)
			}
		}
		if other := &l.sides[1-side]; l.sides[side].closed && !other.heard {
			if at := l.sides[side].ended; at.After(now) {
				soonest(at)
			} else {
				other.heard = true
				// Not before: a writer who cannot know of the end finds no room either.
				for lane := range l.pipes[1-side] {
					l.pipes[1-side][lane].drop()
				}
				l.wake()
			}
		}
	}
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if !next.IsZero() && !l.over() {
		l.timer = time.AfterFunc(next.Sub(now), l.tick)
	}
}

// over reports whether nothing can happen any more. l.mu is held.
func (l *memLink) over() bool {
	a, b := &l.sides[0], &l.sides[1]
	return (a.closed || a.heard) && (b.closed || b.heard)
}

// tick is the timer.
func (l *memLink) tick() {
	l.mu.Lock()
	l.settle()
	over := l.over()
	l.mu.Unlock()
	if over {
		l.network.forget(l)
	}
}

// setCut says what is cut of what the sides write, and returns whether that is
// another state than before; then a tick must follow.
func (l *memLink) setCut(cut [2]bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut == cut {
		return false
	}
	l.settle() // what has arrived has arrived
	l.cut = cut
	return true
}

// setDelay sets the time that things take from now on.
func (l *memLink) setDelay(d time.Duration) {
	l.mu.Lock()
	l.delay = d
	l.mu.Unlock()
}

// wake wakes all who wait. l.mu is held.
func (l *memLink) wake() {
	for side := range l.pipes {
		for lane := range l.pipes[side] {
			l.pipes[side][lane].wake()
		}
	}
}

// closeSide ends the link for one side.
func (l *memLink) closeSide(side int) {
	l.mu.Lock()
	if l.sides[side].closed {
		l.mu.Unlock()
		return
	}
	l.sides[side].closed = true
	l.sides[side].ended = l.arrival(side)
	l.settle()
	l.wake()
	over := l.over()
	l.mu.Unlock()
	if over {
		l.network.forget(l)
	}
}

func (l *memLink) write(side, lane int, b []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, s := &l.pipes[side][lane], &l.sides[side]
	for {
		switch {
		case s.closed:
			return errClosedHere
		case s.heard:
			return fmt.Errorf("%w by the peer", ErrClosed)
		case len(b) == 0:
			return nil
		}
		at := l.arrival(side)
		n := p.send(b, at)
		if b = b[n:]; n == 0 {
			p.writable.Wait()
		} else if !at.IsZero() {
			l.settle()
		}
	}
}

func (l *memLink) read(side, lane int, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p, s := &l.pipes[1-side][lane], &l.sides[side]
	for {
		if s.closed {
			return 0, errClosedHere
		}
		if n := p.receive(b); n > 0 {
			return n, nil
		}
		if s.heard {
			return 0, fmt.Errorf("%w by the peer", ErrClosed)
		}
		p.readable.Wait()
	}
}

// memConn is one side of a memLink, as a Conn.
type memConn struct {
	agreement
	bulkPort
	ending
	link *memLink
	side int
}

func (c *memConn) Hello() []byte      { return c.hello }
func (c *memConn) Version() int       { return c.version }
func (c *memConn) MaxFrame() int      { return c.maxFrame }
func (c *memConn) RemoteAddr() string { return c.link.names[1-c.side] }

func (c *memConn) Write(l Lane, batch []byte) error {
	if l == Bulk {
		return c.failBulk(c.write(batch))
	}
	if l >= numLanes {
		return fmt.Errorf("transport: no %v", l)
	}
	err := c.link.write(c.side, int(l), batch)
	return c.fail(err)
}

func (c *memConn) Read(l Lane, buf []byte) (int, error) {
	if l == Bulk {
		n, err := c.read(buf)
		return n, c.failBulk(err)
	}
	if l >= numLanes {
		return 0, fmt.Errorf("transport: no %v", l)
	}
	n, err := c.link.read(c.side, int(l), buf)
	return n, c.fail(err)
}

// fail ends the bulk connection with the link, if err says that it is over, and
// returns the error to give.
func (c *memConn) fail(err error) error {
	if err == nil {
		return nil
	}
	err = c.because(err)
	c.unplug()
	return err
}

// failBulk ends the link if err says that its bulk connection is of no use, and
// returns the error to give.
func (c *memConn) failBulk(err error) error {
	if err == nil || err == ErrNoBulk {
		return err
	}
	if !errors.Is(err, ErrClosed) {
		err = fmt.Errorf("%w: %v (bulk connection)", ErrClosed, err)
	}
	err = c.because(err)
	c.Close()
	return err
}

func (c *memConn) Close() error {
	c.because(errClosedHere)
	c.link.closeSide(c.side)
	c.unplug()
	return nil
}

// memShake is one side of a memLink, for the handshake, and for what follows on a
// bulk connection.
type memShake struct {
	link *memLink
	side int
}

func (s memShake) Write(b []byte) (int, error) {
	if err := s.link.write(s.side, laneHandshake, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (s memShake) Close() error {
	s.link.closeSide(s.side)
	return nil
}

func (s memShake) Read(b []byte) (int, error) {
	n, err := s.link.read(s.side, laneHandshake, b)
	if err != nil {
		err = io.EOF
	}
	return n, err
}
