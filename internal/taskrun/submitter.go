//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"conclave/internal/child"
	"conclave/node"
	"conclave/task"
)

// together is how many tasks a clerk submits at once, at most.
const together = 8

// office submits all tasks of a run, in waves.
type office struct {
	q      *task.Queue
	notes  *notes
	seed   uint64
	tasks  int
	clerks int
	parts  int
	waves  int
	span   time.Duration
	began  time.Time
	done   atomic.Int64
	waits  sync.WaitGroup
}

// submitterMain submits the tasks of a run and then waits to be told to stop.
func submitterMain(args []string) int {
	var cfg node.Config
	o := &office{}
	fs := flag.NewFlagSet("submitter", flag.ExitOnError)
	path := fs.String("notes", "", "")
	fs.Uint64Var(&o.seed, "seed", 0, "")
	fs.IntVar(&o.tasks, "tasks", 0, "")
	fs.IntVar(&o.clerks, "clerks", 16, "")
	fs.IntVar(&o.waves, "waves", 20, "")
	fs.DurationVar(&o.span, "span", 0, "")
	common(fs, &cfg, &o.parts)(args)
	child.Hello()
	var err error
	if o.notes, err = openNotes(*path); err != nil {
		return failed(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n, q, err := join(ctx, cfg, task.Config{Parts: o.parts, NoDispatch: true})
	if err != nil {
		return failed(err)
	}
	o.q, o.began = q, time.Now()
	out := newSayer()
	over := make(chan struct{})
	go func() {
		defer close(over)
		o.work(ctx)
		out.say(said{Submitted: int(o.done.Load()), Finished: ctx.Err() == nil})
	}()
	awaitStop()
	cancel()
	<-over
	leaving, done := context.WithTimeout(context.Background(), 10*time.Second)
	defer done()
	if err := errors.Join(q.Close(leaving), n.Stop(leaving)); err != nil {
		fmt.Fprintln(os.Stderr, "stop:", err)
	}
	return 0
}

// work has all clerks submit, and waits for those who wait for tasks.
func (o *office) work(ctx context.Context) {
	var all sync.WaitGroup
	for clerk := range o.clerks {
		all.Go(func() { o.clerk(ctx, clerk) })
	}
	all.Wait()
	o.waits.Wait()
}

// clerk submits every so many-th task, one group after the other.
func (o *office) clerk(ctx context.Context, clerk int) {
	var group []planned
	for number := clerk; number < o.tasks && ctx.Err() == nil; number += o.clerks {
		wave := number * o.waves / o.tasks
		due := o.began.Add(o.span * time.Duration(wave) / time.Duration(o.waves))
		p := plan(o.seed, number, clerk)
		if o.parts > 1 {
			p.divide()
		}
		// One with a unique key may be refused, and all that go with it; and tasks of several
		// parts do not go together.
		if len(group) > 0 && (o.parts > 1 || len(group) > number%together || p.Unique != "" || time.Now().Before(due)) {
			o.submit(ctx, group)
			group = nil
		}
		child.Pause(ctx, time.Until(due))
		if group = append(group, p); p.Unique != "" {
			o.submit(ctx, group)
			group = nil
		}
	}
	if len(group) > 0 {
		o.submit(ctx, group)
	}
}

// submit submits a group, again and again until it is known what became of it.
func (o *office) submit(ctx context.Context, group []planned) {
	specs := make([]task.Spec, len(group))
	for i, p := range group {
		specs[i] = task.Of(p.Kind, p.Errand, task.ID(p.ID), task.Key(p.Key), task.Unique(p.Unique), patient)
	}
	what, text := lineUnknown, ""
	for ctx.Err() == nil && what == lineUnknown {
		within, cancel := context.WithTimeout(ctx, 10*time.Second)
		_, err := o.q.SubmitAll(within, specs...)
		late := within.Err() != nil
		cancel()
		switch {
		case err == nil:
			what = lineAcked
		case errors.Is(err, task.ErrDuplicate):
			what = lineRefused
		case late || errors.Is(err, task.ErrQueueFull):
			child.Pause(ctx, 50*time.Millisecond)
		default:
			what, text = lineFailed, err.Error()
		}
	}
	for _, p := range group {
		o.note(line{What: what, ID: p.ID, Key: p.Key, Unique: p.Unique, Then: len(p.Errand.Then), Text: text})
		if p.Wait && what == lineAcked {
			o.waits.Go(func() { o.wait(ctx, p.ID) })
		}
	}
	o.done.Add(int64(len(group)))
}

// wait waits for the end of a task and notes what it was told.
func (o *office) wait(ctx context.Context, id string) {
	for ctx.Err() == nil {
		r, err := o.q.Wait(ctx, id)
		if err == nil || r.ID != "" {
			o.note(line{What: lineWaited, ID: id, State: string(r.State), Attempt: r.Attempt, Fence: r.Fence})
			return
		}
		if errors.Is(err, task.ErrNotFound) {
			o.note(line{What: lineWaited, ID: id, State: "not found"})
			return
		}
		child.Pause(ctx, 50*time.Millisecond)
	}
}

func (o *office) note(l line) {
	if err := o.notes.put(l); err != nil {
		fmt.Fprintln(os.Stderr, "taskrun: a note is lost:", err)
	}
}
