package cron

//conclave:pure

import (
	"time"

	"conclave/internal/calendar"
)

const (
	// glance is how long the wall clock is left alone at most: it may be put.
	glance = 10 * time.Second

	// putRight is how far a clock may be put back before it is taken to have been
	// wrong. Vixie's cron has the same three hours.
	putRight = 3 * time.Hour
)

// agenda is how far the active node has come.
type agenda struct {
	table calendar.Timetable
	last  time.Time // the latest tick run or passed over, or when the term began
}

// look says which tick is to be run now, if one is, and when to look again. Of all
// that are due it is the latest.
func (a *agenda) look(now time.Time) (tick time.Time, due bool, again time.Duration) {
	if a.last.Sub(now) > putRight {
		a.last = now
	}
	if tick, due = a.table.Last(a.last, now); due {
		a.last = tick
	}
	after := now
	if a.last.After(now) {
		after = a.last
	}
	again = glance
	if next, ok := a.table.Next(after); ok {
		again = min(again, next.Sub(now))
	}
	return tick, due, again
}
