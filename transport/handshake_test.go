package transport

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func testOffer(hello, secret string) offer {
	return offer{lowest: MinVersion, highest: MaxVersion, hello: []byte(hello), secret: []byte(secret), maxFrame: 1 << 20}
}

// outcome is what one side of a handshake came to.
type outcome struct {
	a   agreement
	err error
}

// shakeHands lets two sides shake hands, and returns what each came to.
func shakeHands(dialer, listener offer) (d, l outcome) {
	x, y := net.Pipe()
	done := make(chan outcome)
	go func() {
		a, err := listenHandshake(y, listener)
		if err != nil {
			y.Close()
		}
		done <- outcome{a, err}
	}()
	d.a, d.err = dialHandshake(x, dialer)
	if d.err != nil {
		x.Close()
	}
	return d, <-done
}

// against runs one side of a handshake against a script: the peer, by hand. It
// returns what the side came to.
func against(side func(io.ReadWriter, offer) (agreement, error), own offer, script func(c net.Conn)) error {
	x, y := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		script(y)
		y.Close()
	}()
	_, err := side(x, own)
	x.Close()
	<-done
	return err
}

func TestHandshakeTellsEachSideOfTheOther(t *testing.T) {
	for _, secret := range []string{"", "a secret"} {
		for _, hello := range []string{"", "the dialer", strings.Repeat("h", MaxHello)} {
			dialer, listener := testOffer(hello, secret), testOffer("the listener", secret)
			dialer.maxFrame = 4096
			d, l := shakeHands(dialer, listener)
			if d.err != nil || l.err != nil {
				t.Fatalf("secret %q: dialer %v, listener %v", secret, d.err, l.err)
			}
			if string(d.a.hello) != "the listener" || string(l.a.hello) != hello {
				t.Errorf("hellos are %q and %.20q", d.a.hello, l.a.hello)
			}
			if d.a.maxFrame != 1<<20 || l.a.maxFrame != 4096 || d.a.version != 1 || l.a.version != 1 {
				t.Errorf("agreements are %v and %v", d.a, l.a)
			}
		}
	}
}

func TestWrongSecretIsRefusedOnBothSides(t *testing.T) {
	for _, c := range [][2]string{{"one", "another"}, {"one", ""}, {"", "one"}} {
		d, l := shakeHands(testOffer("d", c[0]), testOffer("l", c[1]))
		for side, err := range map[string]error{"dialer": d.err, "listener": l.err} {
			if !errors.Is(err, ErrWrongSecret) || !errors.Is(err, ErrHandshake) {
				t.Errorf("secrets %q: the %s says %v, want ErrWrongSecret", c, side, err)
			}
		}
	}
}

func TestVersionsMix(t *testing.T) {
	for _, c := range []struct {
		dialer, listener [2]byte
		want             int // 0: none
	}{
		{[2]byte{1, 1}, [2]byte{1, 1}, 1},
		{[2]byte{1, 3}, [2]byte{1, 1}, 1},
		{[2]byte{1, 1}, [2]byte{1, 3}, 1},
		{[2]byte{1, 3}, [2]byte{2, 5}, 3},
		{[2]byte{2, 5}, [2]byte{1, 3}, 3},
		{[2]byte{1, 1}, [2]byte{2, 3}, 0},
		{[2]byte{2, 3}, [2]byte{1, 1}, 0},
		{[2]byte{3, 2}, [2]byte{1, 4}, 0},
	} {
		dialer, listener := testOffer("d", "s"), testOffer("l", "s")
		dialer.lowest, dialer.highest = c.dialer[0], c.dialer[1]
		listener.lowest, listener.highest = c.listener[0], c.listener[1]
		d, l := shakeHands(dialer, listener)
		if c.want == 0 {
			if !errors.Is(d.err, ErrVersion) || !errors.Is(l.err, ErrVersion) {
				t.Errorf("%v: %v and %v, want ErrVersion", c, d.err, l.err)
			}
		} else if d.err != nil || l.err != nil || d.a.version != c.want || l.a.version != c.want {
			t.Errorf("%v: agreed on %d (%v) and %d (%v)", c, d.a.version, d.err, l.a.version, l.err)
		}
	}
}

func TestListenerMayNotChooseAVersionWeDoNotSpeak(t *testing.T) {
	own := testOffer("d", "")
	own.lowest, own.highest = 2, 3
	for _, version := range []byte{0, 1, 4} {
		err := against(dialHandshake, own, func(c net.Conn) {
			io.ReadFull(c, make([]byte, openSize))
			c.Write(openMessage(statusOK, version, proofNone))
			status := make([]byte, 1)
			if io.ReadFull(c, status); status[0] != statusVersion {
				t.Errorf("told status %d, want %d", status[0], statusVersion)
			}
		})
		if !errors.Is(err, ErrVersion) {
			t.Errorf("version %d: %v, want ErrVersion", version, err)
		}
	}
}

// openMessage is message 1 or 2 with a nonce of zeros.
func openMessage(x, y, proof byte) []byte {
	return append([]byte(magic), append([]byte{x, y, proof, 0}, make([]byte, nonceSize)...)...)
}

// recorder remembers what was read and written.
type recorder struct {
	io.ReadWriter
	read, written bytes.Buffer
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.ReadWriter.Read(p)
	r.read.Write(p[:n])
	return n, err
}

func (r *recorder) Write(p []byte) (int, error) {
	r.written.Write(p)
	return r.ReadWriter.Write(p)
}

// record has a handshake and returns what the dialer and the listener said.
func record(t *testing.T, dialer, listener offer) (said, heard []byte) {
	t.Helper()
	x, y := net.Pipe()
	go listenHandshake(y, listener)
	r := &recorder{ReadWriter: x}
	if _, err := dialHandshake(r, dialer); err != nil {
		t.Fatal(err)
	}
	return r.written.Bytes(), r.read.Bytes()
}

// script is a peer that says what it has to say, whatever it hears.
type script struct{ io.Reader }

func (script) Write(p []byte) (int, error) { return len(p), nil }

func TestFault38ReplayedHandshakeIsRefused(t *testing.T) {
	own := testOffer("me", "secret")
	said, heard := record(t, own, own)
	if _, err := listenHandshake(script{bytes.NewReader(said)}, own); !errors.Is(err, ErrWrongSecret) {
		t.Errorf("a replayed dialer: %v, want ErrWrongSecret", err)
	}
	if _, err := dialHandshake(script{bytes.NewReader(heard)}, own); !errors.Is(err, ErrWrongSecret) {
		t.Errorf("a replayed listener: %v, want ErrWrongSecret", err)
	}
}

func TestReflectedHandshakeIsRefused(t *testing.T) {
	own := testOffer("me", "secret")
	err := against(dialHandshake, own, func(c net.Conn) {
		first := make([]byte, openSize)
		io.ReadFull(c, first)
		first[8], first[9] = statusOK, MaxVersion // all else as the dialer said it
		c.Write(first)
		third := make([]byte, 7+len(own.hello)+proofSize)
		io.ReadFull(c, third)
		c.Write(third)
	})
	if !errors.Is(err, ErrWrongSecret) {
		t.Errorf("its own words back: %v, want ErrWrongSecret", err)
	}
}

func TestEveryByteOfTheHandshakeIsProved(t *testing.T) {
	own := testOffer("me", "secret")
	said, heard := record(t, own, own)
	flip := func(at int) func([]byte, int) {
		return func(b []byte, offset int) {
			if at >= offset && at < offset+len(b) {
				b[at-offset] ^= 0x20
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		for at := range said {
			if _, l := shakeHandsThrough(own, own, flip(at), nil); l.err == nil {
				t.Errorf("dialer's byte %d changed: the listener is content", at)
			}
		}
		for at := range heard {
			if d, _ := shakeHandsThrough(own, own, nil, flip(at)); d.err == nil {
				t.Errorf("listener's byte %d changed: the dialer is content", at)
			}
		}
	})
}

// meddler changes what is written.
type meddler struct {
	net.Conn
	change func(b []byte, offset int)
	offset int
}

func (m *meddler) Write(p []byte) (int, error) {
	if m.change != nil {
		p = bytes.Clone(p)
		m.change(p, m.offset)
	}
	m.offset += len(p)
	return m.Conn.Write(p)
}

func shakeHandsThrough(dialer, listener offer, onDialer, onListener func([]byte, int)) (d, l outcome) {
	x, y := net.Pipe()
	x.SetDeadline(time.Now().Add(time.Second)) // a changed size makes somebody wait
	y.SetDeadline(time.Now().Add(time.Second))
	done := make(chan outcome)
	go func() {
		a, err := listenHandshake(&meddler{Conn: y, change: onListener}, listener)
		y.Close()
		done <- outcome{a, err}
	}()
	d.a, d.err = dialHandshake(&meddler{Conn: x, change: onDialer}, dialer)
	x.Close()
	return d, <-done
}

func TestProofsAreAsDocumented(t *testing.T) {
	said, heard := record(t, testOffer("the dialer", "secret"), testOffer("the listener", "secret"))
	prove := func(label string, parts ...[]byte) []byte {
		mac := hmac.New(sha256.New, []byte("secret"))
		mac.Write([]byte(label))
		for _, p := range parts {
			mac.Write(p)
		}
		return mac.Sum(nil)
	}
	if string(said[:8]) != "\xc0\x6e\x63\x6c\x61\x76\x65\x0a" || string(heard[:8]) != string(said[:8]) {
		t.Errorf("magic is % x", said[:8])
	}
	one, two, three, four := said[:44], heard[:44], said[44:], heard[44:]
	if want := prove("conclave dialer\x00", one, two, three[:len(three)-32]); !bytes.Equal(three[len(three)-32:], want) {
		t.Error("the dialer's proof")
	}
	if want := prove("conclave listener\x00", one, two, three, four[:len(four)-32]); !bytes.Equal(four[len(four)-32:], want) {
		t.Error("the listener's proof")
	}
	if string(four[:7]) != "\x00\x00\x10\x00\x00\x00\x0c" || string(four[7:len(four)-32]) != "the listener" {
		t.Errorf("message 4 is %q", four)
	}
}

func TestGarbageIsNotConclave(t *testing.T) {
	for _, garbage := range []string{"GET / HTTP/1.1\r\n\r\n", "SSH-2.0-x\r\n", strings.Repeat("\x00", 100), "conclave!!!!!"} {
		if _, err := listenHandshake(script{strings.NewReader(garbage)}, testOffer("", "")); !errors.Is(err, ErrNotConclave) {
			t.Errorf("dialled with %q: %v, want ErrNotConclave", garbage, err)
		}
		if _, err := dialHandshake(script{strings.NewReader(garbage)}, testOffer("", "")); !errors.Is(err, ErrNotConclave) {
			t.Errorf("answered with %q: %v, want ErrNotConclave", garbage, err)
		}
	}
}

func TestGarbageIsRefusedWithoutAnAnswer(t *testing.T) {
	r := &recorder{ReadWriter: script{strings.NewReader("GET / HTTP/1.1\r\n\r\n")}}
	listenHandshake(r, testOffer("", ""))
	if r.written.Len() != 0 {
		t.Errorf("answered with %q", r.written.Bytes())
	}
}

func TestTruncatedHandshake(t *testing.T) {
	own := testOffer("me", "secret")
	said, heard := record(t, own, own)
	for cut := range said {
		if _, err := listenHandshake(script{bytes.NewReader(said[:cut])}, own); !errors.Is(err, ErrHandshake) || (!errors.Is(err, io.ErrUnexpectedEOF)) {
			t.Errorf("dialer cut at %d: %v", cut, err)
		}
	}
	for cut := range heard {
		if _, err := dialHandshake(script{bytes.NewReader(heard[:cut])}, own); !errors.Is(err, ErrHandshake) || (!errors.Is(err, io.ErrUnexpectedEOF)) {
			t.Errorf("listener cut at %d: %v", cut, err)
		}
	}
}

func TestHandshakeBoundsItsSizes(t *testing.T) {
	third := func(maxFrame uint32, hello uint16) []byte {
		m := openMessage(1, 1, proofNone)
		m = binary.BigEndian.AppendUint32(append(m, statusOK), maxFrame)
		return append(binary.BigEndian.AppendUint16(m, hello), make([]byte, 70_000)...)
	}
	for name, m := range map[string][]byte{
		"hello":          third(1<<20, MaxHello+1),
		"small maxFrame": third(SmallestMaxFrame-1, 0),
		"large maxFrame": third(LargestMaxFrame+1, 0),
	} {
		if _, err := listenHandshake(script{bytes.NewReader(m)}, testOffer("", "")); !errors.Is(err, ErrHandshake) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := listenHandshake(script{bytes.NewReader(third(LargestMaxFrame, MaxHello))}, testOffer("", "")); err != nil {
		t.Errorf("at the bounds: %v", err)
	}
}

func TestRefusalsSayWhy(t *testing.T) {
	for status, want := range map[byte]error{statusVersion: ErrVersion, statusSecret: ErrWrongSecret, statusBusy: ErrBusy, statusOther: ErrHandshake, 77: ErrHandshake} {
		m := openMessage(status, 1, proofNone)
		if _, err := dialHandshake(script{bytes.NewReader(m)}, testOffer("", "")); !errors.Is(err, want) || !errors.Is(err, ErrHandshake) {
			t.Errorf("status %d: %v, want %v", status, err, want)
		}
		m = append(openMessage(statusOK, 1, proofNone), status)
		if _, err := dialHandshake(script{bytes.NewReader(m)}, testOffer("", "")); !errors.Is(err, want) || !errors.Is(err, ErrHandshake) {
			t.Errorf("later status %d: %v, want %v", status, err, want)
		}
	}
}

func TestHandshakeReadsNothingBeyondItself(t *testing.T) {
	own := testOffer("me", "")
	said, heard := record(t, own, own)
	for name, c := range map[string]struct {
		side  func(io.ReadWriter, offer) (agreement, error)
		words []byte
	}{"listener": {listenHandshake, said}, "dialer": {dialHandshake, heard}} {
		r := strings.NewReader(string(c.words) + "frames")
		if _, err := c.side(script{r}, own); err != nil {
			t.Fatal(err)
		}
		if rest, _ := io.ReadAll(r); string(rest) != "frames" {
			t.Errorf("the %s left %q", name, rest)
		}
	}
}
