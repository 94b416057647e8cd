package transport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// fabric is a transport under test: two places, one of which listens.
type fabric struct {
	dialer, listener Transport
	address          string // to listen on

	// raw connects to an address and does no handshake.
	raw func(t *testing.T, address string) io.ReadWriteCloser
}

// onBoth runs a test over the in-memory network, in virtual time, and over TCP.
func onBoth(t *testing.T, test func(t *testing.T, f fabric)) {
	t.Run("Network", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := NewNetwork()
			test(t, fabric{dialer: n.Host("a"), listener: n.Host("b"), address: "b:0", raw: n.raw})
		})
	})
	t.Run("TCP", func(t *testing.T) {
		test(t, fabric{dialer: NewTCP(), listener: NewTCP(), address: "127.0.0.1:0", raw: rawTCP})
	})
}

// raw connects host a.
func (n *Network) raw(t *testing.T, address string) io.ReadWriteCloser {
	link, err := n.Host("a").(*host).connect(t.Context(), address, false)
	if err != nil {
		t.Fatal(err)
	}
	return rawMem{memShake{link, dialerSide}}
}

type rawMem struct{ memShake }

func (r rawMem) Close() error { r.link.closeSide(r.side); return nil }

func rawTCP(t *testing.T, address string) io.ReadWriteCloser {
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// refusals collects what a listener reports.
type refusals chan error

func newRefusals() refusals { return make(refusals, 2000) }

func (r refusals) report(remote string, err error) {
	if remote == "" {
		err = errors.New("no remote address")
	}
	r <- err
}

// listen starts a listener that ends with the test.
func (f fabric) listen(t *testing.T, o Options) Listener {
	t.Helper()
	l, err := f.listener.Listen(t.Context(), f.address, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// link makes one connection through l.
func (f fabric) link(t *testing.T, l Listener, o Options) (d, a Conn) {
	t.Helper()
	d, err := f.dialer.Dial(t.Context(), l.Addr(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	a, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return d, a
}

// pair makes a listener and one connection.
func (f fabric) pair(t *testing.T) (d, a Conn) {
	t.Helper()
	return f.link(t, f.listen(t, Options{}), Options{})
}

// echoOnce shows that a lane works: both ways.
func echoOnce(t *testing.T, d, a Conn, l Lane) {
	t.Helper()
	for _, way := range [][2]Conn{{d, a}, {a, d}} {
		word := fmt.Sprint("hello over ", l)
		if err := way[0].Write(l, []byte(word)); err != nil {
			t.Fatalf("%v: %v", l, err)
		}
		got := make([]byte, len(word))
		if _, err := io.ReadFull(LaneReader(way[1], l), got); err != nil || string(got) != word {
			t.Fatalf("%v: %q, %v", l, got, err)
		}
	}
}

func TestLinkTellsBothSidesOfEachOther(t *testing.T) {
	onBoth(t, func(t *testing.T, f fabric) {
		l := f.listen(t, Options{Hello: []byte("i listen"), Secret: []byte("s"), MaxFrame: 4096})
		d, a := f.link(t, l, Options{Hello: []byte("i dial"), Secret: []byte("s")})
		if string(d.Hello()) != "i listen" || string(a.Hello()) != "i dial" {
			t.Errorf("hellos are %q and %q", d.Hello(), a.Hello())
		}
		if d.MaxFrame() != 4096 || a.MaxFrame() != DefaultMaxFrame || d.Version() != 1 || a.Version() != 1 {
			t.Errorf("agreed on %d, %d bytes, versions %d, %d", d.MaxFrame(), a.MaxFrame(), d.Version(), a.Version())
		}
		if d.RemoteAddr() != l.Addr() || a.RemoteAddr() == "" || a.RemoteAddr() == l.Addr() {
			t.Errorf("remote addresses are %q and %q, the listener's %q", d.RemoteAddr(), a.RemoteAddr(), l.Addr())
		}
		echoOnce(t, d, a, Control)
		echoOnce(t, d, a, Messages)

		if err := l.SetHello([]byte("something else")); err != nil {
			t.Fatal(err)
		}
		if d, _ := f.link(t, l, Options{Secret: []byte("s")}); string(d.Hello()) != "something else" {
			t.Errorf("after SetHello: %q", d.Hello())
		}
		if err := l.SetHello(make([]byte, MaxHello+1)); !errors.Is(err, ErrTooLarge) {
			t.Errorf("a hello too large: %v", err)
		}
	})
}

func TestFramesArriveInOrderInEveryLane(t *testing.T) {
	onBoth(t, func(t *testing.T, f fabric) {
		d, a := f.pair(t)
		var done sync.WaitGroup
		for _, way := range [][2]Conn{{d, a}, {a, d}} {
			for l := range Lane(numLanes) {
				done.Go(func() { sendNumbered(t, way[0], l, 3000) })
				done.Go(func() { receiveNumbered(t, way[1], l, 3000) })
			}
		}
		done.Wait()
	})
}

// sendNumbered sends frames with rising Refs and bodies of many sizes.
func sendNumbered(t *testing.T, c Conn, l Lane, count int) {
	rnd := rand.New(rand.NewPCG(uint64(count), uint64(l)))
	e := NewEncoder(c.MaxFrame())
	var batch []byte
	for i := 1; i <= count; i++ {
		size := rnd.IntN(200)
		if i%500 == 0 {
			size = 300_000
		}
		batch, _ = e.Append(batch, &Frame{Kind: Message, Ref: uint64(i), Type: fmt.Sprint("type ", i%40), Body: bytes.Repeat([]byte{byte(i)}, size)})
		if rnd.IntN(10) == 0 || i == count {
			if err := c.Write(l, batch); err != nil {
				t.Errorf("%v: %v", l, err)
				return
			}
			clear(batch) // nothing of it may be kept
			batch = batch[:0]
		}
	}
}

func receiveNumbered(t *testing.T, c Conn, l Lane, count int) {
	dec := NewDecoder(LaneReader(c, l), 0)
	for i := 1; i <= count; i++ {
		var f Frame
		if err := dec.Next(&f); err != nil {
			t.Errorf("%v: %v", l, err)
			return
		}
		if f.Ref != uint64(i) || f.Type != fmt.Sprint("type ", i%40) || len(bytes.Trim(f.Body, string([]byte{byte(i)}))) != 0 {
			t.Errorf("%v: frame %d is number %d, %q", l, i, f.Ref, f.Type)
			return
		}
	}
}

func TestStoppedReaderMakesOnlyItsLaneWait(t *testing.T) {
	onBoth(t, func(t *testing.T, f fabric) {
		d, a := f.pair(t)
		const total = 16 << 20
		var written atomic.Int64
		piece := make([]byte, 64<<10)
		var done sync.WaitGroup
		done.Go(func() {
			for i := range total / len(piece) {
				binary.BigEndian.PutUint64(piece, uint64(i))
				if err := d.Write(Messages, piece); err != nil {
					t.Error(err)
					return
				}
				written.Add(int64(len(piece)))
			}
		})
		// Plenty of time for the writer, if nothing held it.
		for range 2000 {
			echoOnce(t, d, a, Control)
		}
		if n := written.Load(); n > 2<<20 {
			t.Errorf("%d bytes written to a peer that reads nothing", n)
		}
		got := make([]byte, len(piece))
		for i := range total / len(piece) {
			if _, err := io.ReadFull(LaneReader(a, Messages), got); err != nil || binary.BigEndian.Uint64(got) != uint64(i) {
				t.Fatalf("piece %d is %d, %v", i, binary.BigEndian.Uint64(got), err)
			}
		}
		done.Wait()
		if written.Load() != total {
			t.Errorf("%d bytes written in the end", written.Load())
		}
	})
}

func TestCloseEndsEverythingOnBothSides(t *testing.T) {
	onBoth(t, func(t *testing.T, f fabric) {
		l := f.listen(t, Options{})
		for _, who := range []string{"dialer", "listener"} {
			d, a := f.link(t, l, Options{})
			errs := make(chan error)
			for _, c := range []Conn{d, a} {
				go func() { _, err := c.Read(Control, make([]byte, 1)); errs <- err }()
				go func() { // until flow control makes it wait
					for {
						if err := c.Write(Messages, make([]byte, 64<<10)); err != nil {
							errs <- err
							return
						}
					}
				}()
			}
			echo := make([]byte, 64<<10)
			for _, c := range []Conn{d, a} { // they have begun
				if _, err := io.ReadFull(LaneReader(c, Messages), echo); err != nil {
					t.Fatal(err)
				}
			}
			closer := d
			if who == "listener" {
				closer = a
			}
			if err := closer.Close(); err != nil {
				t.Error(err)
			}
			for range 4 {
				if err := <-errs; !errors.Is(err, ErrClosed) {
					t.Errorf("closed by the %s: %v, want ErrClosed", who, err)
				}
			}
			closer.Close()
			d.Close()
			a.Close()
			if _, err := closer.Read(Messages, echo); !errors.Is(err, ErrClosed) {
				t.Errorf("reading after Close: %v", err)
			}
			if err := closer.Write(Messages, echo); !errors.Is(err, ErrClosed) {
				t.Errorf("writing after Close: %v", err)
			}
		}
	})
}

func TestWhatArrivedBeforeThePeerClosedCanBeRead(t *testing.T) {
	onBoth(t, func(t *testing.T, f fabric) {
		d, a := f.pair(t)
		echoOnce(t, d, a, Control) // nothing is under way to d: TCP would answer that with a reset
		echoOnce(t, d, a, Messages)
		words := bytes.Repeat([]byte("last words "), 10_000)
		if err := d.Write(Messages, words); err != nil {
			t.Fatal(err)
		}
		d.Close()
		got, err := io.ReadAll(LaneReader(a, Messages))
		if !errors.Is(err, ErrClosed) || !bytes.Equal(got, words) {
			t.Errorf("%d of %d bytes, then %v", len(got), len(words), err)
		}
	})
}

func TestFramesUpToTheLimitPass(t *testing.T) {
	onBoth(t, func(t *testing.T, f fabric) {
		const limit = 5 << 20
		l := f.listen(t, Options{MaxFrame: limit})
		d, a := f.link(t, l, Options{})
		e := NewEncoder(d.MaxFrame())
		frame := Frame{Kind: Message, From: 1, To: 1, Body: make([]byte, limit-4)}
		batch, err := e.Append(nil, &frame)
		if err != nil {
			t.Fatal(err)
		}
		go d.Write(Messages, batch)
		var got Frame
		dec := NewDecoder(LaneReader(a, Messages), limit)
		if err := dec.Next(&got); err != nil || len(got.Body) != len(frame.Body) {
			t.Fatalf("%d bytes, %v", len(got.Body), err)
		}
		frame.Body = append(frame.Body, 0)
		if _, err := e.Append(nil, &frame); !errors.Is(err, ErrTooLarge) {
			t.Errorf("one more: %v, want ErrTooLarge", err)
		}
		// A peer that does not mind its limit.
		batch, err = NewEncoder(2*limit).Append(nil, &frame)
		if err != nil {
			t.Fatal(err)
		}
		go d.Write(Messages, batch)
		if err := dec.Next(&got); !errors.Is(err, ErrTooLarge) {
			t.Errorf("one more, sent all the same: %v, want ErrTooLarge", err)
		}
	})
}
