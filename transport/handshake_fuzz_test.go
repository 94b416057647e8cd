package transport

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"testing"
)

// hostilePeer says its bytes and then no more, and counts what it is asked for
// and told.
type hostilePeer struct {
	says    []byte
	read    int
	written int
}

func (p *hostilePeer) Read(b []byte) (int, error) {
	n := copy(b, p.says[p.read:])
	if p.read += n; n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (p *hostilePeer) Write(b []byte) (int, error) {
	p.written += len(b)
	return len(b), nil
}

// mostHandshake is the most that one side can say in a handshake.
const mostHandshake = openSize + 7 + MaxHello + proofSize

// FuzzHandshake lets a peer say anything, to either side, with a secret and
// without. Without knowing the secret nothing is accepted, whatever was recorded
// elsewhere. What is accepted where there is none is within bounds and was said.
// No more is read than a handshake can be long, and nothing behind it.
func FuzzHandshake(f *testing.F) {
	self := func(hello string) []byte {
		return append([]byte{statusOK, 0, 0x10, 0, 0, 0, byte(len(hello))}, hello...)
	}
	proof := bytes.Repeat([]byte{7}, proofSize)
	for _, dial := range []bool{false, true} {
		for _, secret := range []bool{false, true} {
			mode, first, second := byte(proofNone), byte(MinVersion), byte(MaxVersion)
			if secret {
				mode = proofSecret
			}
			if dial {
				first = statusOK
			}
			open := openMessage(first, second, mode)
			whole := append(bytes.Clone(open), self("the peer")...)
			f.Add(dial, secret, whole)
			f.Add(dial, secret, append(bytes.Clone(whole), proof...))
			f.Add(dial, secret, append(append(bytes.Clone(open), self("")...), proof...))
			f.Add(dial, secret, open)
			f.Add(dial, secret, open[:len(magic)+1])
			f.Add(dial, secret, append(bytes.Clone(open), statusSecret))
			f.Add(dial, secret, append(bytes.Clone(open), 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff))
			f.Add(dial, secret, append(append(bytes.Clone(open), 0, 0, 0x10, 0, 0, 0xff, 0xff), make([]byte, 0xffff+proofSize)...))
			f.Add(dial, secret, openMessage(statusBusy, 0, 0))
			f.Add(dial, secret, openMessage(9, 9, 9))
			bulk := append(bytes.Clone(open), self(string(make([]byte, len(linkKey{}))))...)
			bulk[11] = purposeBulk
			f.Add(dial, secret, append(bulk, proof...))
			f.Add(dial, secret, []byte("GET / HTTP/1.1\r\n\r\n"))
			f.Add(dial, secret, []byte{})
		}
	}
	f.Fuzz(func(t *testing.T, dial, secret bool, says []byte) {
		own := testOffer("us", "")
		if secret {
			own.secret = []byte("a secret that the peer does not know")
		}
		side := listenHandshake
		if dial {
			side = dialHandshake
		}
		peer := &hostilePeer{says: says}
		a, err := side(peer, own)
		if peer.read > mostHandshake || peer.written > mostHandshake {
			t.Fatalf("read %d and wrote %d, more than %d", peer.read, peer.written, mostHandshake)
		}
		if err != nil {
			if !errors.Is(err, ErrHandshake) {
				t.Fatalf("%v is no ErrHandshake", err)
			}
			if a.hello != nil || a.version != 0 || a.maxFrame != 0 {
				t.Fatalf("%+v beside %v", a, err)
			}
			return
		}
		if secret {
			t.Fatalf("accepted without the secret: %+v", a)
		}
		if a.version < MinVersion || a.version > MaxVersion || a.maxFrame < SmallestMaxFrame || a.maxFrame > LargestMaxFrame {
			t.Fatalf("accepted %+v", a)
		}
		if end := openSize + 7 + len(a.hello); peer.read != end || !bytes.Equal(says[end-len(a.hello):end], a.hello) {
			t.Fatalf("hello %q of %d bytes read from %q", a.hello, peer.read, says)
		}
	})
}

// tampered is the way between two sides. It changes one byte, and breaks when
// neither side can go on.
type tampered struct {
	mu     sync.Mutex
	moved  sync.Cond
	queue  [2][]byte // for each side to read
	said   [2]int
	gone   [2]bool // it reads no more
	idle   int
	broken bool

	side int // whose byte is changed
	at   int
	by   byte
}

// end is the way as one side sees it.
type end struct {
	way  *tampered
	side int
}

func (e end) Write(b []byte) (int, error) {
	w := e.way
	w.mu.Lock()
	defer w.mu.Unlock()
	out := bytes.Clone(b)
	if i := w.at - w.said[e.side]; e.side == w.side && i >= 0 && i < len(out) {
		out[i] ^= w.by
	}
	w.said[e.side] += len(b)
	if !w.gone[1-e.side] {
		w.queue[1-e.side] = append(w.queue[1-e.side], out...)
		w.moved.Broadcast()
	}
	return len(b), nil
}

func (e end) Read(b []byte) (int, error) {
	w := e.way
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.queue[e.side]) == 0 && !w.broken {
		w.idle++
		w.check()
		if !w.broken {
			w.moved.Wait()
		}
		w.idle--
	}
	n := copy(b, w.queue[e.side])
	w.queue[e.side] = w.queue[e.side][n:]
	if n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// check breaks the way when both sides are idle and nothing is under way.
func (w *tampered) check() {
	if w.idle == 2 && len(w.queue[0])+len(w.queue[1]) == 0 {
		w.broken = true
		w.moved.Broadcast()
	}
}

// done says that a side will read no more.
func (e end) done() {
	w := e.way
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue[e.side], w.gone[e.side] = nil, true
	w.idle++
	w.check()
}

// FuzzHandshakeTampered has two sides that share a secret shake hands while
// somebody between them changes a byte. Then the dialer, which hears the last
// word, never accepts; nor does the listener what was changed before its own last
// word. Untouched, both accept. It always ends.
func FuzzHandshakeTampered(f *testing.F) {
	for at := 0; at < 200; at += 3 {
		f.Add(at%2 == 0, at, byte(1<<(at%8)), "hello")
	}
	for _, at := range []int{0, 8, 9, 10, 11, 12, openSize - 1, openSize, openSize + 1, openSize + 5, openSize + 6, openSize + 7} {
		f.Add(false, at, byte(0xff), "")
		f.Add(true, at, byte(1), "h")
	}
	f.Add(true, 0, byte(0), "untouched")
	f.Fuzz(func(t *testing.T, ofDialer bool, at int, by byte, hello string) {
		if len(hello) > MaxHello {
			return
		}
		way := &tampered{at: at, by: by, side: 1}
		way.moved.L = &way.mu
		if ofDialer {
			way.side = 0
		}
		var l outcome
		var both sync.WaitGroup
		both.Go(func() {
			e := end{way, 1}
			l.a, l.err = listenHandshake(e, testOffer(hello, "the secret"))
			e.done()
		})
		e := end{way, 0}
		a, err := dialHandshake(e, testOffer(hello, "the secret"))
		e.done()
		both.Wait()
		last := openSize // where the listener's last word begins
		changed := by != 0 && at >= 0 && at < way.said[way.side]
		switch {
		case !changed:
			if err != nil || l.err != nil || string(a.hello) != hello || string(l.a.hello) != hello {
				t.Fatalf("untouched: %v and %v, %q and %q", err, l.err, a.hello, l.a.hello)
			}
		case err == nil:
			t.Fatal("the dialer accepted")
		case l.err == nil && (way.side == 0 || at < last):
			t.Fatal("the listener accepted")
		}
	})
}
