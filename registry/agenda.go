package registry

//conclave:pure

import "time"

// agenda is a heap of things to look at when their time has come, the earliest
// first. Nothing is taken out before: who is told looks whether it still
// matters. Its zero value is empty.
type agenda[T any] struct{ items []timed[T] }

type timed[T any] struct {
	at   time.Duration
	what T
}

func (a *agenda[T]) add(at time.Duration, what T) {
	a.items = append(a.items, timed[T]{at, what})
	for i := len(a.items) - 1; i > 0; {
		up := (i - 1) / 2
		if a.items[up].at <= a.items[i].at {
			break
		}
		a.items[up], a.items[i] = a.items[i], a.items[up]
		i = up
	}
}

// due takes out the earliest item if its time has come.
func (a *agenda[T]) due(now time.Duration) (what T, ok bool) {
	if len(a.items) == 0 || a.items[0].at > now {
		return what, false
	}
	what = a.items[0].what
	last := len(a.items) - 1
	a.items[0] = a.items[last]
	a.items[last] = timed[T]{}
	a.items = a.items[:last]
	for i := 0; ; {
		least := i
		for _, down := range [2]int{2*i + 1, 2*i + 2} {
			if down < last && a.items[down].at < a.items[least].at {
				least = down
			}
		}
		if least == i {
			return what, true
		}
		a.items[i], a.items[least] = a.items[least], a.items[i]
		i = least
	}
}

// deadline is the time of the earliest item.
func (a *agenda[T]) deadline() (at time.Duration, ok bool) {
	if len(a.items) == 0 {
		return 0, false
	}
	return a.items[0].at, true
}
