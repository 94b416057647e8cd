package zkdev

import (
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"
)

// quiet keeps the client from writing to the test's output.
type quiet struct{}

func (quiet) Printf(string, ...any) {}

// client connects over Dial and waits for its session. The address is a number
// only so that the client asks no name server, which would leave the bubble.
func client(t testing.TB, s *Server, timeout time.Duration) *zk.Conn {
	t.Helper()
	c, events, err := zk.Connect([]string{"127.0.0.1"}, timeout, zk.WithLogInfo(false), zk.WithLogger(quiet{}),
		zk.WithDialer(func(string, string, time.Duration) (net.Conn, error) { return s.Dial() }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for e := range events {
		if e.State == zk.StateHasSession {
			break
		}
	}
	return c
}

// bubble runs f with a server in virtual time.
func bubble(t *testing.T, cfg Config, f func(t *testing.T, s *Server)) {
	synctest.Test(t, func(t *testing.T) {
		s := New(cfg)
		t.Cleanup(func() { s.Close() }) // after the clients' cleanups
		f(t, s)
	})
}

var open = zk.WorldACL(zk.PermAll)

func TestClientWorksInABubble(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		c := client(t, s, 10*time.Second)
		if _, err := c.Create("/a", []byte("x"), 0, open); err != nil {
			t.Fatal(err)
		}
		data, stat, events, err := c.GetW("/a")
		if err != nil || string(data) != "x" || stat.Version != 0 {
			t.Fatalf("got %q %+v %v", data, stat, err)
		}
		if _, err := c.Set("/a", []byte("yy"), 0); err != nil {
			t.Fatal(err)
		}
		if e := <-events; e.Type != zk.EventNodeDataChanged || e.Path != "/a" {
			t.Fatalf("event %+v", e)
		}
		if _, err := c.Set("/a", nil, 0); !errors.Is(err, zk.ErrBadVersion) {
			t.Fatalf("stale set: %v", err)
		}
		time.Sleep(2 * time.Hour) // pings keep the session
		if _, stat, err = c.Get("/a"); err != nil || stat.Version != 1 || stat.DataLength != 2 {
			t.Fatalf("got %+v %v", stat, err)
		}
	})
}

func TestSilentSessionExpiresOnAWholeTick(t *testing.T) {
	bubble(t, Config{Tick: time.Second}, func(t *testing.T, s *Server) {
		watcher := client(t, s, 20*time.Second)
		time.Sleep(300 * time.Millisecond)
		dying := client(t, s, 4*time.Second)
		if _, err := dying.Create("/e", nil, zk.FlagEphemeral, open); err != nil {
			t.Fatal(err)
		}
		_, _, gone, err := watcher.ExistsW("/e")
		if err != nil {
			t.Fatal(err)
		}
		s.Inject(func(r Request) Fault {
			if r.Session == dying.SessionID() {
				return LoseRequest
			}
			return NoFault
		})
		start := time.Now()
		s.HoldReplies(dying.SessionID())
		s.Disconnect(dying.SessionID())
		// It attaches again (a touch) 1 s later and is then refused at each request.
		e := <-gone
		if e.Type != zk.EventNodeDeleted {
			t.Fatalf("event %+v", e)
		}
		if d := time.Since(s.start); d%time.Second != 0 {
			t.Errorf("expired %v after the start, not on a tick", d)
		}
		if d := time.Since(start); d < 4*time.Second || d > 12*time.Second {
			t.Errorf("expired after %v", d)
		}
	})
}

func TestMultiIsAllOrNothing(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		c := client(t, s, 10*time.Second)
		res, err := c.Multi(
			&zk.CreateRequest{Path: "/a", Acl: open},
			&zk.DeleteRequest{Path: "/none", Version: -1},
			&zk.CreateRequest{Path: "/b", Acl: open})
		if !errors.Is(err, zk.ErrNoNode) || len(res) != 3 || res[0].Error != nil || !errors.Is(res[1].Error, zk.ErrNoNode) ||
			res[2].Error == nil || !strings.Contains(res[2].Error.Error(), "-2") {
			t.Fatalf("%+v %v", res, err)
		}
		if n := len(s.Dump()); n != 1 {
			t.Errorf("%d nodes, not the root alone:\n%s", n, s)
		}
		res, err = c.Multi(
			&zk.CreateRequest{Path: "/a", Acl: open},
			&zk.CreateRequest{Path: "/a/s-", Acl: open, Flags: zk.FlagSequence},
			&zk.CheckVersionRequest{Path: "/a", Version: 0},
			&zk.SetDataRequest{Path: "/a", Data: []byte("d"), Version: 0},
			&zk.CreateRequest{Path: "/a/s-", Acl: open, Flags: zk.FlagSequence})
		if err != nil || res[1].String != "/a/s-0000000000" || res[4].String != "/a/s-0000000001" || res[3].Stat.Version != 1 {
			t.Fatalf("%+v %v", res, err)
		}
	})
}

func TestWipedServerHangsUpOnWhoKnowsMore(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		c := client(t, s, 10*time.Second)
		if _, err := c.Create("/a", nil, 0, open); err != nil {
			t.Fatal(err)
		}
		s.Wipe()
		time.Sleep(time.Minute)
		if n := len(s.Sessions()); n != 0 {
			t.Errorf("%d sessions", n)
		}
		fresh := client(t, s, 10*time.Second)
		if ok, _, err := fresh.Exists("/a"); ok || err != nil {
			t.Errorf("exists %v %v", ok, err)
		}
	})
}

func TestEphemeralsGoWithTheirSession(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		a, b := client(t, s, 10*time.Second), client(t, s, 10*time.Second)
		for _, p := range []string{"/x", "/y"} {
			if _, err := a.Create(p, nil, zk.FlagEphemeral, open); err != nil {
				t.Fatal(err)
			}
		}
		_, _, events, err := b.ChildrenW("/")
		if err != nil {
			t.Fatal(err)
		}
		if !s.ExpireSession(a.SessionID()) {
			t.Fatal("no such session")
		}
		<-events
		names, stat, err := b.Children("/")
		if err != nil || !slices.Equal(names, []string{"zookeeper"}) || stat.Cversion != 3 {
			t.Errorf("children %v %+v %v", names, stat, err)
		}
	})
}
