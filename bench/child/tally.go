package child

import (
	"sync/atomic"
	"time"
)

// Tally counts what a receiver got, and knows when the last of it came.
type Tally struct {
	want int64
	got  atomic.Int64
	done chan struct{}
}

func NewTally(n int) *Tally { return &Tally{want: int64(n), done: make(chan struct{})} }

func (t *Tally) Add() {
	if t.got.Add(1) == t.want {
		close(t.done)
	}
}

// Count counts what is intact, and then tells after, if there is one, its number.
func (t *Tally) Count(after func(n int64)) func(intact bool) {
	return func(intact bool) {
		if !intact {
			return
		}
		t.Add()
		if after != nil {
			after(t.got.Load())
		}
	}
}

// stall is how long a receiver waits for the next message before it takes the rest
// for lost: some send batches of a thousand at once, and the machine may be busy.
const stall = 20 * time.Second

// Wait returns when all has come, or when nothing came for stall, and says what
// came and when the last of it did. The time is the wall's, so that the sender's
// process can have said when it began.
func (t *Tally) Wait() map[string]float64 {
	last, since := t.got.Load(), time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-t.done:
			return map[string]float64{"end": float64(time.Now().UnixNano()), "got": float64(t.got.Load())}
		case <-tick.C:
			switch got := t.got.Load(); {
			case got != last:
				last, since = got, time.Now()
			case got > 0 && time.Since(since) > stall:
				return map[string]float64{"end": float64(since.UnixNano()), "got": float64(got)}
			}
		}
	}
}
