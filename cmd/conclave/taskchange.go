package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"conclave/task"
)

// taskRetry lets tasks start anew: those that are named, or all dead ones of a kind.
func taskRetry(fs *flag.FlagSet) func(*taskSession, []string) error {
	kind := fs.String("all-dead", "", "retry all dead tasks of this `kind`")
	return func(s *taskSession, args []string) error {
		switch {
		case *kind == "" && len(args) == 0:
			return fmt.Errorf("%w: it takes ids, or -all-dead and a kind", errUsage)
		case *kind != "" && len(args) > 0:
			return fmt.Errorf("%w: ids, or -all-dead: one of the two", errUsage)
		}
		if *kind != "" {
			// First all, then each: what is retried is on no page any more.
			if err := s.each(task.Filter{States: []task.State{task.Dead}, Kind: *kind}, 0, func(t task.Info) error {
				args = append(args, t.ID)
				return nil
			}); err != nil {
				return err
			}
		}
		return s.change(args, (*task.Queue).Retry)
	}
}

// taskCancel cancels tasks.
func taskCancel(fs *flag.FlagSet) func(*taskSession, []string) error {
	return func(s *taskSession, args []string) error { return s.change(args, (*task.Queue).Cancel) }
}

// taskDelete forgets tasks.
func taskDelete(fs *flag.FlagSet) func(*taskSession, []string) error {
	return func(s *taskSession, args []string) error { return s.change(args, (*task.Queue).Delete) }
}

// change does something with each task, and prints how they stand then. It goes on
// after one with which it cannot be done, but not without a dispatcher.
func (s *taskSession) change(ids []string, do func(q *task.Queue, ctx context.Context, id string) (task.Info, error)) error {
	var changed []task.Info
	var failed error
	for _, id := range ids {
		var info task.Info
		err := s.within(func(ctx context.Context) (err error) {
			info, err = do(s.q, ctx, id)
			return err
		})
		if err == nil {
			changed = append(changed, info)
			continue
		}
		failed = errors.Join(failed, err)
		if errors.As(err, new(unanswered)) || s.ctx.Err() != nil {
			break
		}
	}
	if s.json {
		return errors.Join(failed, s.array(func(add func(any) error) error {
			for _, info := range changed {
				if err := add(info); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	if len(changed) == 0 {
		if failed == nil {
			fmt.Fprintln(s.stderr, "there is none")
		}
		return failed
	}
	var rows []row
	for _, t := range changed {
		rows = append(rows, row{t.ID, t.Kind, string(t.State), ago(t.Submitted, time.Now())})
	}
	return errors.Join(failed, s.table(row{"ID", "KIND", "STATE", "AGE"}, rows))
}
