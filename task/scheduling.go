package task

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"conclave/shard"
)

// Schedule has a task submitted again and again: at each tick one, in the same
// transaction that records that the tick was fired, so that across any number of
// failovers no tick is fired twice. The task's id is the schedule's name, "@" and
// the tick in UTC.
//
// line is a cron line of five fields, or six with seconds first; "@every 90s";
// "@at 2026-12-24T18:00:00+01:00"; or one of "@hourly" and its like. Zones and
// daylight saving: see ScheduleSpec, and docs/guarantees.md.
//
// The same schedule again changes nothing, so every start of a program may make it;
// another of the same name replaces it.
func (q *Queue) Schedule(ctx context.Context, name, line string, s Spec, opts ...ScheduleOption) error {
	spec := ScheduleSpec{Name: name, Line: line, Task: s}
	for _, opt := range opts {
		opt(&spec)
	}
	return q.SetSchedule(ctx, spec)
}

// SetSchedule is Schedule with everything in a struct.
func (q *Queue) SetSchedule(ctx context.Context, spec ScheduleSpec) error {
	if err := spec.check(q.cfg.MaxBody); err != nil {
		return err
	}
	l, err := q.leader(ctx)
	if err == nil && l.parts() > 1 {
		err = spec.checkDivided()
	}
	if err != nil {
		return err
	}
	a, err := askPart[scheduleAnswer](ctx, q, l, shard.PartOf(scheduleHome(spec.Name), l.parts()), &scheduleCall{Schedule: spec}, nil)
	return errors.Join(err, a.Problem.err())
}

// Unschedule takes a schedule away. Tasks that it has submitted stay. ErrNotFound: there
// is none of that name; with ErrUnknownOutcome as well it may be gone by this call, whose
// first answer was lost.
func (q *Queue) Unschedule(ctx context.Context, name string) error {
	l, err := q.leader(ctx)
	if err != nil {
		return err
	}
	a, unsure, err := askUntil[scheduleAnswer](ctx, q, l, shard.PartOf(scheduleHome(name), l.parts()), &scheduleCall{Schedule: ScheduleSpec{Name: name}, Remove: true}, nil)
	return errors.Join(err, repeated(unsure, a.Problem.err(), ErrNotFound))
}

// Schedules are all there are, by name.
func (q *Queue) Schedules(ctx context.Context) ([]ScheduleInfo, error) {
	l, err := q.leader(ctx)
	if err != nil {
		return nil, err
	}
	lists, err := ofParts(l.parts(), func(part int) ([]ScheduleInfo, error) {
		a, err := askPart[schedulesAnswer](ctx, q, l, part, &schedulesCall{}, nil)
		return a.Schedules, errors.Join(err, a.Problem.err())
	})
	all := slices.Concat(lists...)
	slices.SortFunc(all, func(a, b ScheduleInfo) int { return strings.Compare(a.Name, b.Name) })
	return all, err
}

// ScheduleOption says something more about a schedule.
type ScheduleOption func(*ScheduleSpec)

// Zone reads a cron line in a time zone, by its IANA name. Default: UTC.
func Zone(name string) ScheduleOption { return func(s *ScheduleSpec) { s.Zone = name } }

// MissedSkip leaves ticks out that could not be fired within grace (0: 10 s).
func MissedSkip(grace time.Duration) ScheduleOption {
	return func(s *ScheduleSpec) { s.Missed = Missed{How: "skip", Grace: grace} }
}

// MissedOne fires only the latest of the ticks that are due. It is the default.
func MissedOne() ScheduleOption { return func(s *ScheduleSpec) { s.Missed = Missed{How: "one"} } }

// MissedAll fires all ticks that are due, but the latest most (0: 100) at most.
func MissedAll(most int) ScheduleOption {
	return func(s *ScheduleSpec) { s.Missed = Missed{How: "all", Most: most} }
}

// Overlapping says what is done at a tick while the task of an earlier one is live.
func Overlapping(o Overlap) ScheduleOption { return func(s *ScheduleSpec) { s.Overlap = o } }

// Paused keeps the schedule and fires nothing.
func Paused() ScheduleOption { return func(s *ScheduleSpec) { s.Paused = true } }
