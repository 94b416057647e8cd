package cron_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"conclave/conclavetest"
	"conclave/cron"
	"conclave/node"
)

const name = "report"

// diary is what was run where and when.
type diary struct {
	c *conclavetest.Cluster

	mu   sync.Mutex
	runs []*entry
}

type entry struct {
	tick         cron.Tick
	node         *conclavetest.Node
	began, ended time.Time // ended is zero while it goes on
}

func (e *entry) String() string {
	return fmt.Sprintf("%s on %s from %v to %v", e.tick.ID(), e.node.Name(), e.began.Format(time.StampMilli), e.ended.Format(time.StampMilli))
}

// noted is f, with an entry for each run.
func (d *diary) noted(n *conclavetest.Node, f func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		e := &entry{tick: cron.TickOf(ctx), node: n, began: time.Now()}
		d.mu.Lock()
		d.runs = append(d.runs, e)
		d.mu.Unlock()
		defer func() {
			d.mu.Lock()
			e.ended = time.Now()
			d.mu.Unlock()
		}()
		return f(ctx)
	}
}

// entries is a copy of the diary so far, in order of beginning.
func (d *diary) entries() (all []entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.runs {
		all = append(all, *e)
	}
	return all
}

// stand has every node run f by the line, as long as it is up.
func stand(c *conclavetest.Cluster, line string, f func(context.Context) error, opts ...cron.Option) *diary {
	d := &diary{c: c}
	c.Setup(func(n *conclavetest.Node) {
		go func() {
			err := cron.Run(n.Context(), n.Node, name, line, d.noted(n, f), opts...)
			if !errors.Is(err, context.Canceled) && !errors.Is(err, node.ErrStopped) {
				c.Errorf("%s: Run returned %v", n.Name(), err)
			}
		}()
	})
	return d
}

// active waits for the active node.
func active(c *conclavetest.Cluster) *conclavetest.Node {
	c.Helper()
	return c.AwaitHolder("cron:" + name)
}

// check sees to what holds whatever happens, and says how many ticks were run.
func (d *diary) check() int {
	d.c.Helper()
	d.c.Check(conclavetest.NeverTwo("cron:"+name), conclavetest.TermsRise("cron:"+name), conclavetest.SoundHistory())
	runs := d.entries()
	seen := map[string]entry{}
	for _, e := range runs {
		if first, twice := seen[e.tick.ID()]; twice {
			d.c.Errorf("one tick twice: %v, and %v", &first, &e)
		}
		seen[e.tick.ID()] = e
	}
	slices.SortStableFunc(runs, func(a, b entry) int { return a.began.Compare(b.began) })
	for i, e := range runs {
		for _, later := range runs[i+1:] {
			if later.node != e.node && (e.ended.IsZero() || later.began.Before(e.ended)) {
				d.c.Errorf("two at a time: %v, and %v", &e, &later)
			}
		}
	}
	return len(seen)
}

// brief is an f that takes no time, long one that goes on for d or until its context
// is done.
func brief(context.Context) error { return nil }

func long(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(d):
			return nil
		}
	}
}
