package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"conclave/gateway"
	"conclave/task"
)

// taskStatus says how the scope stands.
func taskStatus(fs *flag.FlagSet) func(*taskSession, []string) error {
	watch := fs.Duration("watch", 0, "say it again after each such `pause`, until interrupted")
	tasks := fs.Bool("tasks", false, "name the tasks of each worker, and those that wait for one")
	most := fs.Int("n", 100, "with -tasks: at most so many that wait")
	return func(s *taskSession, args []string) error {
		if *watch < 0 || *most < 0 {
			return fmt.Errorf("%w: -watch and -n are not below zero", errUsage)
		}
		for {
			st, err := s.status(*tasks, *most)
			if err == nil {
				err = s.printStatus(st)
			}
			if *watch == 0 || errors.Is(err, errUsage) {
				return err
			}
			if err != nil && s.ctx.Err() == nil { // a dispatcher may come again
				s.told(fs.Name(), err)
			}
			select {
			case <-time.After(*watch):
			case <-s.ctx.Done():
				return nil
			}
			if !s.json {
				fmt.Fprintf(s.stdout, "\n%s\n", moment(time.Now()))
			}
		}
	}
}

// status asks for everything.
func (s *taskSession) status(tasks bool, most int) (st scopeStatus, err error) {
	err = s.within(func(ctx context.Context) (err error) {
		told, err := s.q.Status(ctx)
		if err != nil {
			return err
		}
		st = scopeStatus{Status: gateway.StatusOf(told), Candidates: []string{}}
		nodes, err := s.q.Candidates(ctx)
		for _, id := range nodes {
			st.Candidates = append(st.Candidates, id.String())
		}
		return err
	})
	if err != nil || !tasks {
		return st, err
	}
	st.Tasks = make(map[string][]string)
	for _, w := range st.Workers {
		ids := []string{}
		if err := s.each(task.Filter{States: []task.State{task.Running, task.Stopping}, Worker: w.Worker}, 0, func(t task.Info) error {
			ids = append(ids, t.ID)
			return nil
		}); err != nil {
			return st, err
		}
		st.Tasks[w.Worker] = ids
	}
	if most > 0 {
		err = s.each(task.Filter{States: []task.State{task.Waiting}}, most, func(t task.Info) error {
			st.Waiting = append(st.Waiting, t)
			return nil
		})
	}
	return st, err
}

func (s *taskSession) printStatus(st scopeStatus) error {
	if s.json {
		return s.printJSON(st)
	}
	fmt.Fprintf(s.stdout, "Scope %s: %d of at most %d live tasks, %d KiB; the oldest has waited for %s; %d schedules\n",
		clean(st.Scope), st.Live, st.MaxLive, st.Bytes>>10, span(time.Duration(st.OldestWaiting)), st.Schedules)
	terms := "this term"
	if len(st.Parts) > 0 {
		terms = "these terms"
		fmt.Fprintf(s.stdout, "%d parts, dispatched by %s; candidates: %s\n", len(st.Parts), clean(dispatchers(st.Parts)), clean(strings.Join(st.Candidates, ", ")))
	} else {
		fmt.Fprintf(s.stdout, "Dispatcher %s, term %d; candidates: %s\n", clean(st.Dispatcher), st.Term, clean(strings.Join(st.Candidates, ", ")))
	}
	fmt.Fprintf(s.stdout, "In %s: submitted %d, assigned %d, done %d, failed %d, dead %d, cancelled %d, recovered %d, late %d; %d transactions\n\n",
		terms, st.Counts.Submitted, st.Counts.Assigned, st.Counts.Done, st.Counts.Failed, st.Counts.Dead, st.Counts.Cancelled, st.Counts.Recovered, st.Counts.Late, st.Counts.Commits)

	heading := row{"KIND"}
	for _, state := range states {
		heading = append(heading, strings.ToUpper(string(state)))
	}
	line := func(name string, counts map[task.State]int, more ...string) row {
		r := row{name}
		for _, state := range states {
			r = append(r, fmt.Sprint(counts[state]))
		}
		return append(r, more...)
	}
	var rows []row
	for _, k := range st.Kinds {
		rows = append(rows, line(k.Kind, k.States, span(time.Duration(k.OldestWaiting)), fmt.Sprint(k.Workers)))
	}
	rows = append(rows, line("(all)", st.States, span(time.Duration(st.OldestWaiting)), fmt.Sprint(len(st.Workers))))
	if err := s.table(append(heading, "OLDEST", "WORKERS"), rows); err != nil {
		return err
	}

	fmt.Fprintln(s.stdout)
	rows = nil
	for _, w := range st.Workers {
		running := fmt.Sprintf("%d/%d", w.Running, w.Slots)
		if !w.Greeted {
			running = "not heard from yet"
		}
		rows = append(rows, row{w.Worker, w.Node, strings.Join(slices.Sorted(slices.Values(w.Kinds)), " "), running, fmt.Sprintf("%.2f", w.CPU), pairs(w.Attributes)})
		for _, id := range st.Tasks[w.Worker] {
			rows = append(rows, row{"", "", "", id, "", ""})
		}
	}
	if err := s.table(row{"WORKER", "NODE", "KINDS", "RUNNING", "LOAD", "ATTRIBUTES"}, rows); err != nil {
		return err
	}
	if len(st.Waiting) == 0 {
		return nil
	}
	fmt.Fprintln(s.stdout)
	rows = nil
	for _, t := range st.Waiting {
		rows = append(rows, row{t.ID, t.Kind, ago(t.Submitted, time.Now()), pairs(t.Meta)})
	}
	return s.table(row{"WAITING", "KIND", "AGE", "META"}, rows)
}

// dispatchers says which node dispatches which parts.
func dispatchers(parts []task.PartStatus) string {
	of := make(map[string][]string)
	for _, p := range parts {
		of[p.Dispatcher] = append(of[p.Dispatcher], fmt.Sprint(p.Part))
	}
	var all []string
	for _, node := range slices.Sorted(maps.Keys(of)) {
		all = append(all, fmt.Sprintf("%s (%s)", node, strings.Join(of[node], " ")))
	}
	return strings.Join(all, ", ")
}

// taskScopes lists the scopes.
func taskScopes(fs *flag.FlagSet) func(*taskSession, []string) error {
	return func(s *taskSession, args []string) error {
		names := []string{}
		if err := s.within(func(ctx context.Context) error {
			found, err := task.Scopes(ctx, s.n)
			names = append(names, found...)
			return err
		}); err != nil {
			return err
		}
		if s.json {
			return s.printJSON(names)
		}
		for _, name := range names {
			fmt.Fprintln(s.stdout, clean(name))
		}
		return nil
	}
}
