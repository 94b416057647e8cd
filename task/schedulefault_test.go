package task_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"conclave/conclavetest"
	"conclave/task"
	"conclave/zkdev"
)

// FAULTS 48, in virtual time.

// wallClock is what all nodes of a scene read the time of day from: the bubble's
// clock, set forward by so much.
type wallClock struct{ ahead atomic.Int64 }

func (w *wallClock) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

func (w *wallClock) step(d time.Duration) { w.ahead.Add(int64(d)) }

// timed are scenes with two dispatchers and two workers, which do a kind "ring" at
// once, whose clocks show a time of day.
func timed(c *conclavetest.Cluster, begin string) (*scene, *wallClock) {
	c.Helper()
	at, err := time.Parse(time.RFC3339, begin)
	if err != nil {
		c.Fatal(err)
	}
	w := &wallClock{}
	w.step(time.Until(at))
	s := play(c, cast{
		cfg:      task.WithClock(task.Config{Keep: task.Keep{For: 1000 * time.Hour}}, w.now),
		dispatch: []int{0, 1}, work: []int{2, 3}, kinds: map[string]handler{"ring": func(context.Context, *task.Task, *try) error { return nil }},
	})
	s.AwaitHolder(dispatcher)
	return s, w
}

func (s *scene) schedule(name, line string, opts ...task.ScheduleOption) {
	s.Helper()
	ctx, cancel := s.within()
	defer cancel()
	if err := s.client.Schedule(ctx, name, line, task.Of("ring", name), opts...); err != nil {
		s.Fatal(err)
	}
}

func (s *scene) scheduled(name string) task.ScheduleInfo {
	s.Helper()
	ctx, cancel := s.within()
	defer cancel()
	all, err := s.client.Schedules(ctx)
	if err != nil {
		s.Fatal(err)
	}
	for _, i := range all {
		if i.Name == name {
			return i
		}
	}
	s.Fatalf("no schedule %q", name)
	return task.ScheduleInfo{}
}

// rung are the ticks of a schedule, each of which must have been done once: their
// times in UTC.
func (s *scene) rung(name string) (ticks []time.Time) {
	s.Helper()
	times := make(map[string]int)
	for _, y := range s.tries("") {
		times[y.id]++
	}
	for id, i := range s.all() {
		tick, is := strings.CutPrefix(id, name+"@")
		if !is {
			continue
		}
		at, err := time.Parse(time.RFC3339, tick)
		if err != nil {
			s.Fatalf("%s: %v", id, err)
		}
		if i.State != task.Done || times[id] != 1 {
			s.Errorf("%s is %s and was run %d times", id, i.State, times[id])
		}
		ticks = append(ticks, at.UTC())
	}
	slices.SortFunc(ticks, time.Time.Compare)
	return ticks
}

// shown is how a clock on the wall in UTC shows times of one day or two.
func shown(ticks []time.Time) string {
	var all []string
	for _, t := range ticks {
		all = append(all, t.Format("02-15:04"))
	}
	return strings.Join(all, " ")
}

// tickFault is what befalls the dispatcher so long after a whole second.
type tickFault struct {
	off    time.Duration
	strike func(s *scene, i int)
}

func (s *scene) strikeAt(f tickFault) {
	time.Sleep(2*time.Second - time.Duration(time.Now().Nanosecond()) + f.off)
	f.strike(s, s.holder())
}

// The dispatcher dies at a tick, or a moment before or after it, or in the middle
// of the commit that fires it. Another fires what is due.
func TestTickAtLeaderChange(t *testing.T) {
	const span = 70 * time.Second
	faults := map[string]tickFault{
		"killed before a tick":            {off: -time.Millisecond, strike: (*scene).Kill},
		"killed at a tick":                {strike: (*scene).Kill},
		"killed after a tick":             {off: time.Millisecond, strike: (*scene).Kill},
		"killed between two":              {off: 500 * time.Millisecond, strike: (*scene).Kill},
		"killed before the commit":        {off: -10 * time.Millisecond, strike: func(s *scene, i int) { s.killAtCommit(i, 1, zkdev.LoseRequest) }},
		"killed after the commit":         {off: -10 * time.Millisecond, strike: func(s *scene, i int) { s.killAtCommit(i, 1, zkdev.HoldReply) }},
		"the reply to the commit is lost": {off: -10 * time.Millisecond, strike: (*scene).LoseReply},
		"paused":                          {off: -10 * time.Millisecond, strike: (*scene).Pause},
		"its session expires":             {strike: (*scene).ExpireSession},
	}
	for how, policy := range map[string]task.ScheduleOption{"all": task.MissedAll(0), "one": task.MissedOne(), "skip": task.MissedSkip(3 * time.Second)} {
		for name, fault := range faults {
			t.Run(how+"/"+name, func(t *testing.T) {
				conclavetest.Run(t, 0, 4, func(c *conclavetest.Cluster) {
					s, _ := timed(c, "2027-03-01T12:00:00Z")
					s.schedule("bell", "* * * * * *", policy)
					began := c.Now()
					time.Sleep(3 * time.Second)
					s.strikeAt(fault)
					time.Sleep(expiry + 2*time.Second)
					c.Mend()
					c.Start(0)
					c.Start(1)
					time.Sleep(10 * time.Second)
					s.strikeAt(fault)
					time.Sleep(span - (c.Now() - began))
					c.Mend()
					time.Sleep(5*time.Second + time.Second/2 - time.Duration(time.Now().Nanosecond()))
					ticks, info := s.rung("bell"), s.scheduled("bell")
					for i := 1; i < len(ticks); i++ {
						if how == "all" && ticks[i].Sub(ticks[i-1]) != time.Second {
							c.Errorf("nothing between %v and %v", ticks[i-1], ticks[i])
						}
					}
					first, last := ticks[0], ticks[len(ticks)-1]
					if due := int(last.Sub(first)/time.Second) + 1; len(ticks)+int(info.Left) < due || len(ticks)+int(info.Left) > due+1 {
						c.Errorf("%d were fired, %d left out, of %d", len(ticks), info.Left, due)
					}
					if left := info.Left; left > 0 && how == "all" || len(ticks) != int(info.Fired) && len(ticks) != int(info.Fired)-1 {
						c.Errorf("it says that %d were fired and %d left out, and there are %d", info.Fired, left, len(ticks))
					}
				})
			})
		}
	}
}

// All clocks are set an hour forward, or back, and a dispatcher dies after that.
func TestClockStepsAnHour(t *testing.T) {
	const line = "0 */10 * * * *"
	for how, want := range map[string]struct {
		policy        task.ScheduleOption
		forward, back string
	}{
		"one": {task.MissedOne(),
			"01-12:10 01-12:20 01-13:20 01-13:30 01-13:40 01-13:50 01-14:00 01-14:10 01-14:20 01-14:30",
			"01-12:10 01-12:20 01-12:30 01-12:40"},
		"all": {task.MissedAll(0),
			"01-12:10 01-12:20 01-12:30 01-12:40 01-12:50 01-13:00 01-13:10 01-13:20 01-13:30 01-13:40 01-13:50 01-14:00 01-14:10 01-14:20 01-14:30",
			"01-12:10 01-12:20 01-12:30 01-12:40"},
		"skip": {task.MissedSkip(time.Minute),
			"01-12:10 01-12:20 01-13:30 01-13:40 01-13:50 01-14:00 01-14:10 01-14:20 01-14:30",
			"01-12:10 01-12:20 01-12:30 01-12:40"},
	} {
		for _, step := range []time.Duration{time.Hour, -time.Hour} {
			t.Run(fmt.Sprintf("%s/%v", how, step), func(t *testing.T) {
				conclavetest.Run(t, 0, 4, func(c *conclavetest.Cluster) {
					s, clock := timed(c, "2027-03-01T12:05:00Z")
					s.schedule("bell", line, want.policy)
					time.Sleep(20 * time.Minute) // 12:25
					clock.step(step)
					time.Sleep(2 * time.Minute)
					s.Kill(s.holder())
					time.Sleep(10 * time.Minute)
					c.Mend()
					c.Start(0)
					c.Start(1)
					time.Sleep(58 * time.Minute) // 14:35, or 12:35 again
					if step < 0 {
						time.Sleep(10 * time.Minute)
					}
					ticks := want.forward
					if step < 0 {
						ticks = want.back
					}
					if got := shown(s.rung("bell")); got != ticks {
						c.Errorf("it rang at\n%s, and not at\n%s", got, ticks)
					}
				})
			})
		}
	}
}

// While the clock shows an hour again, tasks are taken and done.
func TestClockSetBackHoldsUpNoWork(t *testing.T) {
	conclavetest.Run(t, 0, 4, func(c *conclavetest.Cluster) {
		s, clock := timed(c, "2027-03-01T12:00:00Z")
		s.submit(task.Of("ring", nil, task.ID("before")))
		s.wait("before")
		old := s.holder()
		c.Partition(old, 2)
		c.Partition(old, 3)
		time.Sleep(time.Minute) // its links are down, both workers unknown
		clock.step(-time.Hour)
		time.Sleep(time.Second)
		c.Mend()
		stepped := c.Now()
		for i := range 4 {
			s.submit(task.Of("ring", nil, task.ID(fmt.Sprint("t", i))))
		}
		for i := range 4 {
			s.wait(fmt.Sprint("t", i))
		}
		if took := c.Now() - stepped; took > time.Minute {
			c.Errorf("it took %v", took)
		}
		if holder := s.holder(); holder != old {
			c.Errorf("another dispatcher: %d", holder)
		}
	})
}

// Both changes of the clock in Berlin, in 2027, with a dispatcher that dies half a
// minute before each, so that nobody is there at the change itself.
func TestDaylightSaving(t *testing.T) {
	for name, want := range map[string]struct{ begin, night, hourly, twoHours string }{
		// 02:00 to 03:00 is missing: what falls into it rings when the clock jumps.
		"spring": {
			"2027-03-27T22:10:00Z", // 23:10
			"28-01:00",             // 03:00
			"27-22:15 27-23:15 28-00:15 28-01:15 28-02:15 28-03:15",
			"27-23:00 28-01:00 28-02:00", // 00, 02 (which is not shown: 03), 04
		},
		// 02:00 to 03:00 is shown twice.
		"autumn": {
			"2027-10-30T22:10:00Z", // 00:10
			"31-00:30",             // 02:30, the first time
			"30-22:15 30-23:15 31-00:15 31-01:15 31-02:15 31-03:15",
			"31-00:00 31-03:00", // 02 the first time, 04
		},
	} {
		t.Run(name, func(t *testing.T) {
			conclavetest.Run(t, 0, 4, func(c *conclavetest.Cluster) {
				s, clock := timed(c, want.begin)
				for line, name := range map[string]string{"30 2 * * *": "night", "15 * * * *": "hourly", "0 */2 * * *": "twohours"} {
					s.schedule(name, line, task.Zone("Europe/Berlin"), task.MissedAll(0))
				}
				for _, minutes := range []int{169, 61} { // to half a minute before the change, and an hour later
					time.Sleep(time.Duration(minutes)*time.Minute + 30*time.Second - time.Duration(clock.now().Second())*time.Second)
					s.Kill(s.holder())
					time.Sleep(expiry + time.Minute)
					c.Mend()
					c.Start(0)
					c.Start(1)
				}
				end, _ := time.Parse(time.RFC3339, want.begin)
				time.Sleep(end.Add(5*time.Hour + 20*time.Minute).Sub(clock.now())) // 03:30 in UTC
				for name, ticks := range map[string]string{"night": want.night, "hourly": want.hourly, "twohours": want.twoHours} {
					if got := shown(s.rung(name)); got != ticks {
						c.Errorf("%s: it rang at\n%s, and not at\n%s (UTC)", name, got, ticks)
					}
				}
			})
		})
	}
}
