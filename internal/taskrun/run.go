//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"conclave/internal/child"
	"conclave/task"
)

// run is the whole run.
func run(ctx context.Context, o options) int {
	temporary := o.dir == ""
	w, err := build(ctx, o)
	defer w.tearDown()
	if err != nil {
		fmt.Fprintln(os.Stderr, "taskrun:", err)
		return 2
	}
	fmt.Printf("seed %d, T = %v, tick = %v, %d workers, story in %s\n", w.seed, w.session, w.tick, len(w.workers), w.dir)
	if !child.Await(ctx, recovery, w.settled) {
		fmt.Fprintln(os.Stderr, "taskrun: the workers did not come up; their logs are in", w.dir)
		return 2
	}
	held := false
	if w.ticks {
		held = w.tickRun(ctx)
	} else {
		held = w.taskRun(ctx)
	}
	if !held {
		fmt.Printf("DID NOT HOLD; seed %d; the story is in %s\n", w.seed, w.dir)
		return 1
	}
	if temporary {
		os.RemoveAll(w.dir)
	}
	return 0
}

// taskRun submits tasks while failures happen, and says whether all held.
func (w *world) taskRun(ctx context.Context) bool {
	if err := w.submit(); err != nil {
		w.blame("%v", err)
		return false
	}
	began := time.Now()
	past := w.chaos(ctx, func() bool { return time.Since(began) >= w.length })
	w.mend(ctx)
	if !w.finished(ctx) {
		w.blame("not all tasks were submitted and done: it has been quiet for %v", stall)
	}
	took := time.Since(began)
	v := w.read(ctx, func(all []line) verdict { return judge(all) })
	w.tell(past)
	fmt.Printf("%d tasks done in %v: %.0f a second, failures and waves of submission included; %d effects\n",
		v.submitted+v.followers, took.Round(time.Second), float64(v.submitted+v.followers)/took.Seconds(), v.effects)
	return w.verdict(v, fmt.Sprintf("%d tasks acknowledged (%d refused by a unique key, %d unknown) and %d that followed: each done once in the record, in order under %d keys; "+
		"%d effects repeated, each with a higher attempt and fence (%d came late, and were to be turned away by their fence); %d waiters told the same",
		v.submitted, v.refused, v.unknown, v.followers, v.keys, v.repeated, v.late, v.waited))
}

// mend heals everything and waits until all work.
func (w *world) mend(ctx context.Context) {
	if err := w.zk.Mend(); err != nil {
		w.blame("%v", err)
	}
	if !child.Await(ctx, recovery, func() bool { w.revive(); return w.settled() }) {
		w.blame("%v after all was mended not every worker works, or nobody dispatches", recovery)
	}
	text := fmt.Sprintf("%7.1fs  all is mended", time.Since(w.began).Seconds())
	fmt.Println(text)
	w.note(line{What: lineFault, Text: text})
}

// stall is how long nothing may be done while something is to be.
const stall = 2 * time.Minute

// finished waits until everything was submitted and nothing is live.
func (w *world) finished(ctx context.Context) bool {
	progress, last := time.Now(), -1
	for time.Since(progress) < stall && ctx.Err() == nil {
		if w.submitter.p == nil || w.submitter.p.heard().finished {
			if child.Pause(ctx, 2*gaugeEvery); w.gauge.idle() {
				return true
			}
		}
		w.gauge.mu.Lock()
		if live := w.gauge.live; live >= 0 && live != last {
			progress, last = time.Now(), live
		}
		w.gauge.mu.Unlock()
		child.Pause(ctx, 100*time.Millisecond)
	}
	return false
}

// read notes the record, stops everything, and checks the story.
func (w *world) read(ctx context.Context, judge func([]line) verdict) verdict {
	if err := w.record(ctx); err != nil {
		w.blame("the record cannot be read: %v", err)
	}
	for _, at := range []*place{w.submitter, w.receiver} {
		if at.p != nil {
			at.p.Doom()
			at.p.Tell("stop")
			if !child.Await(ctx, recovery, func() bool { return !at.p.alive() }) {
				w.blame("the %s does not stop", at.name)
			}
		}
	}
	w.leave(ctx)
	w.logs()
	all, err := readStory(w.dir)
	if err != nil {
		w.blame("the story cannot be read: %v", err)
	}
	return judge(all)
}

// logs blames what the members' logs tell of races and panics.
func (w *world) logs() {
	files, _ := filepath.Glob(filepath.Join(w.dir, "*.log"))
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			w.blame("%v", err)
		}
		for _, bad := range []string{"DATA RACE", "panic: ", "fatal error: "} {
			if bytes.Contains(text, []byte(bad)) {
				w.blame("%s in %s", bad, path)
			}
		}
	}
}

// record notes what the scope has recorded, in the order of submission.
func (w *world) record(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	for after := ""; ; {
		page, err := w.q.List(within, task.Filter{After: after, Limit: 1000})
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return nil
		}
		for _, i := range page {
			w.note(line{
				What: lineRecord, ID: i.ID, Key: i.Key, Unique: i.Unique, State: string(i.State), Attempt: i.Attempt, Fence: i.Fence,
				Parent: i.Parent, Submitted: i.Submitted.UnixMilli(), Ended: i.Ended.UnixMilli(), Text: i.Error,
			})
		}
		after = page[len(page)-1].ID
	}
}

// tell tells what happened.
func (w *world) tell(past map[string]int) {
	fmt.Println()
	total := 0
	for _, kind := range slices.Sorted(maps.Keys(past)) {
		fmt.Printf("%5d  %s\n", past[kind], kind)
		total += past[kind]
	}
	runs := -len(w.workers)
	for _, at := range w.workers {
		runs += at.runs
	}
	all, terms, peak := w.gauge.total()
	fmt.Printf("%d failures; workers started again %d times; %d times a dispatcher began (%d seen at work); %d times a worker lost hold of its tasks\n",
		total, runs, w.dispatched, terms, w.lost)
	fmt.Printf("the dispatchers counted, as far as they were asked in time: %d assigned, %d taken back from workers that were gone, %d late outcomes refused, %d failed, %d commits of %d changes; at most %d live\n",
		all.Assigned, all.Recovered, all.Late, all.Failed, all.Commits, all.Changes, peak)
}

// verdict says how it ended.
func (w *world) verdict(v verdict, held string) bool {
	fmt.Println()
	for _, what := range append(slices.Clone(w.wrong), v.wrong...) {
		fmt.Println("WRONG:", what)
	}
	if v.submitted == 0 {
		fmt.Println("WRONG: not one task was acknowledged")
		return false
	}
	if len(w.wrong)+len(v.wrong) > 0 {
		return false
	}
	fmt.Println("HELD:", held)
	return true
}
