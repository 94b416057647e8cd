package actor

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

func twice(t *testing.T, f func()) {
	bubble(t, f)
	bubble(t, func() { f() })
}

func TestHelped(t *testing.T) {
	bubble(t, func() { time.Sleep(time.Hour) })
	twice(t, func() { time.Sleep(time.Hour) })
	twice(t, slow)
	twice(t, func() { clock{}.forward() })
}

// Named where bubbles are only.
func slow() { slower(1) }

func slower(n int) {
	time.Sleep(time.Hour)
	if n > 0 {
		slower(n - 1)
	}
}

type clock struct{ virtual bool }

func (clock) forward() { time.Sleep(time.Hour) }

// Called by everybody; it panics outside a bubble.
func (clock) wait() {
	time.Sleep(time.Hour)
	synctest.Wait()
}

func (c clock) turn() {
	if c.virtual {
		time.Sleep(time.Hour)
	}
	runtime.Gosched()
}

func TestBothWays(t *testing.T) {
	both := func(c clock) { c.wait(); c.turn() }
	both(clock{})
	bubble(t, func() { both(clock{true}) })
}

func awaitThat(holds func() bool) {
	for !holds() {
		time.Sleep(time.Millisecond)
	}
}
