package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"conclave/node"
	"conclave/task"
)

// spec is a task to be submitted.
type spec struct {
	ID       string            `json:"id"`
	Kind     string            `json:"kind"`
	Type     string            `json:"type"`
	Body     json.RawMessage   `json:"body"`
	Meta     map[string]string `json:"meta"`
	Key      string            `json:"key"`
	Unique   string            `json:"unique"`
	Delay    Seconds           `json:"delay"`
	At       time.Time         `json:"at"`
	Priority int               `json:"priority"`
	Attempts int               `json:"attempts"`
	Backoff  struct {
		From Seconds `json:"from"`
		To   Seconds `json:"to"`
	} `json:"backoff"`
	Timeout Seconds           `json:"timeout"`
	Beat    Seconds           `json:"beat"`
	Needs   map[string]string `json:"needs"`
}

func (s *spec) task() (task.Spec, error) {
	raw, err := body(s.Body, s.Type)
	return task.Spec{
		ID: s.ID, Kind: s.Kind, Type: raw.Type, Body: raw.Body, Meta: s.Meta, Key: s.Key, Unique: s.Unique,
		Delay: time.Duration(s.Delay), At: s.At, Priority: s.Priority, Attempts: s.Attempts,
		Backoff: task.Backoff{From: time.Duration(s.Backoff.From), To: time.Duration(s.Backoff.To)},
		Timeout: time.Duration(s.Timeout), Beat: time.Duration(s.Beat), Needs: s.Needs,
	}, err
}

// specsOf are tasks for package task; an error says which of them it is about.
func specsOf(all []spec) (specs []task.Spec, err error) {
	for i := range all {
		s, err := all[i].task()
		if err != nil {
			return nil, fmt.Errorf("task %d: %w", i+1, err)
		}
		specs = append(specs, s)
	}
	return specs, nil
}

func submit(c *call) (any, error) {
	var s spec
	if err := c.into(&s); err != nil {
		return nil, err
	}
	one, err := s.task()
	if err != nil {
		return nil, err
	}
	ids, err := c.submit([]task.Spec{one})
	if err != nil {
		return nil, err
	}
	return map[string]string{"id": ids[0]}, nil
}

func submitMany(c *call) (any, error) {
	var many struct {
		Tasks []spec `json:"tasks"`
	}
	if err := c.into(&many); err != nil {
		return nil, err
	}
	if len(many.Tasks) == 0 {
		return nil, badRequest("\"tasks\" must be a list of at least one task")
	}
	specs, err := specsOf(many.Tasks)
	if err != nil {
		return nil, err
	}
	ids, err := c.submit(specs)
	return map[string][]string{"ids": ids}, err
}

func (c *call) submit(specs []task.Spec) ([]string, error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.within()
	defer cancel()
	ids, err := q.SubmitAll(ctx, specs...)
	if errors.Is(err, task.ErrUnknownOutcome) {
		p := *problemOf(err)
		p.IDs = ids
		return nil, &p
	}
	return ids, noDispatcher(err)
}

// noDispatcher says whom nobody is the holder of.
func noDispatcher(err error) error {
	if errors.Is(err, node.ErrNoHolder) && !errors.Is(err, task.ErrUnknownOutcome) {
		return &problem{Status: http.StatusServiceUnavailable, Code: "no_dispatcher", Message: "no node dispatches the tasks of this scope: " + err.Error(), retry: 1}
	}
	return err
}

func show(c *call) (any, error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.within()
	defer cancel()
	d, err := q.Get(ctx, c.path("id"))
	if err != nil {
		return nil, noDispatcher(err)
	}
	return TaskOf(d), nil
}

// wait waits for a task's end, whatever that is: the state tells.
func wait(c *call) (any, error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	asked, err := c.span("wait")
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.wait(asked)
	defer cancel()
	r, err := q.Wait(ctx, c.path("id"))
	if err != nil && ctx.Err() != nil && c.ctx.Err() == nil {
		c.status = http.StatusAccepted
		return show(c) // or the reason why nobody knows
	}
	if err != nil && r.ID == "" {
		return nil, noDispatcher(err)
	}
	return ResultOf(r), nil
}

// change is a route that changes one task.
func change(do func(*task.Queue, context.Context, string) (task.Info, error)) func(*call) (any, error) {
	return func(c *call) (any, error) {
		q, err := c.queue()
		if err != nil {
			return nil, err
		}
		if err := c.into(&struct{}{}); err != nil {
			return nil, err
		}
		ctx, cancel := c.within()
		defer cancel()
		info, err := do(q, ctx, c.path("id"))
		return info, noDispatcher(err)
	}
}

// listTasks selects tasks. Metadata are queried as meta.KEY=VALUE.
func listTasks(c *call) (any, error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	f, err := c.filter()
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.within()
	defer cancel()
	found, err := q.List(ctx, f)
	if err != nil {
		return nil, noDispatcher(err)
	}
	answer := map[string]any{"tasks": append([]task.Info{}, found...)}
	if len(found) == f.Limit {
		answer["after"] = found[len(found)-1].ID
	}
	return answer, nil
}

func (c *call) filter() (f task.Filter, err error) {
	f.Limit = 100
	for name, values := range c.r.URL.Query() {
		value := values[len(values)-1]
		meta, isMeta := strings.CutPrefix(name, "meta.")
		switch {
		case name == "state":
			for _, one := range values {
				for word := range strings.SplitSeq(one, ",") {
					f.States = append(f.States, task.State(word))
				}
			}
		case name == "kind":
			f.Kind = value
		case name == "worker":
			f.Worker = value
		case name == "key":
			f.Key = value
		case name == "after":
			f.After = value
		case name == "limit":
			if f.Limit, err = strconv.Atoi(value); err != nil || f.Limit < 1 || f.Limit > 1000 {
				return f, badRequest("limit=%q: a number from 1 to 1000", value)
			}
		case isMeta:
			if f.Meta == nil {
				f.Meta = make(map[string]string)
			}
			f.Meta[meta] = value
		default:
			return f, badRequest("there is nothing to select by %q: state, kind, worker, key, meta.KEY, after, limit", name)
		}
	}
	for _, s := range f.States {
		switch s {
		case task.Waiting, task.Delayed, task.Held, task.Running, task.Stopping, task.Done, task.Dead, task.Cancelled:
		default:
			return f, badRequest("state=%q: waiting, delayed, held, running, stopping, done, dead or cancelled", s)
		}
	}
	return f, nil
}

// span is a time span in the query; nil if there is none.
func (c *call) span(name string) (*Seconds, error) {
	text := c.r.URL.Query().Get(name)
	if text == "" {
		return nil, nil
	}
	d, err := parseSpan(text)
	return (*Seconds)(&d), err
}

func status(c *call) (any, error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.within()
	defer cancel()
	s, err := q.Status(ctx)
	if err != nil {
		return nil, noDispatcher(err)
	}
	return StatusOf(s), nil
}
