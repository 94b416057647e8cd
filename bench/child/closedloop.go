package child

import (
	"sync"
	"sync/atomic"
	"time"
)

// callers are k of them, each of whom makes one call after the other. spawn starts
// one.
type callers struct {
	k     int
	spawn func(run func(call func() error))
}

// make has them make n calls together.
func (s callers) make(n int) (got int, took time.Duration) {
	var left, done atomic.Int64
	var wg sync.WaitGroup
	left.Store(int64(n))
	start := time.Now()
	for range s.k {
		wg.Add(1)
		s.spawn(func(call func() error) {
			defer wg.Done()
			for left.Add(-1) >= 0 {
				Check(call())
				done.Add(1)
			}
		})
	}
	wg.Wait()
	return int(done.Load()), time.Since(start)
}

func (s callers) warmUp() { s.make(s.k*10 + 50) }

// run is the measured part, of c.N calls.
func (s callers) run(c *Child) map[string]float64 {
	c.Ready()
	got, took := s.make(c.N)
	return Span(took, c.N, got)
}
