package calendar

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLines(t *testing.T) {
	for _, c := range []struct {
		line, from string
		want       []string
	}{
		{"*/5 * * * *", "2026-01-01T00:00:00Z", []string{"2026-01-01T00:05:00Z", "2026-01-01T00:10:00Z"}},
		{"30 */5 * * * *", "2026-01-01T00:00:00Z", []string{"2026-01-01T00:00:30Z", "2026-01-01T00:05:30Z"}},
		{"0 9-17/4 * JAN-MAR,DEC MON", "2026-03-30T10:00:00Z", []string{"2026-03-30T13:00:00Z", "2026-03-30T17:00:00Z", "2026-12-07T09:00:00Z"}},
		{"  0\t12 ? * thu ", "2026-01-01T12:00:00Z", []string{"2026-01-08T12:00:00Z"}},
		{"0 0 * * 7", "2026-01-01T00:00:00Z", []string{"2026-01-04T00:00:00Z"}},
		{"0 0 * * SUN", "2026-01-01T00:00:00Z", []string{"2026-01-04T00:00:00Z"}},
		{"0 0 * * FRI-MON", "2026-01-01T00:00:00Z", []string{"2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z", "2026-01-05T00:00:00Z", "2026-01-09T00:00:00Z"}},
		{"0 0 * * 5-7/2", "2026-01-01T00:00:00Z", []string{"2026-01-02T00:00:00Z", "2026-01-04T00:00:00Z", "2026-01-09T00:00:00Z"}},
		{"50/5 12 * * *", "2026-01-01T12:50:00Z", []string{"2026-01-01T12:55:00Z", "2026-01-02T12:50:00Z"}},
		{"0 22-1 * * *", "2026-01-01T12:00:00Z", []string{"2026-01-01T22:00:00Z", "2026-01-01T23:00:00Z", "2026-01-02T00:00:00Z", "2026-01-02T01:00:00Z", "2026-01-02T22:00:00Z"}},
		{"0 0 13 * FRI", "2026-02-06T00:00:00Z", []string{"2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z", "2026-02-27T00:00:00Z", "2026-03-06T00:00:00Z", "2026-03-13T00:00:00Z"}},
		{"0 0 31 * *", "2026-01-31T00:00:00Z", []string{"2026-03-31T00:00:00Z"}},
		{"0 0 29 2 *", "2024-02-29T00:00:00Z", []string{"2028-02-29T00:00:00Z"}},
		{"0 0 29 2 *", "2096-02-29T00:00:00Z", []string{"2104-02-29T00:00:00Z"}},
		{"* * 29 2 *", "2096-02-29T23:59:00Z", []string{"2104-02-29T00:00:00Z"}},
		{"CRON_TZ=America/New_York 0 12 29 2 *", "2096-03-01T00:00:00Z", []string{"2104-02-29T17:00:00Z"}},
		{"@hourly", "2026-01-01T00:10:00Z", []string{"2026-01-01T01:00:00Z"}},
		{"@daily", "2026-01-01T00:10:00Z", []string{"2026-01-02T00:00:00Z"}},
		{"@midnight", "2026-01-01T00:10:00Z", []string{"2026-01-02T00:00:00Z"}},
		{"@weekly", "2026-01-01T00:10:00Z", []string{"2026-01-04T00:00:00Z"}},
		{"@monthly", "2026-01-01T00:10:00Z", []string{"2026-02-01T00:00:00Z"}},
		{"@yearly", "2026-01-01T00:10:00Z", []string{"2027-01-01T00:00:00Z"}},
		{"@annually", "2026-01-01T00:10:00Z", []string{"2027-01-01T00:00:00Z"}},
		{"TZ=Asia/Tokyo @daily", "2026-01-01T00:10:00Z", []string{"2026-01-01T15:00:00Z"}},
		{"CRON_TZ=Asia/Tokyo 0 4 * * *", "2026-01-01T00:10:00Z", []string{"2026-01-01T19:00:00Z"}},
	} {
		if got := ticks(parsed(t, c.line, Options{}), at(t, c.from), len(c.want)); !slices.Equal(got, c.want) {
			t.Errorf("%s from %s:\n got %v\nwant %v", c.line, c.from, got, c.want)
		}
	}
}

func TestTheZoneOfALineGoesBeforeTheGivenOne(t *testing.T) {
	tokyo, err := zone("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	from := at(t, "2026-06-01T12:00:00Z")
	for line, want := range map[string]string{
		"0 4 * * *":                       "2026-06-01T19:00:00Z",
		"CRON_TZ=Europe/Berlin 0 4 * * *": "2026-06-02T02:00:00Z",
		"CRON_TZ=UTC 0 4 * * *":           "2026-06-02T04:00:00Z",
	} {
		if got := ticks(parsed(t, line, Options{Location: tokyo}), from, 1); got[0] != want {
			t.Errorf("%s: %s, want %s", line, got[0], want)
		}
	}
}

// Each error says which part of the line is wrong, and what may stand there.
func TestWhatCannotBeIsRefused(t *testing.T) {
	for line, want := range map[string]string{
		"":                                 "5 fields",
		"   ":                              "5 fields",
		"CRON_TZ=UTC":                      "5 fields",
		"* * * *":                          "4 fields: want 5",
		"* * * * * * *":                    "7 fields: want 5",
		strings.Repeat("* ", 11):           "11 fields: want 5",
		"61 * * * *":                       `minute "61"`,
		"-1 * * * *":                       `minute "-1"`,
		"+5 * * * *":                       `minute "+5"`,
		", * * * *":                        `minute ","`,
		"1,,2 * * * *":                     `minute "1,,2"`,
		"*-x * * * *":                      `minute "*-x"`,
		"*/0 * * * *":                      `minute "*/0"`,
		"*/60 * * * *":                     `minute "*/60"`,
		"5/ * * * *":                       `minute "5/"`,
		"1-2-3 * * * *":                    `minute "1-2-3"`,
		"H * * * *":                        `minute "H"`,
		"99999999999999999999 * * * *":     "allowed are 0-59",
		"60 * * * * *":                     `second "60"`,
		"0 24 * * *":                       `hour "24": end of range (24) above maximum (23): "24": allowed are 0-23`,
		"0 0 0 * *":                        `day of month "0"`,
		"0 0 32 * *":                       `day of month "32"`,
		"0 0 L * *":                        `day of month "L"`,
		"0 0 15W * *":                      `day of month "15W"`,
		"0 0 1 13 *":                       `month "13"`,
		"0 0 1 JANUARY *":                  "allowed are 1-12 or JAN-DEC",
		"0 0 * * 8":                        `day of week "8"`,
		"0 0 * * FRI#3":                    `day of week "FRI#3"`,
		"0 0 * * SAT-MON/2":                "step over the end of the week",
		"0 0 30 2 *":                       "there is no day 30 in month 2",
		"0 0 31 4,6,SEP,11 *":              "there is no day 31 in month 4,6,SEP,11",
		"@fortnightly":                     "@fortnightly is unknown: want @hourly",
		"@daily 5":                         "nothing may follow @daily",
		"@every":                           "one duration",
		"@every 1 h":                       "one duration",
		"@every soon":                      "want a duration",
		"@every 0s":                        "the least is 1s",
		"@every 999ms":                     "the least is 1s",
		"@every -5m":                       "the least is 1s",
		"@every 1500ms":                    "whole seconds",
		"@every 9999999999h":               "want a duration",
		"@at":                              "one time",
		"@at tomorrow":                     "RFC 3339",
		"@at 2026-12-24T18:00:00":          "RFC 3339",
		"@at 2026-02-30T18:00:00Z":         "RFC 3339",
		"@at 2026-12-24T18:00:00.5Z":       "whole seconds",
		"CRON_TZ= * * * * *":               "no time zone is named",
		"CRON_TZ=Mars/Base * * * * *":      `unknown time zone "Mars/Base": want a name of the IANA database`,
		"CRON_TZ=../etc/x * * * * *":       "unknown time zone",
		"CRON_TZ=Local * * * * *":          "another one on each machine",
		"CRON_TZ=UTC TZ=Asia/Tokyo @daily": "two time zones, UTC and Asia/Tokyo",
		"ZONE=UTC * * * * *":               `second "ZONE=UTC"`,
		strings.Repeat("*,", 999) + "* ":   "1024 are allowed",
	} {
		_, err := Parse(line, Options{})
		if !errors.Is(err, ErrLine) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q in it", line, err, want)
		}
	}
}

// Whatever a line is, to read it and to ask for ticks comes to an end, and ticks rise.
func FuzzParse(f *testing.F) {
	for _, line := range []string{
		"*/5 * * * *", "30 */5 * * * *", "0 9-17/4 * JAN-MAR,DEC MON", "0 0 29 2 *", "@every 90s", "@hourly",
		"@at 2026-12-24T18:00:00+01:00", "CRON_TZ=Pacific/Apia 0 9 30 12 *", "TZ=Australia/Lord_Howe */7 1-2 * * ?",
		"61 * * * *", "0 0 30 2 *", "* * * * * * *", "@every 0s", "CRON_TZ=", "FRI-MON/2,*-x H L 15W #",
	} {
		f.Add(line, int64(1_773_000_000))
	}
	f.Fuzz(func(t *testing.T, line string, unix int64) {
		tt, err := Parse(line, Options{})
		if err != nil {
			if !errors.Is(err, ErrLine) {
				t.Fatalf("%q: %v", line, err)
			}
			return
		}
		after := time.Unix(unix%(1<<34), 0) // some 500 years to either side
		for range 5 {
			next, ok := tt.Next(after)
			if !ok {
				if !strings.Contains(line, "@at") {
					t.Fatalf("%q: nothing comes after %v", line, after)
				}
				return
			}
			if !next.After(after) || next.Nanosecond() != 0 {
				t.Fatalf("%q: after %v comes %v", line, after, next)
			}
			after = next
		}
	})
}
