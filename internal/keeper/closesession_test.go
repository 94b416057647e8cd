package keeper

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"conclave/internal/zktest"
)

func TestEachClosedSessionTakesItsEphemeralsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, open func(uint64, ...func(*Config)) *under) {
		u, other := open(1), open(2)
		s, watcher := u.session(), other.session()
		path := u.Paths().Root() + "/x"
		if _, err := s.Create(bg, path, nil, Ephemeral); err != nil {
			t.Fatal(err)
		}
		gone := make(chan struct{})
		if _, there, err := watcher.Exists(bg, path, func() { close(gone) }); !there || err != nil {
			t.Fatal(there, err)
		}
		h := s.Handover()
		if h.Session != s.ID() || h.Timeout != s.Timeout() || len(h.Password) == 0 || len(h.Servers) != 1 {
			t.Fatalf("handed over %d bytes for %#x (%v) at %v", len(h.Password), h.Session, h.Timeout, h.Servers)
		}
		if known, err := CloseSession(bg, h, nil); !known || err != nil {
			t.Fatalf("known %v, %v", known, err)
		}
		select {
		case <-gone:
		case <-time.After(s.Timeout() / 2):
			t.Error("the ephemeral did not vanish before the session could have expired")
		}
		if known, err := CloseSession(bg, h, nil); known || err != nil {
			t.Errorf("the second time: known %v, %v", known, err)
		}
	})
}

func TestEachWrongPasswordClosesNothing(t *testing.T) {
	each(t, func(t *testing.T, open func(uint64, ...func(*Config)) *under) {
		u, other := open(1), open(2)
		s, witness := u.session(), other.session()
		h := s.Handover()
		h.Password[0] ^= 1
		if known, err := CloseSession(bg, h, nil); known || err != nil {
			t.Errorf("known %v, %v", known, err)
		}
		// It may have lost its connection, no more.
		if err := s.Sync(bg, u.Paths().Root()); err != nil && !errors.Is(err, ErrNotConnected) && !errors.Is(err, ErrUnknownOutcome) {
			t.Error(err)
		}
		if _, stat, err := witness.Get(bg, u.Paths().Node(1), nil); err != nil || stat.EphemeralOwner != s.ID() || s.Err() != nil {
			t.Errorf("the session does not live on: owner %#x, %v, %v", stat.EphemeralOwner, err, s.Err())
		}
	})
}

// The session is attached at another server than the one that is asked, and the
// first in the list is down.
func TestRealCloseSessionAtAnyServerOfAnEnsemble(t *testing.T) {
	e := zktest.StartEnsemble(t, 3, zktest.Tick(realTick))
	for i, at := range e.Addrs() {
		u := openAt(t, at, "/close", uint64(i+1))
		s := u.session()
		h := s.Handover()
		next := e.Addrs()[(i+1)%3]
		h.Servers = []string{"127.0.0.1:1", next}
		if known, err := CloseSession(bg, h, nil); !known || err != nil {
			t.Errorf("opened at %s, closed at %s: known %v, %v", at, next, known, err)
		}
		select {
		case <-s.Done():
		case <-time.After(20 * time.Second):
			t.Errorf("opened at %s, closed at %s: it lives", at, next)
		}
	}
}

// A server of an ensemble may end the session and the connection without an answer.
// The next to be asked knows of no such session.
func TestSessionThatEndedWithoutAnAnswerWasKnown(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		h := s.Handover()
		h.Servers = []string{"mute", "zkdev"}
		known, err := CloseSession(bg, h, func(_ context.Context, address string) (net.Conn, error) {
			behind, err := w.srv.Dial()
			if err != nil || address != "mute" {
				return behind, err
			}
			client, server := net.Pipe()
			go io.Copy(behind, server)
			go func() {
				defer server.Close()
				defer behind.Close()
				attached, err := readFrame(behind)
				if err != nil {
					return
				}
				server.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(attached))), attached...))
				readFrame(behind)
			}()
			return client, nil
		})
		if !known || err != nil {
			w.t.Errorf("known %v, %v", known, err)
		}
		<-s.Done()
		u.Close(bg)
	})
}

// What a server of those tests does with a connection.
type manner func(w *world, c net.Conn)

func TestCloseSessionGoesOnToTheServerThatAnswers(t *testing.T) {
	hangsUp := func(_ *world, c net.Conn) { c.Close() }
	takesAndSaysNothing := func(_ *world, c net.Conn) { io.Copy(io.Discard, c) }
	talksNonsense := func(_ *world, c net.Conn) { io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n"); c.Close() }
	attachesAndDies := func(_ *world, c net.Conn) {
		request, err := readFrame(c)
		if err != nil {
			return
		}
		reply := binary.BigEndian.AppendUint32(nil, 36)
		reply = append(reply, make([]byte, 36)...)
		copy(reply[12:], request[16:24]) // the session
		binary.BigEndian.PutUint32(reply[20:], 16)
		c.Write(reply)
		readFrame(c)
		c.Close()
	}
	for name, m := range map[string]manner{
		"hangs up": hangsUp, "says nothing": takesAndSaysNothing, "talks nonsense": talksNonsense, "dies": attachesAndDies,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(w *world) {
				u := w.open(1)
				s := u.session()
				h := s.Handover()
				h.Servers = []string{"bad", "zkdev"}
				began := time.Now()
				known, err := CloseSession(bg, h, func(ctx context.Context, address string) (net.Conn, error) {
					if address == "bad" {
						client, server := net.Pipe()
						go m(w, server)
						return client, nil
					}
					return w.srv.Dial()
				})
				if !known || err != nil {
					w.t.Errorf("known %v, %v", known, err)
				}
				if took := time.Since(began); took > closeLag {
					w.t.Errorf("it took %v", took)
				}
				<-s.Done()
				u.Close(bg)
			})
		})
	}
}

func TestCloseSessionTriesUntilItsTimeIsOver(t *testing.T) {
	inBubble(t, func(w *world) {
		h := Handover{Servers: []string{"a", "b"}, Session: 7, Password: make([]byte, 16), Timeout: testT}
		ctx, cancel := context.WithTimeout(bg, testT)
		defer cancel()
		tried, refused := 0, errors.New("refused")
		began := time.Now()
		_, err := CloseSession(ctx, h, func(context.Context, string) (net.Conn, error) {
			tried++
			return nil, refused
		})
		if !errors.Is(err, ErrNotConnected) || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, refused) {
			w.t.Error(err)
		}
		if time.Since(began) != testT || tried < 10 || tried > 40 {
			w.t.Errorf("tried %d times in %v", tried, time.Since(began))
		}
	})
}

func TestCloseSessionSucceedsWhenTheServerIsBack(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		began := time.Now()
		known, err := CloseSession(bg, s.Handover(), func(ctx context.Context, _ string) (net.Conn, error) {
			if time.Since(began) < time.Second {
				return silent(), nil
			}
			return w.srv.Dial()
		})
		if !known || err != nil || time.Since(began) > testT/2 {
			w.t.Errorf("known %v, %v after %v", known, err, time.Since(began))
		}
		<-s.Done()
		u.Close(bg)
	})
}

func TestGuardHasTheSessionBeforeItIsHandedOut(t *testing.T) {
	inBubble(t, func(w *world) {
		type guarded struct {
			h         Handover
			published bool
		}
		var had []guarded
		release := make(chan struct{})
		var u *under
		opened := make(chan struct{})
		u = w.open(1, func(c *Config) {
			c.Guard = func(ctx context.Context, h Handover) {
				<-opened
				had = append(had, guarded{h, u.Current() != nil})
				select {
				case <-release:
				case <-ctx.Done():
				}
			}
		})
		close(opened)
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		if _, err := u.Session(ctx); !errors.Is(err, ErrNotConnected) {
			w.t.Errorf("a session that the guard does not have yet was handed out: %v", err)
		}
		close(release)
		first := u.session()
		w.srv.ExpireSession(first.ID())
		<-first.Done()
		second := u.session()
		if len(had) != 2 || had[0].published || had[1].published || had[0].h.Session != first.ID() || had[1].h.Session != second.ID() {
			w.t.Errorf("the guard was told %d times", len(had))
		}
		if bytes.Equal(had[0].h.Password, had[1].h.Password) {
			w.t.Error("both sessions have one password")
		}
		u.Close(bg)
	})
}

func TestPrintedHandoverDoesNotShowItsPassword(t *testing.T) {
	h := Handover{Session: 7, Password: []byte("hush"), Servers: []string{"a"}}
	text := fmt.Sprintf("%v %+v %#v %s %v", h, h, &h, h, []Handover{h})
	if strings.Contains(text, "hush") || strings.Contains(text, "104 117 115 104") || strings.Contains(text, "0x68") {
		t.Error(text)
	}
}
