package task

import (
	"hash/fnv"
	"math/rand/v2"
)

// Strategy picks the worker for a task: the index of one of the candidates, all of
// which can do the task and have a slot free; a number outside of them leaves the
// task waiting until something changes, and those behind it go first (as long as it
// declines no more than a hundred). It must not keep or change candidates. It runs in the dispatcher and must not
// block. It may keep state; Begin is called once for each dispatcher's term.
type Strategy interface {
	Begin() Picker
}

// Picker is a Strategy at work, for one goroutine.
type Picker func(t Info, candidates []WorkerStatus) int

// StrategyFunc makes a Strategy of a function.
type StrategyFunc Picker

// Begin gives the function.
func (f StrategyFunc) Begin() Picker { return Picker(f) }

type strategy func() Picker

func (s strategy) Begin() Picker { return s() }

// Random picks any worker.
func Random() Strategy {
	return StrategyFunc(func(_ Info, candidates []WorkerStatus) int { return rand.IntN(len(candidates)) })
}

// RoundRobin picks the workers in turn, for each kind by itself: the one that was
// given none of that kind for longest.
func RoundRobin() Strategy {
	return strategy(func() Picker {
		turn, last := uint64(0), make(map[[2]string]uint64)
		return func(t Info, candidates []WorkerStatus) int {
			best := 0
			for i, w := range candidates {
				if last[[2]string{t.Kind, w.Worker}] < last[[2]string{t.Kind, candidates[best].Worker}] {
					best = i
				}
			}
			if turn++; turn%10_000 == 0 { // forget workers that are gone
				for k := range last {
					if turn-last[k] > 10_000 {
						delete(last, k)
					}
				}
			}
			last[[2]string{t.Kind, candidates[best].Worker}] = turn
			return best
		}
	})
}

// LeastLoaded picks the worker with the smallest share of its slots taken, plus
// half of what its machine reports as load; of equals, any.
func LeastLoaded() Strategy {
	return StrategyFunc(func(_ Info, candidates []WorkerStatus) int {
		load := func(w WorkerStatus) float64 {
			return float64(w.Running)/float64(max(w.Slots, 1)) + w.CPU/2
		}
		best, equals := 0, 1
		for i := 1; i < len(candidates); i++ {
			switch a, b := load(candidates[i]), load(candidates[best]); {
			case a < b:
				best, equals = i, 1
			case a == b:
				if equals++; rand.IntN(equals) == 0 {
					best = i
				}
			}
		}
		return best
	})
}

// Sticky gives tasks of one key to one worker, as long as the same workers are
// there: for handlers that keep something of a key in memory. Which one follows
// from hashing (the highest of the hashes of key and node), so few keys move when
// workers come and go. A worker without a free slot is passed over. Tasks without
// a key go to the least loaded.
func Sticky() Strategy {
	return strategy(func() Picker {
		other := LeastLoaded().Begin()
		return func(t Info, candidates []WorkerStatus) int {
			if t.Key == "" {
				return other(t, candidates)
			}
			best, highest := 0, uint64(0)
			for i, w := range candidates {
				h := fnv.New64a()
				h.Write([]byte(w.Node))
				h.Write([]byte{0})
				h.Write([]byte(t.Key))
				if sum := mix(h.Sum64()); i == 0 || sum > highest {
					best, highest = i, sum
				}
			}
			return best
		}
	})
}

// mix spreads the last bits of a hash over all: FNV alone ranks alike nodes alike.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	return h
}
