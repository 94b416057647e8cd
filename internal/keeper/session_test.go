package keeper

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestSessionComesUpWithTreeAndOwnNode(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(7, func(c *Config) { c.Root = "/a/b/conclave" })
		s := u.session()
		synctest.Wait()
		if got := u.said(); got != "up" {
			t.Errorf("said %q", got)
		}
		if s.ID() == 0 || s.Timeout() != testT || len(s.ClusterID()) != 16 || !s.Connected() || s.Err() != nil {
			t.Errorf("session %#x, T %v, cluster %q, connected %v, err %v", s.ID(), s.Timeout(), s.ClusterID(), s.Connected(), s.Err())
		}
		data, st, err := s.Get(context.Background(), u.Paths().Node(7), nil)
		if err != nil || string(data) != "node-7" || st.EphemeralOwner != s.ID() {
			t.Errorf("own node: %q, %+v, %v", data, st, err)
		}
		id, st, err := s.Get(context.Background(), u.Paths().Cluster(), nil)
		if err != nil || string(id) != s.ClusterID() || st.EphemeralOwner != 0 {
			t.Errorf("cluster id: %q, %+v, %v", id, st, err)
		}
		second := w.open(8, func(c *Config) { c.Root = "/a/b/conclave" })
		if got := second.session().ClusterID(); got != s.ClusterID() {
			t.Errorf("two nodes of one cluster see the ids %s and %s", s.ClusterID(), got)
		}
		second.close()
		u.close()
		if n := len(w.srv.Sessions()); n != 0 {
			t.Errorf("%d sessions after Close", n)
		}
		synctest.Wait()
		if got := u.said(); got != "lost" {
			t.Errorf("then said %q", got)
		}
		if _, err := u.Session(context.Background()); !errors.Is(err, ErrClosed) {
			t.Errorf("Session after Close: %v", err)
		}
	})
}

func TestEstablishingTakesTwoRoundTripsWhenTheTreeIsThere(t *testing.T) {
	inBubble(t, func(w *world) {
		first := w.open(1)
		first.session()
		before := w.srv.Requests()
		second := w.open(2)
		second.session()
		got := 0
		for op, n := range w.srv.Requests() {
			got += n - before[op]
		}
		if got != 3 { // create, then get and children side by side
			t.Errorf("%d requests: %v before, %v after", got, before, w.srv.Requests())
		}
		second.close()
		first.close()
	})
}

func TestClusterIDIsCreatedOnceByManyAtOnce(t *testing.T) {
	inBubble(t, func(w *world) {
		ids := make(map[string]bool)
		var all []*under
		for i := range 20 {
			all = append(all, w.open(uint64(i)))
		}
		for _, u := range all {
			ids[u.session().ClusterID()] = true
		}
		if len(ids) != 1 {
			t.Errorf("cluster ids: %v", ids)
		}
		for _, u := range all {
			u.close()
		}
	})
}

func TestExpiredSessionIsReplacedAndItsNodeMadeAgain(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		w.srv.ExpireSession(s.ID())
		<-s.Done()
		if err := s.Err(); !errors.Is(err, ErrSessionLost) {
			t.Errorf("Err: %v", err)
		}
		u.await("lost")
		next := u.session()
		if next == s || next.ID() == s.ID() {
			t.Error("the session was used again")
		}
		if _, st, err := next.Get(context.Background(), u.Paths().Node(1), nil); err != nil || st.EphemeralOwner != next.ID() {
			t.Errorf("own node: %+v, %v", st, err)
		}
		if _, _, err := s.Get(context.Background(), "/", nil); !errors.Is(err, ErrSessionLost) {
			t.Errorf("Get under the lost session: %v", err)
		}
		synctest.Wait()
		if got := u.said(); got != "up, suspended, lost, up" {
			t.Errorf("said %q", got)
		}
		// One to begin with, one that learnt of the expiry, one for the new
		// session: none by the client of the old one.
		time.Sleep(time.Minute)
		if n := u.Stats().Dials; n != 3 {
			t.Errorf("%d dials", n)
		}
		u.close()
	})
}

// The old session lives on at the server when the new one is opened: its node
// must be replaced, not adopted, or it would vanish with the old session.
func TestNewSessionReplacesTheNodeOfTheOneBefore(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		old := s.ID()
		s.lose(errors.New("given up by the test"), false)
		next := u.session()
		for next == s {
			time.Sleep(time.Millisecond)
			next = u.session()
		}
		if n := len(w.srv.Sessions()); n != 2 {
			t.Fatalf("%d sessions at the server, want the old one too", n)
		}
		time.Sleep(2 * testT) // the old session expires
		for _, x := range w.srv.Sessions() {
			if x.ID == old {
				t.Error("the old session still lives")
			}
		}
		_, st, err := next.Get(context.Background(), u.Paths().Node(1), nil)
		if err != nil || st.EphemeralOwner != next.ID() {
			t.Errorf("own node after the old session expired: %+v, %v", st, err)
		}
		u.close()
	})
}

func TestNodeOfAnotherIncarnationIsNotReplaced(t *testing.T) {
	inBubble(t, func(w *world) {
		first := w.open(1)
		s := first.session()
		second := w.open(1) // the same incarnation: somebody's mistake
		second.await("trouble: ")
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := second.Session(ctx); !errors.Is(err, ErrNodeExists) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Session: %v", err)
		}
		if s.Err() != nil {
			t.Errorf("the first one was disturbed: %v", s.Err())
		}
		second.Close(within(time.Second))
		first.close()
	})
}

func TestSuspendedAndResumedUnderOneSession(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		w.srv.Down()
		u.await("suspended")
		if s.Connected() {
			t.Error("connected while the server is down")
		}
		time.Sleep(time.Second)
		w.srv.Up()
		u.await("resumed")
		if !s.Connected() || u.session() != s {
			t.Error("not resumed under the same session")
		}
		if got := u.said(); got != "up, suspended, resumed" {
			t.Errorf("said %q", got)
		}
		if n := u.Stats().Reconnects; n != 1 {
			t.Errorf("%d reconnects", n)
		}
		u.close()
	})
}

// With one server listed the client by itself would sleep a second before
// every reconnect.
func TestReconnectTakesNoSecond(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		time.Sleep(3 * time.Second)
		start := time.Now()
		w.srv.Disconnect(s.ID())
		u.await("resumed")
		if d := time.Since(start); d > 20*time.Millisecond {
			t.Errorf("reconnected after %v", d)
		}
		u.close()
	})
}

func TestOwnNodeDeletedBySomebodyEndsTheSessionAndItComesBack(t *testing.T) {
	inBubble(t, func(w *world) {
		admin, u := w.open(1), w.open(2)
		s := u.session()
		if _, err := s.Create(context.Background(), "/mine", nil, Ephemeral); err != nil {
			t.Fatal(err)
		}
		if err := admin.session().Delete(context.Background(), u.Paths().Node(2), AnyVersion); err != nil {
			t.Fatal(err)
		}
		<-s.Done()
		if err := s.Err(); !errors.Is(err, ErrOwnerGone) {
			t.Errorf("Err: %v", err)
		}
		u.await("lost")
		next := u.session()
		if _, there, err := next.Exists(context.Background(), u.Paths().Node(2), nil); err != nil || !there {
			t.Errorf("own node: %v, %v", there, err)
		}
		synctest.Wait()
		if _, there, err := next.Exists(context.Background(), "/mine", nil); err != nil || there {
			t.Errorf("what the given-up session owned: %v, %v", there, err)
		}
		u.close()
		admin.close()
	})
}

// As above, but the watch that would tell is lost: the fence notices.
func TestFailingFenceGivesTheSessionUp(t *testing.T) {
	for name, write := range map[string]func(s *Session) error{
		"create": func(s *Session) error { _, err := s.Create(bg, "/x", nil, Persistent); return err },
		"set":    func(s *Session) error { _, err := s.Set(bg, "/kept", []byte("x"), AnyVersion); return err },
		"delete": func(s *Session) error { return s.Delete(bg, "/kept", AnyVersion) },
		"multi":  func(s *Session) error { _, err := s.Multi(bg, CreateOp("/x", nil, Persistent)); return err },
		"by hand": func(s *Session) error {
			_, err := s.MultiUnfenced(bg, s.Fence(), CreateOp("/x", nil, Persistent))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(w *world) {
				admin, u := w.open(1), w.open(2)
				s, own := u.session(), u.Paths().Node(2)
				admin.session().Create(bg, "/kept", nil, Persistent)
				w.srv.LoseWatch(own)
				if err := admin.session().Delete(bg, own, AnyVersion); err != nil {
					t.Fatal(err)
				}
				err := write(s)
				if !errors.Is(err, ErrOwnerGone) || !errors.Is(err, ErrSessionLost) || errors.Is(err, ErrUnknownOutcome) {
					t.Errorf("the write: %v", err)
				}
				var op *OpError
				if !errors.As(err, &op) || op.Op != "check" || op.Path != own || op.Index != -1 && name != "by hand" {
					t.Errorf("the write: %+v", op)
				}
				u.await("lost")
				next := u.session()
				if w.has("/x") || !w.has("/kept") {
					t.Error("what is behind the fence was done")
				}
				if st, _, err := next.Exists(bg, "/kept", nil); err != nil || st.Version != 0 {
					t.Errorf("/kept: %+v, %v", st, err)
				}
				u.close()
				admin.close()
			})
		})
	}
}

func TestCloseWhileTheServerIsAwayReturnsAtOnce_Fault41(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		w.srv.Down()
		u.await("suspended")
		start := time.Now()
		if err := u.Close(context.Background()); !errors.Is(err, ErrNotConnected) {
			t.Errorf("Close: %v", err)
		}
		if d := time.Since(start); d > 0 {
			t.Errorf("took %v", d)
		}
		w.srv.Up()
		time.Sleep(testT + testTick + time.Millisecond)
		for _, x := range w.srv.Sessions() {
			if x.ID == s.ID() {
				t.Error("the session outlives T + tick")
			}
		}
	})
}

func TestCloseOfAFrozenServerEndsWithItsContext(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		u.session()
		w.srv.Freeze()
		start := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		if err := u.Close(ctx); !errors.Is(err, ErrUnknownOutcome) {
			t.Errorf("Close: %v", err)
		}
		if d := time.Since(start); d != 300*time.Millisecond {
			t.Errorf("took %v", d)
		}
		w.srv.Thaw()
	})
}

func TestCloseBeforeThereWasASession(t *testing.T) {
	inBubble(t, func(w *world) {
		w.srv.Down()
		u := w.open(1)
		u.await("trouble: ")
		start := time.Now()
		if err := u.Close(context.Background()); !errors.Is(err, ErrNotConnected) {
			t.Errorf("Close: %v", err)
		}
		if d := time.Since(start); d > 0 {
			t.Errorf("took %v", d)
		}
		if err := u.Close(context.Background()); !errors.Is(err, ErrNotConnected) {
			t.Errorf("second Close: %v", err)
		}
	})
}

// 22: the server comes back without its data. The client by itself would try
// for ever: a server that is behind what it has seen hangs up on it.
func TestWipedServerIsANewCluster_Fault22(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		u.await("up")
		u.said()
		start := time.Now()
		w.srv.Wipe()
		<-s.Done()
		if d := time.Since(start); d > 2*testT {
			t.Errorf("given up after %v, want 2T at most", d)
		}
		u.await("up")
		next := u.session()
		if next.ClusterID() == s.ClusterID() {
			t.Error("the same cluster id")
		}
		if got := u.said(); got != "suspended, lost, cluster changed, up" {
			t.Errorf("said %q", got)
		}
		u.close()
	})
}

func TestConfigIsChecked(t *testing.T) {
	good := Config{Servers: []string{"127.0.0.1:1"}}
	for name, change := range map[string]func(*Config){
		"no server":     func(c *Config) { c.Servers = nil },
		"empty server":  func(c *Config) { c.Servers = []string{""} },
		"short timeout": func(c *Config) { c.SessionTimeout = time.Millisecond },
		"relative root": func(c *Config) { c.Root = "conclave" },
		"trailing /":    func(c *Config) { c.Root = "/conclave/" },
		"dots":          func(c *Config) { c.Root = "/a/../b" },
		"zookeeper's":   func(c *Config) { c.Root = "/zookeeper/x" },
		"no scheme":     func(c *Config) { c.Credentials = []Credential{{Auth: []byte("x")}} },
		"much data":     func(c *Config) { c.NodeData = make([]byte, MaxRequest) },
	} {
		c := good
		change(&c)
		if k, err := Open(c); err == nil {
			t.Errorf("%s: accepted", name)
			k.Close(context.Background())
		}
	}
}

func TestCredentialsDoNotPrint(t *testing.T) {
	c := DigestCredential("user", "geheim")
	for _, text := range []string{c.String(), c.GoString(), c.LogValue().String()} {
		if strings.Contains(text, "geheim") {
			t.Error(text)
		}
	}
}
