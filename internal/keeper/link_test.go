package keeper

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// fakeServer is the other end of a link: it answers the handshake and then
// shows every frame it gets.
type fakeServer struct {
	net.Conn
	frames chan []byte
}

// linked returns a link after its handshake. Use it in a bubble.
func linked(t *testing.T, hold bool, hooks linkHooks) (*link, *fakeServer) {
	t.Helper()
	client, server := net.Pipe()
	f := &fakeServer{server, make(chan []byte, 100)}
	go func() {
		defer close(f.frames)
		for first := true; ; first = false {
			var head [4]byte
			if _, err := io.ReadFull(server, head[:]); err != nil {
				return
			}
			frame := make([]byte, binary.BigEndian.Uint32(head[:]))
			if _, err := io.ReadFull(server, frame); err != nil {
				return
			}
			if first {
				reply := make([]byte, 40)
				reply[3], reply[10], reply[11], reply[19], reply[23] = 36, 0x0f, 0xa0, 7, 16
				server.Write(reply)
				continue
			}
			f.frames <- frame
		}
	}()
	start := time.Now()
	if hooks.opened == nil {
		hooks.opened = func(connectReply) error { return nil }
	}
	if hooks.reply == nil {
		hooks.reply = func() {}
	}
	if hooks.heard == nil {
		hooks.heard = func(time.Duration) {}
	}
	if hooks.authRefused == nil {
		hooks.authRefused = func() {}
	}
	l := newLink(client, "fake", start.Add(time.Second), hold, time.Minute, func() time.Duration { return time.Since(start) }, hooks)
	t.Cleanup(func() { l.Close(); server.Close() })
	l.Write(connectFrame())
	if _, err := io.ReadFull(l, make([]byte, 40)); err != nil {
		t.Fatal(err)
	}
	return l, f
}

func frame(xid, code int32, rest ...byte) []byte {
	b := make([]byte, 12, 12+len(rest))
	binary.BigEndian.PutUint32(b, uint32(8+len(rest)))
	binary.BigEndian.PutUint32(b[4:], uint32(xid))
	binary.BigEndian.PutUint32(b[8:], uint32(code))
	return append(b, rest...)
}

// answer sends the head of a reply.
func (f *fakeServer) answer(xid, code int32) {
	b := make([]byte, 20)
	b[3] = 16
	binary.BigEndian.PutUint32(b[4:], uint32(xid))
	binary.BigEndian.PutUint32(b[16:], uint32(code))
	f.Write(b)
}

func TestLinkHoldsRequestsUntilSetWatchesHasGoneOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, f := linked(t, true, linkHooks{})
		in := [][]byte{frame(1, 3, 'a'), frame(2, 14, 'b'), frame(-2, codePing), frame(3, codeAuth, 'c'), frame(4, 4, 'd')}
		for _, p := range in {
			scratch := bytes.Clone(p)
			if n, err := l.Write(scratch); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
			clear(scratch) // the client uses its buffer again
		}
		synctest.Wait()
		if n := len(f.frames); n != 2 {
			t.Errorf("%d frames went out, want the ping and the credential", n)
		}
		l.Write(frame(5, codeSetWatches, 'e'))
		l.Write(frame(6, 3, 'f'))
		synctest.Wait()
		var got []byte
		for len(f.frames) > 0 {
			got = append(got, (<-f.frames)[3])
		}
		// ping, credential, SetWatches, what was held in its order, the rest
		if want := []byte{0xfe, 3, 5, 1, 2, 4, 6}; !bytes.Equal(got, want) {
			t.Errorf("order % x, want % x", got, want)
		}
	})
}

// The client locks up for ever if a write fails while it sends credentials.
func TestLinkNeverFailsAWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, f := linked(t, false, linkHooks{})
		f.Close()
		for i := range int32(3) {
			if n, err := l.Write(frame(i, codeAuth, 'x')); n != 13 || err != nil {
				t.Errorf("Write: %d, %v", n, err)
			}
		}
		if _, err := l.Read(make([]byte, 4)); err == nil {
			t.Error("the reader does not find out")
		}
	})
}

func TestLinkSaysGoodbyeByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, f := linked(t, false, linkHooks{})
		read := make(chan error, 1)
		go func() {
			_, err := l.Read(make([]byte, 4))
			l.Close() // as the client does when its reading ends
			read <- err
		}()
		go func() {
			p := <-f.frames
			if code := int32(binary.BigEndian.Uint32(p[4:])); code != codeClose {
				t.Errorf("opcode %d", code)
			}
			f.answer(int32(binary.BigEndian.Uint32(p)), 0)
		}()
		if !l.goodbye(nil) {
			t.Error("not confirmed")
		}
		if err := <-read; err != io.EOF {
			t.Errorf("the client read %v", err)
		}
		if n, err := l.Write(frame(9, 3)); n != 12 || err != nil {
			t.Errorf("a write behind it: %d, %v", n, err)
		}
	})
}

// Which request an answer belongs to is certain, also for pings, whose answers
// all look alike.
func TestLinkTellsWhenWhatWasAnsweredWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard []time.Duration
		replies := 0
		l, f := linked(t, false, linkHooks{
			heard: func(sent time.Duration) { heard = append(heard, sent) },
			reply: func() { replies++ },
		})
		go io.Copy(io.Discard, l)
		at := func(d time.Duration, do func()) {
			time.Sleep(d)
			do()
			synctest.Wait()
		}
		s := time.Second
		at(s, func() { l.Write(frame(-2, codePing)) })     // 1: the probe
		at(s, func() { l.Write(frame(-2, codePing)) })     // 2: another is out
		at(s, func() { f.answer(-2, 0) })                  // answers the first
		at(s, func() { l.Write(frame(-2, codePing)) })     // 4: the probe
		at(s, func() { f.answer(-2, 0) })                  // answers the one of 2
		at(s, func() { f.answer(-2, 0) })                  // answers the probe
		at(s, func() { l.Write(frame(17, 3)) })            // 7: the probe
		at(s, func() { f.answer(16, 0); f.answer(17, 0) }) // the second is its
		at(0, func() { l.Write(frame(18, codeAuth)) })     // 8: the probe
		at(s, func() { f.answer(18, 0) })
		if want := []time.Duration{s, 4 * s, 7 * s, 8 * s}; !equal(heard, want) {
			t.Errorf("heard %v, want %v", heard, want)
		}
		if replies != 5 {
			t.Errorf("%d replies, want all but the credential's", replies)
		}
	})
}

func equal(a, b []time.Duration) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestLeaseOfADeadSessionFailsAtOnce(t *testing.T) {
	s := new(Session)
	l := &Lease{s: s, clock: func() time.Duration { return 0 }}
	l.until.Store(1)
	if err := l.Check(); err != nil {
		t.Fatal(err)
	}
	s.dead.Store(true)
	if err := l.Check(); !errors.Is(err, ErrSessionLost) {
		t.Errorf("Check: %v", err)
	}
}
