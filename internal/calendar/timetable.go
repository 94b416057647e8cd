package calendar

//conclave:pure

import "time"

// Horizon is how far ahead Next looks.
const Horizon = 10 * 366 * 24 * time.Hour

// Timetable is when a schedule fires. The zero Timetable never does.
type Timetable struct {
	line string
	rule rule
}

// rule is one way to say when.
type rule interface {
	// next is the first tick strictly after a time, in whole seconds.
	next(after time.Time) (time.Time, bool)
}

// String is the line, as it was parsed.
func (tt Timetable) String() string { return tt.line }

// Next returns the first tick after a time, never that time itself. It is false if
// there is none within Horizon.
func (tt Timetable) Next(after time.Time) (time.Time, bool) {
	if tt.rule == nil {
		return time.Time{}, false
	}
	return tt.rule.next(after)
}

// Between returns the ticks after one time up to and including another, oldest
// first, and no more than the first max of them.
func (tt Timetable) Between(after, until time.Time, max int) []time.Time {
	var ticks []time.Time
	for len(ticks) < max {
		tick, ok := tt.Next(after)
		if !ok || tick.After(until) {
			break
		}
		ticks = append(ticks, tick)
		after = tick
	}
	return ticks
}

// Last returns the latest tick after one time up to and including another. It looks
// from the end, so what it takes does not grow with the number of ticks between.
func (tt Timetable) Last(after, until time.Time) (time.Time, bool) {
	for back := time.Minute; ; back *= 2 {
		from := until.Add(-back)
		all := !from.After(after) || back > Horizon
		if all {
			from = after
		}
		last, ok := tt.Next(from)
		for ok && !last.After(until) {
			next, more := tt.Next(last)
			if !more || next.After(until) {
				return last, true
			}
			last = next
		}
		if all {
			return time.Time{}, false
		}
	}
}

// ID names a tick: the instant in UTC, to the second. Two instants have two, and one
// instant has one, whatever the zone.
func ID(tick time.Time) string { return tick.UTC().Format(time.RFC3339) }
