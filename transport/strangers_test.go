package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

func TestFault38StrangersAreRefusedAndReportedOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, f fabric) {
		refused := newRefusals()
		l := f.listen(t, Options{Secret: []byte("right"), HandshakeTimeout: 200 * time.Millisecond, Refused: refused.report})
		d, a := f.link(t, l, Options{Secret: []byte("right")})

		for _, secret := range []string{"wrong", ""} {
			if _, err := f.dialer.Dial(t.Context(), l.Addr(), Options{Secret: []byte(secret)}); !errors.Is(err, ErrWrongSecret) {
				t.Errorf("dialled with secret %q: %v, want ErrWrongSecret", secret, err)
			}
			if err := <-refused; !errors.Is(err, ErrWrongSecret) || !errors.Is(err, ErrHandshake) {
				t.Errorf("dialled with secret %q: reported %v, want ErrWrongSecret", secret, err)
			}
		}
		for name, c := range map[string]struct {
			says string
			hang bool
			want error
		}{
			"http":      {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", false, ErrNotConclave},
			"zeros":     {string(make([]byte, 1000)), false, ErrNotConclave},
			"truncated": {string(openMessage(1, 1, proofSecret)[:30]), false, io.ErrUnexpectedEOF},
			"nothing":   {"", false, io.ErrUnexpectedEOF},
			"silent":    {"", true, ErrHandshakeTimeout},
			"slow":      {string(openMessage(1, 1, proofSecret)), true, ErrHandshakeTimeout},
			"no proof":  {string(openMessage(1, 1, proofSecret)) + "\x00\x00\x10\x00\x00\x00\x00" + string(make([]byte, proofSize)), true, ErrWrongSecret},
			"future":    {string(openMessage(7, 9, proofSecret)), true, ErrVersion},
		} {
			raw := f.raw(t, l.Addr())
			io.WriteString(raw, c.says)
			if !c.hang {
				raw.Close()
			}
			err := <-refused
			if !errors.Is(err, c.want) || !errors.Is(err, ErrHandshake) {
				// A reset may overtake what a dialer said before it hung up.
				if c.hang || !errors.Is(err, ErrHandshake) {
					t.Errorf("%s: reported %v, want %v", name, err, c.want)
				}
			}
			if c.hang {
				io.Copy(io.Discard, raw) // the listener hangs up
			}
			raw.Close()
		}
		echoOnce(t, d, a, Messages) // undisturbed
		f.link(t, l, Options{Secret: []byte("right")})
		if len(refused) != 0 {
			t.Errorf("also reported: %v", <-refused)
		}
	})
}

func TestFault38ThousandHalfOpenConnectionsDoNotStopAGoodOne(t *testing.T) {
	onBoth(t, func(t *testing.T, f fabric) {
		refused := newRefusals()
		const limit, count = 16, 1000
		l := f.listen(t, Options{MaxHandshakes: limit, HandshakeTimeout: time.Hour, Refused: refused.report})
		var open []io.Closer
		for range count {
			open = append(open, f.raw(t, l.Addr()))
		}
		d, a := f.link(t, l, Options{})
		echoOnce(t, d, a, Messages)
		for range count - limit {
			if err := <-refused; !errors.Is(err, ErrBusy) {
				t.Fatalf("reported %v, want ErrBusy", err)
			}
		}
		for _, c := range open {
			c.Close()
		}
		for range limit - 1 { // the good one took the place of one more
			if err := <-refused; !errors.Is(err, ErrHandshake) {
				t.Fatalf("reported %v, want ErrHandshake", err)
			}
		}
		<-refused
		echoOnce(t, d, a, Messages)
		if len(refused) != 0 {
			t.Errorf("also reported: %v", <-refused)
		}
	})
}

func TestLinksThatNobodyAcceptsAreBounded(t *testing.T) {
	onBoth(t, func(t *testing.T, f fabric) {
		refused := newRefusals()
		const limit = 4
		l := f.listen(t, Options{MaxHandshakes: limit, Refused: refused.report})
		for i := range limit + 1 {
			c, err := f.dialer.Dial(t.Context(), l.Addr(), Options{})
			if i == limit && errors.Is(err, ErrHandshake) {
				break // turned away before its dialer had opened its lanes
			}
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
		}
		if err := <-refused; !errors.Is(err, ErrBusy) {
			t.Errorf("reported %v, want ErrBusy", err)
		}
	})
}

func TestClosedListener(t *testing.T) {
	onBoth(t, func(t *testing.T, f fabric) {
		refused := newRefusals()
		l := f.listen(t, Options{Refused: refused.report})
		d, a := f.link(t, l, Options{})
		waiting := f.raw(t, l.Addr())
		ready, err := f.dialer.Dial(t.Context(), l.Addr(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		accepts := make(chan error)
		other := f.listen(t, Options{})
		go func() { _, err := other.Accept(); accepts <- err }()
		for range 2 {
			l.Close()
			other.Close()
		}
		if err := <-accepts; !errors.Is(err, ErrClosed) {
			t.Errorf("Accept under way: %v, want ErrClosed", err)
		}
		if _, err := l.Accept(); !errors.Is(err, ErrClosed) {
			t.Errorf("Accept: %v, want ErrClosed", err)
		}
		io.Copy(io.Discard, waiting)
		if _, err := ready.Read(Control, make([]byte, 1)); !errors.Is(err, ErrClosed) {
			t.Errorf("a link that nobody had accepted: %v, want ErrClosed", err)
		}
		if _, err := f.dialer.Dial(t.Context(), l.Addr(), Options{}); err == nil || errors.Is(err, ErrHandshake) {
			t.Errorf("dialled: %v, want a connection refused", err)
		}
		echoOnce(t, d, a, Messages) // goes on
		if len(refused) != 0 {
			t.Errorf("reported: %v", <-refused)
		}
	})
}

func TestManyLinks(t *testing.T) {
	onBoth(t, func(t *testing.T, f fabric) {
		l := f.listen(t, Options{Secret: []byte("s")})
		var done sync.WaitGroup
		for i := range 40 {
			done.Go(func() {
				d, err := f.dialer.Dial(t.Context(), l.Addr(), Options{Secret: []byte("s"), Hello: []byte{byte(i)}})
				if err != nil {
					t.Error(err)
					return
				}
				sendNumbered(t, d, Messages, 200)
				if _, err = d.Read(Control, make([]byte, 1)); err != nil { // they have arrived
					t.Error(err)
				}
				d.Close()
			})
			done.Go(func() {
				a, err := l.Accept()
				if err != nil {
					t.Error(err)
					return
				}
				receiveNumbered(t, a, Messages, 200)
				// Who closes first may fail what the other has written and not
				// yet returned from; the other end reads this one and closes.
				_ = a.Write(Control, []byte{1})
				if _, err := a.Read(Control, make([]byte, 1)); !errors.Is(err, ErrClosed) {
					t.Error(err)
				}
				a.Close()
			})
		}
		done.Wait()
	})
}

func TestHostileFramesEndOneLinkOnly(t *testing.T) {
	onBoth(t, func(t *testing.T, f fabric) {
		l := f.listen(t, Options{})
		good, goodEnd := f.link(t, l, Options{})
		bad, badEnd := f.link(t, l, Options{})
		dec := NewDecoder(LaneReader(badEnd, Messages), 0)
		bad.Write(Messages, []byte{4, 1, 0xff, 0, 0})
		var frame Frame
		if err := dec.Next(&frame); !errors.Is(err, ErrFrame) {
			t.Errorf("%v, want ErrFrame", err)
		}
		badEnd.Close()
		if _, err := bad.Read(Control, make([]byte, 1)); !errors.Is(err, ErrClosed) {
			t.Errorf("the hostile side reads on: %v", err)
		}
		echoOnce(t, good, goodEnd, Messages)
	})
}

func TestBadOptionsAreErrors(t *testing.T) {
	onBoth(t, func(t *testing.T, f fabric) {
		for name, o := range map[string]Options{
			"hello":      {Hello: make([]byte, MaxHello+1)},
			"timeout":    {HandshakeTimeout: -1},
			"small":      {MaxFrame: SmallestMaxFrame - 1},
			"large":      {MaxFrame: LargestMaxFrame + 1},
			"handshakes": {MaxHandshakes: -1},
		} {
			if _, err := f.listener.Listen(t.Context(), f.address, o); err == nil {
				t.Errorf("%s: listens", name)
			}
			if _, err := f.dialer.Dial(t.Context(), f.address, o); err == nil || errors.Is(err, ErrHandshake) {
				t.Errorf("%s: dials: %v", name, err)
			}
		}
		if _, err := f.listener.Listen(t.Context(), "no port", Options{}); err == nil {
			t.Error("listens without a port")
		}
		l := f.listen(t, Options{})
		if _, err := f.listener.Listen(t.Context(), l.Addr(), Options{}); err == nil {
			t.Error("listens twice on a port")
		}
		if _, err := f.dialer.Dial(t.Context(), "no port", Options{}); err == nil {
			t.Error("dials without a port")
		}
		d, _ := f.link(t, l, Options{})
		if err := d.Write(9, nil); err == nil {
			t.Error("writes to a lane that is not there")
		}
		if _, err := d.Read(9, nil); err == nil {
			t.Error("reads from a lane that is not there")
		}
	})
}

func TestDialEndsWithItsContext(t *testing.T) {
	onBoth(t, func(t *testing.T, f fabric) {
		// A listener that admits connections and never answers: its lobby
		// is held up by nothing but the dialer's patience.
		l := f.listen(t, Options{})
		mute := muteListener(t, f, l)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := f.dialer.Dial(ctx, mute, Options{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want the context's error", err)
		}
		if _, err := f.dialer.Dial(t.Context(), mute, Options{HandshakeTimeout: 50 * time.Millisecond}); !errors.Is(err, ErrHandshakeTimeout) {
			t.Errorf("%v, want ErrHandshakeTimeout", err)
		}
	})
}

// muteListener returns an address that takes connections and says nothing.
func muteListener(t *testing.T, f fabric, l Listener) string {
	if m, ok := l.(*memListener); ok {
		// Beyond the handshake's first words nothing passes.
		m.host.network.Delay("a", "b", 20*time.Millisecond)
		return l.Addr()
	}
	in, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	return in.Addr().String()
}
