package child

import "time"

// Count counts what one receiver got, in L1 and L2. It is not for many at once, as
// a Tally is: that would be much of the time of a local send.
type Count struct {
	child *Child
	got   int
	done  chan struct{}
}

func NewCount(c *Child) *Count { return &Count{child: c, done: make(chan struct{})} }

// Add counts one more, and says whether it was the last.
func (k *Count) Add() (last bool) {
	k.got++
	if last = k.got == k.child.N; last {
		close(k.done)
	}
	return last
}

// Run is the measured part: it ends with the last message.
func (k *Count) Run(begin func()) map[string]float64 {
	k.child.Ready()
	start := time.Now()
	begin()
	<-k.done
	return Span(time.Since(start), k.child.N, k.got)
}
