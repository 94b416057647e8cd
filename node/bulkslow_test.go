package node_test

import (
	"context"
	"testing"
	"time"

	"conclave/actor"
	"conclave/node"
	"conclave/transport"
)

// slowNet is a host's way to a network that brings so many bytes a second in each of
// the lanes Messages and Bulk.
type slowNet struct {
	transport.Transport
	rate int
}

func (s slowNet) Listen(ctx context.Context, address string, o transport.Options) (transport.Listener, error) {
	l, err := s.Transport.Listen(ctx, address, o)
	return slowListener{l, s.rate}, err
}

func (s slowNet) Dial(ctx context.Context, address string, o transport.Options) (transport.Conn, error) {
	c, err := s.Transport.Dial(ctx, address, o)
	if err != nil {
		return nil, err
	}
	return slowConn{c, s.rate}, nil
}

type slowListener struct {
	transport.Listener
	rate int
}

func (l slowListener) Accept() (transport.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return slowConn{c, l.rate}, nil
}

type slowConn struct {
	transport.Conn
	rate int
}

func (c slowConn) Read(l transport.Lane, b []byte) (int, error) {
	if l == transport.Control {
		return c.Conn.Read(l, b)
	}
	n, err := c.Conn.Read(l, b[:min(len(b), 4<<10)])
	<-time.After(time.Duration(n) * time.Second / time.Duration(c.rate))
	return n, err
}

// A network that takes longer than a link timeout for what is under way is not a
// link that is lost: not while bodies arrive in the bulk lane, nor while those wait
// for large ones that went into the messages lane before there was a bulk lane.
func TestSlowLinkCarriesLargeBodies(t *testing.T) {
	for _, early := range []int{0, 10} {
		inBubble(t, func(c *cluster) {
			quick := func(cfg *node.Config) { cfg.Limits.LinkTimeout = 2 * time.Second }
			a := c.node("a", quick)
			b := c.node("b", quick, func(cfg *node.Config) { cfg.Transport = slowNet{cfg.Transport, 50_000} })
			to, got := b.sink()
			c.net.RefuseBulk("b", true)
			const count = 30
			sent := make(chan error, 1)
			a.Spawn(func(p *actor.Process) (err error) {
				defer func() { sent <- err }()
				for n := range count {
					if n == early {
						time.Sleep(11 * time.Second) // then another attempt may be made
						c.net.RefuseBulk("b", false)
					}
					if err = p.Send(to, parcel{n, make([]byte, 200_000)}); err != nil {
						return err
					}
					if n == early {
						time.Sleep(time.Second)
					}
				}
				return nil
			})
			for n := range count {
				if x := as[parcel](c, next(c, got)); x.N != n {
					c.Fatalf("%d has come, want %d", x.N, n)
				}
			}
			c.ok(next(c, sent))
			if downs := a.told(node.LinkDown); len(downs) > 0 {
				c.Errorf("the link went down: %v", downs[0].Err)
			}
			if c.net.BreakBulk("a", "b") != 1 {
				c.Error("there is no bulk lane")
			}
		})
	}
}
