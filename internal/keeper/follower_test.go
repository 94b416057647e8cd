package keeper

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"conclave/zkdev"
)

// onFollower runs f with a keeper whose only server is a follower. T is two
// ticks, the least there may be: then the follower's answers to pings, by which
// the leader hears of our touches, come each T/4. They come phase after whole
// ticks, and half a tick later.
func onFollower(t *testing.T, phase time.Duration, f func(u *under, srv *zkdev.Server, at *zkdev.Follower), change ...func(*Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		srv := zkdev.New(zkdev.Config{Tick: testT / 2})
		defer srv.Close()
		time.Sleep(phase)
		at := srv.Follower()
		start := time.Now()
		u := openUnder(t, Config{
			Servers: []string{"follower"}, SessionTimeout: testT, Incarnation: 1,
			Dial:  at.DialContext,
			Clock: func() time.Duration { return time.Since(start) },
		}, change...)
		f(u, srv, at)
	})
}

// pingPhases are those at which the leader's rounding to ticks gives least, and
// some between.
var pingPhases = []time.Duration{0, time.Millisecond, testT / 16, testT / 8, 3 * testT / 16, testT/4 - time.Millisecond}

// stopped lets nothing out while its gate is shut (has something in it), as if
// the process was stopped or the network had a pause.
type stopped struct {
	net.Conn
	gate chan struct{}
}

func (c stopped) Write(p []byte) (int, error) {
	c.gate <- struct{}{}
	defer func() { <-c.gate }()
	return c.Conn.Write(p)
}

// No lease may last longer than the leader would let the session live if it
// heard nothing more of it from this moment on: the follower could be cut off
// now. Every phase of claims, of the follower's pings, and of a pause before the
// claim that makes the last sign of life an old one; at every moment.
func TestLeaseIsNeverLongerThanWhatTheLeaderKnows_Fault6(t *testing.T) {
	least, most := testT, time.Duration(0)
	for _, phase := range pingPhases {
		for _, pause := range []time.Duration{0, testT / 4, testT / 2, 5 * testT / 8} {
			for wait := time.Duration(0); wait < testT; wait += testT / 24 {
				l, s := leaseOverSession(t, phase, pause, wait)
				least, most = min(least, s), max(most, l)
			}
		}
	}
	// It is looked at every T/32, so as much may be missing of the longest.
	if most > testT/2 || most < testT/2-testT/32 || least > testT/16 {
		t.Errorf("the longest lease was %v, and the session outlasted one by %v at least: the sweep missed the phases that matter", most, least)
	}
}

// leaseOverSession claims a lease and watches it. It returns the longest that
// the lease had to last, and by how much the session outlasted it at least.
func leaseOverSession(t *testing.T, phase, pause, wait time.Duration) (longest, margin time.Duration) {
	var gate chan struct{} // made in the bubble
	margin = testT
	onFollower(t, phase, func(u *under, srv *zkdev.Server, _ *zkdev.Follower) {
		s := u.session()
		time.Sleep(wait)
		if _, err := s.Create(bg, "/x", nil, Ephemeral); err != nil {
			u.t.Fatal(err)
		}
		gate <- struct{}{}
		time.Sleep(pause)
		<-gate
		l, err := s.Claim(bg, "/x")
		if err != nil {
			u.t.Fatal(err)
		}
		for range 2 * 32 {
			lease, session := l.Until()-u.Now(), time.Until(srv.Sessions()[0].Expires)
			if lease > session {
				u.t.Errorf("pings at %v, claimed %v after the handshake, of that stopped for %v: the lease lasts %v more, the session %v",
					phase, wait+pause, pause, lease, session)
				break
			}
			longest, margin = max(longest, lease), min(margin, session-lease)
			time.Sleep(testT / 32)
		}
		if err := l.Check(); err != nil {
			u.t.Error(err)
		}
		u.close()
	}, func(c *Config) {
		dial := c.Dial
		c.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := dial(ctx, address)
			return stopped{conn, gate}, err
		}
		gate = make(chan struct{}, 1)
	})
	return longest, margin
}

// A follower that is cut off answers reads, which says nothing about the
// session: the lease ends T/2 after the last heartbeat that was answered.
func TestReadsThroughACutFollowerRenewNothing_Fault6(t *testing.T) {
	reads := 0
	for since := testT / 256; since < testT/8; since += testT / 64 { // the last heartbeat
		onFollower(t, testT/16, func(u *under, srv *zkdev.Server, at *zkdev.Follower) {
			l := u.claimed("/x")
			s := u.session()
			var beat atomic.Int64
			last := func() time.Duration { return time.Duration(beat.Load()) }
			srv.Inject(func(r zkdev.Request) zkdev.Fault {
				if r.Op == "multi" {
					beat.Store(int64(u.Now()))
				}
				return zkdev.NoFault
			})
			time.Sleep(time.Minute)
			for was := last(); last() == was; {
				time.Sleep(time.Millisecond)
				synctest.Wait()
			}
			time.Sleep(last() + since - u.Now())
			want := last() + testT/2
			at.Cut()
			expires := srv.Sessions()[0].Expires
			for l.Check() == nil {
				ctx, cancel := context.WithTimeout(bg, testT/64)
				if _, _, err := s.Get(ctx, "/x", nil); err == nil {
					reads++
					time.Sleep(testT / 512)
				}
				cancel()
			}
			<-l.Context().Done()
			if now := u.Now(); now < want || now > want+testT/64 || l.Until() > want {
				u.t.Errorf("cut %v after a heartbeat: the lease ended at %v, want %v", since, now, want)
			}
			if left := time.Until(expires); left < testT/4 {
				u.t.Errorf("cut %v after a heartbeat: the session lasts only %v more", since, left)
			}
			at.Heal()
			u.Close(within(time.Minute))
		})
	}
	if reads < 16 {
		t.Errorf("only %d reads were answered", reads)
	}
}

// Where there is another server, a heartbeat that is not answered moves the
// session there before its lease has ended.
func TestLeaseOutlivesTheCutOfItsFollower_Fault6(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := zkdev.New(zkdev.Config{Tick: testT / 2})
		defer srv.Close()
		followers := map[string]*zkdev.Follower{"a": srv.Follower(), "b": srv.Follower()}
		var on atomic.Value
		start := time.Now()
		u := openUnder(t, Config{
			Servers: []string{"a", "b"}, SessionTimeout: testT, Incarnation: 1,
			Dial: func(ctx context.Context, address string) (net.Conn, error) {
				on.Store(address)
				return followers[address].DialContext(ctx, address)
			},
			Clock: func() time.Duration { return time.Since(start) },
		})
		l := u.claimed("/x")
		session := u.session().ID()
		moves := 0
		for i := range 20 {
			time.Sleep(10*time.Second + time.Duration(i)*testT/160)
			synctest.Wait()
			was := on.Load().(string)
			followers[was].Cut()
			for range 2 * 64 {
				if lease, session := l.Until()-u.Now(), time.Until(srv.Sessions()[0].Expires); lease > session {
					t.Fatalf("the lease lasts %v more, the session %v", lease, session)
				}
				time.Sleep(testT / 64)
			}
			synctest.Wait()
			if on.Load() != was {
				moves++
			}
			followers[was].Heal()
		}
		if err := l.Check(); err != nil || moves != 20 || u.session().ID() != session {
			t.Errorf("%v after %d moves, in session %#x, then %#x", err, moves, session, u.session().ID())
		}
		u.close()
	})
}
