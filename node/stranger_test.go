package node_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"conclave/actor"
	"conclave/node"
	"conclave/transport"
)

func secret(s string) func(*node.Config) {
	return func(cfg *node.Config) { cfg.Secret = []byte(s) }
}

func TestNodesThatShareASecretLink(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a", secret("sesame")), c.node("b", secret("sesame"))
		said, err := actor.Call[string](a.With(c.brief()), b.Spawn(echo), "hello")
		if said != "hello" {
			c.Error(said, err)
		}
	})
}

func TestFault38WrongSecretIsRefusedAndNothingElseDisturbed(t *testing.T) {
	apart(t, func(c *cluster) {
		good, right := c.node("good", secret("sesame")), c.node("right", secret("sesame"))
		to, mail := right.sink()
		callee := right.Spawn(echo)
		still := func() {
			c.Helper()
			if said, err := actor.Call[string](good.With(c.brief()), callee, "hello"); said != "hello" {
				c.Errorf("%q, %v", said, err)
			}
		}
		still()
		for i, change := range []func(*node.Config){secret("open"), secret(""), secret("sesame ")} {
			bad := c.node(fmt.Sprint("bad", i), change)
			before := len(right.told(node.LinkRefused))
			// It is one of the cluster as far as ZooKeeper is concerned, but has no links.
			_, err := actor.Call[string](bad.With(c.brief()), to, "hello")
			if !errors.Is(err, actor.LinkLost) || !errors.Is(err, transport.ErrWrongSecret) || !strings.Contains(err.Error(), to.String()) {
				c.Errorf("%s was told %v", bad.name, err)
			}
			if f := bad.awaitTold(node.LinkFailed, 0); f.Peer != right.ID() || !errors.Is(f.Err, transport.ErrWrongSecret) {
				c.Errorf("%s: %v", bad.name, f.Event)
			}
			if f := right.awaitTold(node.LinkRefused, before); !errors.Is(f.Err, transport.ErrWrongSecret) || f.Remote == "" {
				c.Errorf("right: %v", f.Event)
			}
			bad.do(func(p *actor.Process) error {
				p.Monitor(to)
				d, _, err := actor.Expect[actor.Down](p)
				if !errors.Is(d.Reason, actor.LinkLost) {
					return fmt.Errorf("%v, %w", d, err)
				}
				return nil
			})
			bad.stop()
			if n := len(right.told(node.LinkRefused)) - before; n > 2 {
				c.Errorf("%d refusals for two attempts", n)
			}
			still()
		}
		none(c, mail)
		if n := len(right.told(node.LinkUp)); n != 1 {
			c.Errorf("%d links of right, want the good one", n)
		}
		if n := len(right.told(node.LinkDown)) + len(good.told(node.LinkDown)); n != 0 {
			c.Errorf("%d good links went down", n)
		}
	})
}

func TestFault38StrangersAreRefusedOnceEach(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		callee := b.Spawn(echo)
		still := func() {
			c.Helper()
			if said, err := actor.Call[string](a.With(c.brief()), callee, "hello"); said != "hello" {
				c.Errorf("%q, %v", said, err)
			}
		}
		still()
		// A stranger who knows the protocol and has a secret that b has not.
		if err := c.strange(c.brief(), b, transport.Options{Secret: []byte("?")}); !errors.Is(err, transport.ErrWrongSecret) {
			c.Errorf("the stranger was told %v", err)
		}
		b.awaitTold(node.LinkRefused, 0)
		// One who says nothing sensible of itself.
		if err := c.strange(c.brief(), b, transport.Options{Hello: []byte("hello, it's me")}); err != nil {
			c.Errorf("the handshake itself: %v", err)
		}
		if f := b.awaitTold(node.LinkRefused, 1); !strings.Contains(f.Err.Error(), "hello") {
			c.Errorf("%v", f.Event)
		}
		still()
		if n := len(b.told(node.LinkRefused)); n != 2 {
			c.Errorf("%d refusals of two strangers", n)
		}
	})
}

func TestFault38GarbageAndHalfOpenConnections(t *testing.T) {
	overTCP(t, func(c *cluster) {
		b := c.node("b", func(cfg *node.Config) { cfg.Limits.Handshakes, cfg.Limits.DialTimeout = 16, time.Second })
		a := c.node("a")
		callee := b.Spawn(echo)
		still := func() {
			c.Helper()
			if said, err := actor.Call[string](a.With(c.brief()), callee, "hello"); said != "hello" {
				c.Errorf("%q, %v", said, err)
			}
		}
		still()
		dial := func() net.Conn {
			c.Helper()
			var d net.Dialer
			conn, err := d.DialContext(c.brief(), "tcp", b.ID().Address)
			c.ok(err)
			return conn
		}
		garbage := [][]byte{
			[]byte("GET / HTTP/1.1\r\nHost: conclave\r\n\r\n"), make([]byte, 4096),
			[]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), []byte("ruok\n\n\n\n"),
		}
		for i, g := range garbage {
			conn := dial()
			_, err := conn.Write(g)
			c.ok(err)
			if f := b.awaitTold(node.LinkRefused, i); !errors.Is(f.Err, transport.ErrNotConclave) && !errors.Is(f.Err, transport.ErrTLS) || f.Remote != conn.LocalAddr().String() {
				c.Errorf("garbage %d: %v", i, f.Event)
			}
			conn.Close()
		}
		if n := len(b.told(node.LinkRefused)); n != len(garbage) {
			c.Errorf("%d refusals, of %d", n, len(garbage))
		}
		// Many who connect and say nothing: old ones make room for new ones, and
		// a node still gets in.
		var open []net.Conn
		for range 100 {
			open = append(open, dial())
		}
		late := c.node("late")
		if said, err := actor.Call[string](late.With(c.brief()), callee, "hello"); said != "hello" {
			c.Errorf("among half-open connections: %q, %v", said, err)
		}
		c.await("all refused", func() bool { return len(b.told(node.LinkRefused)) == len(garbage)+len(open) })
		for _, conn := range open {
			conn.Close()
		}
		still()
	})
}

func TestDialThatFailsIsToldWithItsCause(t *testing.T) {
	apart(t, func(c *cluster) {
		a := c.node("a")
		address := "nowhere:1024"
		if !c.virtual {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			c.ok(err)
			address = l.Addr().String()
			l.Close()
		}
		to := actor.MakePID(actor.NodeID{Name: "ghost", Address: address, Incarnation: 7}, 1)
		c.ok(a.Send(to, "hello"))
		f := a.awaitTold(node.LinkFailed, 0)
		if f.Peer != to.Node() || !strings.Contains(f.Err.Error(), address) {
			c.Errorf("%v", f.Event)
		}
		c.await("a dead letter", func() bool { return a.DeadLetters(actor.DeadLinkLost) == 1 })
		ctx, cancel := context.WithCancel(c.brief())
		defer cancel()
		if _, err := actor.Call[string](a.With(ctx), to, "hello"); !errors.Is(err, actor.LinkLost) || !strings.Contains(err.Error(), address) {
			c.Errorf("%v", err)
		}
	})
}
