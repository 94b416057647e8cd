package zktest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

// The tests here use the client library that Conclave uses, on both servers.

func TestClientSeesTheSameOnBothServers(t *testing.T) {
	Each(t, func(t *testing.T, z Target) {
		a, b := connect(t, z.Addr, 10*time.Second), connect(t, z.Addr, 10*time.Second)
		if _, err := a.Create(z.Root, nil, 0, open); err != nil {
			t.Fatal(err)
		}
		_, _, events, err := b.ChildrenW(z.Root)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for i := range 3 {
			name, err := a.Create(z.Root+"/n-", []byte{byte(i)}, zk.FlagEphemeral|zk.FlagSequence, open)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, strings.TrimPrefix(name, z.Root+"/"))
		}
		if e := <-events; e.Type != zk.EventNodeChildrenChanged || e.Path != z.Root {
			t.Errorf("event %+v", e)
		}
		got, stat, err := b.Children(z.Root)
		slices.Sort(got)
		if err != nil || !slices.Equal(got, names) || !slices.Equal(got, []string{"n-0000000000", "n-0000000001", "n-0000000002"}) {
			t.Errorf("children %v, created %v, %v", got, names, err)
		}
		_, last, err := b.Get(z.Root + "/" + names[2])
		if err != nil || last.EphemeralOwner != a.SessionID() || stat.Pzxid != last.Czxid || stat.Cversion != 3 {
			t.Errorf("parent %+v, child %+v, %v", stat, last, err)
		}
		// A fenced write, as package keeper makes them.
		own := z.Root + "/" + names[0]
		fence := &zk.CheckVersionRequest{Path: own, Version: -1}
		if _, err := a.Multi(fence, &zk.SetDataRequest{Path: own, Version: -1}); err != nil {
			t.Error(err)
		}
		if err := b.Delete(own, -1); err != nil {
			t.Error(err)
		}
		res, err := a.Multi(fence, &zk.CreateRequest{Path: z.Root + "/late", Acl: open})
		if !errors.Is(err, zk.ErrNoNode) || len(res) != 2 || !errors.Is(res[0].Error, zk.ErrNoNode) {
			t.Errorf("fenced off: %+v %v", res, err)
		}
		_, _, gone, err := b.GetW(z.Root + "/" + names[1])
		if err != nil {
			t.Fatal(err)
		}
		a.Close()
		if e := <-gone; e.Type != zk.EventNodeDeleted {
			t.Errorf("event %+v", e)
		}
		if got, _, err := b.Children(z.Root); err != nil || len(got) != 0 {
			t.Errorf("left: %v %v", got, err)
		}
	}, Tick(500*time.Millisecond))
}

func TestWatchesSurviveAReconnect(t *testing.T) {
	Each(t, func(t *testing.T, z Target) {
		var broken net.Conn
		a, events, err := zk.Connect(z.Servers(), 10*time.Second, zk.WithLogInfo(false), zk.WithLogger(quiet{}),
			zk.WithDialer(func(network, address string, d time.Duration) (net.Conn, error) {
				nc, err := net.DialTimeout(network, address, d)
				broken = nc
				return nc, err
			}))
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		awaitState(t, events, zk.StateHasSession)
		id := a.SessionID()
		b := connect(t, z.Addr, 10*time.Second)
		if _, err := b.Create(z.Root, nil, 0, open); err != nil {
			t.Fatal(err)
		}
		_, _, data, err := a.GetW(z.Root)
		if err != nil {
			t.Fatal(err)
		}
		_, _, child, err := a.ChildrenW(z.Root)
		if err != nil {
			t.Fatal(err)
		}
		_, _, exist, err := a.ExistsW(z.Root + "/c")
		if err != nil {
			t.Fatal(err)
		}
		broken.Close()
		if _, err := b.Create(z.Root+"/c", nil, 0, open); err != nil { // told by the replay, or after it
			t.Fatal(err)
		}
		<-child
		<-exist
		if _, err := b.Set(z.Root, nil, -1); err != nil {
			t.Fatal(err)
		}
		if e := <-data; e.Type != zk.EventNodeDataChanged || a.SessionID() != id {
			t.Errorf("event %+v, session %#x, was %#x", e, a.SessionID(), id)
		}
	}, Tick(500*time.Millisecond))
}

func TestSilentSessionEndsWithinATickOfItsTimeout(t *testing.T) {
	tick, timeout := 400*time.Millisecond, 1000*time.Millisecond
	Each(t, func(t *testing.T, z Target) {
		for range 2 {
			w := &wire{zxids: &ranks{}}
			if said := w.connect(z.Addr, int32(timeout.Milliseconds()), false); !strings.HasPrefix(said, "new session") {
				t.Fatal(said)
			}
			w.ask(ping)
			start := time.Now()
			w.packet() // ends with the session
			// The ping reached the server a moment before start.
			if d := time.Since(start); d < timeout-50*time.Millisecond || d > timeout+tick+500*time.Millisecond {
				t.Errorf("ended after %v", d)
			}
		}
	}, Tick(tick))
}

func TestNewSessionAfterExpiryIsAnother(t *testing.T) {
	Each(t, func(t *testing.T, z Target) {
		w := &wire{zxids: &ranks{}}
		w.connect(z.Addr, 4000, false)
		id := w.session
		c := connect(t, z.Addr, 4*time.Second)
		if _, err := c.Create(z.Root, nil, 0, open); err != nil {
			t.Fatal(err)
		}
		other := &wire{session: w.session, password: w.password, zxids: &ranks{}}
		if said := other.connect(z.Addr, 4000, false); !strings.HasPrefix(said, "same session") {
			t.Fatal(said)
		}
		other.ask(request{opClose, nil, nothing}) // who knows id and password may close it
		if said := w.connect(z.Addr, 4000, false); !strings.HasPrefix(said, "no session, version 0, timeout 0") {
			t.Error(said)
		}
		if said := w.connect(z.Addr, 4000, false); !strings.HasPrefix(said, "new session") || w.session == id {
			t.Error(said)
		}
		w.nc.Close()
	}, Tick(500*time.Millisecond))
}

// TestServerDiesWithItsTests has a process like this one start a server and
// kills it with SIGKILL.
func TestServerDiesWithItsTests(t *testing.T) {
	if file := os.Getenv("ZKTEST_VICTIM"); file != "" {
		s := Start(t)
		if err := os.WriteFile(file+".new", fmt.Append(nil, s.Addr()), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
		select {}
	}
	demand(t)
	file := filepath.Join(t.TempDir(), "addr")
	c := exec.Command(os.Args[0], "-test.run=^TestServerDiesWithItsTests$")
	c.Env = append(os.Environ(), "ZKTEST_VICTIM="+file, "TMPDIR="+t.TempDir())
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var addr string
	await(t, "a server", func() bool {
		text, err := os.ReadFile(file)
		addr = string(text)
		return err == nil
	})
	c.Process.Kill()
	c.Wait()
	await(t, "its end", func() bool {
		nc, err := net.Dial("tcp", addr)
		if err == nil {
			nc.Close()
		}
		return err != nil
	})
}

// await returns once the condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(startTime); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come", what)
		}
	}
}
