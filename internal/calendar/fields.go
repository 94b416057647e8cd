package calendar

//conclave:pure

import (
	"fmt"
	"math/bits"
	"regexp"
	"strconv"
	"strings"
	"time"

	cron "github.com/netresearch/go-cron"
)

const fieldCount = "want 5 fields (minute hour day-of-month month day-of-week), or 6 with seconds before them"

// field is one of a line's, and how the library is told of it.
type field struct {
	name, allowed string
	option        cron.ParseOption
	bits          func(*cron.SpecSchedule) *uint64
}

var fields = []field{
	{"second", "0-59", cron.Second, func(s *cron.SpecSchedule) *uint64 { return &s.Second }},
	{"minute", "0-59", cron.Minute, func(s *cron.SpecSchedule) *uint64 { return &s.Minute }},
	{"hour", "0-23", cron.Hour, func(s *cron.SpecSchedule) *uint64 { return &s.Hour }},
	{"day of month", "1-31", cron.Dom, func(s *cron.SpecSchedule) *uint64 { return &s.Dom }},
	{"month", "1-12 or JAN-DEC", cron.Month, func(s *cron.SpecSchedule) *uint64 { return &s.Month }},
	{"day of week", "0-7 or SUN-SAT", cron.Dow, func(s *cron.SpecSchedule) *uint64 { return &s.Dow }},
}

// item is what may stand between two commas. The library would pass over some of
// what is not: "*-x", "+5", nothing at all.
var item = regexp.MustCompile(`^([*?]|[0-9A-Za-z]+(-[0-9A-Za-z]+)?)(/[0-9]+)?$`)

// steppedDays is a range of days of the week with a step.
var steppedDays = regexp.MustCompile(`^(\w+)-(\w+)/`)

const everyHour = 1<<24 - 1

// leapGap is the longest time, in years, from one date that a line fits to the next:
// 29 February over a year such as 2100.
const leapGap = 8

// parseFields has each field read by itself, so that an error can say which it was.
func parseFields(words []string, loc *time.Location) (rule, error) {
	if len(words) == 5 {
		words = append([]string{"0"}, words...)
	}
	if len(words) != 6 {
		return nil, fmt.Errorf("%d fields: %s", len(words), fieldCount)
	}
	spec := &cron.SpecSchedule{Location: time.UTC, MaxSearchYears: leapGap, DowOrDom: true}
	for i, f := range fields {
		one, err := f.parse(words[i])
		if err != nil {
			return nil, fmt.Errorf("%s %q: %w: allowed are %s, ranges a-b, steps */n, lists a,b, and *", f.name, words[i], err, f.allowed)
		}
		*f.bits(spec) = *f.bits(one)
	}
	if spec.Next(time.Unix(0, 0).UTC()).IsZero() {
		return nil, fmt.Errorf("there is no day %s in month %s", words[3], words[4])
	}
	return wall{spec, loc, spec.Hour&everyHour == everyHour}, nil
}

func (f field) parse(text string) (*cron.SpecSchedule, error) {
	for part := range strings.SplitSeq(text, ",") {
		if !item.MatchString(part) {
			return nil, fmt.Errorf("cannot read %q", part)
		}
		if f.option == cron.Dow && wrapsWithStep(part) {
			return nil, fmt.Errorf("a step over the end of the week, in %q", part)
		}
	}
	s, err := cron.MustNewParser(f.option).Parse(text)
	if err != nil {
		return nil, err
	}
	spec, ok := s.(*cron.SpecSchedule)
	if !ok || bits.OnesCount64(*f.bits(spec)) == 0 {
		return nil, fmt.Errorf("it never fits")
	}
	return spec, nil
}

// wrapsWithStep says whether a range of days goes past Saturday in steps. The library
// would count Sunday twice there, as 7 and as 0.
func wrapsWithStep(part string) bool {
	ends := steppedDays.FindStringSubmatch(part)
	return ends != nil && weekday(ends[1]) > weekday(ends[2])
}

// weekday is a day's number, as far as it is one.
func weekday(day string) int {
	if n, err := strconv.Atoi(day); err == nil {
		return n
	}
	return strings.Index("SUNMONTUEWEDTHUFRISAT", strings.ToUpper(day)) / 3
}
