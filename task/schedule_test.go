package task

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/internal/calendar"
)

// at sets the desk's clock.
func (d *desk) at(s string) {
	d.t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	d.must(err)
	d.now = at.UnixMilli()
	d.commit()
}

func (d *desk) schedule(s ScheduleSpec) error {
	d.t.Helper()
	return d.ask(&scheduleCall{Schedule: s}).(*scheduleAnswer).Problem.err()
}

func every(name, line string) ScheduleSpec {
	return ScheduleSpec{Name: name, Line: line, Task: Of("dig", 1)}
}

// ticks are the ids of a schedule's tasks, in order.
func (d *desk) ticks(name string) (ids []string) {
	for id := range maps.Keys(d.table.entries) {
		if tick, is := strings.CutPrefix(id, name+"@"); is {
			ids = append(ids, tick)
		}
	}
	slices.Sort(ids)
	return ids
}

func TestOneTaskForEachTick(t *testing.T) {
	d := newDesk(t)
	d.at("2027-03-01T12:00:30Z")
	d.must(d.schedule(every("s", "*/5 * * * *")))
	for range 3600 {
		d.pass(time.Second)
	}
	if got := d.ticks("s"); len(got) != 12 || got[0] != "2027-03-01T12:05:00Z" || got[11] != "2027-03-01T13:00:00Z" {
		t.Errorf("%d ticks: %v", len(got), got)
	}
}

func TestNoTickIsFiredTwiceAcrossDispatchers(t *testing.T) {
	d := newDesk(t)
	d.at("2027-03-01T12:00:00Z")
	s := every("s", "* * * * * *")
	s.Missed = Missed{How: "all"}
	d.must(d.schedule(s))
	for i := range 600 {
		d.pass(time.Second)
		if i%20 == 7 {
			d.begin()
		}
		if i%60 == 11 {
			d.now += 5000 // nobody there for a while
			d.begin()
		}
	}
	if got := d.ticks("s"); len(got) != 650 {
		t.Errorf("%d ticks in 650 s", len(got))
	}
}

func TestMissedTicks(t *testing.T) {
	for how, want := range map[string][]string{
		"":     {"13:00:00"},
		"one":  {"13:00:00"},
		"skip": {"13:00:00"},
		"all":  {"12:57:00", "12:58:00", "12:59:00", "13:00:00"},
	} {
		d := newDesk(t)
		d.at("2027-03-01T12:00:00Z")
		s := every("s", "* * * * *")
		s.Missed = Missed{How: how, Most: 4}
		d.must(d.schedule(s))
		d.at("2027-03-01T13:00:05Z") // the clock is set forward, or nobody was there
		var got []string
		for _, id := range d.ticks("s") {
			got = append(got, id[11:19])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", how, got, want)
		}
		if info := d.table.schedules["s"].info(); info.Left != uint64(60-len(want)) || info.Fired != uint64(len(want)) {
			t.Errorf("%q: fired %d, left out %d of 60", how, info.Fired, info.Left)
		}
	}
	d := newDesk(t)
	d.at("2027-03-01T12:00:00Z")
	s := every("s", "* * * * *")
	s.Missed = Missed{How: "skip"}
	d.must(d.schedule(s))
	d.at("2027-03-01T13:00:15Z")
	if got := d.ticks("s"); len(got) != 0 {
		t.Errorf("skip, 15 s late: %v", got)
	}
}

func TestClockSetBackFiresNothingTwice(t *testing.T) {
	d := newDesk(t)
	d.at("2027-03-01T12:00:00Z")
	d.must(d.schedule(every("s", "*/10 * * * *")))
	d.at("2027-03-01T12:31:00Z")
	before := d.ticks("s")
	d.at("2027-03-01T11:31:00Z")
	for range 59 {
		d.pass(time.Minute)
		d.begin()
	}
	if got := d.ticks("s"); !slices.Equal(got, before) {
		t.Errorf("an hour back: %v, then %v", before, got)
	}
	d.at("2027-03-01T12:40:00Z")
	if got := d.ticks("s"); len(got) != len(before)+1 {
		t.Errorf("%v", got)
	}
}

func TestOverlap(t *testing.T) {
	for o, want := range map[Overlap][]State{
		OverlapAllow: {Waiting, Waiting, Waiting},
		OverlapSkip:  {Waiting},
		OverlapQueue: {Waiting, Held, Held},
	} {
		d := newDesk(t)
		d.at("2027-03-01T12:00:00Z")
		s := every("s", "@every 60s")
		s.Overlap = o
		d.must(d.schedule(s))
		for range 3 {
			d.pass(time.Minute)
		}
		var got []State
		for _, tick := range d.ticks("s") {
			got = append(got, d.info("s@"+tick).State)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", o, got, want)
		}
	}
}

func TestSameScheduleAgainChangesNothing(t *testing.T) {
	d := newDesk(t)
	d.at("2027-03-01T12:00:00Z")
	d.must(d.schedule(every("s", "@every 1h")))
	d.pass(59 * time.Minute)
	d.must(d.schedule(every("s", "@every 1h")))
	d.begin()
	d.must(d.schedule(every("s", "@every 1h")))
	d.pass(time.Minute)
	if got := d.ticks("s"); len(got) != 1 {
		t.Errorf("%v", got)
	}
	other := every("s", "@every 1h")
	other.Task = Of("fill", 2)
	d.must(d.schedule(other))
	d.pass(time.Hour)
	if got := d.ticks("s"); len(got) != 2 || d.info("s@"+got[1]).Kind != "fill" {
		t.Errorf("with another task: %v", got)
	}
	d.must(d.schedule(every("s", "@every 7h")))
	d.pass(6 * time.Hour)
	if got := d.ticks("s"); len(got) != 2 {
		t.Errorf("with another line: %v", got)
	}
	d.must(d.ask(&scheduleCall{Schedule: every("s", ""), Remove: true}).(*scheduleAnswer).Problem.err())
	d.begin()
	d.pass(24 * time.Hour)
	if len(d.table.schedules) != 0 {
		t.Error("it was removed and is there again")
	}
	if codeOf(d.ask(&scheduleCall{Schedule: every("s", ""), Remove: true}).(*scheduleAnswer).Problem.err()) != ErrNotFound {
		t.Error("removed twice")
	}
}

func TestScheduleRemovedAndMadeAnewInOneCommitIsKept(t *testing.T) {
	d := newDesk(t)
	d.at("2027-03-01T12:00:00Z")
	d.must(d.schedule(every("s", "@every 1h")))
	d.table.step(&news{body: &scheduleCall{Schedule: every("s", ""), Remove: true}}, d.now)
	d.table.step(&news{body: &scheduleCall{Schedule: every("s", "@every 2h")}}, d.now)
	d.commit()
	d.begin()
	if s := d.table.schedules["s"]; s == nil || s.rec.Spec.Line != "@every 2h" {
		t.Errorf("%+v", s)
	}
}

func TestPausedScheduleMakesUpForNothing(t *testing.T) {
	d := newDesk(t)
	d.at("2027-03-01T12:00:00Z")
	s := every("s", "* * * * *")
	s.Missed.How, s.Paused = "all", true
	d.must(d.schedule(s))
	d.pass(time.Hour)
	s.Paused = false
	d.must(d.schedule(s))
	d.pass(time.Minute)
	if got := d.ticks("s"); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

func TestTickThatFindsTheQueueFullComesLater(t *testing.T) {
	d := newDesk(t, func(b *bounds) { b.live = 1 })
	d.at("2027-03-01T12:00:00Z")
	d.must(d.schedule(every("s", "@at 2027-03-01T12:01:00Z")))
	d.must(d.submit(Of("dig", 0, ID("a"))))
	d.pass(time.Minute)
	d.pass(time.Minute)
	if got := d.ticks("s"); len(got) != 0 {
		t.Fatal(got)
	}
	w := d.worker("w", 1, "dig")
	w.ends(w.one(), howDone)
	d.pass(time.Second)
	if got := d.ticks("s"); len(got) != 1 {
		t.Error("the tick was lost")
	}
	d.pass(24 * time.Hour)
	if s := d.table.schedules["s"]; s.next != 0 || s.rec.Fired != 1 {
		t.Errorf("%+v", s)
	}
}

func TestBadSchedulesAreRefused(t *testing.T) {
	d := newDesk(t)
	d.at("2027-03-01T12:00:00Z")
	for what, s := range map[string]ScheduleSpec{
		"line":      every("s", "61 * * * *"),
		"february":  every("s", "0 0 30 2 *"),
		"empty":     every("s", ""),
		"name":      every("", "* * * * *"),
		"long name": every(strings.Repeat("x", MaxScheduleName+1), "* * * * *"),
		"past":      every("s", "@at 2020-01-01T00:00:00Z"),
		"zone":      {Name: "s", Line: "* * * * *", Zone: "Moon/Base", Task: Of("dig", 1)},
		"zone line": {Name: "s", Line: "* * * * *", Zone: "UTC 0", Task: Of("dig", 1)},
		"two zones": {Name: "s", Line: "CRON_TZ=UTC * * * * *", Zone: "Europe/Berlin", Task: Of("dig", 1)},
		"id":        {Name: "s", Line: "* * * * *", Task: Of("dig", 1, ID("x"))},
		"kind":      {Name: "s", Line: "* * * * *", Task: Of("", 1)},
		"missed":    {Name: "s", Line: "* * * * *", Task: Of("dig", 1), Missed: Missed{How: "some"}},
		"overlap":   {Name: "s", Line: "* * * * *", Task: Of("dig", 1), Overlap: "pile"},
	} {
		if err := d.schedule(s); codeOf(err) != ErrBadSchedule {
			t.Errorf("%s: %v", what, err)
		}
	}
	if len(d.table.schedules) != 0 {
		t.Error(d.table.schedules)
	}
}

// A virtual year, in a zone with both changes of the clock, with dispatchers that
// come and go, against what the calendar says.
func TestYearWithDaylightSaving(t *testing.T) {
	d := newDesk(t, func(b *bounds) {
		b.keep = Keep{For: 400 * 24 * time.Hour, Most: 1_000_000, Dead: time.Hour, DeadMost: 1, Bytes: 1 << 30}
	})
	d.at("2027-01-01T00:00:00Z")
	begin := time.UnixMilli(d.now)
	lines := map[string]string{"night": "30 2 * * *", "hourly": "15 * * * *", "weekly": "0 9 * * MON"}
	for name, line := range lines {
		s := every(name, line)
		s.Zone, s.Missed = "Europe/Berlin", Missed{How: "all"}
		d.must(d.schedule(s))
	}
	w := d.worker("w", 1000, "dig")
	for i := range 366 * 24 {
		d.pass(time.Hour)
		for _, a := range w.given() {
			w.ends(a, howDone)
		}
		if i%97 == 0 {
			d.begin(func(b *bounds) {
				b.keep = Keep{For: 400 * 24 * time.Hour, Most: 1_000_000, Dead: time.Hour, DeadMost: 1, Bytes: 1 << 30}
			})
			w.hello(1000, nil, "dig")
		}
	}
	end := time.UnixMilli(d.now)
	for name, line := range lines {
		tt, err := calendar.Parse("CRON_TZ=Europe/Berlin "+line, calendar.Options{})
		d.must(err)
		var want []string
		for _, tick := range tt.Between(begin, end, 1<<20) {
			want = append(want, calendar.ID(tick))
		}
		if got := d.ticks(name); !slices.Equal(got, want) {
			t.Errorf("%s: %d ticks, want %d", name, len(got), len(want))
		}
	}
	if n := len(d.ticks("night")); n != 366 {
		t.Errorf("%d nights", n)
	}
}
