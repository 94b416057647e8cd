package gateway

import (
	"time"

	"conclave/task"
)

// schedule is one to be made.
type schedule struct {
	Line    string       `json:"line"`
	Zone    string       `json:"zone"`
	Task    spec         `json:"task"`
	Missed  Missed       `json:"missed"`
	Overlap task.Overlap `json:"overlap"`
	Paused  bool         `json:"paused"`
}

func listSchedules(c *call) (any, error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.within()
	defer cancel()
	all, err := q.Schedules(ctx)
	views := make([]Schedule, len(all))
	for i, s := range all {
		views[i] = ScheduleOf(s)
	}
	return map[string]any{"schedules": views}, noDispatcher(err)
}

func setSchedule(c *call) (any, error) {
	var s schedule
	if err := c.into(&s); err != nil {
		return nil, err
	}
	t, err := s.Task.task()
	if err != nil {
		return nil, err
	}
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.within()
	defer cancel()
	name := c.path("name")
	err = q.SetSchedule(ctx, task.ScheduleSpec{
		Name: name, Line: s.Line, Zone: s.Zone, Task: t, Overlap: s.Overlap, Paused: s.Paused,
		Missed: task.Missed{How: s.Missed.How, Most: s.Missed.Most, Grace: time.Duration(s.Missed.Grace)},
	})
	return map[string]string{"name": name}, noDispatcher(err)
}

func removeSchedule(c *call) (any, error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.within()
	defer cancel()
	name := c.path("name")
	return map[string]string{"name": name}, noDispatcher(q.Unschedule(ctx, name))
}
