//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"conclave/internal/child"
	"conclave/task"
)

// schedule is the name of the one of a run with -ticks.
const schedule = "tick"

// tickRun has a schedule fire at each second while its dispatchers are killed, and
// says whether all held.
func (w *world) tickRun(ctx context.Context) bool {
	within, cancel := context.WithTimeout(ctx, recovery)
	defer cancel()
	span := line{What: lineSpan, Made: time.Now().UnixMilli()}
	err := w.q.Schedule(within, schedule, "* * * * * *", task.Of(kindDeliver, Errand{Takes: 5}, patient), task.MissedAll(1000))
	if err != nil {
		w.blame("the schedule cannot be made: %v", err)
		return false
	}
	span.Begin = time.Now().UnixMilli()
	began, past := time.Now(), map[string]int{}
	for next := w.every; next < w.length && ctx.Err() == nil; next += w.every {
		child.Pause(ctx, next-time.Since(began))
		if w.strike(ctx, fault{"dispatcher killed", 1, killDispatcher}) {
			past["dispatcher killed"]++
		}
	}
	child.Pause(ctx, w.length-time.Since(began))
	w.mend(ctx)
	span.End = time.Now().UnixMilli()
	child.Pause(ctx, 3*time.Second) // the last ones are fired
	leaving, cancel := context.WithTimeout(ctx, recovery)
	defer cancel()
	info, err := w.q.Schedules(leaving)
	if err == nil {
		err = w.q.Unschedule(leaving, schedule)
	}
	if err != nil {
		w.blame("the schedule cannot be taken away: %v", err)
	}
	span.Gone = time.Now().UnixMilli()
	w.note(span)
	if !w.finished(ctx) {
		w.blame("not all ticks are done: it has been quiet for %v", stall)
	}
	v := w.read(ctx, func(all []line) verdict { return judgeTicks(schedule, all) })
	w.tell(past)
	for _, s := range info {
		fmt.Printf("%s: %d ticks fired, %d left out by its policy\n", s.Name, s.Fired, s.Left)
		if s.Left > 0 {
			w.blame("%d ticks were left out, though its policy leaves none", s.Left)
		}
	}
	return w.verdict(v, fmt.Sprintf("%d ticks of %d s, the dispatcher killed %d times: none doubled, none missed; %d effects repeated, each with a higher attempt and fence",
		v.submitted, (span.End-span.Begin)/1000, past["dispatcher killed"], v.repeated))
}
