package calendar

//conclave:pure

import "time"

// once is a single instant.
type once struct{ at time.Time }

func (o once) next(after time.Time) (time.Time, bool) { return o.at, o.at.After(after) }

// every is all instants that are a multiple of period, in seconds, away from anchor,
// in seconds of Unix time: before it, too, so that a clock that was put back changes
// nothing.
type every struct{ anchor, period int64 }

func (e every) next(after time.Time) (time.Time, bool) {
	passed := (after.Unix() - e.anchor) % e.period // since the latest tick
	if passed < 0 {
		passed += e.period
	}
	return time.Unix(after.Unix()-passed+e.period, 0).UTC(), true
}
