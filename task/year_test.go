package task_test

import (
	"context"
	"flag"
	"maps"
	"slices"
	"testing"
	"time"

	"conclave/conclavetest"
	"conclave/internal/calendar"
	"conclave/task"
)

var awake = flag.Bool("task.awake", false, "the cluster of the year of ticks never rests, and its line for each minute is there all the year: takes ten minutes, and not under the race detector")

// A year as it is lived: the nodes die now and then, and for days there is nobody.
// Zones change their clocks in it, both ways. Time in a bubble begins with the year
// 2000.
const (
	yearT    = 5 * time.Minute
	yearTick = 15 * time.Second
)

// yearly are the lines of the year. All that they miss is made up for.
var yearly = map[string]string{
	"hourly Berlin":   "CRON_TZ=Europe/Berlin 0 * * * *",
	"hourly New York": "CRON_TZ=America/New_York 30 * * * *",
	"daily Berlin":    "CRON_TZ=Europe/Berlin 30 2 * * *", // there is none on one day, and twice on another
	"daily New York":  "CRON_TZ=America/New_York 30 1 * * *",
	"early New York":  "CRON_TZ=America/New_York 15 2 * * *",
}

// changes are the moments at which the clocks are changed.
var changes = []time.Time{
	time.Date(2000, 3, 26, 1, 0, 0, 0, time.UTC), time.Date(2000, 4, 2, 7, 0, 0, 0, time.UTC),
	time.Date(2000, 10, 29, 1, 0, 0, 0, time.UTC), time.Date(2000, 10, 29, 6, 0, 0, 0, time.UTC),
}

// year is the run of one.
type year struct {
	*scene
	found map[string]task.Info // what is in the record, or was
	want  map[string]string    // the ids of all ticks that are due so far, and their lines
	due   map[string]int       // how many of each schedule
	fire  map[string]uint64    // what minute lines that are gone have fired
}

func TestYearOfTicksIsWhatTheCalendarLists(t *testing.T) {
	began := time.Now()
	lived := time.Duration(0)
	conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
		y := &year{scene: play(c, cast{
			cfg: task.Config{
				Keep: task.Keep{For: 45 * 24 * time.Hour}, // more than any stretch takes
				Load: func() float64 { return 0 },
			},
			kinds: map[string]handler{"tick": func(context.Context, *task.Task, *try) error { return nil }},
		}), found: make(map[string]task.Info), want: make(map[string]string), due: make(map[string]int), fire: make(map[string]uint64)}
		r := c.Chance("year")
		y.calm()
		start := time.Now()
		end := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
		for name, line := range yearly {
			y.make(name, line)
		}
		left := changes
		for stretch := 0; time.Now().Before(end); stretch++ {
			until := time.Now().Add(30*time.Minute + time.Duration(r.Int64N(int64(time.Hour))))
			if *awake {
				until = time.Now().Add(time.Duration(r.Int64N(int64(5 * 24 * time.Hour))))
			}
			for len(left) > 0 && left[0].Add(-2*time.Hour).Before(until) {
				until, left = left[0].Add(90*time.Minute), left[1:]
			}
			if until.After(end) {
				until = end
			}
			lived += time.Until(until)
			y.live(until, r.IntN)
			rest := time.Now().Add(12*time.Hour + time.Duration(r.Int64N(int64(40*24*time.Hour))))
			if len(left) > 0 && rest.After(left[0].Add(-90*time.Minute)) {
				rest = left[0].Add(-90 * time.Minute)
			}
			if rest.After(end) {
				rest = end
			}
			if !*awake {
				y.rest(rest)
			}
		}
		y.calm()
		y.expect(start, time.Now())
		y.judge()
		c.Logf("seed %d: %d ticks; %d terms of dispatchers; the cluster was there for %v of the year", c.Seed, len(y.want), len(c.Terms(dispatcher)), lived.Round(time.Hour))
	}, conclavetest.SessionTimeout(yearT), conclavetest.Tick(yearTick), conclavetest.Patience(time.Hour))
	t.Logf("it took %v", time.Since(began).Round(time.Millisecond))
}

// make makes a schedule that leaves out nothing.
func (y *year) make(name, line string) {
	y.Helper()
	ctx, cancel := context.WithTimeout(y.Context(), time.Second)
	defer cancel()
	if err := y.client.Schedule(ctx, name, line, task.Of("tick", nil), task.MissedAll(10_000)); err != nil {
		y.Fatalf("%s: %v", name, err)
	}
}

// live is a stretch in which the cluster is there, and nodes die now and then. A
// line of each minute is there with it.
func (y *year) live(until time.Time, chance func(int) int) {
	y.Helper()
	y.calm()
	const minutes = "CRON_TZ=Europe/Berlin * * * * *"
	name, from := "minute "+time.Now().Format("2006-01-02T15:04"), time.Now()
	y.make(name, minutes)
	for time.Now().Before(until) {
		victim := chance(y.Size())
		if at := y.Terms(dispatcher); chance(2) == 0 && len(at) > 0 && at[len(at)-1].Node.Running() {
			victim = at[len(at)-1].Node.Index()
		}
		time.Sleep(min(time.Duration(chance(int(20*time.Minute))), time.Until(until)))
		if chance(4) == 0 {
			if err := y.Stop(victim); err != nil {
				y.Error(err)
			}
		} else {
			y.Kill(victim)
		}
		time.Sleep(min(time.Duration(chance(int(10*time.Minute))), time.Until(until)))
		y.Start(victim)
	}
	y.calm()
	maps.Copy(y.found, y.all())
	y.due[name] += y.plan(name, minutes, from, time.Now())
	for _, s := range y.schedules() {
		if s.Name == name {
			y.fire[name] = s.Fired
		}
	}
	ctx, cancel := context.WithTimeout(y.Context(), time.Second)
	defer cancel()
	if err := y.client.Unschedule(ctx, name); err != nil {
		y.Fatalf("%s: %v", name, err)
	}
}

// rest is a stretch in which nobody is there.
func (y *year) rest(until time.Time) {
	for i := range y.Size() {
		y.Kill(i)
	}
	time.Sleep(time.Until(until))
	for i := range y.Size() {
		y.Start(i)
	}
}

// calm returns half a minute after the last tick was due, with all nodes there, and
// everything done.
func (y *year) calm() {
	y.Helper()
	y.Await("all is done", func() bool {
		ctx, cancel := context.WithTimeout(y.Context(), time.Second)
		defer cancel()
		status, err := y.client.Status(ctx)
		return err == nil && status.Live == 0 && len(status.Workers) == y.Size()
	})
	time.Sleep(time.Until(time.Now().Truncate(time.Minute).Add(90 * time.Second)))
	y.Await("all is done", func() bool {
		ctx, cancel := context.WithTimeout(y.Context(), time.Second)
		defer cancel()
		status, err := y.client.Status(ctx)
		return err == nil && status.Live == 0
	})
}

// plan adds the ticks of a line to what is wanted.
func (y *year) plan(name, line string, from, to time.Time) int {
	y.Helper()
	when, err := calendar.Parse(line, calendar.Options{})
	if err != nil {
		y.Fatal(err)
	}
	ticks := when.Between(from, to, 1<<20)
	for _, at := range ticks {
		y.want[name+"@"+calendar.ID(at)] = name
	}
	return len(ticks)
}

// expect is what the calendar lists for the lines of all the year.
func (y *year) expect(from, to time.Time) {
	y.Helper()
	for name, line := range yearly {
		y.due[name] += y.plan(name, line, from, to)
	}
}

func (y *year) schedules() []task.ScheduleInfo {
	y.Helper()
	ctx, cancel := context.WithTimeout(y.Context(), time.Second)
	defer cancel()
	all, err := y.client.Schedules(ctx)
	if err != nil {
		y.Fatal(err)
	}
	return all
}

// judge compares what was wanted with the record.
func (y *year) judge() {
	y.Helper()
	maps.Copy(y.found, y.all())
	for _, id := range slices.Sorted(maps.Keys(y.want)) {
		if i, is := y.found[id]; !is || i.State != task.Done {
			y.Errorf("tick %s is %q in the record", id, i.State)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(y.found)) {
		if y.want[id] == "" {
			y.Errorf("task %s is no tick that the calendar lists", id)
		}
	}
	for _, s := range y.schedules() {
		y.fire[s.Name] = s.Fired
		if s.Left > 0 {
			y.Errorf("%s has left out %d", s.Name, s.Left)
		}
	}
	for name, n := range y.due {
		if y.fire[name] != uint64(n) {
			y.Errorf("%s has fired %d times, not %d", name, y.fire[name], n)
		}
	}
	// A handler runs a tick again only if its worker was lost in the midst of it.
	seen := make(map[string]int)
	for _, try := range y.tries("") {
		if try.attempt <= seen[try.id] {
			y.Errorf("tick %s was run as attempt %d after attempt %d", try.id, try.attempt, seen[try.id])
		}
		seen[try.id] = try.attempt
	}
}
