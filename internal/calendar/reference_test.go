package calendar

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

var (
	seedFlag  = flag.Uint64("calendar.seed", 0, "replay the random lines of this seed")
	linesFlag = flag.Int("calendar.lines", 500, "how many random lines to try")
)

// randomField is a field as text, and what it means, made together: nothing is read
// to know it.
type randomField struct {
	text string
	set  uint64
	any  bool // as a day field it restricts nothing
}

func drawField(r *rand.Rand, low, high int) randomField {
	modulus, largest := 64, high
	if high == 6 { // days of the week: Sunday is 7, too
		modulus, largest = 7, 7
	}
	all := func(from, to, step int) (set uint64) {
		for v := from; v <= to; v += step {
			set |= 1 << (v % modulus)
		}
		return set
	}
	item := func() (string, uint64) {
		a := low + r.IntN(high-low+1)
		b := a + r.IntN(high-a+1)
		switch step := 2 + r.IntN(3); r.IntN(5) {
		case 0:
			return fmt.Sprintf("%d-%d", a, b), all(a, b, 1)
		case 1:
			if b-a+1 > step {
				return fmt.Sprintf("%d-%d/%d", a, b, step), all(a, b, step)
			}
		case 2:
			if largest-a+1 > step {
				return fmt.Sprintf("%d/%d", a, step), all(a, largest, step)
			}
		case 3:
			return fmt.Sprintf("*/%d", step), all(low, high, step)
		}
		return fmt.Sprint(a), 1 << a
	}
	switch r.IntN(6) {
	case 0, 1:
		return randomField{[]string{"*", "?", "*/1"}[r.IntN(3)], all(low, high, 1), true}
	case 2:
		a, setA := item()
		b, setB := item()
		return randomField{a + "," + b, setA | setB, false}
	default:
		text, set := item()
		return randomField{text, set, false}
	}
}

// reference fires by looking at the clock at every step, and at nothing else.
type reference struct {
	fields [6]randomField
	zone   *time.Location
	step   time.Duration
}

func drawReference(r *rand.Rand, zone *time.Location) reference {
	ref := reference{zone: zone, step: time.Minute}
	for i, bounds := range [6][2]int{{0, 59}, {0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 6}} {
		ref.fields[i] = drawField(r, bounds[0], bounds[1])
	}
	if r.IntN(4) > 0 { // around the hours when clocks are changed
		for i := 3; i < 6; i++ {
			ref.fields[i] = randomField{"*", 1<<63 - 1, true}
		}
	}
	if r.IntN(4) > 0 {
		ref.fields[0] = randomField{"0", 1, false}
	} else {
		ref.step = time.Second
	}
	return ref
}

func (ref reference) line() string {
	var words []string
	for i, f := range ref.fields {
		if i > 0 || ref.step == time.Second {
			words = append(words, f.text)
		}
	}
	return strings.Join(words, " ")
}

func (ref reference) fits(reading time.Time) bool {
	has := func(i, value int) bool { return ref.fields[i].set>>value&1 == 1 }
	day, weekday := has(3, reading.Day()), has(5, int(reading.Weekday()))
	days := day && weekday
	if !ref.fields[3].any && !ref.fields[5].any {
		days = day || weekday
	}
	return has(0, reading.Second()) && has(1, reading.Minute()) && has(2, reading.Hour()) && has(4, int(reading.Month())) && days
}

func (ref reference) reading(t time.Time) time.Time {
	t = t.In(ref.zone)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// ticks are those after one time up to and including another, both whole minutes.
// A line for every hour fires when the clock shows what fits; another one when the
// highest reading so far comes to it or passes over it.
func (ref reference) ticks(after, until time.Time) (ticks []time.Time) {
	interval := ref.fields[2].set&(1<<24-1) == 1<<24-1
	var highest time.Time
	for t := after.Add(-30 * time.Hour); !t.After(after); t = t.Add(time.Minute) {
		// The last of each minute, and after itself: clocks change between minutes.
		for _, t := range []time.Time{t.Add(-ref.step), t} {
			if r := ref.reading(t); r.After(highest) {
				highest = r
			}
		}
	}
	for t := after.Add(ref.step); !t.After(until); t = t.Add(ref.step) {
		now := ref.reading(t)
		fires := interval && ref.fits(now)
		for !interval && highest.Before(now) {
			highest = highest.Add(ref.step)
			fires = ref.fits(highest) || fires
		}
		if fires {
			ticks = append(ticks, t)
		}
	}
	return ticks
}

func TestRandomLinesFireAsANaiveClockDoes(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("replay with -calendar.seed=%d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	total := 0
	for range *linesFlag {
		zones := []string{
			"Europe/Berlin", "Europe/Dublin", "America/New_York", "America/Havana", "America/Sao_Paulo", "America/St_Johns",
			"Africa/Casablanca", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Auckland", "Antarctica/Troll", "Asia/Kolkata", "UTC",
		}
		loc, err := zone(zones[r.IntN(len(zones))])
		if err != nil {
			t.Fatal(err)
		}
		ref := drawReference(r, loc)
		start := time.Date(1973+r.IntN(130), 1, 1, 0, r.IntN(366*24*60), 0, 0, time.UTC)
		span, before := 36*time.Hour, 12*60
		if ref.step == time.Second {
			span, before = 90*time.Minute, 60
		}
		_, change := start.In(loc).ZoneBounds()
		if !change.IsZero() && r.IntN(5) > 0 {
			start = change.Truncate(time.Minute).Add(-time.Duration(r.IntN(before)) * time.Minute)
		}
		if loc.String() == "Pacific/Apia" && r.IntN(2) == 0 {
			start = time.Date(2011, 12, 29, 0, r.IntN(48*60), 0, 0, time.UTC)
		}
		tt, err := Parse(ref.line(), Options{Location: loc})
		if err != nil {
			if strings.Contains(err.Error(), "there is no day") {
				continue
			}
			t.Fatal(err)
		}
		want := ref.ticks(start, start.Add(span))
		got := tt.Between(start, start.Add(span), 1<<20)
		total += len(want)
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || !got[i].Equal(want[i]) {
				t.Fatalf("%s in %s after %v: %d ticks, want %d; the first that differs is number %d\n got %v\nwant %v",
					ref.line(), loc, start, len(got), len(want), i, tail(got, i), tail(want, i))
			}
		}
	}
	if total < *linesFlag {
		t.Errorf("%d ticks in %d lines: the lines say nothing", total, *linesFlag)
	}
	t.Logf("%d ticks", total)
}

// tail is a few ticks, from number i on.
func tail(ticks []time.Time, i int) (some []string) {
	for _, tick := range ticks[min(i, len(ticks)):min(i+4, len(ticks))] {
		some = append(some, ID(tick))
	}
	return some
}
