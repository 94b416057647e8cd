package zkdev

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"
)

// again does something when the connection was lost: the client refuses what it is
// asked until it has begun to connect.
func again(do func() error) error {
	for {
		if err := do(); !errors.Is(err, zk.ErrNoServer) {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

func TestLostReplyMeansDoneButNotKnown(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		c := client(t, s, 10*time.Second)
		remove := s.Inject(func(r Request) Fault {
			if r.Op == "create" && r.Paths[0] == "/a" {
				return LoseReply
			}
			return NoFault
		})
		if _, err := c.Create("/a", nil, 0, open); !errors.Is(err, zk.ErrConnectionClosed) {
			t.Fatalf("got %v", err)
		}
		remove()
		remove()
		if err := again(func() error { _, err := c.Create("/a", nil, 0, open); return err }); !errors.Is(err, zk.ErrNodeExists) {
			t.Fatalf("again: %v", err)
		}
	})
}

func TestLostRequestMeansNotDone(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		c := client(t, s, 10*time.Second)
		seen := 0
		remove := s.Inject(func(r Request) Fault {
			if r.Op == "multi" && len(r.Paths) == 2 && r.Paths[1] == "/b" && r.Session == c.SessionID() {
				seen++
				return LoseRequest
			}
			return NoFault
		})
		ops := []any{&zk.CheckVersionRequest{Path: "/", Version: -1}, &zk.CreateRequest{Path: "/b", Acl: open}}
		if _, err := c.Multi(ops...); !errors.Is(err, zk.ErrConnectionClosed) || seen != 1 {
			t.Fatalf("got %v, seen %d", err, seen)
		}
		remove()
		if err := again(func() error { _, err := c.Multi(ops...); return err }); err != nil {
			t.Fatalf("again: %v", err)
		}
	})
}

func TestHeldReplyComesWhenReleased(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		c, other := client(t, s, 30*time.Second), client(t, s, 30*time.Second)
		remove := s.Inject(func(r Request) Fault {
			if r.Op == "create" {
				return HoldReply
			}
			return NoFault
		})
		defer remove()
		done := make(chan error, 1)
		go func() {
			_, err := c.Create("/a", nil, 0, open)
			done <- err
		}()
		time.Sleep(5 * time.Second)
		if ok, _, err := other.Exists("/a"); !ok || err != nil {
			t.Errorf("not in effect: %v %v", ok, err)
		}
		select {
		case err := <-done:
			t.Fatalf("answered: %v", err)
		default:
		}
		s.ReleaseReplies(c.SessionID())
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestSessionLivesWhileItsRepliesAreHeld(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		nc, _ := s.Dial()
		id, _ := attach(t, nc, 0, nil, 10*time.Second)
		s.HoldReplies(id)
		ping := packet()
		ping.int32(xidPing)
		ping.int32(opPing)
		for range 20 {
			nc.Write(ping.seal())
			time.Sleep(5 * time.Second)
		}
		if list := s.Sessions(); len(list) != 1 || list[0].ID != id {
			t.Fatalf("sessions %+v", list)
		}
		nc.SetReadDeadline(time.Now())
		if _, err := nc.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
		nc.SetReadDeadline(time.Time{})
		s.ReleaseReplies(0)
		for range 20 {
			if _, err := readPacket(nc); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestLostWatchTellsNobodyOnce(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		c := client(t, s, 10*time.Second)
		_, _, lost, err := c.ExistsW("/a")
		if err != nil {
			t.Fatal(err)
		}
		_, _, parent, err := c.ChildrenW("/")
		if err != nil {
			t.Fatal(err)
		}
		s.LoseWatch("/a")
		if _, err := c.Create("/a", nil, 0, open); err != nil {
			t.Fatal(err)
		}
		<-parent // hears of it as ever
		if s.Watches() != 0 {
			t.Errorf("%d watches left", s.Watches())
		}
		select {
		case e := <-lost:
			t.Errorf("got %+v", e)
		default:
		}
		_, _, next, err := c.GetW("/a")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Set("/a", nil, -1); err != nil {
			t.Fatal(err)
		}
		<-next
	})
}

func TestDownRefusesAndKeepsSessionsUntilTheyExpire(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		c := client(t, s, 10*time.Second)
		if _, err := c.Create("/e", nil, zk.FlagEphemeral, open); err != nil {
			t.Fatal(err)
		}
		s.Down()
		if _, err := s.Dial(); !errors.Is(err, ErrDown) || !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial: %v", err)
		}
		time.Sleep(5 * time.Second)
		s.Up()
		if ok, _, err := c.Exists("/e"); !ok || err != nil {
			t.Errorf("after a short while: %v %v", ok, err)
		}
		s.Down()
		time.Sleep(12*time.Second + time.Millisecond)
		if n := len(s.Sessions()); n != 0 {
			t.Errorf("%d sessions", n)
		}
		s.Up()
	})
}

func TestFrozenServerAcceptsAndSaysNothing(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		c := client(t, s, 20*time.Second)
		s.Freeze()
		done := make(chan error, 1)
		start := time.Now()
		go func() {
			_, err := c.Create("/a", nil, 0, open)
			done <- err
		}()
		nc, err := s.Dial()
		if err != nil {
			t.Fatal(err)
		}
		nc.Write([]byte("ruok"))
		nc.SetReadDeadline(time.Now().Add(8 * time.Second))
		var timeout net.Error
		if _, err := nc.Read(make([]byte, 4)); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("read: %v", err)
		}
		nc.Close()
		s.Thaw()
		if err := <-done; err != nil || time.Since(start) != 8*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

func TestFrozenServerExpiresAfterThaw(t *testing.T) {
	bubble(t, Config{Tick: time.Second}, func(t *testing.T, s *Server) {
		client(t, s, 4*time.Second)
		s.Freeze()
		time.Sleep(time.Hour)
		if n := len(s.Sessions()); n != 1 {
			t.Errorf("%d sessions while frozen", n)
		}
		s.DisconnectAll() // what waits of it is gone too
		synctest.Wait()
		s.Down()
		s.Thaw()
		synctest.Wait()
		if n := len(s.Sessions()); n != 0 {
			t.Errorf("%d sessions", n)
		}
		s.Up()
	})
}

func TestRequestsAreCountedByOperation(t *testing.T) {
	var paths []string
	bubble(t, Config{Requests: func(op, path string) {
		if op != "ping" {
			paths = append(paths, op+" "+path)
		}
	}}, func(t *testing.T, s *Server) {
		c := client(t, s, 10*time.Second)
		s.ResetRequests()
		c.Exists("/a")
		c.Exists("/b")
		c.Children("/")
		if n := s.Requests(); n["exists"] != 2 || n["getChildren2"] != 1 || len(n) != 2 {
			t.Errorf("counted %v", n)
		}
		if len(paths) != 3 || paths[2] != "getChildren2 /" {
			t.Errorf("told %q", paths)
		}
	})
}

func TestZxidJumps(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		c := client(t, s, 10*time.Second)
		before := s.Zxid()
		if before < time.Now().Add(-time.Second).Unix()<<32 {
			t.Errorf("zxid %#x does not start from the clock", before)
		}
		s.JumpZxid(1 << 32)
		if _, err := c.Create("/a", nil, 0, open); err != nil {
			t.Fatal(err)
		}
		if got := s.Zxid(); got != before+1<<32+1 {
			t.Errorf("zxid %#x after %#x", got, before)
		}
	})
}
