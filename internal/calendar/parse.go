package calendar

//conclave:pure

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrLine is wrapped by the errors of Parse.
var ErrLine = errors.New("invalid schedule")

// Options are what a line does not say itself.
type Options struct {
	// Location is the zone of a line that names none. Nil is UTC.
	Location *time.Location

	// Anchor is what "@every" counts from, to the second: ticks are whole multiples
	// of the period away from it. The zero Anchor is the start of 1970 in UTC.
	Anchor time.Time
}

// maxLine bounds what is looked at, in bytes.
const maxLine = 1024

var macros = map[string]string{
	"@yearly":   "0 0 1 1 *",
	"@annually": "0 0 1 1 *",
	"@monthly":  "0 0 1 * *",
	"@weekly":   "0 0 * * 0",
	"@daily":    "0 0 * * *",
	"@midnight": "0 0 * * *",
	"@hourly":   "0 * * * *",
}

// Parse reads a line, as the package's documentation says. Its errors wrap ErrLine,
// quote the line, and say what is wrong with which part of it.
func Parse(line string, o Options) (Timetable, error) {
	if len(line) > maxLine {
		return Timetable{}, fmt.Errorf("%w %.40q...: %d bytes, of which %d are allowed", ErrLine, line, len(line), maxLine)
	}
	rule, err := parse(strings.Fields(line), o)
	if err != nil {
		return Timetable{}, fmt.Errorf("%w %q: %w", ErrLine, line, err)
	}
	return Timetable{line, rule}, nil
}

func parse(words []string, o Options) (rule, error) {
	loc := o.Location
	if loc == nil {
		loc = time.UTC
	}
	if name, ok := zoneOf(words); ok {
		var err error
		if loc, err = zone(name); err != nil {
			return nil, err
		}
		words = words[1:]
		if other, ok := zoneOf(words); ok {
			return nil, fmt.Errorf("it names two time zones, %s and %s", name, other)
		}
	}
	if len(words) == 0 {
		return nil, errors.New("it says no time: " + fieldCount)
	}
	if !strings.HasPrefix(words[0], "@") {
		return parseFields(words, loc)
	}
	switch name, args := words[0], words[1:]; {
	case name == "@every" && len(args) == 1:
		return parseEvery(args[0], o.Anchor)
	case name == "@at" && len(args) == 1:
		return parseAt(args[0], loc)
	case name == "@every":
		return nil, errors.New("want one duration after @every, such as 90s or 1h30m")
	case name == "@at":
		return nil, errors.New("want one time after @at, such as " + timeExample)
	case macros[name] == "":
		return nil, fmt.Errorf("%s is unknown: want @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually, @every or @at", name)
	case len(args) > 0:
		return nil, fmt.Errorf("nothing may follow %s", name)
	default:
		return parseFields(strings.Fields(macros[name]), loc)
	}
}

// zoneOf is the name of the zone with which a line begins, if it does.
func zoneOf(words []string) (name string, ok bool) {
	if len(words) == 0 {
		return "", false
	}
	key, name, ok := strings.Cut(words[0], "=")
	return name, ok && (key == "CRON_TZ" || key == "TZ")
}

func parseEvery(text string, anchor time.Time) (rule, error) {
	period, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("@every %s: want a duration with its units, such as 90s or 1h30m", text)
	case period < time.Second:
		return nil, fmt.Errorf("@every %s: the least is 1s", text)
	case period%time.Second != 0:
		return nil, fmt.Errorf("@every %s: want whole seconds", text)
	}
	e := every{period: int64(period / time.Second)}
	if !anchor.IsZero() {
		e.anchor = anchor.Unix()
	}
	return e, nil
}

const timeExample = "2026-12-24T18:00:00+01:00"

func parseAt(text string, loc *time.Location) (rule, error) {
	at, err := time.Parse(time.RFC3339, text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("@at %s: want date, time and offset as in RFC 3339, such as %s", text, timeExample)
	case at.Nanosecond() != 0:
		return nil, fmt.Errorf("@at %s: want whole seconds", text)
	}
	return once{at.In(loc)}, nil
}
