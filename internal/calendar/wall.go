package calendar

//conclave:pure

import (
	"time"

	cron "github.com/netresearch/go-cron"
)

// wall fires by what a clock on a wall in the zone shows.
//
// What it shows, its reading, is written as a time in UTC. The library looks for
// readings only, in UTC, where no clock was ever changed; which instants they are is
// found here.
type wall struct {
	fields *cron.SpecSchedule
	zone   *time.Location
	hourly bool // fits in every hour: an interval
}

// reading is what the clock shows at t.
func (w wall) reading(t time.Time) time.Time {
	_, offset := t.In(w.zone).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

func (w wall) next(after time.Time) (time.Time, bool) {
	if w.hourly {
		return w.shown(after)
	}
	return w.reached(after)
}

// shown is the next instant at which the clock shows what fits. It goes from one
// change of the clock to the next: between two, the zone's offset is fixed.
func (w wall) shown(after time.Time) (time.Time, bool) {
	t := after.In(w.zone)
	from := w.reading(after)
	for t.Sub(after) < Horizon {
		r := w.fields.Next(from)
		if r.IsZero() {
			break
		}
		at := w.at(r, t)
		end := change(t)
		if end.IsZero() || at.Before(end) {
			return at, true
		}
		t = end
		from = w.reading(end).Add(-1) // at end itself it may fit
	}
	return time.Time{}, false
}

// reached is the next instant at which the clock reaches a reading that fits and was
// not reached before. The loop passes over the readings of a repeated hour that
// were reached the first time.
func (w wall) reached(after time.Time) (time.Time, bool) {
	for r := w.reading(after); ; {
		if r = w.fields.Next(r); r.IsZero() {
			return time.Time{}, false
		}
		if at := w.reach(r); at.After(after) {
			return at, true
		}
	}
}

// reach is the first instant at which the clock shows r or, having jumped, more.
func (w wall) reach(r time.Time) time.Time {
	t := r.Add(-24 * time.Hour).In(w.zone) // no clock shows r yet
	for {
		at := w.at(r, t)
		if at.Before(t) {
			return t // the change at t went past it
		}
		end := change(t)
		if end.IsZero() || at.Before(end) {
			return at
		}
		t = end
	}
}

// at is when a clock that is never changed, and is right at t, shows r.
func (w wall) at(r, t time.Time) time.Time {
	_, offset := t.Zone()
	return r.Add(-time.Duration(offset) * time.Second).In(w.zone)
}

// change is the end of the time during which the clock is not changed, from t on. The
// zero time is never; not every end is a change.
func change(t time.Time) time.Time {
	_, end := t.ZoneBounds()
	if !end.IsZero() && !end.After(t) {
		// golang.org/issue/81583: on the last day of a leap year, in a year
		// beyond the zone's table, the end is that day's beginning.
		end = t.Truncate(24 * time.Hour).Add(24 * time.Hour)
	}
	return end
}
