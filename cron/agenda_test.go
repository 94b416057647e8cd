package cron

import (
	"testing"
	"time"

	"conclave/internal/calendar"
)

// A clock that is read at one time after another, and what is due then.
func TestWhatIsDue(t *testing.T) {
	type look struct{ at, due string }
	for _, c := range []struct {
		what, line string
		began      string
		looks      []look
	}{
		{"each tick is due once", "*/5 * * * *", "12:01:00", []look{
			{"12:04:59", ""}, {"12:05:00", "12:05:00"}, {"12:05:00", ""}, {"12:09:59", ""}, {"12:10:00", "12:10:00"}}},
		{"the tick at which the term began is another's", "*/5 * * * *", "12:05:00", []look{
			{"12:05:00", ""}, {"12:05:01", ""}, {"12:10:01", "12:10:00"}}},
		{"of those that went by the latest is due", "* * * * * *", "12:00:00", []look{
			{"12:00:07", "12:00:07"}, {"12:00:08", "12:00:08"}, {"12:01:00", "12:01:00"}}},
		{"put forward by an hour", "0 * * * *", "12:00:00", []look{
			{"12:30:00", ""}, {"13:30:00", "13:00:00"}, {"13:30:10", ""}, {"14:00:00", "14:00:00"}}},
		{"put forward by many ticks", "*/5 * * * *", "12:01:00", []look{
			{"12:05:00", "12:05:00"}, {"13:07:00", "13:05:00"}, {"13:10:00", "13:10:00"}}},
		{"put back by an hour", "*/30 * * * *", "12:01:00", []look{
			{"12:30:00", "12:30:00"}, {"13:00:00", "13:00:00"}, {"12:05:00", ""}, {"12:30:00", ""}, {"13:00:00", ""}, {"13:30:00", "13:30:00"}}},
		{"put back before anything was due", "*/30 * * * *", "12:01:00", []look{
			{"11:01:00", ""}, {"11:30:00", ""}, {"12:00:00", ""}, {"12:30:00", "12:30:00"}}},
		{"put right by more than three hours", "*/30 * * * *", "18:01:00", []look{
			{"18:30:00", "18:30:00"}, {"12:05:00", ""}, {"12:30:00", "12:30:00"}}},
	} {
		table, err := calendar.Parse(c.line, calendar.Options{})
		if err != nil {
			t.Fatal(err)
		}
		a := agenda{table, clock(t, c.began)}
		for i, l := range c.looks {
			now := clock(t, l.at)
			tick, due, again := a.look(now)
			got := ""
			if due {
				got = tick.Format(time.TimeOnly)
			}
			if got != l.due {
				t.Errorf("%s: look %d, at %s: due is %q, want %q", c.what, i+1, l.at, got, l.due)
			}
			if again <= 0 || again > glance {
				t.Errorf("%s: look %d, at %s: the next is in %v", c.what, i+1, l.at, again)
			}
			if next, ok := table.Next(now); ok && next.After(a.last) && now.Add(again).After(next) {
				t.Errorf("%s: look %d, at %s: the next is in %v, behind %v", c.what, i+1, l.at, again, next)
			}
		}
	}
}

func TestNothingIsDueForEver(t *testing.T) {
	table, err := calendar.Parse("@at 2026-05-01T12:00:00Z", calendar.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a := agenda{table, clock(t, "11:59:59")}
	if tick, due, _ := a.look(clock(t, "12:00:01")); !due {
		t.Errorf("due is %v, %v", tick, due)
	}
	if tick, due, again := a.look(clock(t, "12:00:01")); due || again != glance {
		t.Errorf("after the last tick: due is %v, %v; the next look in %v", tick, due, again)
	}
}

func clock(t *testing.T, text string) time.Time {
	t.Helper()
	now, err := time.Parse(time.DateTime, "2026-05-01 "+text)
	if err != nil {
		t.Fatal(err)
	}
	return now
}
