package child

import (
	"slices"
	"time"
)

// timed makes one call after the other as long as more says so of their number.
func timed(took []time.Duration, call func() error, more func(n int) bool) []time.Duration {
	for more(len(took)) {
		start := time.Now()
		Check(call())
		took = append(took, time.Since(start))
	}
	return took
}

// quantiles are in microseconds.
func quantiles(took []time.Duration) map[string]float64 {
	if len(took) == 0 {
		return map[string]float64{}
	}
	slices.Sort(took)
	at := func(q float64) float64 { return float64(took[int(q*float64(len(took)-1))].Nanoseconds()) / 1e3 }
	return map[string]float64{"p50": at(0.5), "p99": at(0.99)}
}

func mustBeIntact(intact bool) {
	if !intact {
		fail("a body was damaged")
	}
}
