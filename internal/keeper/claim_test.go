package keeper

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"conclave/zkdev"
)

// claimed makes an ephemeral and claims it.
func (u *under) claimed(path string) *Lease {
	u.t.Helper()
	s := u.session()
	if _, err := s.Create(bg, path, nil, Ephemeral); err != nil {
		u.t.Fatal(err)
	}
	l, err := s.Claim(bg, path)
	if err != nil {
		u.t.Fatal(err)
	}
	return l
}

// ends waits for the lease's context and returns how long it took, checking
// that Check agrees to the moment.
func ends(t *testing.T, l *Lease, cause error) time.Duration {
	t.Helper()
	start := time.Now()
	<-l.Context().Done()
	if got := context.Cause(l.Context()); !errors.Is(got, cause) {
		t.Errorf("the context ended with %v, want %v", got, cause)
	}
	if err := l.Check(); !errors.Is(err, cause) {
		t.Errorf("Check: %v, want %v", err, cause)
	}
	return time.Since(start)
}

func TestLeaseLastsWhileHeartbeatsAreAnswered(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		l := u.claimed("/x")
		until := l.Until() - u.Now()
		if until != testT/4 {
			t.Errorf("the first write bought %v, want T/4", until)
		}
		for range 10 * 60 {
			time.Sleep(time.Second)
			if err := l.Check(); err != nil {
				t.Fatal(err)
			}
		}
		if left := l.Until() - u.Now(); left < testT/2-testT/8 || left > testT/2 {
			t.Errorf("%v left, want between 3T/8 and T/2", left)
		}
		if n := u.Stats().Heartbeats; n < 1200 || n > 1203 { // every T/8 for ten minutes
			t.Errorf("%d heartbeats", n)
		}
		u.close()
	})
}

func TestSessionThatHoldsNothingWritesNoHeartbeats(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		u.session()
		time.Sleep(time.Hour)
		if st := u.Stats(); st.Heartbeats != 0 || st.Suspensions != 0 {
			t.Errorf("%+v", st)
		}
		l := u.claimed("/x")
		time.Sleep(time.Minute)
		l.Release()
		synctest.Wait()
		n := u.Stats().Heartbeats
		time.Sleep(time.Hour)
		if got := u.Stats().Heartbeats; got != n {
			t.Errorf("%d heartbeats after the release", got-n)
		}
		if err := l.Check(); !errors.Is(err, ErrReleased) || !errors.Is(context.Cause(l.Context()), ErrReleased) {
			t.Errorf("Check: %v", err)
		}
		u.close()
	})
}

// The lease counts from before the last acknowledged heartbeat was sent, and
// ends to the nanosecond.
func TestLeaseEndsExactly(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		l := u.claimed("/x")
		var last atomic.Int64
		w.srv.Inject(func(r zkdev.Request) zkdev.Fault {
			if r.Op == "multi" {
				last.Store(int64(u.Now()))
			}
			return zkdev.NoFault
		})
		time.Sleep(time.Minute + 123*time.Millisecond)
		w.srv.Freeze()
		want := time.Duration(last.Load()) + testT/2
		if l.Until() != want {
			t.Errorf("it lasts until %v, want %v", l.Until(), want)
		}
		ends(t, l, ErrLeaseLapsed)
		if now := u.Now(); now != want {
			t.Errorf("it ended at %v, want %v", now, want)
		}
		w.srv.Thaw()
		time.Sleep(time.Minute)
		if err := l.Check(); !errors.Is(err, ErrLeaseLapsed) {
			t.Errorf("a lapsed lease has come back: %v", err)
		}
		u.Close(within(time.Second))
	})
}

// 9: requests arrive, replies are lost. The session lives, the lease must not.
func TestOneWayCutLapsesTheLease_Fault9(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		l := u.claimed("/x")
		time.Sleep(time.Minute)
		s := u.session()
		w.srv.HoldReplies(s.ID())
		if d := ends(t, l, ErrLeaseLapsed); d > testT/2 {
			t.Errorf("lapsed after %v, more than T/2", d)
		}
		if len(w.srv.Sessions()) != 1 || s.Err() != nil {
			t.Errorf("sessions %v, %v", w.srv.Sessions(), s.Err())
		}
		w.srv.ReleaseReplies(s.ID())
		u.Close(within(time.Second))
	})
}

// An unanswered heartbeat closes the connection after T/8; here the next one
// works, so the lease goes on.
func TestUnansweredHeartbeatMovesToAnotherConnectionInTime_Fault18(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		l := u.claimed("/x")
		time.Sleep(time.Minute)
		w.once("multi", zkdev.HoldReply)
		start := time.Now()
		u.await("suspended")
		if d := time.Since(start); d > testT/4 {
			t.Errorf("the connection was closed after %v", d)
		}
		time.Sleep(time.Minute)
		if err := l.Check(); err != nil {
			t.Error(err)
		}
		u.close()
	})
}

// 7 and 20 as far as they are ours.
func TestLeaseLapsesWhileZooKeeperIsAway_Fault7(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		l := u.claimed("/x")
		time.Sleep(time.Minute)
		w.srv.Down()
		if d := ends(t, l, ErrLeaseLapsed); d > testT/2 {
			t.Errorf("lapsed after %v", d)
		}
		w.srv.Up()
		s := u.session()
		u.await("resumed")
		// A lapsed lease is final: this znode is not to be claimed again, a
		// new one is.
		if _, err := s.Claim(bg, "/x"); !errors.Is(err, ErrLeaseLapsed) {
			t.Errorf("Claim again: %v", err)
		}
		if err := s.Delete(bg, "/x", AnyVersion); err != nil {
			t.Fatal(err)
		}
		if err := u.claimed("/x").Check(); err != nil {
			t.Error(err)
		}
		u.close()
	})
}

// 14: only the lease on the deleted znode ends, at once.
func TestDeletedZnodeEndsItsLeaseAtOnce_Fault14(t *testing.T) {
	inBubble(t, func(w *world) {
		u, admin := w.open(1), w.open(2)
		x, y := u.claimed("/x"), u.claimed("/y")
		time.Sleep(time.Minute)
		if err := admin.session().Delete(bg, "/x", AnyVersion); err != nil {
			t.Fatal(err)
		}
		if d := ends(t, x, ErrOwnerGone); d > 0 {
			t.Errorf("ended after %v", d)
		}
		time.Sleep(time.Minute)
		if err := y.Check(); err != nil {
			t.Errorf("the other lease: %v", err)
		}
		u.close()
		admin.close()
	})
}

// The watch fires before whoever claims has looked at what it has read.
func TestZnodeIsDeletedWhileItIsClaimed(t *testing.T) {
	inBubble(t, func(w *world) {
		u, admin := w.open(1), w.open(2)
		s, other := u.session(), admin.session()
		for range 300 {
			if _, err := s.Create(bg, "/x", nil, Ephemeral); err != nil {
				t.Fatal(err)
			}
			deleted := make(chan error, 1)
			go func() { deleted <- other.Delete(bg, "/x", AnyVersion) }()
			if l, err := s.Claim(bg, "/x"); err == nil {
				ends(t, l, ErrOwnerGone)
			} else if !errors.Is(err, ErrOwnerGone) {
				t.Fatal(err)
			}
			if err := <-deleted; err != nil {
				t.Fatal(err)
			}
		}
		u.close()
		admin.close()
	})
}

// As above, with the event lost: the next heartbeat finds out, and its
// successor follows at once so that the other lease does not suffer.
func TestDeletedZnodeEndsItsLeaseAtTheNextHeartbeat_Fault14(t *testing.T) {
	inBubble(t, func(w *world) {
		u, admin := w.open(1), w.open(2)
		x, y := u.claimed("/x"), u.claimed("/y")
		time.Sleep(time.Minute)
		w.srv.LoseWatch("/x")
		if err := admin.session().Delete(bg, "/x", AnyVersion); err != nil {
			t.Fatal(err)
		}
		if d := ends(t, x, ErrOwnerGone); d > testT/8 {
			t.Errorf("ended after %v", d)
		}
		synctest.Wait()
		if left := y.Until() - u.Now(); left != testT/2 {
			t.Errorf("the other lease was left at %v", left)
		}
		u.close()
		admin.close()
	})
}

// Deleted and made by somebody else under the same name while we were away.
func TestZnodeTakenByAnotherEndsTheLease(t *testing.T) {
	inBubble(t, func(w *world) {
		u, other := w.open(1), w.open(2)
		x := u.claimed("/x")
		time.Sleep(time.Minute)
		back := w.partition(u)
		other.session().Delete(bg, "/x", AnyVersion)
		other.session().Create(bg, "/x", nil, Ephemeral)
		back()
		ends(t, x, ErrOwnerGone)
		if u.session().Err() != nil {
			t.Error("the session ended")
		}
		u.close()
		other.close()
	})
}

func TestLeaseEndsWithItsSession(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		l := u.claimed("/x")
		s := u.session()
		w.srv.ExpireSession(s.ID())
		<-s.Done()
		if err := l.Check(); !errors.Is(err, ErrSessionLost) && !errors.Is(err, ErrOwnerGone) {
			t.Errorf("Check as soon as the session is over: %v", err)
		}
		<-l.Context().Done()
		u.await("lost")
		if _, err := s.Claim(bg, "/x"); !errors.Is(err, ErrSessionLost) {
			t.Errorf("Claim: %v", err)
		}
		u.session()
		u.close()
	})
}

func TestLeaseEndsWhenTheKeeperCloses(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		l := u.claimed("/x")
		u.close()
		<-l.Context().Done()
		if err := l.Check(); !errors.Is(err, ErrSessionLost) && !errors.Is(err, ErrOwnerGone) { // whichever is heard of first
			t.Error(err)
		}
	})
}

func TestOnlyOwnEphemeralsCanBeClaimed(t *testing.T) {
	inBubble(t, func(w *world) {
		u, other := w.open(1), w.open(2)
		s := u.session()
		if _, err := s.Claim(bg, "/missing"); !errors.Is(err, ErrOwnerGone) || !errors.Is(err, ErrNoNode) {
			t.Errorf("missing: %v", err)
		}
		other.session().Create(bg, "/theirs", nil, Ephemeral)
		if _, err := s.Claim(bg, "/theirs"); !errors.Is(err, ErrOwnerGone) {
			t.Errorf("another's: %v", err)
		}
		s.Create(bg, "/kept", nil, Persistent)
		if _, err := s.Claim(bg, "/kept"); !errors.Is(err, ErrOwnerGone) {
			t.Errorf("persistent: %v", err)
		}
		u.claimed("/x")
		if _, err := s.Claim(bg, "/x"); !errors.Is(err, ErrNodeExists) {
			t.Errorf("twice: %v", err)
		}
		u.close()
		other.close()
	})
}

func TestClaimEndsWithItsContext(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		s := u.session()
		s.Create(bg, "/x", nil, Ephemeral)
		w.once("multi", zkdev.HoldReply)
		if _, err := s.Claim(within(time.Millisecond), "/x"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Claim: %v", err)
		}
		u.await("resumed")
		synctest.Wait()
		n := u.Stats().Heartbeats
		time.Sleep(time.Minute)
		if got := u.Stats().Heartbeats; got != n {
			t.Errorf("%d heartbeats for a claim that was given up", got-n)
		}
		u.close()
	})
}

// Many leases share one heartbeat.
func TestHeartbeatServesAllLeases(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		var all []*Lease
		for i := range 100 {
			all = append(all, u.claimed(fmt.Sprintf("/x-%d", i)))
		}
		before := u.Stats().Heartbeats
		time.Sleep(time.Minute)
		if n := u.Stats().Heartbeats - before; n > 121 {
			t.Errorf("%d heartbeats in a minute", n)
		}
		for _, l := range all {
			if err := l.Check(); err != nil {
				t.Fatal(err)
			}
		}
		u.close()
	})
}

// The Clock counts a suspension, timers do not: the first Check knows, and
// nothing can bring the lease back.
func TestSuspendedMachineFindsItsLeaseLapsed_Fault4(t *testing.T) {
	inBubble(t, func(w *world) {
		var slept atomic.Int64
		start := time.Now()
		u := w.open(1, func(c *Config) {
			c.Clock = func() time.Duration { return time.Since(start) + time.Duration(slept.Load()) }
		})
		l := u.claimed("/x")
		time.Sleep(time.Minute)
		slept.Store(int64(testT))
		if err := l.Check(); !errors.Is(err, ErrLeaseLapsed) {
			t.Errorf("Check: %v", err)
		}
		if l.Context().Err() == nil {
			t.Error("Check failed and the context goes on")
		}
		time.Sleep(time.Minute)
		if err := l.Check(); !errors.Is(err, ErrLeaseLapsed) {
			t.Errorf("later: %v", err)
		}
		u.close()
	})
}

// ... and without anybody checking, the next heartbeat's time finds out.
func TestSuspendedMachineEndsTheContextSoon_Fault4(t *testing.T) {
	inBubble(t, func(w *world) {
		var slept atomic.Int64
		start := time.Now()
		u := w.open(1, func(c *Config) {
			c.Clock = func() time.Duration { return time.Since(start) + time.Duration(slept.Load()) }
		})
		l := u.claimed("/x")
		time.Sleep(time.Minute)
		slept.Store(int64(testT))
		if d := ends(t, l, ErrLeaseLapsed); d > testT/8 {
			t.Errorf("ended after %v", d)
		}
		u.close()
	})
}

func TestCheckAllocatesNothing(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		l := u.claimed("/x")
		if n := testing.AllocsPerRun(100, func() { l.Check() }); n != 0 {
			t.Errorf("%v allocations", n)
		}
		u.close()
	})
}

func BenchmarkLeaseCheck(b *testing.B) {
	l := &Lease{s: new(Session), clock: systemClock()}
	l.until.Store(1<<63 - 1)
	b.ReportAllocs()
	for b.Loop() {
		if l.Check() != nil {
			b.Fatal("lapsed")
		}
	}
}

func TestExtensionIsToldBeforeItHolds(t *testing.T) {
	inBubble(t, func(w *world) {
		u := w.open(1)
		l := u.claimed("/x")
		var told []time.Duration
		first := l.OnExtend(func(until time.Duration) {
			if l.Until() >= until {
				t.Errorf("until %v is told, and %v holds already", until, l.Until())
			}
			told = append(told, until)
		})
		if first != l.Until() {
			t.Errorf("until %v, want %v", first, l.Until())
		}
		time.Sleep(2 * testT)
		synctest.Wait()
		if n := len(told); n < 12 || told[n-1] != l.Until() {
			t.Errorf("told %d extensions, the last until %v; it lasts until %v", n, told[max(0, n-1)], l.Until())
		}
		last := l.OnExtend(nil)
		time.Sleep(testT)
		synctest.Wait()
		if told[len(told)-1] != last {
			t.Errorf("told after it was not asked for any more")
		}
		u.close()
	})
}
