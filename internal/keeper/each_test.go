package keeper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"time"

	"conclave/internal/zktest"
)

// These tests run over TCP against zkdev and against ZooKeeper itself.

func TestMain(m *testing.M) { zktest.Main(m) }

const (
	realTick = 500 * time.Millisecond
	realT    = 2 * time.Second
)

// openAt opens a keeper against a server over TCP.
func openAt(t *testing.T, addr, root string, incarnation uint64, change ...func(*Config)) *under {
	t.Helper()
	u := openUnder(t, Config{
		Servers:        []string{addr},
		Root:           root,
		SessionTimeout: realT,
		Incarnation:    incarnation,
		NodeData:       []byte("node"),
	}, change...)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(bg, 5*time.Second)
		defer cancel()
		u.Close(ctx)
	})
	return u
}

func each(t *testing.T, f func(t *testing.T, open func(incarnation uint64, change ...func(*Config)) *under)) {
	zktest.Each(t, func(t *testing.T, z zktest.Target) {
		f(t, func(incarnation uint64, change ...func(*Config)) *under {
			t.Helper()
			return openAt(t, z.Addr, z.Root+"/below", incarnation, change...)
		})
	}, zktest.Tick(realTick))
}

// awaitTrue waits for a condition that nothing announces.
func awaitTrue(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(limit) {
			t.Fatalf("not within 20 s: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestEachErrorHasItsSentinel(t *testing.T) {
	each(t, func(t *testing.T, open func(uint64, ...func(*Config)) *under) {
		u := open(1)
		s := u.session()
		root := u.Paths().Root()
		x := root + "/x"
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		_, err := s.Create(bg, x, []byte("1"), Persistent)
		must(err)
		_, err = s.Create(bg, x+"/y", nil, Persistent)
		must(err)
		_, err = s.Create(bg, root+"/e", nil, Ephemeral)
		must(err)
		var op *OpError
		check := func(name string, err, want error, path string) {
			t.Helper()
			if !errors.Is(err, want) || !errors.As(err, &op) || op.Path != path || op.Index != 0 {
				t.Errorf("%s: %v (%+v)", name, err, op)
			}
		}
		_, err = s.Create(bg, x, nil, Persistent)
		check("create again", err, ErrNodeExists, x)
		_, err = s.Create(bg, root+"/a/b", nil, Persistent)
		check("create without parent", err, ErrNoNode, root+"/a/b")
		_, err = s.Create(bg, root+"/e/f", nil, Persistent)
		check("create under an ephemeral", err, ErrBadRequest, root+"/e/f")
		_, err = s.Create(bg, "no/slash", nil, Persistent)
		check("create of a bad path", err, ErrBadRequest, "no/slash")
		for _, path := range []string{"", "no/slash", "/slash/", root + "/a" + watchMark} {
			_, _, err = s.Get(bg, path, func() {})
			check("get of a bad path", err, ErrBadRequest, path)
			_, _, err = s.Exists(bg, path, nil)
			check("exists of a bad path", err, ErrBadRequest, path)
		}
		_, err = s.Set(bg, x, nil, 7)
		check("set of another version", err, ErrBadVersion, x)
		_, err = s.Set(bg, root+"/none", nil, AnyVersion)
		check("set of nothing", err, ErrNoNode, root+"/none")
		check("delete with children", s.Delete(bg, x, AnyVersion), ErrNotEmpty, x)
		check("delete of another version", s.Delete(bg, x+"/y", 3), ErrBadVersion, x+"/y")
		check("delete of nothing", s.Delete(bg, root+"/none", AnyVersion), ErrNoNode, root+"/none")
		_, _, err = s.Get(bg, root+"/none", func() {})
		check("get of nothing", err, ErrNoNode, root+"/none")
		_, _, err = s.Children(bg, root+"/none", nil)
		check("children of nothing", err, ErrNoNode, root+"/none")
		if st, there, err := s.Exists(bg, root+"/none", nil); there || err != nil || st != (Stat{}) {
			t.Errorf("exists of nothing: %v %v %+v", there, err, st)
		}
		if err := s.Sync(bg, root); err != nil {
			t.Errorf("sync: %v", err)
		}
		_, err = s.Multi(bg, SetOp(x, nil, 0), CheckOp(x+"/y", 0), CreateOp(x+"/z", nil, Persistent), DeleteOp(root+"/none", AnyVersion), SetOp(x, nil, 9))
		if !errors.Is(err, ErrNoNode) || !errors.As(err, &op) || op.Index != 3 || op.Op != "delete" || op.Path != root+"/none" {
			t.Errorf("multi: %v (%+v)", err, op)
		}
		res, err := s.Multi(bg, s.Fence(), SetOp(x, []byte("22"), 0), CreateOp(x+"/n-", nil, EphemeralSequential), DeleteOp(x+"/y", 0), CheckOp(x, 1))
		must(err)
		if len(res) != 5 || res[1].Stat.Version != 1 || res[1].Stat.DataLength != 2 || res[2].Path != x+"/n-0000000001" {
			t.Errorf("multi: %+v", res)
		}
	})
}

func TestEachWatchFiresBeforeTheReply(t *testing.T) {
	each(t, func(t *testing.T, open func(uint64, ...func(*Config)) *under) {
		u := open(1)
		s := u.session()
		x := u.Paths().Root() + "/x"
		var exists, data, children atomic.Int32
		count := func(n *atomic.Int32) func() { return func() { n.Add(1) } }
		if _, there, err := s.Exists(bg, x, count(&exists)); there || err != nil {
			t.Fatal(there, err)
		}
		for i := range 50 {
			if _, err := s.Create(bg, x, nil, Persistent); err != nil {
				t.Fatal(err)
			}
			if exists.Load() != int32(2*i+1) {
				t.Fatalf("round %d: after the create %d", i, exists.Load())
			}
			s.Get(bg, x, count(&data))
			s.Get(bg, x, count(&data))
			s.Children(bg, x, count(&children))
			s.Set(bg, x, nil, AnyVersion)
			if data.Load() != int32(2*i+2) || children.Load() != int32(i) {
				t.Fatalf("round %d: after the set %d, %d", i, data.Load(), children.Load())
			}
			s.Exists(bg, x, count(&exists))
			s.Delete(bg, x, AnyVersion)
			if exists.Load() != int32(2*i+2) || children.Load() != int32(i+1) {
				t.Fatalf("round %d: after the delete %d, %d", i, exists.Load(), children.Load())
			}
			s.Exists(bg, x, count(&exists))
		}
	})
}

func TestEachCloseIsOneRoundTripAndEphemeralsVanish(t *testing.T) {
	each(t, func(t *testing.T, open func(uint64, ...func(*Config)) *under) {
		observer := open(1).session()
		for i := range 5 {
			u := open(uint64(2 + i))
			u.session()
			gone := make(chan struct{})
			if _, there, err := observer.Exists(bg, u.Paths().Node(uint64(2+i)), func() { close(gone) }); !there || err != nil {
				t.Fatal(there, err)
			}
			start := time.Now()
			if err := u.Close(bg); err != nil {
				t.Fatal(err)
			}
			<-gone
			t.Logf("closed, and seen to be gone, after %v", time.Since(start))
			if d := time.Since(start); d > time.Second {
				t.Errorf("took %v", d)
			}
		}
	})
}

func TestEachLeaseIsRenewedAndEndsWithItsZnode(t *testing.T) {
	each(t, func(t *testing.T, open func(uint64, ...func(*Config)) *under) {
		u, admin := open(1), open(2)
		x := u.Paths().Root() + "/x"
		l := u.claimed(x)
		awaitTrue(t, "twenty heartbeats", func() bool {
			if err := l.Check(); err != nil {
				t.Fatal(err)
			}
			return u.Stats().Heartbeats >= 20
		})
		if left := l.Until() - u.Now(); left > realT/2 || left < realT/8 {
			t.Errorf("%v left", left)
		}
		if err := admin.session().Delete(bg, x, AnyVersion); err != nil {
			t.Fatal(err)
		}
		<-l.Context().Done()
		if err := l.Check(); !errors.Is(err, ErrOwnerGone) {
			t.Errorf("Check: %v", err)
		}
	})
}

func TestEachCredentialsOpenWhatTheACLShuts(t *testing.T) {
	each(t, func(t *testing.T, open func(uint64, ...func(*Config)) *under) {
		shut := func(c *Config) { c.ACL = DigestACL(PermAll, "user", "secret") }
		as := func(creds ...Credential) func(*Config) { return func(c *Config) { c.Credentials = creds } }
		right := open(1, shut, as(DigestCredential("user", "secret")))
		s := right.session()
		if _, err := s.Create(bg, right.Paths().Root()+"/x", nil, Persistent); err != nil {
			t.Fatal(err)
		}
		two := open(2, shut, as(DigestCredential("else", "x"), DigestCredential("user", "secret")))
		if _, err := two.session().Set(bg, right.Paths().Root()+"/x", nil, AnyVersion); err != nil {
			t.Errorf("with two credentials: %v", err)
		}
		for name, creds := range map[string][]Credential{
			"wrong password": {DigestCredential("user", "wrong")},
			"no credential":  nil,
			"bad scheme":     {{Scheme: "nonsense", Auth: []byte("x")}},
		} {
			u := open(3, shut, as(creds...))
			ctx, cancel := context.WithTimeout(bg, 500*time.Millisecond)
			if _, err := u.Session(ctx); !errors.Is(err, ErrAuthFailed) {
				t.Errorf("%s: %v", name, err)
			}
			cancel()
			u.await("trouble: ")
		}
		// The right ones are presented again on a reconnect.
		s.dropLink("test")
		right.await("resumed")
		if _, err := s.Set(bg, right.Paths().Root()+"/x", nil, AnyVersion); err != nil {
			t.Errorf("after the reconnect: %v", err)
		}
	})
}

// Another process that knows the session's id and password can end it: that is
// how the death of a process can become known at once.
func TestEachHandoverLetsAnotherEndTheSession(t *testing.T) {
	each(t, func(t *testing.T, open func(uint64, ...func(*Config)) *under) {
		u := open(1)
		s := u.session()
		if known, err := CloseSession(bg, s.Handover(), nil); !known || err != nil {
			t.Fatalf("known %v, %v", known, err)
		}
		<-s.Done()
		u.await("lost")
		next := u.session()
		if _, st, err := next.Get(bg, u.Paths().Node(1), nil); err != nil || st.EphemeralOwner != next.ID() {
			t.Errorf("own node: %+v, %v", st, err)
		}
	})
}

func TestEachConcurrentCallsAreAnswered(t *testing.T) {
	each(t, func(t *testing.T, open func(uint64, ...func(*Config)) *under) {
		u := open(1)
		s := u.session()
		root := u.Paths().Root()
		errs := make(chan error)
		for i := range 500 {
			go func() {
				path := fmt.Sprintf("%s/c-%d", root, i)
				_, err := s.Create(bg, path, []byte(path), Ephemeral)
				if err == nil {
					var data []byte
					if data, _, err = s.Get(bg, path, func() {}); string(data) != path {
						err = fmt.Errorf("%s holds %q", path, data)
					}
				}
				errs <- err
			}()
		}
		for range 500 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
	})
}

// 21, on the real server: it comes back with its data, the session with it.
func TestRealRestartResumesTheSessionAndItsWatches_Fault21(t *testing.T) {
	srv := zktest.Start(t, zktest.Tick(realTick))
	long := func(c *Config) { c.SessionTimeout = 10 * time.Second }
	u := openAt(t, srv.Addr(), "", 1, long)
	s := u.session()
	var fired atomic.Int32
	s.Create(bg, "/x", nil, Persistent)
	s.Get(bg, "/x", func() { fired.Add(1) })
	l := u.claimed("/lease")
	srv.Restart(t)
	u.await("resumed")
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	if _, err := s.Set(bg, "/x", nil, AnyVersion); err != nil {
		t.Fatal(err)
	}
	if fired.Load() != 1 {
		t.Errorf("the watch fired %d times", fired.Load())
	}
	// A restart takes about a second, the lease lasts five.
	t.Logf("the lease: %v, %v left", l.Check(), l.Until()-u.Now())
}

// 22, on the real server.
func TestRealWipeIsANewCluster_Fault22(t *testing.T) {
	srv := zktest.Start(t, zktest.Tick(realTick))
	u := openAt(t, srv.Addr(), "", 1)
	old := u.session().ClusterID()
	u.await("up")
	srv.Wipe(t)
	u.await("lost")
	u.await("cluster changed")
	if got := u.session().ClusterID(); got == old {
		t.Errorf("the cluster id is still %s", got)
	}
}

// 18 and 20, on the real server: it is stopped, the lease lapses in time, and
// whatever session there is then goes on.
func TestRealPauseLapsesTheLease_Fault18(t *testing.T) {
	srv := zktest.Start(t, zktest.Tick(realTick))
	u := openAt(t, srv.Addr(), "", 1)
	l := u.claimed("/x")
	awaitTrue(t, "a lease of T/2", func() bool { return u.Stats().Heartbeats > 5 })
	srv.Pause(t)
	start := time.Now()
	<-l.Context().Done()
	if d := time.Since(start); d > realT/2+100*time.Millisecond {
		t.Errorf("lapsed after %v, T/2 is %v", d, realT/2)
	}
	if err := l.Check(); !errors.Is(err, ErrLeaseLapsed) {
		t.Errorf("Check: %v", err)
	}
	srv.Continue(t)
	awaitTrue(t, "a session that works", func() bool {
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		s, err := u.Session(ctx)
		return err == nil && s.Sync(ctx, "/") == nil
	})
}

// 41, on the real server.
func TestRealCloseWhileTheServerIsGone_Fault41(t *testing.T) {
	srv := zktest.Start(t, zktest.Tick(realTick))
	u := openAt(t, srv.Addr(), "", 1)
	u.session()
	srv.Kill()
	u.await("suspended")
	start := time.Now()
	if err := u.Close(bg); !errors.Is(err, ErrNotConnected) {
		t.Errorf("Close: %v", err)
	}
	if d := time.Since(start); d > 200*time.Millisecond {
		t.Errorf("took %v", d)
	}
}

// 26: over TCP a connection is a descriptor, here and at the server.
func TestFlappingConnectionLeaksNoDescriptor_Fault26(t *testing.T) {
	descriptors := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skipf("this system does not tell: %v", err)
		}
		return len(all)
	}
	z := zktest.Dev(t, zktest.Tick(realTick))
	u := openAt(t, z.Addr, "", 1)
	s := u.session()
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // which would close what is forgotten
	open := descriptors()
	for range 50 {
		before := u.Stats().Reconnects
		z.Dev.Disconnect(s.ID())
		awaitTrue(t, "a connection again", func() bool { return u.Stats().Reconnects > before })
	}
	awaitTrue(t, "descriptors to be closed", func() bool { return descriptors() <= open })
	if s.Err() != nil {
		t.Error(s.Err())
	}
}
