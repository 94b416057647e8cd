package child

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Latency is R3: one call after the other, each of them timed.
func Latency(c *Child, call func() error) map[string]float64 {
	for range c.N/10 + 100 { // the link comes up, the code is warm
		Check(call())
	}
	took := make([]time.Duration, c.N)
	c.Ready()
	for i := range took {
		start := time.Now()
		Check(call())
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	micros := func(q float64) float64 {
		return float64(took[int(q*float64(len(took)-1))].Nanoseconds()) / 1e3
	}
	return map[string]float64{"p50": micros(0.5), "p99": micros(0.99), "sent": float64(c.N), "got": float64(c.N)}
}

// CallersAtOnce is how many callers R4 has.
const CallersAtOnce = 256

// Callers is R4: c.N calls, shared among callers. all runs each of them with the
// function it is given, and returns when all have ended.
func Callers(c *Child, all func(each func(call func() error))) map[string]float64 {
	var left, got atomic.Int64
	left.Store(CallersAtOnce * 10)
	each := func(call func() error) {
		for left.Add(-1) >= 0 {
			Check(call())
			got.Add(1)
		}
	}
	all(each) // warm-up
	left.Store(int64(c.N))
	got.Store(0)
	c.Ready()
	start := time.Now()
	all(each)
	return Span(start, c.N, int(got.Load()))
}

// Goroutines runs callers that are plain goroutines.
func Goroutines(call func() error) func(each func(call func() error)) {
	return func(each func(call func() error)) {
		var wg sync.WaitGroup
		for range CallersAtOnce {
			wg.Go(func() { each(call) })
		}
		wg.Wait()
	}
}
