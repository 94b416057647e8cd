package journal

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"conclave/internal/keeper"
)

// Group has the commits of several journals of one process share transactions: what is
// to be committed while one Multi is under way goes into the next, whatever journal it
// is of. Each has its own fence and conditions in it; if one of them does not hold, or
// what one wants is refused, nothing of that Multi was done, and all of it is done
// again, each by itself. So to each journal it is as if it were alone. The zero Group is
// ready.
type Group struct {
	mu      sync.Mutex
	busy    bool // send runs
	waiting []*member
}

// member is one journal's Multi.
type member struct {
	ctx  context.Context
	s    *keeper.Session
	ops  []keeper.Op
	size int // about

	alone   atomic.Bool   // it is sent by itself
	done    chan struct{} // closed with what follows
	results []keeper.Result
	err     error
}

// maxGroup is how many bytes go together, about: as a dispatcher's own commits they
// should be of tens of kilobytes.
const maxGroup = 128 << 10

// multi is the session's Multi, alone or with others.
func (g *Group) multi(ctx context.Context, s *keeper.Session, size int, ops []keeper.Op) ([]keeper.Result, error) {
	m := &member{ctx: ctx, s: s, ops: ops, size: size, done: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, m)
	begins := !g.busy
	g.busy = true
	g.mu.Unlock()
	if begins {
		go g.run()
	}
	select {
	case <-m.done:
		return m.results, m.err
	case <-ctx.Done():
	}
	g.mu.Lock()
	i := slices.Index(g.waiting, m)
	if i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	}
	g.mu.Unlock()
	if i >= 0 {
		return nil, fmt.Errorf("%w: %w", keeper.ErrNotConnected, context.Cause(ctx)) // it was not sent
	}
	if m.alone.Load() { // then its Multi knows of ctx, and says what became of it
		<-m.done
	}
	select {
	case <-m.done:
		return m.results, m.err
	default:
		return nil, fmt.Errorf("%w: %w", keeper.ErrUnknownOutcome, context.Cause(ctx))
	}
}

// run sends what waits, until nothing does.
func (g *Group) run() {
	for {
		runtime.Gosched() // let those join who are about to commit
		g.mu.Lock()
		n, size := 0, 0
		for n < len(g.waiting) && g.waiting[n].s == g.waiting[0].s && (n == 0 || size+g.waiting[n].size <= maxGroup) {
			size += g.waiting[n].size
			n++
		}
		together := slices.Clone(g.waiting[:n])
		g.waiting = slices.Delete(g.waiting, 0, n)
		g.busy = n > 0
		g.mu.Unlock()
		if n == 0 {
			return
		}
		send(together)
	}
}

// send does all of them in one Multi, or each in one of its own.
func send(together []*member) {
	if len(together) > 1 {
		var ops []keeper.Op
		for _, m := range together {
			ops = append(ops, m.ops...)
		}
		results, err := together[0].s.Multi(context.Background(), ops...)
		if err == nil || passes(err) || errors.Is(err, keeper.ErrSessionLost) {
			for _, m := range together {
				if err == nil {
					m.results, results = results[:len(m.ops):len(m.ops)], results[len(m.ops):]
				}
				m.err = err
				close(m.done)
			}
			return
		}
	}
	var alone sync.WaitGroup
	for _, m := range together {
		m.alone.Store(true)
		alone.Go(func() {
			m.results, m.err = m.s.Multi(m.ctx, m.ops...)
			close(m.done)
		})
	}
	alone.Wait()
}
