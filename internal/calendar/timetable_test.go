package calendar

import (
	"testing"
	"time"
)

func parsed(t testing.TB, line string, o Options) Timetable {
	t.Helper()
	tt, err := Parse(line, o)
	if err != nil {
		t.Fatal(err)
	}
	return tt
}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	when, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

// ticks are the ids of the first n ticks after a time.
func ticks(tt Timetable, after time.Time, n int) []string {
	var ids []string
	for range n {
		tick, ok := tt.Next(after)
		if !ok {
			return append(ids, "never")
		}
		ids = append(ids, ID(tick))
		after = tick
	}
	return ids
}

func TestNextIsStrictlyAfter(t *testing.T) {
	for _, line := range []string{"* * * * * *", "*/5 * * * *", "0 12 * * *", "@every 1m", "@at 2026-05-01T12:00:00Z"} {
		tt := parsed(t, line, Options{})
		noon := at(t, "2026-05-01T12:00:00Z")
		just, ok := tt.Next(noon.Add(-1))
		if !ok || !just.Equal(noon) {
			t.Errorf("%s: a nanosecond before noon the next is %v", line, just)
		}
		for _, after := range []time.Time{noon, noon.Add(1), noon.Add(time.Second - 1)} {
			if next, ok := tt.Next(after); ok && !next.After(after) {
				t.Errorf("%s: after %v comes %v", line, after, next)
			}
		}
	}
}

func TestEveryCountsFromItsAnchorWhateverTheZone(t *testing.T) {
	anchor := at(t, "2026-03-29T00:59:30.7Z") // Berlin's clock jumps half a minute later
	tt := parsed(t, "CRON_TZ=Europe/Berlin @every 90s", Options{Anchor: anchor})
	want := []string{"2026-03-29T01:01:00Z", "2026-03-29T01:02:30Z", "2026-03-29T01:04:00Z"}
	for i, got := range ticks(tt, anchor, 3) {
		if got != want[i] {
			t.Errorf("tick %d is %s, want %s", i, got, want[i])
		}
	}
	before := anchor.Add(-time.Hour) // the clock was put back
	if next, _ := tt.Next(before); !next.After(before) || next.Sub(before) > 90*time.Second {
		t.Errorf("before the anchor, after %v comes %v", before, next)
	}
	if got := ticks(parsed(t, "@every 1h", Options{}), anchor, 1); got[0] != "2026-03-29T01:00:00Z" {
		t.Errorf("without an anchor: %s", got)
	}
}

func TestAtFiresOnce(t *testing.T) {
	tt := parsed(t, "@at 2026-12-24T18:00:00+01:00", Options{})
	got := ticks(tt, at(t, "2020-01-01T00:00:00Z"), 5)
	if len(got) != 2 || got[0] != "2026-12-24T17:00:00Z" || got[1] != "never" {
		t.Errorf("it fires at %v", got)
	}
}

func TestTheZeroTimetableNeverFires(t *testing.T) {
	if tick, ok := (Timetable{}).Next(time.Unix(0, 0)); ok {
		t.Errorf("it fires at %v", tick)
	}
}

func TestOneInstantHasOneID(t *testing.T) {
	utc := at(t, "2026-10-25T00:30:00Z") // 02:30 in Berlin, for the first time
	berlin, err := zone("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	if a, b := ID(utc), ID(utc.In(berlin)); a != b || a != "2026-10-25T00:30:00Z" {
		t.Errorf("one instant is %s and %s", a, b)
	}
	again := utc.Add(time.Hour).In(berlin) // 02:30, for the second
	if ID(again) == ID(utc) {
		t.Error("two instants with one reading have one id")
	}
}

func TestBetweenAndLastAgree(t *testing.T) {
	start := at(t, "2026-10-24T22:10:00Z")
	for _, line := range []string{
		"*/5 * * * * *", "*/7 * * * *", "CRON_TZ=Europe/Berlin 30 2 * * *", "0 0 29 2 *", "@every 1h",
		"@every 100000h", "@at 2026-10-25T00:00:00Z", "@at 2036-10-25T00:00:00Z", "@yearly",
	} {
		tt := parsed(t, line, Options{})
		for _, span := range []time.Duration{-time.Hour, 0, 1, time.Second, time.Minute, 3 * time.Hour, 50 * time.Hour} {
			until := start.Add(span)
			all := tt.Between(start, until, 1<<20)
			for i, tick := range all {
				if i > 0 && !tick.After(all[i-1]) || !tick.After(start) || tick.After(until) {
					t.Fatalf("%s: %v is not in order between %v and %v", line, tick, start, until)
				}
			}
			last, ok := tt.Last(start, until)
			if ok != (len(all) > 0) || ok && !last.Equal(all[len(all)-1]) {
				t.Errorf("%s over %v: last is %v, %v; of %d", line, span, last, ok, len(all))
			}
			if some := tt.Between(start, until, 3); len(some) != min(3, len(all)) || len(some) > 0 && !some[0].Equal(all[0]) {
				t.Errorf("%s over %v: of %d the first three are %v", line, span, len(all), some)
			}
		}
	}
}

// With no idea when it last fired, and with ages between.
func TestLastEndsOverAges(t *testing.T) {
	now := at(t, "2026-01-01T00:00:00Z")
	for line, want := range map[string]string{
		"@at 2030-01-01T00:00:00Z": "",
		"@at 1999-01-01T00:00:00Z": "1999-01-01T00:00:00Z",
		"0 0 29 2 *":               "2024-02-29T00:00:00Z",
		"* * * * * *":              "2026-01-01T00:00:00Z",
	} {
		last, ok := parsed(t, line, Options{}).Last(time.Time{}, now)
		if ok != (want != "") || ok && ID(last) != want {
			t.Errorf("%s: %v, %v", line, last, ok)
		}
	}
}

// Leap days and both changes of the clock included, no second is left out and none
// comes twice.
func TestAYearOfSeconds(t *testing.T) {
	tt := parsed(t, "CRON_TZ=America/New_York * * * * * *", Options{})
	start, end := at(t, "2028-01-01T05:00:00Z"), at(t, "2029-01-01T05:00:00Z")
	n := 0
	for tick := start.Add(-time.Second); ; n++ {
		next, ok := tt.Next(tick)
		if !ok || next.Sub(tick) != time.Second {
			t.Fatalf("after %v comes %v", tick, next)
		}
		if tick = next; !tick.Before(end) {
			break
		}
	}
	if want := 366 * 86400; n != want {
		t.Errorf("%d ticks, want %d", n, want)
	}
}
