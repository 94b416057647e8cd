package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"conclave/gateway"
	"conclave/task"
)

// taskSchedule makes a schedule.
func taskSchedule(fs *flag.FlagSet) func(*taskSession, []string) error {
	var spec task.ScheduleSpec
	var f specFlags
	f.register(fs)
	fs.StringVar(&spec.Zone, "zone", "", "time `zone` of a cron line, like Europe/Berlin (default UTC)")
	fs.StringVar(&spec.Missed.How, "missed", "one", "what becomes of ticks that could not be fired in time: one (the latest), skip, all")
	fs.IntVar(&spec.Missed.Most, "most", 0, "with -missed all: the latest so many (default 100)")
	fs.DurationVar(&spec.Missed.Grace, "grace", 0, "with -missed skip: what is later is left out (default 10s)")
	overlap := fs.String("overlap", string(task.OverlapAllow), "what is done at a tick while the task of an earlier one is live: allow, skip, queue")
	fs.BoolVar(&spec.Paused, "paused", false, "keep it, and fire nothing")
	return func(s *taskSession, args []string) (err error) {
		body, err := s.body(args[3:])
		if err != nil {
			return err
		}
		spec.Name, spec.Line, spec.Overlap = args[0], args[1], task.Overlap(*overlap)
		if spec.Task, err = f.of(args[2], body); err != nil {
			return err
		}
		if err := s.within(func(ctx context.Context) error { return s.q.SetSchedule(ctx, spec) }); err != nil {
			return err
		}
		return s.schedules(func(i task.ScheduleInfo) bool { return i.Name == spec.Name })
	}
}

// taskUnschedule takes a schedule away.
func taskUnschedule(fs *flag.FlagSet) func(*taskSession, []string) error {
	return func(s *taskSession, args []string) error {
		if err := s.within(func(ctx context.Context) error { return s.q.Unschedule(ctx, args[0]) }); err != nil {
			return err
		}
		if s.json {
			return s.printJSON(map[string]string{"name": args[0]})
		}
		return nil
	}
}

// taskSchedules lists the schedules.
func taskSchedules(fs *flag.FlagSet) func(*taskSession, []string) error {
	return func(s *taskSession, args []string) error {
		return s.schedules(func(task.ScheduleInfo) bool { return true })
	}
}

func (s *taskSession) schedules(is func(task.ScheduleInfo) bool) error {
	var all []task.ScheduleInfo
	if err := s.within(func(ctx context.Context) (err error) {
		all, err = s.q.Schedules(ctx)
		return err
	}); err != nil {
		return err
	}
	var rows []row
	now := time.Now()
	fill := func(add func(any) error) error {
		for _, i := range all {
			if is(i) {
				if err := add(gateway.ScheduleOf(i)); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if s.json {
		return s.array(fill)
	}
	_ = fill(func(v any) error {
		i := v.(gateway.Schedule)
		next, last := "", ""
		if i.Fired+i.Left > 0 { // before that it is when the schedule was made
			last = ago(i.Last, now)
		}
		switch {
		case i.Error != "":
			next = i.Error
		case i.Paused:
			next = "paused"
		case i.Next.IsZero():
			next = "never again"
		default:
			next = "in " + span(i.Next.Sub(now))
		}
		rows = append(rows, row{i.Name, i.Line, i.Zone, i.Kind, next, last, fmt.Sprint(i.Fired), fmt.Sprint(i.Left), missedText(i.Missed), string(i.Overlap)})
		return nil
	})
	return s.table(row{"NAME", "LINE", "ZONE", "KIND", "NEXT", "LAST", "FIRED", "LEFT OUT", "MISSED", "OVERLAP"}, rows)
}

func missedText(m gateway.Missed) string {
	switch {
	case m.How == "all" && m.Most > 0:
		return fmt.Sprintf("all, at most %d", m.Most)
	case m.How == "skip" && m.Grace > 0:
		return fmt.Sprintf("skip after %v", time.Duration(m.Grace))
	}
	return m.How
}
