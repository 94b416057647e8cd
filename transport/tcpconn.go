package transport

import (
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/hashicorp/yamux"
)

const (
	// laneWindow is how much the peer may send in a lane beyond what has been
	// read from it.
	laneWindow = 1 << 20

	// writeChunk is the most that one yamux frame carries. Each one costs about
	// 12 µs, and holds up the other lanes for as long as it takes to send.
	writeChunk = 128 << 10
)

// yamuxConfig is how we use yamux.
func yamuxConfig() *yamux.Config {
	return &yamux.Config{
		AcceptBacklog:       numLanes,
		MaxStreamWindowSize: laneWindow,

		// yamux must not judge whether the peer lives. Two judges with two
		// clocks would contradict each other: the heartbeats in the control
		// lane are one, and on the in-memory network they are alone, too. So no
		// keepalive. And a write timeout of yamux's fails one Write and leaves
		// the session standing, with the reader at the other end waiting for
		// ever; we would close the link anyway. A write that does not get on
		// ends when the link is closed, or when TCP itself gives up after
		// minutes. The interval is not used but must not be 0.
		EnableKeepAlive:        false,
		KeepAliveInterval:      time.Hour,
		ConnectionWriteTimeout: 24 * time.Hour,

		// Streams open once, within the handshake's time at the listener, and
		// at the dialer heartbeats tell whether they did. They never close on
		// their own.
		StreamOpenTimeout:  0,
		StreamCloseTimeout: 0,

		// What yamux would log comes out as the error of a Read or Write.
		Logger: silence{},
	}
}

// silence is a yamux.Logger.
type silence struct{}

func (silence) Print(...any)          {}
func (silence) Printf(string, ...any) {}
func (silence) Println(...any)        {}

// tcpConn is a Conn over TCP.
type tcpConn struct {
	agreement
	bulkPort
	wire    *wire
	session *yamux.Session
	lanes   [numLanes]*yamux.Stream
	closed  atomic.Bool // by us
	ending
}

// newTCPConn starts yamux on a connection whose handshake is done.
func newTCPConn(conn, tcp net.Conn, listener bool, a agreement) (*tcpConn, error) {
	c := &tcpConn{agreement: a, wire: newWire(conn, tcp, listener)}
	start, open := yamux.Client, (*yamux.Session).OpenStream
	if listener {
		start, open = yamux.Server, (*yamux.Session).AcceptStream
	}
	var err error
	if c.session, err = start(c.wire, yamuxConfig()); err != nil {
		return nil, wrapHandshake(err)
	}
	for lane := range c.lanes {
		s, err := open(c.session)
		if err == nil && s.StreamID() != uint32(2*lane+1) {
			err = fmt.Errorf("%w: stream %d for %v", errProtocol, s.StreamID(), Lane(lane))
		}
		if err != nil {
			c.session.Close()
			return nil, wrapHandshake(fmt.Errorf("opening lanes: %w (%s)", err, c.wire.why()))
		}
		c.lanes[lane] = s
	}
	return c, nil
}

func (c *tcpConn) Hello() []byte      { return c.hello }
func (c *tcpConn) Version() int       { return c.version }
func (c *tcpConn) MaxFrame() int      { return c.maxFrame }
func (c *tcpConn) RemoteAddr() string { return c.wire.tcp.RemoteAddr().String() }

func (c *tcpConn) Write(l Lane, batch []byte) error {
	if l == Bulk {
		if err := c.write(batch); err != nil {
			return c.fail(err, "bulk connection")
		}
		return nil
	}
	if l >= numLanes {
		return fmt.Errorf("transport: no %v", l)
	}
	for len(batch) > 0 {
		n := min(len(batch), writeChunk)
		if _, err := c.lanes[l].Write(batch[:n]); err != nil {
			return c.fail(err, c.wire.why())
		}
		batch = batch[n:]
	}
	return nil
}

func (c *tcpConn) Read(l Lane, buf []byte) (int, error) {
	if l >= numLanes && l != Bulk {
		return 0, fmt.Errorf("transport: no %v", l)
	}
	if len(buf) == 0 {
		return 0, nil
	}
	if l == Bulk {
		n, err := c.read(buf)
		if n > 0 {
			return n, nil
		}
		return 0, c.fail(err, "bulk connection")
	}
	if c.closed.Load() {
		return 0, c.fail(nil, "")
	}
	n, err := c.lanes[l].Read(buf)
	if n > 0 {
		return n, nil // an error, if any, comes again
	}
	return 0, c.fail(err, c.wire.why())
}

// fail ends the link, which is of no use when a lane is not, and returns the
// error to give.
func (c *tcpConn) fail(err error, where string) error {
	if err == ErrNoBulk {
		return err
	}
	if c.closed.Load() {
		return c.because(errClosedHere)
	}
	err = c.because(fmt.Errorf("%w: %v (%s)", ErrClosed, err, where))
	c.session.Close()
	c.unplug()
	return err
}

func (c *tcpConn) Close() error {
	c.because(errClosedHere)
	c.closed.Store(true)
	c.session.Close()
	c.unplug()
	return nil
}
