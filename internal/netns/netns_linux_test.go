package netns

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// pair is two hosts on a net of their own.
func pair(t *testing.T) (n *Net, a, b *Host) {
	t.Helper()
	n = Test(t)
	var err error
	if a, err = n.Host("a"); err == nil {
		b, err = n.Host("b")
	}
	if err != nil {
		t.Fatal(err)
	}
	return n, a, b
}

// link is a connection from a to b: the two ends.
func link(t *testing.T, a, b *Host) (dialled, accepted net.Conn) {
	t.Helper()
	var l net.Listener
	if err := b.at.do(func() (err error) {
		l, err = net.Listen("tcp4", b.IP+":0")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	dialled, err := a.Dial(ctx, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if accepted, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialled.Close(); accepted.Close() })
	return dialled, accepted
}

const (
	soon  = 10 * time.Second // TCP's back-off included
	brief = 300 * time.Millisecond
)

func passes(t *testing.T, from, to net.Conn, word string) {
	t.Helper()
	io.WriteString(from, word)
	got(t, to, word)
}

func got(t *testing.T, c net.Conn, word string) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(soon))
	b := make([]byte, len(word))
	if _, err := io.ReadFull(c, b); err != nil || string(b) != word {
		t.Fatalf("%q came, and not %q: %v", b, word, err)
	}
}

func lost(t *testing.T, from, to net.Conn, word string) {
	t.Helper()
	if _, err := io.WriteString(from, word); err != nil {
		t.Fatalf("a cut is told to the sender: %v", err)
	}
	to.SetReadDeadline(time.Now().Add(brief))
	if n, err := to.Read(make([]byte, 64)); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%d bytes came through a cut: %v", n, err)
	}
}

func TestCutLosesWhatIsSentUntilItIsHealed(t *testing.T) {
	n, a, b := pair(t)
	x, y := link(t, a, b)
	passes(t, x, y, "hello")
	passes(t, y, x, "hello yourself")
	if err := n.Cut(a, b); err != nil {
		t.Fatal(err)
	}
	lost(t, x, y, "one")
	lost(t, y, x, "two")
	if err := n.Heal(a, b); err != nil {
		t.Fatal(err)
	}
	got(t, y, "one")
	got(t, x, "two")
}

func TestOneWayCutLosesOneDirectionOnly(t *testing.T) {
	n, a, b := pair(t)
	x, y := link(t, a, b)
	if err := n.CutOneWay(a, b); err != nil {
		t.Fatal(err)
	}
	lost(t, x, y, "one")
	passes(t, y, x, "two")
	if err := n.HealAll(); err != nil {
		t.Fatal(err)
	}
	got(t, y, "one")
}

func TestConnectingThroughACutTimesOut(t *testing.T) {
	n, a, b := pair(t)
	if err := n.Cut(a, b); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), brief)
	defer cancel()
	c, err := a.Dial(ctx, b.IP+":1")
	if err == nil {
		c.Close()
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("not silence, but: %v", err)
	}
}

// The thread that went to a namespace comes home: the test's own sockets stay
// where they were, and hosts do not see them.
func TestHostsAreApartFromTheRest(t *testing.T) {
	_, a, b := pair(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 20 {
		link(t, a, b)
		c, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			t.Fatalf("from outside: %v", err)
		}
		c.Close()
		if c, err := a.Dial(t.Context(), l.Addr().String()); err == nil {
			c.Close()
			t.Fatal("a host reaches a listener outside")
		}
	}
}

func TestClosedNetTakesNoHost(t *testing.T) {
	n, _, _ := pair(t)
	n.Close()
	n.Close()
	if _, err := n.Host("late"); err == nil || errors.Is(err, ErrUnavailable) {
		t.Fatal(err)
	}
}
