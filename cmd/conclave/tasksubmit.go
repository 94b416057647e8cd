package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"conclave/internal/jsonbody"
	"conclave/task"
)

// maxInput bounds what is read of the standard input for one body.
const maxInput = 4 << 20

// pairsFlag is a flag k=v that may be given several times.
type pairsFlag map[string]string

func (p *pairsFlag) String() string { return "" }

func (p *pairsFlag) Set(text string) error {
	k, v, ok := strings.Cut(text, "=")
	if !ok || k == "" {
		return errors.New("it is not of the form key=value")
	}
	if *p == nil {
		*p = make(pairsFlag)
	}
	(*p)[k] = v
	return nil
}

// specFlags say what a task is like.
type specFlags struct {
	spec        task.Spec
	meta, needs pairsFlag
}

func (f *specFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&f.spec.Key, "key", "", "tasks of one `key` run one at a time, in order")
	fs.StringVar(&f.spec.Unique, "unique", "", "refuse it while another task with this `key` is live")
	fs.IntVar(&f.spec.Priority, "priority", 0, "higher ones start first; -100 to 100")
	fs.IntVar(&f.spec.Attempts, "attempts", 0, fmt.Sprintf("how often it is tried before it is dead (default %d)", task.DefaultAttempts))
	fs.DurationVar(&f.spec.Backoff.From, "backoff", 0, fmt.Sprintf("`wait` after the first failure; it doubles (default %v)", task.DefaultBackoffFrom))
	fs.DurationVar(&f.spec.Backoff.To, "backoff-to", 0, fmt.Sprintf("longest such `wait` (default %v)", task.DefaultBackoffTo))
	fs.DurationVar(&f.spec.Timeout, "limit", 0, "how long one attempt may take; 0: as long as it likes")
	fs.DurationVar(&f.spec.Beat, "beat", 0, "an attempt fails that shows no life for so long; 0: never")
	fs.Var(&f.meta, "meta", "metadata `key=value`; may be repeated")
	fs.Var(&f.needs, "needs", "attribute `key=value` that a worker must have; may be repeated")
}

// of is the task of a kind, with a body in JSON ("": none).
func (f *specFlags) of(kind string, body []byte) (task.Spec, error) {
	s := f.spec
	s.Kind, s.Meta, s.Needs = kind, f.meta, f.needs
	if len(bytes.TrimSpace(body)) == 0 {
		return s, nil
	}
	var err error
	s.Body, s.Type, err = jsonbody.FromJSON(body)
	return s, err
}

// taskSubmit hands in one task, or one for each line of the standard input.
func taskSubmit(fs *flag.FlagSet) func(*taskSession, []string) error {
	var f specFlags
	f.register(fs)
	fs.StringVar(&f.spec.ID, "id", "", "the task's id; the same id again is the same task (default: a new ULID); with -many a hyphen and the line's number follow")
	fs.DurationVar(&f.spec.Delay, "in", 0, "start it after this `time`")
	at := fs.String("at", "", "start it at this `time`, like 2026-12-24T18:00:00+01:00")
	many := fs.Bool("many", false, "submit a task for each line of the standard input, which is its body; all-or-none for some hundreds at a time (not where the scope has parts and there is an -id)")
	wait := fs.Bool("wait", false, "wait until it has ended, and print its result")
	patience := fs.Duration("for", 0, "with -wait: how long; 0: as long as it takes")
	return func(s *taskSession, args []string) error {
		if *at != "" {
			t, err := time.Parse(time.RFC3339Nano, *at)
			if err != nil {
				return fmt.Errorf("%w: -at %q is no time like 2026-12-24T18:00:00+01:00", errUsage, *at)
			}
			f.spec.At = t
		}
		switch {
		case *many && (f.spec.Unique != "" || *wait):
			return fmt.Errorf("%w: -many goes neither with -unique nor with -wait", errUsage)
		case *many && len(args) > 1 && args[1] != "-":
			return fmt.Errorf("%w: -many reads the bodies from the standard input, and there is one on the command line", errUsage)
		case *patience != 0 && !*wait:
			return fmt.Errorf("%w: -for goes with -wait", errUsage)
		case *many:
			return s.submitLines(&f, args[0])
		}
		body, err := s.body(args[1:])
		if err != nil {
			return err
		}
		spec, err := f.of(args[0], body)
		if err != nil {
			return err
		}
		ids, err := s.submit([]task.Spec{spec})
		if err != nil {
			return err
		}
		if *wait {
			return s.await(ids[0], *patience)
		}
		return s.printIDs(ids)
	}
}

// body is the JSON of a command line.
func (s *taskSession) body(args []string) ([]byte, error) {
	switch {
	case len(args) == 0:
		return nil, nil
	case args[0] != "-":
		return []byte(args[0]), nil
	}
	body, err := io.ReadAll(io.LimitReader(s.stdin, maxInput+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > maxInput:
		return nil, fmt.Errorf("the standard input has more than %d bytes", maxInput)
	case len(bytes.TrimSpace(body)) == 0:
		return nil, errors.New("the standard input is empty")
	}
	return body, nil
}

// submit hands tasks in, all or none.
func (s *taskSession) submit(specs []task.Spec) (ids []string, err error) {
	err = s.within(func(ctx context.Context) (err error) {
		ids, err = s.q.SubmitAll(ctx, specs...)
		return err
	})
	if errors.Is(err, task.ErrUnknownOutcome) && len(ids) == 1 {
		err = unanswered{fmt.Errorf("%w; submit it again with -id %s to be sure", err, ids[0])}
	}
	return ids, err
}

func (s *taskSession) printIDs(ids []string) error {
	for _, id := range ids {
		if s.json {
			if err := s.printJSON(map[string]string{"id": id}); err != nil {
				return err
			}
		} else if _, err := fmt.Fprintln(s.stdout, id); err != nil {
			return err
		}
	}
	return nil
}

// Tasks that submitLines hands in together.
const (
	linesTogether = 500
	bytesTogether = 150 << 10
)

// submitLines hands in a task for each line, and prints their ids as they become
// durable. Done again with an -id, it submits only what is not there.
func (s *taskSession) submitLines(f *specFlags, kind string) error {
	var (
		batch []task.Spec
		first = 1 // line of the batch
		n     = 0 // lines read
		size  = 0
	)
	apart := func() error {
		for ; len(batch) > 0; batch, first = batch[1:], first+1 {
			ids, err := s.submit(batch[:1])
			if err != nil {
				return fmt.Errorf("lines from about %d on are not submitted, those before are: %w", first, err)
			}
			if err := s.printIDs(ids); err != nil {
				return err
			}
		}
		batch, first, size = nil, n+1, 0
		return nil
	}
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		ids, err := s.submit(batch)
		if errors.Is(err, task.ErrOtherPart) { // all or none is not for tasks of several parts of a scope
			return apart()
		}
		switch {
		case errors.Is(err, task.ErrUnknownOutcome):
			return fmt.Errorf("lines %d to %d may be submitted or not, those before are: %w", first, n, err)
		case err != nil:
			return fmt.Errorf("lines from %d on are not submitted, those before are: %w", first, err)
		}
		batch, first, size = batch[:0], n+1, 0
		return s.printIDs(ids)
	}
	lines := bufio.NewScanner(s.stdin)
	lines.Buffer(nil, maxInput)
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			n++
			continue
		}
		spec, err := f.of(kind, lines.Bytes())
		if err != nil {
			if err := flush(); err != nil {
				return err
			}
			return fmt.Errorf("lines from %d on are not submitted, those before are: %w", n+1, err)
		}
		if spec.ID != "" {
			spec.ID = fmt.Sprintf("%s-%d", spec.ID, n+1)
		}
		if len(batch) == linesTogether || size+len(spec.Body) > bytesTogether {
			if err := flush(); err != nil {
				return err
			}
		}
		batch, size, n = append(batch, spec), size+len(spec.Body)+200, n+1
	}
	return errors.Join(lines.Err(), flush())
}
