package global

import (
	"context"
	"errors"
	"testing"
	"time"

	"conclave/actor"
)

// deaf is a holder whose code ignores its context until release is closed.
func deaf(release <-chan struct{}) Code {
	return Run(func(*actor.Process) error {
		<-release
		return nil
	})
}

func TestStuckHolderIsReportedAndItsNodeStandsNoMore(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		m, next := c.join("n"), c.join("next")
		release := make(chan struct{})
		m.register("boss", deaf(release))
		m.register("other", Run(idles))
		next.register("boss", Run(idles))
		next.register("other", Run(idles))
		time.Sleep(3 * time.Second)
		m.wire.cut()
		c.await("the lease lapses", func() bool { e, _ := seen[TermEnded](m); return len(e) == 2 })
		_, ended := seen[TermEnded](m)
		c.await("it is told", func() bool { e, _ := seen[Stuck](m); return len(e) > 0 })
		stuck, at := seen[Stuck](m)
		if len(stuck) != 1 || stuck[0].Term.Scope() != "boss" {
			t.Errorf("told: %v", stuck)
		}
		if after := at[0].Sub(ended[0]); after != patience(c.T) {
			t.Errorf("told %v after the term's end", after)
		}
		m.wire.mend()
		time.Sleep(3 * c.T)
		if n := len(c.candidates("boss")) + len(c.candidates("other")); n != 2 {
			t.Errorf("%d candidates while it is stuck", n)
		}
		if _, err := m.g.Register(short(), "third", Run(idles)); !errors.Is(err, ErrNotStanding) {
			t.Errorf("register: %v", err)
		}
		close(release)
		c.await("it stands again", func() bool {
			return len(c.candidates("boss")) == 2 && len(c.candidates("other")) == 2 && len(c.candidates("third")) == 1
		})
		if e, _ := seen[Unstuck](m); len(e) != 1 {
			t.Errorf("told: %v", e)
		}
		c.neverTwo("boss")
	})
}

// As long as the session lives, the znode of a stuck holder stays, and so the
// name with it: code that runs is not joined by another's.
func TestStuckHolderThatResignsKeepsTheName(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		m, next := c.join("n"), c.join("next")
		release := make(chan struct{})
		m.register("boss", deaf(release))
		next.register("boss", Run(idles))
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := m.g.Withdraw(ctx, "boss"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("withdraw: %v", err)
		}
		if e, _ := seen[Stuck](m); len(e) != 1 {
			t.Errorf("told: %v", e)
		}
		if len(c.holders("boss")) != 0 {
			t.Error("another holds")
		}
		close(release)
		if h := c.holder("boss"); h != next {
			t.Errorf("%s holds", h.name)
		}
		c.neverTwo("boss")
	})
}

func TestCloseTellsOfAStuckHolder(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		m := c.join("n")
		release := make(chan struct{})
		defer close(release)
		m.register("boss", deaf(release))
		m.register("other", Run(idles))
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		start := time.Now()
		err := m.g.Close(ctx)
		if !errors.Is(err, ErrStuck) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("close: %v", err)
		}
		if took := time.Since(start); took > 5*time.Second+c.soon {
			t.Errorf("it took %v", took)
		}
		if n := len(c.candidates("other")); n != 0 {
			t.Errorf("%d candidates", n)
		}
	})
}

func TestFault41CloseWhileZooKeeperIsAway(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		m, next := c.join("n"), c.join("next")
		m.register("boss", Run(idles))
		next.register("boss", Run(idles))
		m.register("mine", Run(idles))
		c.dev.Down()
		time.Sleep(100 * time.Millisecond)
		start := time.Now()
		if err := m.g.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
		if took := time.Since(start); took > c.soon {
			t.Errorf("it took %v", took)
		}
		if _, ok := m.g.Holding("boss"); ok {
			t.Error("it holds")
		}
		// What it left in ZooKeeper goes with its session.
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		m.keeper.Close(ctx)
		c.dev.Up()
		up := time.Now()
		if h := c.holder("boss"); h != next {
			t.Errorf("%s holds", h.name)
		}
		if took := time.Since(up); took > c.T+c.tick {
			t.Errorf("it took %v", took)
		}
		c.neverTwo("boss")
	})
}
