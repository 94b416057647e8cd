package transport

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/yamux"
)

func tcpFabric() fabric {
	return fabric{dialer: NewTCP(), listener: NewTCP(), address: "127.0.0.1:0", raw: rawTCP}
}

// dialByHand does the handshake on a TCP connection and nothing more.
func dialByHand(t *testing.T, l Listener, secret string) net.Conn {
	t.Helper()
	c := rawTCP(t, l.Addr()).(net.Conn)
	t.Cleanup(func() { c.Close() })
	if _, err := dialHandshake(c, testOffer("by hand", secret)); err != nil {
		t.Fatal(err)
	}
	return c
}

// openByHand also opens the lanes, with much window for the peer.
func openByHand(t *testing.T, l Listener) (net.Conn, Conn) {
	t.Helper()
	c := dialByHand(t, l, "")
	c.Write(yamuxFrame(yamuxWindow, yamuxSYN, 1, 1<<30))
	c.Write(yamuxFrame(yamuxWindow, yamuxSYN, 3, 1<<30))
	a, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return c, a
}

func TestHostileYamuxEndsOneLinkOnly(t *testing.T) {
	f := tcpFabric()
	l := f.listen(t, Options{})
	good, goodEnd := f.link(t, l, Options{})
	for name, bytes := range map[string][]byte{
		"garbage":        bytes.Repeat([]byte("garbage"), 100),
		"ping":           yamuxFrame(2, yamuxSYN, 0, 7),
		"go away":        yamuxFrame(3, 0, 0, 1),
		"another stream": yamuxFrame(yamuxWindow, yamuxSYN, 5, 0),
		"FIN":            yamuxFrame(yamuxWindow, 4, 3, 0),
		"window overrun": yamuxFrame(yamuxData, 0, 3, laneWindow+1),
	} {
		c, a := openByHand(t, l)
		go c.Write(bytes)
		for l := range Lane(numLanes) {
			if _, err := io.Copy(io.Discard, LaneReader(a, l)); !errors.Is(err, ErrClosed) {
				t.Errorf("%s: %v lane: %v, want ErrClosed", name, l, err)
			}
		}
		if err := a.Write(Control, []byte("?")); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v, want ErrClosed", name, err)
		}
		io.Copy(io.Discard, c) // hung up on
	}
	echoOnce(t, good, goodEnd, Messages)
}

func TestLanesMustOpenWithinTheHandshakeTimeout(t *testing.T) {
	refused := newRefusals()
	l := tcpFabric().listen(t, Options{HandshakeTimeout: 50 * time.Millisecond, Refused: refused.report})
	dialByHand(t, l, "")
	if err := <-refused; !errors.Is(err, ErrHandshakeTimeout) {
		t.Errorf("no lanes: %v, want ErrHandshakeTimeout", err)
	}
	c := dialByHand(t, l, "")
	c.Write(yamuxFrame(yamuxWindow, yamuxSYN, 3, 0))
	if err := <-refused; !errors.Is(err, ErrHandshake) {
		t.Errorf("one lane: %v, want ErrHandshake", err)
	}
	c = dialByHand(t, l, "")
	c.Write(yamuxFrame(yamuxWindow, yamuxSYN, 3, 0))
	c.Write(yamuxFrame(yamuxWindow, yamuxSYN, 1, 0))
	if err := <-refused; !errors.Is(err, errProtocol) || !errors.Is(err, ErrHandshake) {
		t.Errorf("lanes in the wrong order: %v, want a broken protocol", err)
	}
}

func TestCloseDoesNotWaitForASilentPeer(t *testing.T) {
	for _, secured := range []bool{false, true} {
		f := tcpFabric()
		o := Options{}
		var roots *x509.CertPool
		if secured {
			o.TLS, roots = selfSigned(t)
		}
		l := f.listen(t, o)
		// A peer that opens the lanes, gives all the window there is, and then
		// reads nothing, until the kernel takes no more either.
		raw := rawTCP(t, l.Addr()).(net.Conn)
		defer raw.Close()
		c := raw
		if secured {
			c = tls.Client(raw, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"})
		}
		if _, err := dialHandshake(c, testOffer("silent", "")); err != nil {
			t.Fatal(err)
		}
		c.Write(yamuxFrame(yamuxWindow, yamuxSYN, 1, 1<<30))
		c.Write(yamuxFrame(yamuxWindow, yamuxSYN, 3, 1<<30))
		a, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		ended, pieces := make(chan error, 2), make(chan struct{})
		go func() {
			defer close(pieces)
			for {
				if err := a.Write(Messages, make([]byte, 128<<10)); err != nil {
					ended <- err
					return
				}
				pieces <- struct{}{}
			}
		}()
		go func() { _, err := a.Read(Control, make([]byte, 1)); ended <- err }()
		for stuck := false; !stuck; {
			select {
			case <-pieces:
			case <-time.After(300 * time.Millisecond): // nothing tells that the system's buffers are full
				stuck = true
			}
		}
		start := time.Now()
		a.Close()
		for range 2 {
			if err := <-ended; !errors.Is(err, ErrClosed) {
				t.Errorf("%v, want ErrClosed", err)
			}
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("TLS %v: closing took %v", secured, took)
		}
	}
}

// selfSigned makes a certificate for the loopback address.
func selfSigned(t *testing.T) (server *tls.Config, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "a node"},
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:        true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots
}

func TestTLS(t *testing.T) {
	server, roots := selfSigned(t)
	f := tcpFabric()
	refused := newRefusals()
	l := f.listen(t, Options{TLS: server, Secret: []byte("s"), Refused: refused.report})
	trusting := Options{TLS: &tls.Config{RootCAs: roots}, Secret: []byte("s"), HandshakeTimeout: time.Second}
	d, a := f.link(t, l, trusting)
	echoOnce(t, d, a, Control)
	done := make(chan struct{})
	go func() { sendNumbered(t, d, Messages, 1500); close(done) }()
	receiveNumbered(t, a, Messages, 1500)
	<-done
	widen(t, d, a)
	done = make(chan struct{})
	go func() { sendNumbered(t, a, Bulk, 1500); close(done) }()
	receiveNumbered(t, d, Bulk, 1500)
	<-done

	distrusting := trusting
	distrusting.TLS = &tls.Config{RootCAs: x509.NewCertPool()}
	if _, err := f.dialer.Dial(t.Context(), l.Addr(), distrusting); !errors.Is(err, ErrHandshake) || !errors.Is(err, ErrTLS) {
		t.Errorf("a certificate that we do not trust: %v, want ErrTLS", err)
	}
	if err := <-refused; !errors.Is(err, ErrHandshake) || !errors.Is(err, ErrTLS) {
		t.Error(err)
	}
	plain := trusting
	plain.TLS = nil
	if _, err := f.dialer.Dial(t.Context(), l.Addr(), plain); !errors.Is(err, ErrTLS) || !strings.Contains(err.Error(), "we have not") {
		t.Errorf("without TLS: %v, want ErrTLS", err)
	}
	if err := <-refused; !errors.Is(err, ErrTLS) || !strings.Contains(err.Error(), "the dialer has not") {
		t.Error(err)
	}
	unsecured := f.listen(t, Options{Secret: []byte("s"), Refused: refused.report})
	if _, err := f.dialer.Dial(t.Context(), unsecured.Addr(), trusting); !errors.Is(err, ErrTLS) || !strings.Contains(err.Error(), "the listener has not") {
		t.Errorf("TLS to a listener without: %v, want ErrTLS", err)
	}
	if err := <-refused; !errors.Is(err, ErrTLS) || !strings.Contains(err.Error(), "we have not") {
		t.Errorf("reported %v, want ErrTLS", err)
	}
	a.Close()
	if _, err := d.Read(Control, make([]byte, 1)); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// countedConn counts writes.
type countedConn struct {
	net.Conn
	writes [][]byte
}

func (c *countedConn) Write(p []byte) (int, error) {
	c.writes = append(c.writes, bytes.Clone(p))
	return len(p), nil
}

func TestHeaderAndDataAreSentTogether(t *testing.T) {
	under := &countedConn{}
	w := newWire(under, nil, true)
	update, data := yamuxFrame(yamuxWindow, 0, 1, 1), yamuxFrame(yamuxData, 0, 3, 12)
	for _, p := range [][]byte{update, data[:yamuxHeader], data[yamuxHeader:], update, data[:yamuxHeader], data[yamuxHeader:]} {
		if n, err := w.Write(p); n != len(p) || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
	want := [][]byte{update, data, update, data}
	if len(under.writes) != len(want) {
		t.Fatalf("%d writes, want %d", len(under.writes), len(want))
	}
	for i := range want {
		if !bytes.Equal(under.writes[i], want[i]) {
			t.Errorf("write %d is % x", i, under.writes[i])
		}
	}
}

func TestYamuxTakesOurConfiguration(t *testing.T) {
	if err := yamux.VerifyConfig(yamuxConfig()); err != nil {
		t.Error(err)
	}
}

func TestNothingIsLeftOfClosedLinks(t *testing.T) {
	f := tcpFabric()
	before := runtime.NumGoroutine()
	l := f.listen(t, Options{})
	for range 20 {
		d, a := f.link(t, l, Options{})
		echoOnce(t, d, a, Messages)
		d.Close()
		a.Read(Messages, make([]byte, 1)) // notices, and needs no Close
	}
	l.Close()
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		runtime.Gosched()
	}
}
