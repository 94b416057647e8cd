//conclave:pure

package task

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"conclave/internal/calendar"
)

// Bounds of schedules.
const (
	// MaxScheduleName is the most bytes of a schedule's name.
	MaxScheduleName = 100
	// MaxSchedules is how many a scope can have.
	MaxSchedules = 10_000

	defaultMost  = 100
	maxMost      = 10_000
	defaultGrace = 10 * time.Second
	maxLeft      = 10_000 // ticks left out that are counted at a time
	tryAgain     = 1_000  // ms: a tick that finds the queue full
)

// scheduled is one schedule.
type scheduled struct {
	rec  scheduleRecord
	when calendar.Timetable
	err  error // its line cannot be read here: it fires nothing
	next int64
	at   int // its place among the ticks; -1: it is not among them
}

// check says what is wrong with a schedule.
func (s *ScheduleSpec) check(maxBody int) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w %q: %w", ErrBadSchedule, s.Name, fmt.Errorf(format, args...))
	}
	if err := checkName("name", s.Name); err != nil {
		return fmt.Errorf("%w: %w", ErrBadSchedule, err)
	}
	if err := s.Task.check(maxBody); err != nil {
		return bad("%w", err)
	}
	switch {
	case s.Name == "" || len(s.Name) > MaxScheduleName:
		return bad("a name has 1 to %d bytes", MaxScheduleName)
	case s.Task.ID != "":
		return bad("its task has an id: the tick makes one")
	case !s.Task.At.IsZero():
		return bad("its task has a time to start at: the tick is that")
	case !slices.Contains([]string{"", "one", "skip", "all"}, s.Missed.How):
		return bad("missed ticks %q: one, skip or all", s.Missed.How)
	case s.Missed.Most < 0 || s.Missed.Most > maxMost || s.Missed.Grace < 0:
		return bad("at most %d missed ticks (of 0 to %d), a grace of %v", s.Missed.Most, maxMost, s.Missed.Grace)
	case !slices.Contains([]Overlap{"", OverlapAllow, OverlapSkip, OverlapQueue}, s.Overlap):
		return bad("overlap %q: allow, skip or queue", s.Overlap)
	case strings.ContainsAny(s.Zone, " \t") || s.Zone != "" && strings.Contains(s.Line, "TZ="):
		return bad("zone %q: one name of the IANA database, here or in the line", s.Zone)
	case s.Overlap == OverlapQueue && s.Task.Key != "":
		return bad("its task has a key, and its overlap is queue: one of the two")
	}
	_, err := s.timetable(0)
	return err
}

// checkDivided says what a schedule cannot have where a scope has parts: its tasks are
// submitted in the transaction of the tick, so in the schedule's own part.
func (s *ScheduleSpec) checkDivided() error {
	if s.Task.Key != "" || s.Task.Unique != "" {
		return fmt.Errorf("%w %q: its task has a key or a unique key, which say which part it belongs to, and the scope has parts: the tick is recorded where the schedule is. Overlap does what a unique key would; a task can submit another that has a key", ErrBadSchedule, s.Name)
	}
	return nil
}

// timetable reads the line. anchor is what @every counts from.
func (s *ScheduleSpec) timetable(anchor int64) (calendar.Timetable, error) {
	line := s.Line
	if s.Zone != "" {
		line = "CRON_TZ=" + s.Zone + " " + line
	}
	when, err := calendar.Parse(line, calendar.Options{Anchor: time.UnixMilli(anchor).UTC()})
	if err != nil {
		return when, fmt.Errorf("%w %q: %w", ErrBadSchedule, s.Name, err)
	}
	return when, nil
}

// same says whether two schedules are one and the same, as written.
func (s *ScheduleSpec) same(other *ScheduleSpec) bool {
	return bytes.Equal(encode(s), encode(other))
}

// reschedule makes, replaces or removes a schedule.
func (t *table) reschedule(c *scheduleCall) error {
	name := c.Schedule.Name
	old := t.schedules[name]
	switch {
	case c.Remove && old == nil:
		return fmt.Errorf("%w: schedule %q", ErrNotFound, name)
	case c.Remove:
		t.unplan(old)
		delete(t.schedules, name)
		delete(t.retimed, old)
		t.dropped = append(t.dropped, scheduleKey+name)
		return nil
	}
	spec := c.Schedule
	if err := spec.check(t.bounds.body); err != nil {
		return err
	}
	if t.bounds.parts > 1 {
		if err := spec.checkDivided(); err != nil {
			return err
		}
	}
	s := &scheduled{rec: scheduleRecord{Spec: spec, Anchor: t.now, Last: t.now}, at: -1}
	switch {
	case old == nil && len(t.schedules) >= MaxSchedules:
		return fmt.Errorf("%w: %d schedules in %q, at most that many", ErrQueueFull, len(t.schedules), t.bounds.scope)
	case old != nil && old.err == nil && old.rec.Spec.same(&spec):
		return nil
	case old != nil && old.rec.Spec.Line == spec.Line && old.rec.Spec.Zone == spec.Zone && !old.rec.Spec.Paused:
		s.rec.Anchor, s.rec.Last = old.rec.Anchor, old.rec.Last
	}
	if old != nil {
		s.rec.LastID, s.rec.Fired, s.rec.Left = old.rec.LastID, old.rec.Fired, old.rec.Left
	}
	t.plan(s)
	if s.next == 0 && !spec.Paused {
		return fmt.Errorf("%w %q: %q never fires after %s", ErrBadSchedule, name, spec.Line, moment(t.now).Format(time.RFC3339))
	}
	if old != nil {
		t.unplan(old)
		delete(t.retimed, old)
	}
	t.schedules[name] = s
	t.replan(s)
	t.retimed[s] = struct{}{}
	t.size += 300 + s.rec.Spec.Task.bytes()
	return nil
}

// plan finds the next tick.
func (t *table) plan(s *scheduled) {
	s.next = 0
	if s.when, s.err = s.rec.Spec.timetable(s.rec.Anchor); s.err != nil || s.rec.Spec.Paused {
		return
	}
	if next, ok := s.when.Next(moment(s.rec.Last)); ok {
		s.next = next.UnixMilli()
	}
}

// replan puts a schedule among the ticks, by its next one.
func (t *table) replan(s *scheduled) {
	t.unplan(s)
	if s.next > 0 {
		t.ticks.push(s)
	}
}

func (t *table) unplan(s *scheduled) {
	if s.at >= 0 {
		t.ticks.remove(s.at)
	}
}

// tick fires what is due.
func (t *table) tick() {
	for s, ok := t.ticks.first(); ok && s.next <= t.now && !t.full(); s, ok = t.ticks.first() {
		t.fire(s)
		t.replan(s)
	}
}

// fire submits the tasks of the ticks that are due, as far as its policies let it.
func (t *table) fire(s *scheduled) {
	ticks, until, left := s.due(t.now)
	t.retimed[s] = struct{}{}
	t.size += 300 + s.rec.Spec.Task.bytes()
	s.left(t, left)
	if len(ticks) > 0 { // what is left out is counted once, though the rest may have to wait
		s.rec.Last = max(s.rec.Last, ticks[0].UnixMilli()-1)
	}
	for _, tick := range ticks {
		if t.full() { // the rest in the next batch
			s.next = t.now
			return
		}
		if err := t.submitTick(s, tick); errors.Is(err, ErrQueueFull) {
			s.next = t.now + tryAgain
			return
		} else if err != nil {
			s.left(t, 1)
		}
		s.rec.Last = tick.UnixMilli()
	}
	s.rec.Last = max(s.rec.Last, until)
	t.plan(s)
}

func (s *scheduled) left(t *table, n int) {
	s.rec.Left += uint64(n)
	t.counts.Missed += uint64(n)
}

// due is the ticks to be fired, the last one that is due at all, and how many are
// left out (as far as they are counted).
func (s *scheduled) due(now int64) (fire []time.Time, until int64, left int) {
	last, end := moment(s.rec.Last), moment(now)
	latest, ok := s.when.Last(last, end)
	if !ok {
		return nil, s.rec.Last, 0
	}
	until = latest.UnixMilli()
	missed := s.rec.Spec.Missed
	switch missed.How {
	case "skip":
		grace := missed.Grace
		if grace == 0 {
			grace = defaultGrace
		}
		from := end.Add(-grace - 1)
		if from.Before(last) {
			from = last
		}
		fire = s.when.Between(from, end, maxMost)
	case "all":
		most := missed.Most
		if most == 0 {
			most = defaultMost
		}
		fire = s.latest(last, end, most)
	default:
		fire = []time.Time{latest}
	}
	first := end
	if len(fire) > 0 {
		first = fire[0].Add(-1)
	}
	return fire, until, len(s.when.Between(last, first, maxLeft))
}

// latest is the last ticks after one time up to another, so many at most.
func (s *scheduled) latest(last, end time.Time, most int) []time.Time {
	from := last
	for back := time.Minute; end.Add(-back).After(last); back *= 2 {
		if from = end.Add(-back); len(s.when.Between(from, end, most)) == most {
			break
		}
		from = last
	}
	var all []time.Time
	for tick, ok := s.when.Next(from); ok && !tick.After(end); tick, ok = s.when.Next(tick) {
		if all = append(all, tick); len(all) >= 2*most {
			all = append(all[:0], all[len(all)-most:]...)
		}
	}
	return all[max(0, len(all)-most):]
}

// submitTick submits the task of one tick. The id has the tick in it, and the
// schedule's record, which goes with it, that this tick was fired.
func (t *table) submitTick(s *scheduled, tick time.Time) error {
	spec := s.rec.Spec.Task
	spec.ID = s.rec.Spec.Name + "@" + calendar.ID(tick)
	switch s.rec.Spec.Overlap {
	case OverlapSkip:
		if e := t.entries[s.rec.LastID]; e != nil && e.Phase.live() {
			return ErrDuplicate
		}
	case OverlapQueue:
		spec.Key = "schedule:" + s.rec.Spec.Name
	}
	if t.entries[spec.ID] != nil {
		return ErrDuplicate
	}
	if _, err := t.submit(&submitCall{Specs: []Spec{spec}}); err != nil {
		return err
	}
	s.rec.LastID = spec.ID
	s.rec.Fired++
	t.counts.Ticks++
	return nil
}

func (t *table) scheduleInfos() []ScheduleInfo {
	all := make([]ScheduleInfo, 0, len(t.schedules))
	for _, name := range sortedKeys(t.schedules) {
		all = append(all, t.schedules[name].info())
	}
	return all
}

func (s *scheduled) info() ScheduleInfo {
	spec := &s.rec.Spec
	i := ScheduleInfo{
		Name: spec.Name, Line: spec.Line, Zone: spec.Zone, Kind: spec.Task.Kind, Missed: spec.Missed, Overlap: spec.Overlap,
		Paused: spec.Paused, Last: moment(s.rec.Last), LastID: s.rec.LastID, Next: moment(s.next), Fired: s.rec.Fired, Left: s.rec.Left,
	}
	if s.rec.Fired+s.rec.Left == 0 {
		i.Last = time.Time{} // so far it is when the schedule was made
	}
	if s.err != nil {
		i.Error = s.err.Error()
	}
	return i
}
