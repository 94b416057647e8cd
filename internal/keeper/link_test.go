package keeper

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
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
func linked(t *testing.T, hooks linkHooks) (*link, *fakeServer) {
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
	if hooks.standing == nil {
		hooks.standing = func() (none [watchKinds][]string) { return none }
	}
	l := newLink(client, "fake", start.Add(time.Second), func() time.Duration { return time.Since(start) }, hooks)
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

func TestLinkSetsWatchesAgainBeforeTheFirstRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, f := linked(t, linkHooks{standing: func() [watchKinds][]string {
			return [watchKinds][]string{{"/d"}, {"/e", "/ee"}, nil}
		}})
		for _, p := range [][]byte{frame(-2, codePing), frame(1, codeAuth, 'c'), frame(2, 14, 'b'), frame(3, 4, 'd')} {
			if n, err := l.Write(p); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
		}
		synctest.Wait()
		var got []byte
		for len(f.frames) > 0 {
			p := <-f.frames
			got = append(got, p[3])
			if p[7] != codeSetWatches {
				continue
			}
			if want := "\x00\x00\x00\x00\x00\x00\x00\x2a" + // the last zxid, as the handshake had it
				"\x00\x00\x00\x01\x00\x00\x00\x02/d" +
				"\x00\x00\x00\x02\x00\x00\x00\x02/e\x00\x00\x00\x03/ee" +
				"\x00\x00\x00\x00"; string(p[8:]) != want {
				t.Errorf("SetWatches of %q", p[8:])
			}
		}
		// ping, credential, SetWatches, the rest
		if want := []byte{0xfe, 1, 0xf8, 2, 3}; !bytes.Equal(got, want) {
			t.Errorf("order % x, want % x", got, want)
		}
		go func() {
			f.answer(-8, 0)
			f.answer(2, 0)
		}()
		reply := make([]byte, 20)
		if _, err := io.ReadFull(l, reply); err != nil || reply[7] != 2 {
			t.Errorf("the client reads % x, %v", reply, err)
		}
	})
}

// Servers refuse long requests, so many watches are set again in several.
func TestManyWatchesAreSetAgainInParts(t *testing.T) {
	var standing [watchKinds][]string
	for i := range 3000 {
		path := fmt.Sprintf("/%0200d", i)
		standing[i%3] = append(standing[i%3], path)
	}
	var got [watchKinds][]string
	frames := 0
	for out := setWatches(42, standing); len(out) > 0; frames++ {
		size := int(binary.BigEndian.Uint32(out))
		if size > setWatchesLimit {
			t.Errorf("a frame of %d bytes", size)
		}
		rest := out[4+8+8 : 4+size]
		for k := range got {
			n := binary.BigEndian.Uint32(rest)
			rest = rest[4:]
			for range n {
				end := 4 + binary.BigEndian.Uint32(rest)
				got[k] = append(got[k], string(rest[4:end]))
				rest = rest[end:]
			}
		}
		if len(rest) > 0 {
			t.Errorf("%d bytes too many", len(rest))
		}
		out = out[4+size:]
	}
	if !reflect.DeepEqual(got, standing) {
		t.Errorf("%d, %d, %d paths", len(got[0]), len(got[1]), len(got[2]))
	}
	if frames != 5 {
		t.Errorf("%d frames", frames)
	}
}

// A session whose watches are not set again would miss what changes.
func TestRefusedSetWatchesEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, f := linked(t, linkHooks{})
		go f.answer(-8, -1)
		if n, err := l.Read(make([]byte, 20)); err == nil {
			t.Errorf("read %d bytes", n)
		}
	})
}

func TestLinkAsksForTheWatchesOfMarkedReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, f := linked(t, linkHooks{})
		request := func(path string, rest ...byte) []byte {
			return append(append([]byte{0, 0, 0, byte(len(path))}, path...), rest...)
		}
		for i, c := range []struct {
			code      int32
			sent, out []byte
		}{
			{codeGetData, request("/a"+watchMark, 0), request("/a", 1)},
			{codeExists, request("/"+watchMark, 0), request("/", 1)},
			{codeGetChildren2, request("/a/b"+watchMark, 0), request("/a/b", 1)},
			{codeGetData, request("/a", 0), request("/a", 0)},
			{9, request("/a" + watchMark), request("/a" + watchMark)},
		} {
			p := frame(int32(i), c.code, c.sent...)
			before := bytes.Clone(p)
			if n, err := l.Write(p); n != len(p) || err != nil || !bytes.Equal(p, before) {
				t.Errorf("%d: Write: %d, %v, % x", i, n, err, p)
			}
			if got := <-f.frames; !bytes.Equal(got, frame(int32(i), c.code, c.out...)[4:]) {
				t.Errorf("%d: % x went out", i, got)
			}
		}
	})
}

// The client locks up for ever if a write fails while it sends credentials.
func TestLinkNeverFailsAWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, f := linked(t, linkHooks{})
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
		l, f := linked(t, linkHooks{})
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
		l, f := linked(t, linkHooks{
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
