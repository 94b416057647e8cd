package actor

import (
	"testing"
	"time"
)

// each runs f in a bubble and in real time.
func each(t *testing.T, f func(c clock)) {
	bubble(t, func() { f(clock{true}) })
	f(clock{})
}

// given runs the second of two in a bubble.
func given(t *testing.T, first, second func()) {
	first()
	bubble(t, second)
}

type clock struct{ virtual bool }

func TestBothWays(t *testing.T) {
	each(t, func(c clock) {
		time.Sleep(1) // want a test sleeps
		if c.virtual {
			time.Sleep(1)
		} else {
			time.Sleep(1) // want a test sleeps
		}
		c.forward()
	})
	bubble(t, func() { clock{}.forward() })
	given(t,
		func() { time.Sleep(1) }, // want a test sleeps
		func() { time.Sleep(1) })
	bubble(t, done(early))
	bubble(t, lazy)
	lazy()
}

// Named in a bubble, and elsewhere.
func (clock) forward() { time.Sleep(1) } // want a test sleeps

func lazy() { lazier() }

func lazier() { time.Sleep(1) } // want a test sleeps

func done(f func()) func() { f(); return f }

func early() { time.Sleep(1) } // want a test sleeps
