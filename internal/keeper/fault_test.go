package keeper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"conclave/zkdev"
)

// 19: a server that accepts and never answers costs one clamp, not the ten
// receive timeouts that the client would wait.
func TestSilentServerIsLeftForTheNext_Fault19(t *testing.T) {
	inBubble(t, func(w *world) {
		var dialed sync.Map
		u := w.open(1, func(c *Config) {
			c.Servers = []string{"silent-1", "silent-2", "good"}
			c.Dial = func(_ context.Context, address string) (net.Conn, error) {
				dialed.Store(address, true)
				if strings.HasPrefix(address, "silent") {
					return silent(), nil
				}
				return w.srv.Dial()
			}
		})
		start := time.Now()
		s := u.session()
		if d := time.Since(start); d > 2*testT/3+5*time.Millisecond {
			t.Errorf("established after %v, want two clamps of T/3 at most", d)
		}
		for range 4 {
			u.await("up")
			u.said()
			start = time.Now()
			w.srv.Disconnect(s.ID())
			u.await("resumed")
			if d := time.Since(start); d > testT/3+2*minPause {
				t.Errorf("reconnected after %v, want two clamps of T/6 at most", d)
			}
			u.note(SessionUp{})
			time.Sleep(2 * time.Second)
		}
		if s.Err() != nil {
			t.Error(s.Err())
		}
		for _, a := range []string{"silent-1", "silent-2", "good"} {
			if _, ok := dialed.Load(a); !ok {
				t.Errorf("%s was never tried", a)
			}
		}
		u.close()
	})
}

// 18 as far as it is ours: two of three servers are silent when the holder's
// own one freezes.
func TestFrozenServerLapsesTheLeaseButNotTheSession_Fault18(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		l := u.claimed("/x")
		s := u.session()
		time.Sleep(time.Minute)
		w.srv.Freeze()
		if d := ends(t, l, ErrLeaseLapsed); d > testT/2 {
			t.Errorf("lapsed after %v", d)
		}
		w.srv.Thaw()
		time.Sleep(testT / 3)
		if err := s.Sync(bg, "/"); err != nil || s.Err() != nil {
			t.Errorf("after the thaw: %v, %v", err, s.Err())
		}
		u.close()
	})
}

// 23: three ways in which presenting credentials again can fail.
func TestAuthThatFailsOnReconnectAbandonsTheConnection_Fault23(t *testing.T) {
	digest := func(c *Config) { c.Credentials = []Credential{DigestCredential("user", "secret")} }
	for name, fault := range map[string]zkdev.Fault{"no answer": zkdev.HoldReply, "connection closed": zkdev.LoseRequest} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(w *world) {
				u := w.open(1, digest)
				s := u.session()
				u.await("up")
				u.said()
				heal := w.srv.Inject(func(r zkdev.Request) zkdev.Fault {
					if r.Op == "setAuth" {
						return fault
					}
					return zkdev.NoFault
				})
				start := time.Now()
				w.srv.Disconnect(s.ID())
				<-s.Done()
				if d := time.Since(start); d > 2*testT {
					t.Errorf("abandoned after %v", d)
				}
				heal()
				u.await("up")
				if _, err := u.session().Create(bg, "/x", nil, Persistent); err != nil {
					t.Error(err)
				}
				u.close()
			})
		})
	}
	t.Run("refused", func(t *testing.T) {
		inBubble(t, func(w *world) {
			var refuse atomic.Bool
			u := w.open(1, digest, func(c *Config) {
				dial := c.Dial
				c.Dial = func(ctx context.Context, address string) (net.Conn, error) {
					conn, err := dial(ctx, address)
					if err != nil {
						return nil, err
					}
					return &tap{Conn: conn, refuse: refuse.Load}, nil
				}
			})
			s := u.session()
			refuse.Store(true)
			w.srv.Disconnect(s.ID())
			<-s.Done()
			if !errors.Is(s.Err(), ErrAuthFailed) {
				t.Errorf("Err: %v", s.Err())
			}
			u.await("trouble: ")
			ctx, cancel := context.WithTimeout(bg, time.Minute)
			defer cancel()
			if _, err := u.Session(ctx); !errors.Is(err, ErrAuthFailed) {
				t.Errorf("Session: %v", err)
			}
			if n := len(w.srv.Sessions()); n > 2 {
				t.Errorf("%d sessions were left at the server", n)
			}
			refuse.Store(false)
			u.await("up")
			u.session()
			u.close()
		})
	})
}

// 26: a minute of connections that last 200 ms.
func TestFlappingConnectionLeaksNothing_Fault26(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		l := u.claimed("/lease")
		var fired atomic.Int32
		for i := range 20 {
			path := fmt.Sprintf("/x-%d", i)
			s.Create(bg, path, nil, Persistent)
			s.Get(bg, path, func() { fired.Add(1) })
		}
		synctest.Wait()
		goroutines, watches := runtime.NumGoroutine(), w.srv.Watches()
		for range 300 {
			time.Sleep(200 * time.Millisecond)
			w.srv.Disconnect(s.ID())
			s.Get(within(20*time.Millisecond), "/x-1", nil)
			if err := l.Check(); err != nil {
				t.Fatalf("the lease: %v", err)
			}
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := runtime.NumGoroutine(); n > goroutines+2 {
			t.Errorf("%d goroutines before, %d after", goroutines, n)
		}
		if n := w.srv.Watches(); n != watches {
			t.Errorf("%d watches before, %d after", watches, n)
		}
		if s.Err() != nil || fired.Load() != 0 || u.Stats().Repaired != 0 {
			t.Errorf("session: %v, fired %d, repaired %d", s.Err(), fired.Load(), u.Stats().Repaired)
		}
		if n := u.Stats().Reconnects; n < 290 {
			t.Errorf("%d reconnects", n)
		}
		for i := range 20 {
			s.Set(bg, fmt.Sprintf("/x-%d", i), nil, AnyVersion)
		}
		if fired.Load() != 20 {
			t.Errorf("then %d of 20 fired", fired.Load())
		}
		u.close()
	})
}

// After a reconnect nothing of ours may overtake SetWatches, whatever the
// client has in its queue. And it is the link that sends it, never the client.
func TestWatchesAreSetAgainBeforeAnyRequest(t *testing.T) {
	inBubble(t, func(w *world) {
		var mu sync.Mutex
		var first []int32 // what each connection sent first, pings apart
		u := w.open(1, func(c *Config) {
			dial := c.Dial
			c.Dial = func(ctx context.Context, address string) (net.Conn, error) {
				conn, err := dial(ctx, address)
				if err != nil {
					return nil, err
				}
				seen := false
				return &tap{Conn: conn, sent: func(xid, code int32) {
					if code == codeSetWatches && xid != xidSetWatches {
						t.Errorf("SetWatches number %d is the client's", xid)
					}
					if !seen && code != codePing {
						seen = true
						mu.Lock()
						first = append(first, code)
						mu.Unlock()
					}
				}}, nil
			}
		})
		s := u.session()
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					s.Create(bg, fmt.Sprintf("/%d-", i), nil, EphemeralSequential)
					time.Sleep(time.Millisecond) // otherwise virtual time stands still
				}
			})
		}
		for range 25 {
			time.Sleep(20 * time.Millisecond)
			w.srv.Disconnect(s.ID())
			time.Sleep(100 * time.Millisecond)
		}
		close(stop)
		wg.Wait()
		mu.Lock()
		defer mu.Unlock()
		if len(first) < 20 {
			t.Fatalf("%d connections", len(first))
		}
		for i, code := range first[1:] {
			if code != codeSetWatches {
				t.Errorf("connection %d began with opcode %d", i+2, code)
			}
		}
		u.close()
	})
}

func connectFrame() []byte {
	b := make([]byte, 4+44)
	b[3] = 44
	b[4+11] = 42                      // the last zxid seen
	b[4+12+2], b[4+12+3] = 0x0f, 0xa0 // 4000 ms
	b[4+12+4+8+3] = 16
	return b
}

// What a server sends is not believed before it is checked: each of these once
// panicked, hung or allocated without bound in the client.
func TestBrokenServerEndsTheConnectionOnly(t *testing.T) {
	good := []byte{0, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0x0f, 0xa0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	zero := append([]byte(nil), good...)
	zero[10], zero[11] = 0, 1
	long := append([]byte(nil), good...)
	long[22] = 0x7f
	for name, answer := range map[string][]byte{
		"huge handshake":          {0x7f, 0xff, 0xff, 0xff, 0},
		"negative handshake":      {0xff, 0xff, 0xff, 0xff, 0},
		"tiny handshake":          {0, 0, 0, 1, 0},
		"timeout of 1 ms":         zero,
		"password beyond its end": long,
		"huge reply":              append(good[:40:40], 0x7f, 0, 0, 0),
		"short reply":             append(good[:40:40], 0, 0, 0, 4, 0, 0, 0, 1),
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(w *world) {
				var bad atomic.Bool
				bad.Store(true)
				u := w.open(1, func(c *Config) {
					c.Dial = func(context.Context, string) (net.Conn, error) {
						if !bad.Load() {
							return w.srv.Dial()
						}
						client, server := net.Pipe()
						go func() {
							defer server.Close()
							buf := make([]byte, 1000)
							server.Read(buf)
							server.Write(answer)
							server.Read(buf)
						}()
						return client, nil
					}
				})
				time.Sleep(time.Second)
				bad.Store(false)
				u.session()
				u.close()
			})
		})
	}
}

func TestWrongCredentialsAreReportedAndRetriedQuietly(t *testing.T) {
	inBubble(t, func(w *world) {
		right := func(c *Config) {
			c.Credentials = []Credential{DigestCredential("user", "secret")}
			c.ACL = DigestACL(PermAll, "user", "secret")
		}
		first := w.open(1, right)
		first.session()
		second := w.open(2, right, func(c *Config) { c.Credentials = []Credential{DigestCredential("user", "wrong")} })
		second.await("trouble: ")
		before := w.srv.Requests()["setAuth"]
		ctx, cancel := context.WithTimeout(bg, 10*time.Minute)
		defer cancel()
		if _, err := second.Session(ctx); !errors.Is(err, ErrAuthFailed) || strings.Contains(err.Error(), "wrong") {
			t.Errorf("Session: %v", err)
		}
		if n := w.srv.Requests()["setAuth"] - before; n > 70 {
			t.Errorf("%d attempts in ten minutes", n)
		}
		second.mu.Lock()
		if n := len(second.events); n > 22 {
			t.Errorf("%d troubles in ten minutes", n)
		}
		second.mu.Unlock()
		second.Close(within(time.Second))
		first.close()
	})
}

// The heartbeat's deadline (T/8) and one short handshake (T/6) fit into what a
// lease has left: it survives its own server freezing and the next one being
// silent.
func TestLeaseOutlivesItsServerAndASilentOne_Fault19(t *testing.T) {
	for range 5 { // the order of the servers is random
		inBubble(t, func(w *world) {
			var silentDials atomic.Int32
			u := w.open(1, func(c *Config) {
				c.Servers = []string{"a", "b", "silent"}
				c.Dial = func(_ context.Context, address string) (net.Conn, error) {
					if address == "silent" {
						silentDials.Add(1)
						return silent(), nil
					}
					return w.srv.Dial()
				}
			})
			l := u.claimed("/x")
			for range 10 {
				time.Sleep(2 * badTime) // all servers count as good again
				w.once("multi", zkdev.HoldReply)
				u.said()
				u.await("resumed")
				if err := l.Check(); err != nil {
					t.Fatal(err)
				}
			}
			if silentDials.Load() == 0 {
				t.Error("the silent server was never tried")
			}
			u.close()
		})
	}
}
