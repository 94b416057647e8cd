package keeper

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"conclave/zkdev"
)

var bg = context.Background()

// once installs a fault for the next request of this kind.
func (w *world) once(op string, f zkdev.Fault) {
	done := false
	w.srv.Inject(func(r zkdev.Request) zkdev.Fault {
		if done || r.Op != op {
			return zkdev.NoFault
		}
		done = true
		return f
	})
}

func (w *world) has(path string) bool {
	return slices.ContainsFunc(w.srv.Dump(), func(n zkdev.Node) bool { return n.Path == path })
}

// 10 is built on this: a create whose reply is lost is reported as unknown,
// and after a Sync a read shows what became of it.
func TestWriteWithoutReplyIsUnknownAndSyncDecidesIt_Fault10(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		for _, c := range []struct {
			fault zkdev.Fault
			done  bool
		}{{zkdev.LoseReply, true}, {zkdev.LoseRequest, false}} {
			path := fmt.Sprintf("/x-%d", c.fault)
			w.once("multi", c.fault)
			_, err := s.Create(bg, path, nil, Ephemeral)
			if !errors.Is(err, ErrUnknownOutcome) || !strings.Contains(err.Error(), path) {
				t.Errorf("Create: %v", err)
			}
			if err := s.Sync(bg, "/"); err != nil {
				t.Fatal(err)
			}
			st, there, err := s.Exists(bg, path, nil)
			if err != nil || there != c.done || there && st.EphemeralOwner != s.ID() {
				t.Errorf("after fault %d: there %v, %+v, %v", c.fault, there, st, err)
			}
		}
		u.close()
	})
}

func TestReadWithoutReplyIsNotConnected(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		w.once("getData", zkdev.LoseReply)
		_, _, err := s.Get(bg, u.Paths().Cluster(), nil)
		if !errors.Is(err, ErrNotConnected) || errors.Is(err, ErrUnknownOutcome) {
			t.Errorf("Get: %v", err)
		}
		u.await("resumed")
		u.close()
	})
}

func TestContextEndsACallThatGetsNoAnswer(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		w.srv.HoldReplies(s.ID())
		start := time.Now()
		_, err := s.Create(within(time.Second), "/x", nil, Persistent)
		if !errors.Is(err, ErrUnknownOutcome) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Create: %v", err)
		}
		_, _, err = s.Get(within(time.Second), "/x", nil)
		if !errors.Is(err, ErrNotConnected) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Get: %v", err)
		}
		if d := time.Since(start); d != 2*time.Second {
			t.Errorf("took %v", d)
		}
		w.srv.ReleaseReplies(s.ID())
		u.close()
	})
}

func TestWriteThatFoundNoConnectionWasCertainlyNotDone(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		w.srv.Down()
		u.await("suspended")
		_, err := s.Create(within(time.Second), "/x", nil, Persistent)
		if !errors.Is(err, ErrNotConnected) || errors.Is(err, ErrUnknownOutcome) {
			t.Errorf("Create: %v", err)
		}
		w.srv.Up()
		u.await("resumed")
		if err := s.Sync(bg, "/"); err != nil {
			t.Fatal(err)
		}
		if w.has("/x") {
			t.Error("it was done after all")
		}
		u.close()
	})
}

func TestCallsWaitForTheConnection(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		w.srv.Down()
		u.await("suspended")
		time.AfterFunc(time.Second, w.srv.Up)
		if _, err := s.Create(bg, "/x", nil, Persistent); err != nil {
			t.Errorf("Create: %v", err)
		}
		u.close()
	})
}

// 16: what was asked for while disconnected must not be done under the next
// session, nor late under the old one.
func TestWritesQueuedWhileDisconnectedAreNotDoneAfterExpiry_Fault16(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		w.srv.Down()
		errs := make(chan error, 300)
		for i := range 300 { // more than may be under way, and some before the client has noticed
			go func() {
				_, err := s.Create(bg, fmt.Sprintf("/x-%d", i), nil, Persistent)
				errs <- err
			}()
		}
		time.Sleep(testT + testTick + time.Millisecond)
		w.srv.Up()
		for range 300 {
			if err := <-errs; !errors.Is(err, ErrSessionLost) && !errors.Is(err, ErrUnknownOutcome) {
				t.Errorf("Create: %v", err)
			}
		}
		u.await("lost")
		u.session()
		time.Sleep(time.Minute)
		for _, n := range w.srv.Dump() {
			if strings.HasPrefix(n.Path, "/x-") {
				t.Errorf("%s was made", n.Path)
			}
		}
		u.close()
	})
}

func TestCallsUnderWayAreBoundedAndEndWithTheSession(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		w.srv.HoldReplies(s.ID())
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				if _, _, err := s.Get(bg, "/", nil); !errors.Is(err, ErrSessionLost) {
					t.Errorf("Get: %v", err)
				}
			})
		}
		synctest.Wait()
		if n := w.srv.Requests()["getData"]; n > maxOutstanding+1 {
			t.Errorf("%d requests under way", n)
		}
		if err := u.Close(within(time.Millisecond)); !errors.Is(err, ErrUnknownOutcome) {
			t.Errorf("Close: %v", err)
		}
		wg.Wait()
	})
}

// Its caller has gone, but the create is under way. Until it is decided a Sync
// would promise too much.
func TestSyncWaitsForWritesWhoseCallersHaveGone(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		w.srv.HoldReplies(s.ID())
		if _, err := s.Create(within(100*time.Millisecond), "/x", nil, Persistent); !errors.Is(err, ErrUnknownOutcome) {
			t.Errorf("Create: %v", err)
		}
		before := w.srv.Requests()["sync"]
		if err := s.Sync(within(100*time.Millisecond), "/"); !errors.Is(err, ErrNotConnected) {
			t.Errorf("Sync: %v", err)
		}
		if w.srv.Requests()["sync"] != before {
			t.Error("Sync was sent before the create was decided")
		}
		w.srv.ReleaseReplies(s.ID())
		if err := s.Sync(bg, "/"); err != nil {
			t.Errorf("Sync: %v", err)
		}
		u.close()
	})
}

// 51 as far as it is ours.
func TestLargeRequestIsRefusedAndTheConnectionUnharmed_Fault51(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		for _, size := range []int{MaxRequest, 2 << 20} {
			_, err := s.Create(bg, "/much", make([]byte, size), Persistent)
			if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "/much") || !strings.Contains(err.Error(), fmt.Sprint(size)[:3]) {
				t.Errorf("Create of %d bytes: %v", size, err)
			}
		}
		_, err := s.Multi(bg, CreateOp("/a", make([]byte, 500<<10), Persistent), CreateOp("/b", make([]byte, 501<<10), Persistent))
		var op *OpError
		if !errors.Is(err, ErrTooLarge) || !errors.As(err, &op) || op.Path != "/b" || op.Index != 1 {
			t.Errorf("Multi: %v", err)
		}
		if _, err := s.Create(bg, "/fits", make([]byte, MaxRequest-1000), Persistent); err != nil {
			t.Errorf("Create of what fits: %v", err)
		}
		if data, _, err := s.Get(bg, "/fits", nil); err != nil || len(data) != MaxRequest-1000 {
			t.Errorf("Get: %d bytes, %v", len(data), err)
		}
		if n := u.Stats().Suspensions; n != 0 {
			t.Errorf("%d disconnects", n)
		}
		u.close()
	})
}

func TestStatsCountRequestsByKind(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		before := u.Stats()
		s.Create(bg, "/x", nil, Persistent)
		s.Set(bg, "/x", []byte("1"), 0)
		s.Get(bg, "/x", func() {})
		s.Exists(bg, "/x", nil)
		s.Children(bg, "/x", func() {})
		s.Multi(bg, SetOp("/x", nil, AnyVersion))
		s.Sync(bg, "/")
		s.Delete(bg, "/x", AnyVersion)
		after := u.Stats()
		if after.Creates-before.Creates != 1 || after.Sets-before.Sets != 1 || after.Gets-before.Gets != 1 ||
			after.Exists-before.Exists != 1 || after.Children-before.Children != 1 || after.Multis-before.Multis != 1 ||
			after.Syncs-before.Syncs != 1 || after.Deletes-before.Deletes != 1 || after.Total()-before.Total() != 8 ||
			after.Writes()-before.Writes() != 4 || after.WatchesSet-before.WatchesSet != 2 {
			t.Errorf("before %+v\nafter %+v", before, after)
		}
		time.Sleep(time.Hour)
		if got := u.Stats(); got != after && got.WatchEvents == after.WatchEvents {
			t.Errorf("an idle hour: %+v\nafter %+v", got, after)
		}
		u.close()
	})
}
