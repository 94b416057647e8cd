package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// widen opens the bulk lane of a link.
func widen(t *testing.T, d, a Conn) {
	t.Helper()
	if err := d.OpenBulk(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !d.BulkOpen() || !a.BulkOpen() {
		t.Fatal("the bulk lane is not open")
	}
}

func TestBulkLaneOpensOnceItIsWanted(t *testing.T) {
	onBoth(t, func(t *testing.T, f fabric) {
		for _, secret := range []string{"", "a secret"} {
			o := Options{Secret: []byte(secret)}
			d, a := f.link(t, f.listen(t, o), o)
			for _, c := range []Conn{d, a} {
				if c.BulkOpen() {
					t.Error("it is open unasked")
				}
				if err := c.Write(Bulk, []byte("x")); !errors.Is(err, ErrNoBulk) {
					t.Errorf("written: %v", err)
				}
				if _, err := c.Read(Bulk, make([]byte, 1)); !errors.Is(err, ErrNoBulk) {
					t.Errorf("read: %v", err)
				}
			}
			if err := a.OpenBulk(t.Context()); !errors.Is(err, ErrNoBulk) {
				t.Errorf("opened by the side that listened: %v", err)
			}
			widen(t, d, a)
			for _, c := range []Conn{d, a} {
				if err := c.OpenBulk(t.Context()); err != nil {
					t.Errorf("opened again: %v", err)
				}
			}
			for _, l := range []Lane{Bulk, Control, Messages} {
				echoOnce(t, d, a, l)
			}
			var done sync.WaitGroup
			for _, way := range [][2]Conn{{d, a}, {a, d}} {
				done.Go(func() { sendNumbered(t, way[0], Bulk, 3000) })
				done.Go(func() { receiveNumbered(t, way[1], Bulk, 3000) })
			}
			done.Wait()
		}
	})
}

func TestFullBulkLaneHoldsUpNoOther(t *testing.T) {
	onBoth(t, func(t *testing.T, f fabric) {
		d, a := f.pair(t)
		widen(t, d, a)
		over := make(chan error, 1)
		go func() {
			for {
				if err := d.Write(Bulk, make([]byte, 1<<20)); err != nil {
					over <- err
					return
				}
			}
		}()
		for range 100 {
			echoOnce(t, d, a, Messages)
			echoOnce(t, d, a, Control)
		}
		d.Close()
		if err := <-over; !errors.Is(err, ErrClosed) {
			t.Errorf("the writer got %v", err)
		}
	})
}

// One link, one fate: whichever connection ends, and whoever ends it.
func TestBulkConnectionAndLinkEndTogether(t *testing.T) {
	onBoth(t, func(t *testing.T, f fabric) {
		for name, end := range map[string]func(d, a Conn){
			"closed by the dialer":                   func(d, _ Conn) { d.Close() },
			"closed by the listener":                 func(_, a Conn) { a.Close() },
			"bulk connection broken at the dialer":   func(d, _ Conn) { portOf(d).stream.Close() },
			"bulk connection broken at the listener": func(_, a Conn) { portOf(a).stream.Close() },
		} {
			l := f.listen(t, Options{})
			d, a := f.link(t, l, Options{})
			widen(t, d, a)
			echoOnce(t, d, a, Bulk)
			var over sync.WaitGroup
			var causes [2][3]error
			for side, c := range []Conn{d, a} {
				for i, lane := range []Lane{Control, Messages, Bulk} {
					over.Go(func() {
						_, err := c.Read(lane, make([]byte, 1))
						if causes[side][i] = err; !errors.Is(err, ErrClosed) {
							t.Errorf("%s: %v: %v", name, lane, err)
						}
					})
				}
			}
			end(d, a)
			over.Wait()
			for _, c := range causes { // the first to notice is believed
				if c[0] != c[1] || c[0] != c[2] {
					t.Errorf("%s: the lanes give different causes: %v", name, c)
				}
			}
			for _, c := range []Conn{d, a} {
				if err := c.Write(Bulk, []byte("x")); !errors.Is(err, ErrClosed) {
					t.Errorf("%s: written: %v", name, err)
				}
				if c.BulkOpen() {
					t.Errorf("%s: the bulk lane is open", name)
				}
			}
			if err := d.OpenBulk(t.Context()); err == nil {
				t.Errorf("%s: the bulk lane of a link that is over was opened", name)
			}
		}
	})
}

func portOf(c Conn) *bulkPort {
	if m, ok := c.(*memConn); ok {
		return &m.bulkPort
	}
	return &c.(*tcpConn).bulkPort
}

func TestBulkConnectionMustBelongToALinkOfTheListener(t *testing.T) {
	onBoth(t, func(t *testing.T, f fabric) {
		for _, secret := range []string{"", "right"} {
			refused := newRefusals()
			o := Options{Secret: []byte(secret), Refused: refused.report}
			l := f.listen(t, o)
			d, a := f.link(t, l, o)
			other, _ := f.link(t, f.listen(t, o), o) // of another listener
			gone, ended := f.link(t, l, o)
			key := func(c Conn) linkKey {
				if m, ok := c.(*memConn); ok {
					return m.key
				}
				return c.(*tcpConn).key
			}
			lost := key(gone)
			ended.Close()

			// claim opens a bulk connection by hand.
			claim := func(key []byte, secret string, version int) error {
				own := Options{Secret: []byte(secret)}.bulkOffer(agreement{version: version})
				own.hello, own.maxFrame = key, DefaultMaxFrame
				raw := f.raw(t, l.Addr())
				defer raw.Close()
				_, err := dialHandshake(raw, own)
				return err
			}
			own := key(d)
			for name, c := range map[string]struct {
				key    linkKey
				secret string
				want   error
			}{
				"made up":      {linkKey{1, 2, 3}, secret, ErrNoLink},
				"elsewhere":    {key(other), secret, ErrNoLink},
				"over":         {lost, secret, ErrNoLink},
				"wrong secret": {own, "wrong", ErrWrongSecret},
			} {
				if err := claim(c.key[:], c.secret, 1); !errors.Is(err, c.want) {
					t.Errorf("%s, secret %q: %v", name, secret, err)
				}
				if err := <-refused; !errors.Is(err, c.want) {
					t.Errorf("%s, secret %q: reported %v", name, secret, err)
				}
			}
			if secret != "" {
				if err := claim(own[:], "", 1); !errors.Is(err, ErrWrongSecret) {
					t.Errorf("without the secret: %v", err)
				}
				<-refused
			}
			if err := claim(own[:8], secret, 1); !errors.Is(err, ErrNoLink) {
				t.Errorf("half a key: %v", err)
			}
			<-refused
			if a.BulkOpen() {
				t.Fatal("one of them got in")
			}
			widen(t, d, a)
			echoOnce(t, d, a, Bulk)
			if err := claim(own[:], secret, 1); !errors.Is(err, ErrNoLink) {
				t.Errorf("a second bulk connection: %v", err)
			}
			<-refused
			echoOnce(t, d, a, Bulk)
			echoOnce(t, d, a, Messages)
		}
	})
}

// A dialer that has not heard the last word of the handshake tries again.
func TestBulkConnectionThatWasNeverUsedGivesWay(t *testing.T) {
	onBoth(t, func(t *testing.T, f fabric) {
		d, a := f.pair(t)
		stream, err := portOf(d).dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		stream.Close()
		widen(t, d, a)
		echoOnce(t, d, a, Bulk)
	})
}

func TestOpeningTheBulkLaneEndsWithItsContextAndLeavesTheLink(t *testing.T) {
	onBoth(t, func(t *testing.T, f fabric) {
		l := f.listen(t, Options{})
		d, a := f.link(t, l, Options{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := d.OpenBulk(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		l.Close()
		if err := d.OpenBulk(t.Context()); err == nil {
			t.Error("opened where nobody listens")
		}
		echoOnce(t, d, a, Messages)
	})
}

func TestRecordedBulkHandshakeProvesNothing(t *testing.T) {
	var key linkKey
	own := testOffer("", "secret")
	listener := own
	claims := 0
	listener.claim = func(got linkKey, version int) error {
		if claims++; got != key || version != 1 {
			t.Errorf("claimed %x, version %d", got, version)
		}
		return nil
	}
	dialer := own
	dialer.purpose, dialer.hello = purposeBulk, key[:]
	x, y := net.Pipe()
	record := &recorder{ReadWriter: x}
	done := make(chan outcome)
	go func() {
		a, err := listenHandshake(y, listener)
		done <- outcome{a, err}
	}()
	if _, err := dialHandshake(record, dialer); err != nil {
		t.Fatal(err)
	}
	if l := <-done; l.err != nil || !l.a.bulk || claims != 1 {
		t.Fatalf("%+v, claimed %d times", l, claims)
	}
	err := against(listenHandshake, listener, func(c net.Conn) {
		go io.Copy(io.Discard, c)
		_, _ = c.Write(record.written.Bytes())
	})
	if !errors.Is(err, ErrWrongSecret) || claims != 1 {
		t.Errorf("%v, claimed %d times", err, claims)
	}
}

func TestConnectionOfAnUnknownPurposeIsRefused(t *testing.T) {
	dialer := testOffer("d", "s")
	dialer.purpose = 2
	d, l := shakeHands(dialer, testOffer("l", "s"))
	if d.err == nil || l.err == nil {
		t.Errorf("%v, %v", d.err, l.err)
	}
}

func TestBulkDecoderTakesTheSameFrames(t *testing.T) {
	e := NewEncoder(0)
	var batch []byte
	sizes := []int{0, 1, 3000, 4096, 12_000, slabSize, slabSize + 1, 32 << 10, 64 << 10, 1 << 20, 5 << 20, 10}
	for i, size := range sizes {
		batch, _ = e.Append(batch, &Frame{Kind: Message, Ref: uint64(i), Body: bytes.Repeat([]byte{byte(i + 1)}, size)})
	}
	if int(e.Count()) != len(sizes) {
		t.Errorf("%d frames were counted", e.Count())
	}
	for _, piece := range []int{7, 1000, 1 << 30} {
		dec := NewBulkDecoder(&pieces{batch, piece}, 0)
		for i, size := range sizes {
			var f Frame
			if err := dec.Next(&f); err != nil || f.Ref != uint64(i) || !bytes.Equal(f.Body, bytes.Repeat([]byte{byte(i + 1)}, size)) {
				t.Fatalf("frame %d of %d bytes: %v, ref %d, %d bytes", i, size, err, f.Ref, len(f.Body))
			}
			if int(dec.Count()) != i+1 {
				t.Errorf("%d frames were counted after %d", dec.Count(), i+1)
			}
		}
	}
}

// pieces is a reader that gives at most so many bytes at a time.
type pieces struct {
	b    []byte
	most int
}

func (r *pieces) Read(p []byte) (int, error) {
	if len(r.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.b[:min(len(r.b), r.most)])
	r.b = r.b[n:]
	return n, nil
}

func TestBulkConnectionsBreakAlone(t *testing.T) {
	n := NewNetwork()
	f := fabric{dialer: n.Host("a"), listener: n.Host("b"), address: "b:0"}
	l := f.listen(t, Options{})
	slim, other := f.link(t, l, Options{})
	d, a := f.link(t, l, Options{})
	widen(t, d, a)
	if broken := n.BreakBulk("b", "a"); broken != 1 {
		t.Errorf("%d bulk connections", broken)
	}
	for _, c := range []Conn{d, a} {
		if _, err := c.Read(Bulk, make([]byte, 1)); !errors.Is(err, ErrClosed) {
			t.Errorf("%v", err)
		}
		if err := c.Write(Messages, []byte("x")); !errors.Is(err, ErrClosed) {
			t.Errorf("the rest of the link goes on: %v", err)
		}
	}
	echoOnce(t, slim, other, Messages)
}
