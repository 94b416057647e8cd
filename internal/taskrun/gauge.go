//go:build linux

package main

import (
	"context"
	"sync"
	"time"

	"conclave/internal/child"
	"conclave/task"
)

// gauge asks the dispatchers now and then what they have counted. What one counts
// between the last time it was asked and its end is not seen.
type gauge struct {
	end  context.CancelFunc
	over chan struct{}

	mu    sync.Mutex
	terms map[int64]task.Counts
	live  int // at the last time
	peak  int
}

const gaugeEvery = time.Second

func watch(q *task.Queue) *gauge {
	ctx, cancel := context.WithCancel(context.Background())
	g := &gauge{end: cancel, over: make(chan struct{}), terms: make(map[int64]task.Counts), live: -1}
	go g.run(ctx, q)
	return g
}

func (g *gauge) run(ctx context.Context, q *task.Queue) {
	defer close(g.over)
	for ctx.Err() == nil {
		within, cancel := context.WithTimeout(ctx, 5*time.Second)
		s, err := q.Status(within)
		cancel()
		g.mu.Lock()
		if g.live = -1; err == nil {
			for _, p := range s.Parts {
				g.terms[p.Term] = p.Counts
			}
			if len(s.Parts) == 0 {
				g.terms[s.Term] = s.Counts
			}
			g.live = s.Live
			g.peak = max(g.peak, s.Live)
		}
		g.mu.Unlock()
		child.Pause(ctx, gaugeEvery)
	}
}

func (g *gauge) stop() {
	g.end()
	<-g.over
}

// idle says whether nothing was live when it was last asked.
func (g *gauge) idle() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.live == 0
}

// total is all terms together, how many there were, and the most that were live.
func (g *gauge) total() (all task.Counts, terms, peak int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.terms {
		all.Assigned += c.Assigned
		all.Recovered += c.Recovered
		all.Late += c.Late
		all.Failed += c.Failed
		all.Commits += c.Commits
		all.Changes += c.Changes
	}
	return all, len(g.terms), g.peak
}
