package global

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/zkdev"
)

// ensemble is a bubble with a cluster of several servers, whose followers serve
// for ever when they are cut off, which is the worst they can do.
func ensemble(t *testing.T, f func(t *testing.T, c *cluster)) {
	t.Helper()
	bubble(t, func(t *testing.T, c *cluster) {
		c.dev = zkdev.New(zkdev.Config{Tick: c.tick, SyncLimit: -1})
		c.ways = make(map[string]dial)
		f(t, c)
	})
}

// beats counts a node's heartbeats and knows the latest.
type beats struct {
	n    atomic.Int64
	last atomic.Int64 // since the start
}

func (c *cluster) beats(m *member, start time.Time) *beats {
	b := &beats{}
	session, own := m.session().ID(), m.keeper.Paths().Node(m.system.Node().Incarnation)
	c.dev.Inject(func(r zkdev.Request) zkdev.Fault {
		if r.Session == session && r.Op == "multi" && r.Paths[0] == own && len(r.Paths) == 2 && strings.Contains(r.Paths[1], "/globals/") {
			b.n.Add(1)
			b.last.Store(int64(time.Since(start)))
		}
		return zkdev.NoFault
	})
	return b
}

// The holder's server is cut off from its quorum, the holder stays attached, and
// has nowhere else to go. It reads on, from a server that shows it its own znode
// long after that is gone.
func TestFault06HolderOnAFollowerCutFromItsQuorumStopsWithinItsLease(t *testing.T) {
	// Touches are reported to the leader each half tick, at four phases; the cut
	// comes at eight between two heartbeats, which go out each T/8.
	for report := range time.Duration(4) {
		for phase := range time.Duration(8) {
			ensemble(t, func(t *testing.T, c *cluster) {
				start := time.Now()
				time.Sleep(report * (c.tick/2 - time.Millisecond) / 3)
				follower := c.dev.Follower()
				c.ways["n"], c.ways["blind"] = follower.DialContext, follower.DialContext
				m, blind, next := c.join("n"), c.join("blind"), c.join("next")
				stopped := make(chan time.Time, 2)
				m.register("boss", Run(func(p *actor.Process) error {
					<-p.Done()
					stopped <- time.Now()
					return nil
				}))
				next.register("boss", Run(idles))
				znode := m.znode("boss")
				beats := c.beats(m, start)
				time.Sleep(10 * time.Second)
				n := beats.n.Load()
				c.await("a heartbeat", func() bool { return beats.n.Load() > n })
				beat := start.Add(time.Duration(beats.last.Load()))
				since := (2*phase + 1) * c.T / 128
				time.Sleep(time.Until(beat.Add(since)))

				follower.Cut()
				cut := time.Now()
				session := m.session()
				var expires time.Time
				for _, s := range c.dev.Sessions() {
					if s.ID == session.ID() {
						expires = s.Expires
					}
				}
				reads := 0 // on the holder's own session
				for len(stopped) == 0 {
					ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
					if _, _, err := session.Get(ctx, znode, nil); err == nil {
						reads++
					}
					cancel()
					time.Sleep(10 * time.Millisecond)
				}
				if most := int((c.T/8 - since) / (10 * time.Millisecond)); reads < most {
					t.Errorf("%d reads, of %d, until its next heartbeat", reads, most)
				}
				at := <-stopped
				if want := beat.Add(c.T / 2); at != want {
					t.Errorf("cut %v after a heartbeat: the holder stopped %v after the cut, want %v", since, at.Sub(cut), want.Sub(cut))
				}
				if !expires.After(cut) {
					t.Fatalf("the session is not the leader's, or is over")
				}
				time.Sleep(time.Until(expires) - time.Millisecond)
				if h := c.holders("boss"); len(h) != 0 {
					t.Errorf("%s holds already", h[0].name)
				}
				time.Sleep(time.Millisecond + c.soon)
				if h := c.holders("boss"); len(h) != 1 || h[0] != next {
					t.Errorf("when the session is over %d hold", len(h))
				}
				// The leader has heard of the heartbeat before the last one at least.
				if gap := expires.Sub(at); gap < c.T/2-c.T/8 {
					t.Errorf("cut %v after a heartbeat: the next begins only %v after the holder's end", since, gap)
				}
				// Who is attached to the cut follower still reads the old one's znode.
				if _, _, err := blind.session().Get(context.Background(), znode, nil); err != nil {
					t.Errorf("the cut follower shows: %v", err)
				}
				ended, _ := seen[TermEnded](m)
				if len(ended) != 1 || !errors.Is(ended[0].Cause, ErrLeaseLapsed) {
					t.Errorf("ended: %v", ended)
				}
				c.neverTwo("boss")

				follower.Heal()
				c.await("it stands again", func() bool { return len(c.candidates("boss")) == 2 })
				if h := c.holder("boss"); h != next {
					t.Errorf("%s holds", h.name)
				}
				c.neverTwo("boss")
			})
		}
	}
}

// With another server to go to, the holder goes there before its lease ends.
func TestFault06HolderLeavesAFollowerCutFromItsQuorum(t *testing.T) {
	ensemble(t, func(t *testing.T, c *cluster) {
		c.servers = []string{"a:2181", "b:2181"}
		followers := map[string]*zkdev.Follower{"a:2181": c.dev.Follower(), "b:2181": c.dev.Follower()}
		var on atomic.Value
		c.ways["n"] = func(ctx context.Context, address string) (net.Conn, error) {
			on.Store(address)
			return followers[address].DialContext(ctx, address)
		}
		m, next := c.join("n"), c.join("next")
		pid := m.register("boss", Run(idles))
		next.register("boss", Run(idles))
		for i := range time.Duration(16) {
			time.Sleep(10*time.Second + i*c.T/128)
			was := on.Load().(string)
			followers[was].Cut()
			time.Sleep(c.T + 2*c.tick)
			if on.Load() == was {
				t.Fatalf("it is still at %s", was)
			}
			followers[was].Heal()
		}
		if got := next.whereis("boss"); got != pid || len(c.terms("boss")) != 1 {
			t.Errorf("%v holds, after %d terms", got, len(c.terms("boss")))
		}
	})
}

// The reply to the candidate's create is lost, and its node finds itself at a
// follower that has not seen the create yet.
func TestFault12LostCreateReplyAndALaggingFollowerLeaveOneCandidate(t *testing.T) {
	for _, lag := range []time.Duration{time.Millisecond, 100 * time.Millisecond, time.Second, 2 * time.Second} {
		ensemble(t, func(t *testing.T, c *cluster) {
			first, lagging := c.dev.Follower(), c.dev.Follower()
			var lost, creates atomic.Int32
			c.ways["n"] = func(ctx context.Context, address string) (net.Conn, error) {
				if lost.Load() > 0 {
					return lagging.DialContext(ctx, address)
				}
				return first.DialContext(ctx, address)
			}
			m, other := c.join("n"), c.join("other")
			other.register("boss", Run(idles)) // so that the name is there
			other.withdraw("boss")
			time.Sleep(5 * time.Second)
			lagging.Lag(lag)
			session := m.session().ID()
			c.dev.Inject(func(r zkdev.Request) zkdev.Fault {
				if r.Session == session && candidateCreates(r) {
					creates.Add(1)
					if lost.CompareAndSwap(0, 1) {
						// Through a server this late no lease is to be had.
						time.AfterFunc(lag+lag/2, func() { lagging.Lag(0) })
						return zkdev.LoseReply
					}
				}
				return zkdev.NoFault
			})
			began := time.Now()
			pid := m.register("boss", Run(idles))
			if took := time.Since(began); took < lag {
				t.Errorf("lag %v: registered after %v, before the follower knew of it", lag, took)
			}
			if m.session().ID() != session || lost.Load() != 1 {
				t.Fatalf("lag %v: another session, or nothing lost; this test shows nothing", lag)
			}
			if n := creates.Load(); n != 1 {
				t.Errorf("lag %v: %d creates", lag, n)
			}
			if got := c.candidates("boss"); len(got) != 1 || pid.Node() != m.system.Node() {
				t.Errorf("lag %v: candidates %v, %v holds", lag, got, pid)
			}
			other.register("boss", Run(idles))
			m.withdraw("boss")
			if h := c.holder("boss"); h != other || len(c.candidates("boss")) != 1 {
				t.Errorf("lag %v: %s holds, candidates %v", lag, h.name, c.candidates("boss"))
			}
			c.neverTwo("boss")
		})
	}
}
