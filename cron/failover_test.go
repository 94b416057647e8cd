package cron_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"conclave/actor"
	"conclave/conclavetest"
	"conclave/cron"
)

const (
	session = 10 * time.Second // the default
	tick    = time.Second      // ZooKeeper's
	// takeOver bounds how long nobody is active after a silent death.
	takeOver = session + tick*3/2
)

func TestOneNodeRunsEachTick(t *testing.T) {
	conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
		d := stand(c, "* * * * * *", brief)
		first := active(c)
		time.Sleep(time.Minute + 500*time.Millisecond)
		if n := d.check(); n != 60 {
			c.Errorf("%d ticks in a minute", n)
		}
		for _, e := range d.entries() {
			if e.node != first || !e.began.Equal(e.tick.Time) {
				c.Errorf("%v; %s is active", &e, first.Name())
			}
		}
		for _, n := range c.Nodes() {
			where, err := cron.Where(c.Context(), n.Node, name)
			if is := cron.Active(n.Node, name); err != nil || where != first.ID() || is != (n == first) {
				c.Errorf("%s: active %v; it is at %v, %v", n.Name(), is, where, err)
			}
		}
	})
}

// A tick every second for ten minutes, and the active node killed every 20 s. None is
// doubled, and none is missed but while nobody was active.
func TestTicksWhileActiveNodesAreKilled_Fault48(t *testing.T) {
	conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
		d := stand(c, "* * * * * *", brief)
		active(c)
		const kills = 30
		for range kills {
			time.Sleep(20 * time.Second)
			c.Restart(active(c).Index())
		}
		active(c)
		time.Sleep(5 * time.Second)
		ticks, all := d.check(), int(c.Now()/time.Second)
		if most := all - kills; ticks > most || ticks < all-kills*int(takeOver/time.Second+1) {
			c.Errorf("%d ticks of %d with %d kills", ticks, all, kills)
		}
		runs := d.entries()
		for i := 1; i < len(runs); i++ {
			if gap := runs[i].tick.Time.Sub(runs[i-1].tick.Time); gap > takeOver+time.Second || runs[i].node == runs[i-1].node && gap != time.Second {
				c.Errorf("between %v and %v ticks were missed", &runs[i-1], &runs[i])
			}
		}
	})
}

// A run that would go on for an hour: its context ends in time, so that it has ended
// before the next one begins elsewhere.
func TestRunsEndBeforeTheNextNodeIsActive(t *testing.T) {
	for what, trouble := range map[string]func(c *conclavetest.Cluster, i int){
		"paused":             (*conclavetest.Cluster).Pause,
		"cut from ZooKeeper": (*conclavetest.Cluster).CutZooKeeper,
		"session expires":    (*conclavetest.Cluster).ExpireSession,
		"killed":             (*conclavetest.Cluster).Kill,
		"stopped": func(c *conclavetest.Cluster, i int) {
			if err := c.Stop(i); err != nil {
				c.Error(err)
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
				d := stand(c, "* * * * * *", long(time.Hour))
				old := active(c)
				c.Await("a run", func() bool { return len(d.entries()) == 1 })
				time.Sleep(3 * time.Second)
				trouble(c, old.Index())
				c.Await("a run elsewhere", func() bool { return len(d.entries()) == 2 })
				runs := d.entries()
				if runs[0].ended.IsZero() || runs[0].ended.After(runs[1].began) || runs[1].node == old {
					c.Errorf("%v, then %v", &runs[0], &runs[1])
				}
				if gap := runs[1].began.Sub(runs[0].ended); gap > takeOver+time.Second {
					c.Errorf("nobody ran for %v", gap)
				}
				c.Mend()
				time.Sleep(time.Minute)
				d.check()
			})
		})
	}
}

// What can happen, by chance, for half an hour; but that somebody ends a living
// node's session, of which that may hear late (docs/guarantees.md).
func TestNeverTwoAtATimeWhateverHappens(t *testing.T) {
	conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
		d := stand(c, "*/2 * * * * *", long(5*time.Second), cron.Queue())
		kinds := slices.DeleteFunc(conclavetest.Kinds(), func(k conclavetest.Kind) bool { return k == conclavetest.KindExpire })
		c.Faults(30*time.Minute, 60, kinds...)
		active(c)
		time.Sleep(time.Minute)
		if n := d.check(); n < 100 {
			c.Errorf("%d ticks in half an hour", n)
		}
	})
}

func TestStoppedNodeMissesNoTick(t *testing.T) {
	conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
		d := stand(c, "* * * * * *", brief)
		old := active(c)
		time.Sleep(10*time.Second + 500*time.Millisecond)
		if err := c.Stop(old.Index()); err != nil {
			c.Error(err)
		}
		time.Sleep(10 * time.Second)
		if n := d.check(); n != 20 {
			c.Errorf("%d ticks in 20.5 s", n)
		}
	})
}

// What was run before a planned transfer is not run again, and what comes due
// meanwhile is not missed.
func TestTransferHandsOverHowFarItWas(t *testing.T) {
	conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
		d := stand(c, "* * * * * *", brief)
		old := active(c)
		time.Sleep(5 * time.Second) // at a tick
		next := c.Node((old.Index() + 1) % 3)
		c.Delay(old.Index(), next.Index(), 300*time.Millisecond)
		if err := old.Transfer(c.Context(), "cron:"+name, next.ID()); err != nil {
			c.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		d.check()
		runs := d.entries()
		for i := 1; i < len(runs); i++ {
			if gap := runs[i].tick.Time.Sub(runs[i-1].tick.Time); gap != time.Second {
				c.Errorf("%v, then %v", &runs[i-1], &runs[i])
			}
		}
		if last := runs[len(runs)-1]; last.node != next {
			c.Errorf("%v; it was handed over to %s", &last, next.Name())
		}
	})
}

func TestARunThatDoesNotReturnKeepsTheName(t *testing.T) {
	conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
		deaf := func(ctx context.Context) error {
			time.Sleep(4 * time.Second)
			return ctx.Err()
		}
		d := stand(c, "* * * * * *", deaf)
		old := active(c)
		c.Await("a run", func() bool { return len(d.entries()) == 1 })
		began := c.Now()
		if err := c.Stop(old.Index()); err != nil {
			c.Error(err)
		}
		if took := c.Now() - began; took < 3*time.Second {
			c.Errorf("it stopped after %v", took)
		}
		c.Await("a run elsewhere", func() bool { return len(d.entries()) == 2 })
		d.check()
	})
}

func TestTheCauseIsTheTermsEnd(t *testing.T) {
	conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
		causes := make(chan error, 10)
		terms := make(chan error, 10)
		stand(c, "* * * * * *", func(ctx context.Context) error {
			terms <- actor.CheckTerm(ctx)
			<-ctx.Done()
			terms <- actor.CheckTerm(ctx)
			causes <- context.Cause(ctx)
			return nil
		})
		old := active(c)
		time.Sleep(2 * time.Second)
		c.ExpireSession(old.Index())
		if err := <-causes; !errors.Is(err, actor.ErrTermOver) {
			c.Errorf("the cause is %v", err)
		}
		if before, after := <-terms, <-terms; before != nil || !errors.Is(after, actor.ErrTermOver) {
			c.Errorf("the term: %v, then %v", before, after)
		}
	})
}
