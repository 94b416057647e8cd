package zkdev

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"
)

func TestFollowersClientReadsItsOwnWrites(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		f := s.Follower()
		a, b := client(t, f.replica, 20*time.Second), client(t, s, 20*time.Second)
		f.Lag(3 * time.Second)
		start := time.Now()
		if _, err := a.Create("/a", []byte("x"), 0, open); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("answered after %v, not when the follower had applied it", d)
		}
		if data, _, err := a.Get("/a"); err != nil || string(data) != "x" {
			t.Errorf("its own write: %q, %v", data, err)
		}
		start = time.Now()
		if _, err := b.Set("/a", []byte("y"), 0); err != nil {
			t.Fatal(err)
		}
		if data, _, err := a.Get("/a"); err != nil || string(data) != "x" || time.Since(start) != 0 {
			t.Errorf("a read of the past: %q, %v, after %v", data, err, time.Since(start))
		}
		if _, err := a.Sync("/"); err != nil || time.Since(start) != 3*time.Second {
			t.Errorf("sync: %v, after %v", err, time.Since(start))
		}
		if data, stat, err := a.Get("/a"); err != nil || string(data) != "y" || stat.Version != 1 {
			t.Errorf("after sync: %q %+v, %v", data, stat, err)
		}
		// What one client sends without waiting waits once.
		raw := arrive(t, f.replica, 20*time.Second, nil)
		start = time.Now()
		for range 10 {
			raw.send(opSetData, "/a", someData)
			raw.send(opGetData, "/a", unwatched)
		}
		for i := range 20 {
			xid, c, _, err := raw.reply()
			if err != nil || c != codeOK || int(xid) != i+1 {
				t.Fatalf("reply %d has number %d: %v %v", i+1, xid, c, err)
			}
		}
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("ten writes took %v", d)
		}
		f.Lag(0)
		start = time.Now()
		if _, err := a.Set("/a", nil, -1); err != nil || time.Since(start) != 0 {
			t.Errorf("without lag: %v, after %v", err, time.Since(start))
		}
	})
}

func TestWatchesFireWhenTheFollowerApplies(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		f := s.Follower()
		a, b := client(t, f.replica, 20*time.Second), client(t, s, 20*time.Second)
		_, _, here, err := a.ExistsW("/a")
		if err != nil {
			t.Fatal(err)
		}
		_, _, there, err := b.ExistsW("/a")
		if err != nil {
			t.Fatal(err)
		}
		f.Lag(time.Second)
		start := time.Now()
		if _, err := b.Create("/a", nil, 0, open); err != nil {
			t.Fatal(err)
		}
		<-there
		if d := time.Since(start); d != 0 {
			t.Errorf("at the leader after %v", d)
		}
		<-here
		if d := time.Since(start); d != time.Second {
			t.Errorf("at the follower after %v", d)
		}
		if s.Watches() != 0 {
			t.Errorf("%d watches left", s.Watches())
		}
		_, _, here, err = a.GetW("/a")
		if err != nil {
			t.Fatal(err)
		}
		f.Lag(time.Hour)
		b.Set("/a", nil, -1)
		f.Lag(time.Minute)
		time.Sleep(30 * time.Second)
		start = time.Now()
		f.Lag(0)
		<-here
		if d := time.Since(start); d != 0 {
			t.Errorf("when it lags no more after %v", d)
		}
	})
}

func TestFollowerHangsUpOnWhoHasSeenMore(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		f := s.Follower()
		f.Lag(time.Hour)
		b := arrive(t, s, 20*time.Second, nil)
		nc, _ := f.Dial()
		w := packet()
		w.int32(0)
		w.int64(s.Zxid()) // of its own session's begin
		w.int32(10000)
		w.int64(b.id)
		w.buffer(b.key)
		nc.Write(w.seal())
		if _, err := nc.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("read: %v", err)
		}
		if f.Zxid() >= s.Zxid() {
			t.Errorf("the follower is at %#x, the leader at %#x", f.Zxid(), s.Zxid())
		}
		// Who has seen less may come, before the follower knows its session.
		arrive(t, f.replica, 20*time.Second, b)
	})
}

// The leader counts a session's time from the answer to its next ping of the
// follower, which comes each half tick.
func TestTouchesReachTheLeaderWithTheNextPing(t *testing.T) {
	const tick, T = 2 * time.Second, 10 * time.Second
	for phase := time.Duration(0); phase < tick; phase += tick / 16 {
		bubble(t, Config{Tick: tick}, func(t *testing.T, s *Server) {
			time.Sleep(phase)
			f := s.Follower()
			b := arrive(t, f.replica, T, nil) // this touches at once
			for i := range 32 {
				time.Sleep(tick / 32)
				before := s.Sessions()[0].Expires
				b.ask(opExists, "/", unwatched)
				if i%16 != 15 && !s.Sessions()[0].Expires.Equal(before) {
					t.Fatalf("a read %v after a ping reached the leader at once", time.Duration(i+1)*tick/32)
				}
			}
			time.Sleep(tick / 4)
			sent := time.Since(s.start)
			b.ask(opExists, "/", unwatched)
			time.Sleep(tick / 4) // a ping is answered now
			synctest.Wait()
			heard := time.Since(s.start)
			want := s.start.Add(((heard+T)/tick + 1) * tick)
			if got := s.Sessions()[0].Expires; !got.Equal(want) {
				t.Errorf("touched %v, heard of %v after the start: expires %v, not %v", sent, heard, got.Sub(s.start), want.Sub(s.start))
			}
			b.nc.Close()
			time.Sleep(time.Until(want) - 1)
			if n := len(s.Sessions()); n != 1 {
				t.Errorf("%d sessions a moment before", n)
			}
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			if n := len(s.Sessions()); n != 0 {
				t.Errorf("%d sessions", n)
			}
		})
	}
}

func TestPingsThroughAFollowerKeepTheSession(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		f := s.Follower()
		c := client(t, f.replica, 4*time.Second)
		if _, err := c.Create("/e", nil, zk.FlagEphemeral, open); err != nil {
			t.Fatal(err)
		}
		id := c.SessionID()
		time.Sleep(time.Hour)
		if ok, _, err := c.Exists("/e"); !ok || err != nil || c.SessionID() != id {
			t.Errorf("after an hour: %v %v", ok, err)
		}
		c.Close()
		synctest.Wait()
		if len(s.Sessions()) != 0 || len(s.Dump()) != 1 {
			t.Errorf("left after the client's end:\n%s", s)
		}
	})
}

func TestCutFollowerShowsWhatIsGone(t *testing.T) {
	bubble(t, Config{Tick: time.Second}, func(t *testing.T, s *Server) {
		time.Sleep(300 * time.Millisecond)
		f := s.Follower()
		b, other := arrive(t, f.replica, 4*time.Second, nil), arrive(t, f.replica, 4*time.Second, nil)
		watcher := client(t, s, 10*time.Second)
		if c := b.ask(opCreate, "/e", ephemeralNode); c != codeOK {
			t.Fatal(c)
		}
		_, _, gone, err := watcher.ExistsW("/e")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(700 * time.Millisecond) // it was pinged 200 ms ago
		f.Cut()
		cut := time.Now()
		seen := make(chan time.Time, 1)
		go func() {
			<-gone
			seen <- time.Now()
		}()
		for time.Since(cut) < 4700*time.Millisecond {
			if c := b.ask(opExists, "/e", unwatched); c != codeOK {
				t.Fatalf("%v after the cut: %v", time.Since(cut), c)
			}
			time.Sleep(100 * time.Millisecond)
		}
		// The leader heard of the session 300 ms after the follower was made,
		// in its own 600th millisecond or later, and ends it on a tick.
		if d := (<-seen).Sub(s.start); d != 5*time.Second {
			t.Errorf("others saw it go %v after the start", d)
		}
		other.send(opSetData, "/e", someData)
		if !other.silent(0) {
			t.Error("a write was answered")
		}
		nc, err := f.Dial()
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		w := packet()
		w.int32(0)
		w.int64(0)
		w.int32(4000)
		w.int64(0)
		w.buffer(make([]byte, 16))
		nc.Write(w.seal())
		if !(&bare{nc: nc}).silent(0) {
			t.Error("a session was begun")
		}
		// It gives up five ticks after the ping before the cut.
		b.nc.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := b.nc.Read(make([]byte, 1)); err != io.EOF || time.Since(cut) != 4800*time.Millisecond {
			t.Errorf("the client was dropped %v after the cut: %v", time.Since(cut), err)
		}
		if _, err := f.Dial(); !errors.Is(err, ErrDown) {
			t.Errorf("dial: %v", err)
		}
		f.Heal()
		b = arrive(t, f.replica, 4*time.Second, nil)
		if c := b.ask(opExists, "/e", unwatched); c != codeNoNode {
			t.Errorf("after healing: %v", c)
		}
		if n := len(s.Sessions()); n != 2 {
			t.Errorf("%d sessions: the begin of one was lost, and one has ended", n)
		}
	})
}

func TestHealedFollowerHandsOnWhatWaited(t *testing.T) {
	bubble(t, Config{Tick: time.Second, SyncLimit: -1}, func(t *testing.T, s *Server) {
		f := s.Follower()
		short, long := arrive(t, f.replica, 4*time.Second, nil), arrive(t, f.replica, 20*time.Second, nil)
		f.Cut()
		short.send(opCreate, "/short", ephemeralNode)
		long.send(opCreate, "/long", ephemeralNode)
		long.send(opExists, "/long", unwatched) // waits behind
		long.xid--
		time.Sleep(10 * time.Second)
		if !long.silent(0) || s.nodes["/long"] != nil {
			t.Error("done while cut")
		}
		f.Heal()
		for range 2 {
			if _, c, _, err := long.reply(); err != nil || c != codeOK {
				t.Errorf("after healing: %v %v", c, err)
			}
		}
		if _, err := short.nc.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("a client whose session had ended: %v", err)
		}
		if list := s.Dump(); len(list) != 2 || list[1].Path != "/long" {
			t.Errorf("%s", s)
		}
	})
}
