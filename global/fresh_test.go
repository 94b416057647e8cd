package global

import (
	"context"
	"errors"
	"testing"
	"time"

	"conclave/actor"
	"conclave/zkdev"
)

// The looker's watch on the holder is lost, so its cache goes on showing who has
// left. A fresh look-up does not.
func TestFreshLookupSeesTheHolderThatTheCacheDoesNot(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		first, next, looker := c.join("first"), c.join("next"), c.join("looker")
		old := first.register("boss", Run(idles))
		next.register("boss", Run(idles))
		if got := looker.whereis("boss"); got != old {
			t.Fatalf("%v holds", got)
		}
		c.settle()
		c.dev.DelayEvents(looker.session().ID(), "", time.Minute)
		first.withdraw("boss")
		c.await("the next holds", func() bool { return len(c.holders("boss")) == 1 && c.holders("boss")[0] == next })
		if got := looker.whereis("boss"); got != old {
			t.Fatalf("the cache shows %v: this test shows nothing", got)
		}
		term, _ := next.g.Holding("boss")
		h, err := looker.g.Fresh(context.Background(), "boss")
		if err != nil || h.Term != term {
			t.Errorf("fresh: %v, %v; want %v", h, err, term)
		}
	})
}

func TestFreshLookupWaitsForAHolder(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		looker := c.join("looker")
		if _, err := looker.g.Fresh(short(), "boss"); !errors.Is(err, ErrNoHolder) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("nobody there: %v", err)
		}
		if _, err := looker.g.Fresh(short(), "no/name"); !errors.Is(err, actor.ErrBadName) {
			t.Errorf("a bad name: %v", err)
		}
		got := make(chan Holder, 2)
		for range 2 { // before the name is known, and while it is being elected
			go func() {
				h, err := looker.g.Fresh(context.Background(), "boss")
				if err != nil {
					t.Error(err)
				}
				got <- h
			}()
			time.Sleep(time.Second)
			c.admin().register("other", Run(idles))
		}
		pid := c.join("n").register("boss", Run(idles))
		for range 2 {
			if h := <-got; h.PID != pid {
				t.Errorf("%v, want %v", h, pid)
			}
		}
	})
}

func TestFreshLookupOutlastsALostSession(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		pid := c.join("n").register("boss", Run(idles))
		looker := c.join("looker")
		looker.session()
		looker.wire.cut()
		got := make(chan Holder, 1)
		go func() {
			h, err := looker.g.Fresh(context.Background(), "boss")
			if err != nil {
				t.Error(err)
			}
			got <- h
		}()
		time.Sleep(3 * c.T)
		looker.wire.mend()
		if h := <-got; h.PID != pid {
			t.Errorf("%v, want %v", h, pid)
		}
	})
}

func TestAtLeastTakesTheCacheOnlyIfThatIsNewEnough(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		first, next, looker := c.join("first"), c.join("next"), c.join("looker")
		first.register("boss", Run(idles))
		next.register("boss", Run(idles))
		looker.whereis("boss")
		c.settle()
		was, _ := first.g.Holding("boss")
		before := looker.keeper.Stats().Total()
		if h, err := looker.g.AtLeast(context.Background(), "boss", was); err != nil || h.Term != was {
			t.Errorf("%v, %v", h, err)
		}
		if n := looker.keeper.Stats().Total() - before; n != 0 {
			t.Errorf("%d requests for what the cache has", n)
		}
		c.dev.DelayEvents(looker.session().ID(), "", time.Minute)
		first.withdraw("boss")
		c.await("the next holds", func() bool { return len(c.holders("boss")) == 1 && c.holders("boss")[0] == next })
		term, _ := next.g.Holding("boss")
		if h, err := looker.g.AtLeast(context.Background(), "boss", term); err != nil || h.Term != term {
			t.Errorf("%v, %v; want %v", h, err, term)
		}
		for _, bad := range []actor.Term{
			actor.MakeTerm(term.Cluster(), "boss", term.Number()+100),
			actor.MakeTerm("another", "boss", 1),
			actor.MakeTerm(term.Cluster(), "clerk", 1),
		} {
			if h, err := looker.g.AtLeast(context.Background(), "boss", bad); !errors.Is(err, ErrNoSuchTerm) {
				t.Errorf("%v of %s: %v, %v", bad, bad.Cluster(), h, err)
			}
		}
	})
}

// The session ends while a look-up waits for a holder, and with it its watches.
func TestFreshLookupThatWaitsOutlastsALostSession(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		first, looker := c.join("first"), c.join("looker")
		first.register("boss", Run(idles))
		first.withdraw("boss")
		got := make(chan Holder, 1)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			h, err := looker.g.Fresh(ctx, "boss")
			if err != nil {
				t.Error(err)
			}
			got <- h
		}()
		time.Sleep(time.Second)
		c.dev.ExpireSession(looker.session().ID())
		time.Sleep(time.Second)
		pid := first.register("boss", Run(idles))
		if h := <-got; h.PID != pid {
			t.Errorf("%v, want %v", h, pid)
		}
	})
}

// The connection breaks between the write and the read, or on the read.
func TestFreshLookupOutlastsABrokenConnection(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		pid := c.join("n").register("boss", Run(idles))
		looker := c.join("looker")
		for _, op := range []string{"multi", "getChildren2", "getData"} {
			session, broken := looker.session().ID(), false
			remove := c.dev.Inject(func(r zkdev.Request) zkdev.Fault {
				if r.Session != session || r.Op != op || broken {
					return zkdev.NoFault
				}
				broken = true
				return zkdev.LoseReply
			})
			if h, err := looker.g.Fresh(short(), "boss"); err != nil || h.PID != pid {
				t.Errorf("%s: %v, %v", op, h, err)
			}
			if remove(); !broken {
				t.Errorf("there was no %s", op)
			}
		}
	})
}

// The looker's server is behind and shows it the former holder.
func TestFreshLookupThroughALaggingFollower(t *testing.T) {
	ensemble(t, func(t *testing.T, c *cluster) {
		follower := c.dev.Follower()
		c.ways["looker"] = follower.DialContext
		first, next, looker := c.join("first"), c.join("next"), c.join("looker")
		old := first.register("boss", Run(idles))
		next.register("boss", Run(idles))
		looker.whereis("boss")
		c.settle()
		follower.Lag(time.Second)
		first.withdraw("boss")
		c.await("the next holds", func() bool { return len(c.holders("boss")) == 1 && c.holders("boss")[0] == next })
		if got := looker.whereis("boss"); got != old {
			t.Fatalf("the cache shows %v: this test shows nothing", got)
		}
		term, _ := next.g.Holding("boss")
		if h, err := looker.g.Fresh(context.Background(), "boss"); err != nil || h.Term != term {
			t.Errorf("fresh: %v, %v; want %v", h, err, term)
		}
	})
}
