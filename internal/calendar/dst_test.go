package calendar

import (
	"slices"
	"testing"
	"time"
)

// Ticks around changes of the clock, from a time on, as instants in UTC.
func TestClockChanges(t *testing.T) {
	for _, c := range []struct {
		what, zone, line, from string
		want                   []string
	}{
		// Europe/Berlin, 29 March 2026: 02:00 becomes 03:00 at 01:00 UTC.
		{"a reading in the gap fires when the clock jumps", "Europe/Berlin", "30 2 * * *", "2026-03-28T00:00:00Z",
			[]string{"2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"}},
		{"all in one gap are one tick", "Europe/Berlin", "0,20,40 2,3 * * *", "2026-03-29T00:00:00Z",
			[]string{"2026-03-29T01:00:00Z", "2026-03-29T01:20:00Z", "2026-03-29T01:40:00Z", "2026-03-30T00:00:00Z"}},
		{"the end of the gap is a reading like any other", "Europe/Berlin", "0 3 * * *", "2026-03-28T12:00:00Z",
			[]string{"2026-03-29T01:00:00Z", "2026-03-30T01:00:00Z"}},
		{"an interval goes on through the gap", "Europe/Berlin", "*/20 * * * *", "2026-03-29T00:30:00Z",
			[]string{"2026-03-29T00:40:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:20:00Z"}},
		{"every hour is an interval", "Europe/Berlin", "10 * * * *", "2026-03-29T00:00:00Z",
			[]string{"2026-03-29T00:10:00Z", "2026-03-29T01:10:00Z", "2026-03-29T02:10:00Z"}},
		{"steps of hours keep to the clock", "Europe/Berlin", "0 */2 * * *", "2026-03-28T22:30:00Z",
			[]string{"2026-03-28T23:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z", "2026-03-29T04:00:00Z"}},
		// 25 October 2026: 03:00 becomes 02:00 at 01:00 UTC.
		{"a repeated reading fires the first time", "Europe/Berlin", "30 2 * * *", "2026-10-24T12:00:00Z",
			[]string{"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}},
		{"asked within the repeated hour", "Europe/Berlin", "30 2 * * *", "2026-10-25T01:10:00Z",
			[]string{"2026-10-26T01:30:00Z"}},
		{"an interval goes on through the repeated hour", "Europe/Berlin", "*/30 * * * *", "2026-10-25T00:00:00Z",
			[]string{"2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"}},
		{"steps of hours are not repeated", "Europe/Berlin", "30 */2 * * *", "2026-10-24T22:00:00Z",
			[]string{"2026-10-24T22:30:00Z", "2026-10-25T00:30:00Z", "2026-10-25T03:30:00Z"}},
		{"seconds of a named hour are not repeated", "Europe/Berlin", "*/30 59 2 * * *", "2026-10-25T00:00:00Z",
			[]string{"2026-10-25T00:59:00Z", "2026-10-25T00:59:30Z", "2026-10-26T01:59:00Z"}},
		// America/New_York, 8 March and 1 November 2026, at 02:00.
		{"west of Greenwich: gap", "America/New_York", "30 2 * * *", "2026-03-07T12:00:00Z",
			[]string{"2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"}},
		{"west of Greenwich: repeated", "America/New_York", "30 1 * * *", "2026-10-31T12:00:00Z",
			[]string{"2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"}},
		{"a day of the week", "America/New_York", "0 2 * * SAT", "2026-10-31T05:00:00Z",
			[]string{"2026-10-31T06:00:00Z", "2026-11-07T07:00:00Z"}},
		// Australia/Lord_Howe, half an hour: 4 October 2026 02:00 becomes 02:30 at 15:30
		// UTC the day before; 5 April 2026 02:00 becomes 01:30 at 15:00 UTC the day before.
		{"half an hour: gap", "Australia/Lord_Howe", "15 2 * * *", "2026-10-03T00:00:00Z",
			[]string{"2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"}},
		{"half an hour: behind the gap", "Australia/Lord_Howe", "45 2 * * *", "2026-10-03T00:00:00Z",
			[]string{"2026-10-03T15:45:00Z", "2026-10-04T15:45:00Z"}},
		{"half an hour: interval through the gap", "Australia/Lord_Howe", "*/15 * * * *", "2026-10-03T15:10:00Z",
			[]string{"2026-10-03T15:15:00Z", "2026-10-03T15:30:00Z", "2026-10-03T15:45:00Z", "2026-10-03T16:00:00Z"}},
		{"half an hour: repeated", "Australia/Lord_Howe", "45 1 * * *", "2026-04-04T00:00:00Z",
			[]string{"2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"}},
		{"half an hour: not repeated", "Australia/Lord_Howe", "15 1 * * *", "2026-04-04T00:00:00Z",
			[]string{"2026-04-04T14:15:00Z", "2026-04-05T14:45:00Z"}},
		{"half an hour: interval through the repeated", "Australia/Lord_Howe", "*/15 * * * *", "2026-04-04T14:40:00Z",
			[]string{"2026-04-04T14:45:00Z", "2026-04-04T15:00:00Z", "2026-04-04T15:15:00Z", "2026-04-04T15:30:00Z"}},
		// Pacific/Apia had no 30 December 2011: it ended, at 10:00 UTC, before it began.
		{"a skipped day", "Pacific/Apia", "0 9 * * *", "2011-12-29T12:00:00Z",
			[]string{"2011-12-29T19:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T19:00:00Z"}},
		{"the skipped date itself", "Pacific/Apia", "0 9 30 12 *", "2011-01-01T00:00:00Z",
			[]string{"2011-12-30T10:00:00Z", "2012-12-29T19:00:00Z"}},
		{"an interval over a skipped day", "Pacific/Apia", "0 * * * *", "2011-12-30T08:30:00Z",
			[]string{"2011-12-30T09:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T11:00:00Z"}},
		{"an interval of the skipped date", "Pacific/Apia", "0 * 30 12 *", "2011-01-01T00:00:00Z",
			[]string{"2012-12-29T10:00:00Z"}},
		// Changes at midnight: Sao Paulo 4 November 2018, Havana 1 November 2026 (01:00 to 00:00).
		{"no midnight", "America/Sao_Paulo", "0 0 * * *", "2018-11-03T12:00:00Z",
			[]string{"2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"}},
		{"two midnights", "America/Havana", "@daily", "2026-10-31T12:00:00Z",
			[]string{"2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"}},
		// A law of its own: Casablanca takes an hour off for Ramadan, 15 February to 22 March 2026.
		{"four changes in a year", "Africa/Casablanca", "30 2 * * *", "2026-03-21T12:00:00Z",
			[]string{"2026-03-22T02:00:00Z", "2026-03-23T01:30:00Z"}},
		{"no daylight saving", "Asia/Kolkata", "30 2 * * *", "2026-03-28T22:00:00Z",
			[]string{"2026-03-29T21:00:00Z"}},
		{"beyond the tables of the database", "Europe/Berlin", "30 2 * * *", "2099-03-29T00:00:00Z",
			[]string{"2099-03-29T01:00:00Z", "2099-03-30T00:30:00Z"}},
		{"the last day of a leap year beyond the tables", "Europe/Berlin", "0 */12 * * *", "2040-12-30T23:30:00Z",
			[]string{"2040-12-31T11:00:00Z", "2040-12-31T23:00:00Z", "2041-01-01T11:00:00Z"}},
		{"an interval over the last day of a leap year", "Europe/Berlin", "30 * * * *", "2040-12-31T21:45:00Z",
			[]string{"2040-12-31T22:30:00Z", "2040-12-31T23:30:00Z", "2041-01-01T00:30:00Z"}},
	} {
		got := ticks(parsed(t, "CRON_TZ="+c.zone+" "+c.line, Options{}), at(t, c.from), len(c.want))
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %s in %s from %s:\n got %v\nwant %v", c.what, c.line, c.zone, c.from, got, c.want)
		}
	}
}

// As often on days of 23 and 25 hours as on others; and an interval by the hours
// that there are.
func TestAYearHasTheDocumentedNumberOfTicks(t *testing.T) {
	for _, c := range []struct {
		line string
		want int
	}{
		{"30 2 * * *", 365},
		{"0 */2 * * *", 365 * 12},
		{"15,45 1-3 * * *", 365*6 - 1}, // two fall into the gap, and are one
		{"0 * * * *", 8760},
		{"*/5 * * * *", 8760 * 12},
		{"@every 5m", 8760 * 12},
	} {
		for _, name := range []string{"Europe/Berlin", "America/New_York", "Pacific/Auckland", "UTC"} {
			loc, err := zone(name)
			if err != nil {
				t.Fatal(err)
			}
			want := c.want
			if name == "UTC" && c.line == "15,45 1-3 * * *" {
				want++
			}
			start := time.Date(2025, 12, 31, 23, 59, 59, 0, loc)
			got := parsed(t, c.line, Options{Location: loc}).Between(start, start.AddDate(1, 0, 0), 1<<20)
			if len(got) != want {
				t.Errorf("%s in %s: %d ticks in 2026, want %d", c.line, name, len(got), want)
			}
		}
	}
}
