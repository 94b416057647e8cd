package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"conclave/gateway"
	"conclave/task"
)

// states are all that a task can be in.
var states = []task.State{task.Waiting, task.Delayed, task.Held, task.Running, task.Stopping, task.Done, task.Dead, task.Cancelled}

// statesFlag is a list of states.
type statesFlag []task.State

func (f *statesFlag) String() string { return "" }

func (f *statesFlag) Set(text string) error {
	for _, word := range strings.Split(text, ",") {
		state := task.State(word)
		if !slices.Contains(states, state) {
			return fmt.Errorf("%q is none of %v", word, states)
		}
		*f = append(*f, state)
	}
	return nil
}

// pageSize is how many tasks are asked for at a time.
const pageSize = 500

// each does something with all tasks that the filter selects, as many as most (0:
// all), page by page.
func (s *taskSession) each(f task.Filter, most int, do func(task.Info) error) error {
	for n := 0; ; {
		f.Limit = pageSize
		if most > 0 {
			f.Limit = min(pageSize, most-n)
		}
		var page []task.Info
		if err := s.within(func(ctx context.Context) (err error) {
			page, err = s.q.List(ctx, f)
			return err
		}); err != nil {
			return err
		}
		for _, info := range page {
			if err := do(info); err != nil {
				return err
			}
		}
		n += len(page)
		if len(page) < f.Limit || n == most {
			return nil
		}
		f.After = page[len(page)-1].ID
	}
}

// taskList lists tasks.
func taskList(fs *flag.FlagSet) func(*taskSession, []string) error {
	var f task.Filter
	fs.Var((*statesFlag)(&f.States), "state", fmt.Sprintf("only those in these `states`: %v", states))
	meta := listFlags(fs, &f)
	fs.StringVar(&f.Worker, "worker", "", "only those that this `node` has, or had last")
	fs.StringVar(&f.Key, "key", "", "only those with this `key`")
	fs.StringVar(&f.After, "after", "", "only those submitted after the task of this `id`")
	most := fs.Int("n", 0, "at most so many; 0: all")
	return func(s *taskSession, args []string) error {
		f.Meta = *meta
		if *most < 0 {
			return fmt.Errorf("%w: -n %d is less than none", errUsage, *most)
		}
		return s.list(f, *most, row{"ID", "KIND", "STATE", "ATTEMPT", "WORKER", "AGE", "DUE IN", "META", "ERROR"}, func(t task.Info, now time.Time) row {
			due := ""
			if t.State == task.Delayed {
				due = span(t.Due.Sub(now))
			}
			return row{t.ID, t.Kind, string(t.State), fmt.Sprintf("%d/%d", t.Attempt, t.Attempts), t.Worker, ago(t.Submitted, now), due, pairs(t.Meta), t.Error}
		})
	}
}

// taskDead lists tasks that have failed for good.
func taskDead(fs *flag.FlagSet) func(*taskSession, []string) error {
	f := task.Filter{States: []task.State{task.Dead}}
	meta := listFlags(fs, &f)
	most := fs.Int("n", 0, "at most so many; 0: all")
	return func(s *taskSession, args []string) error {
		f.Meta = *meta
		if *most < 0 {
			return fmt.Errorf("%w: -n %d is less than none", errUsage, *most)
		}
		return s.list(f, *most, row{"ID", "KIND", "ATTEMPTS", "SINCE", "META", "REASON"}, func(t task.Info, now time.Time) row {
			return row{t.ID, t.Kind, fmt.Sprint(t.Attempt), moment(t.Ended), pairs(t.Meta), t.Error}
		})
	}
}

func listFlags(fs *flag.FlagSet, f *task.Filter) (meta *pairsFlag) {
	meta = new(pairsFlag)
	fs.StringVar(&f.Kind, "kind", "", "only those of this `kind`")
	fs.Var(meta, "meta", "only those with this metadata `key=value`; may be repeated")
	return meta
}

// list prints what a filter selects: as a table, page by page, or as an array.
func (s *taskSession) list(f task.Filter, most int, heading row, line func(task.Info, time.Time) row) error {
	if s.json {
		return s.array(func(add func(any) error) error {
			return s.each(f, most, func(t task.Info) error { return add(t) })
		})
	}
	var rows []row
	now := time.Now()
	err := s.each(f, most, func(t task.Info) error {
		rows = append(rows, line(t, now))
		return nil
	})
	return errors.Join(err, s.table(heading, rows))
}

// array prints a JSON array whose elements come one by one, each on a line.
func (s *taskSession) array(fill func(add func(any) error) error) error {
	open := "["
	err := fill(func(v any) error {
		fmt.Fprint(s.stdout, open)
		open = ","
		return s.printJSON(v)
	})
	if open == "[" {
		fmt.Fprint(s.stdout, open)
	}
	_, wrote := fmt.Fprintln(s.stdout, "]")
	return errors.Join(err, wrote)
}

// taskShow shows one task.
func taskShow(fs *flag.FlagSet) func(*taskSession, []string) error {
	return func(s *taskSession, args []string) error {
		var d task.Details
		if err := s.within(func(ctx context.Context) (err error) {
			d, err = s.q.Get(ctx, args[0])
			return err
		}); err != nil {
			return err
		}
		if s.json {
			return s.printJSON(gateway.TaskOf(d))
		}
		return s.table(row{"ID", d.ID}, shownOf(gateway.TaskOf(d)))
	}
}

// shownOf is a task for people: what there is to say of it.
func shownOf(d gateway.Task) (rows []row) {
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, row{name, value})
		}
	}
	number := func(name string, n int64) {
		if n != 0 {
			add(name, fmt.Sprint(n))
		}
	}
	length := func(name string, d gateway.Seconds) {
		if d != 0 {
			add(name, time.Duration(d).String())
		}
	}
	add("KIND", d.Kind)
	add("STATE", string(d.State))
	add("ATTEMPT", fmt.Sprintf("%d, of them failed %d, at most %d", d.Attempt, d.Failures, d.Attempts))
	add("ERROR", d.Error)
	add("WORKER", d.Worker)
	number("FENCE", int64(d.Fence))
	number("PRIORITY", int64(d.Priority))
	add("KEY", d.Key)
	add("UNIQUE", d.Unique)
	add("META", pairs(d.Meta))
	add("NEEDS", pairs(d.Needs))
	add("PARENT", d.Parent)
	length("LIMIT", d.Timeout)
	length("BEAT", d.Beat)
	add("SUBMITTED", moment(d.Submitted))
	add("DUE", moment(d.Due))
	add("STARTED", moment(d.Started))
	add("ENDED", moment(d.Ended))
	add("BODY", string(d.Body)+d.BodyError)
	add("SAVED", string(d.Saved))
	add("RESULT", string(d.Result)+d.ResultError)
	return rows
}

// taskWait waits for the end of a task.
func taskWait(fs *flag.FlagSet) func(*taskSession, []string) error {
	patience := fs.Duration("for", 0, "how long; 0: as long as it takes")
	return func(s *taskSession, args []string) error { return s.await(args[0], *patience) }
}

// await waits for the end of a task, and prints its result.
func (s *taskSession) await(id string, patience time.Duration) error {
	// That there is a dispatcher must show soon; the end may take as long as it likes.
	if err := s.within(func(ctx context.Context) error {
		_, err := s.q.Get(ctx, id)
		return err
	}); err != nil {
		return err
	}
	ctx, cancel := s.ctx, context.CancelFunc(func() {})
	if patience != 0 {
		ctx, cancel = context.WithTimeout(s.ctx, patience)
	}
	defer cancel()
	r, err := s.q.Wait(ctx, id)
	if ctx.Err() != nil && s.ctx.Err() == nil {
		return later{fmt.Errorf("%s has not ended within %v", id, patience)}
	}
	if r.ID == "" {
		return err
	}
	out := gateway.ResultOf(r)
	switch {
	case s.json:
		err = errors.Join(err, s.printJSON(out))
	case err != nil:
	case out.ResultError != "":
		err = fmt.Errorf("%s is done, but its result cannot be read: %s", id, out.ResultError)
	case out.Result == nil:
		_, err = fmt.Fprintln(s.stdout, "null")
	default:
		_, err = fmt.Fprintln(s.stdout, string(out.Result))
	}
	return err
}
