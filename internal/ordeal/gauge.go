//go:build linux

package ordeal

import (
	"context"
	"sync/atomic"
	"time"

	"conclave/internal/child"
)

// gauge measures how long the machine keeps a program waiting that wants to run: what
// is late then may be late because of others' work.
type gauge struct {
	total, longest atomic.Int64
	stop           chan struct{}
}

const (
	gaugeEvery = 20 * time.Millisecond
	// busy is a wait that any machine may ask for now and then.
	busy = 20 * time.Millisecond
)

func newGauge() *gauge {
	g := &gauge{stop: make(chan struct{})}
	go g.run()
	return g
}

func (g *gauge) run() {
	for {
		before := time.Now()
		select {
		case <-time.After(gaugeEvery):
		case <-g.stop:
			return
		}
		if late := time.Since(before) - gaugeEvery; late > busy {
			g.total.Add(int64(late))
			g.longest.Store(max(g.longest.Load(), int64(late)))
		}
	}
}

// Starved is how long this machine has kept the run waiting so far, in all, and at most
// at a time.
func (w *World) Starved() (total, longest time.Duration) {
	return time.Duration(w.gauge.total.Load()), time.Duration(w.gauge.longest.Load())
}

// Recovered waits until everything is as it should be: for Recovery, of which the time
// does not count in which the machine had no time for us, but no longer than five times
// that.
func (w *World) Recovered(ctx context.Context, so func() bool) bool {
	began := time.Now()
	starved, _ := w.Starved()
	for ctx.Err() == nil {
		now, _ := w.Starved()
		limit := min(Recovery+2*(now-starved), 5*Recovery)
		if child.Await(ctx, min(time.Second, limit-time.Since(began)), so) {
			return true
		}
		if time.Since(began) >= limit {
			return false
		}
	}
	return false
}
