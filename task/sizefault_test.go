package task_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"conclave/conclavetest"
	"conclave/node"
	"conclave/task"
)

// FAULTS 51: what is far too large is an error at once, where it is; nothing else
// is disturbed.
func TestTwoMegabytesIsALocalError(t *testing.T) {
	huge := strings.Repeat("x", 2<<20)
	conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
		refused := make(map[string]error) // by the handler, of one goroutine at a time
		s := play(c, cast{dispatch: []int{0}, work: []int{1}, kinds: map[string]handler{
			"good": func(context.Context, *task.Task, *try) error { return nil },
			"huge": func(ctx context.Context, t *task.Task, _ *try) error {
				refused["Return"] = t.Return(huge)
				refused["Progress"] = t.Progress(ctx, huge)
				refused["Then"] = t.Then(task.Of("good", huge))
				refused["Then, with metadata"] = t.Then(task.Of("good", nil, task.Meta("x", huge)))
				many := make([]task.Spec, 300)
				for i := range many {
					many[i] = task.Of("good", huge[:8<<10])
				}
				refused["Then, many"] = t.Then(many...)
				if err := t.Then(task.Of("good", "small")); err != nil {
					return err
				}
				return t.Return("small")
			},
			// An error text, a panic: they are cut.
			"talks":  func(context.Context, *task.Task, *try) error { return errors.New(huge) },
			"panics": func(context.Context, *task.Task, *try) error { panic(huge) },
		}})
		s.submit(task.Of("huge", nil, task.ID("h")), task.Of("talks", nil, task.ID("t"), task.Attempts(1)), task.Of("panics", nil, task.ID("p"), task.Attempts(1)))
		var text string
		if err := s.wait("h").Decode(&text); err != nil || text != "small" {
			c.Errorf("the result is %q: %v", text, err)
		}
		s.wait("h/1")
		s.wellDone("h", 1)
		for _, id := range []string{"t", "p"} {
			r, err := s.outcome(id)
			if !errors.Is(err, task.ErrDead) || len(r.Error) == 0 || len(r.Error) > 2<<10 {
				c.Errorf("%s: %d bytes of reason, %.100v", id, len(r.Error), err)
			}
		}

		ctx, cancel := s.within()
		defer cancel()
		_, refused["Submit"] = s.client.Submit(ctx, task.Of("good", huge))
		_, refused["Submit, by an option"] = s.client.Submit(ctx, task.Of("good", nil), task.Meta("x", huge))
		_, refused["Submit, with needs"] = s.client.Submit(ctx, task.Of("good", nil, task.Needs("x", huge)))
		_, refused["Submit, with an id"] = s.client.Submit(ctx, task.Of("good", nil, task.ID(huge)))
		_, refused["Submit, with a key"] = s.client.Submit(ctx, task.Of("good", nil, task.Key(huge)))
		_, refused["Submit, with a unique key"] = s.client.Submit(ctx, task.Of("good", nil, task.Unique(huge)))
		_, refused["Submit, a kind"] = s.client.Submit(ctx, task.Of(huge, nil))
		_, refused["SubmitAll"] = s.client.SubmitAll(ctx, task.Of("good", "small"), task.Of("good", huge))
		many := make([]task.Spec, 300)
		for i := range many {
			many[i] = task.Of("good", huge[:8<<10])
		}
		_, refused["SubmitAll, many"] = s.client.SubmitAll(ctx, many...)
		refused["Schedule"] = s.client.Schedule(ctx, "s", "@hourly", task.Of("good", huge))
		refused["Schedule, a name"] = s.client.Schedule(ctx, huge, "@hourly", task.Of("good", nil))
		if len(refused) != 16 {
			c.Errorf("%d things were tried", len(refused))
		}
		for what, err := range refused {
			if !errors.Is(err, task.ErrTooLarge) && !(what == "Schedule, a name" && errors.Is(err, task.ErrBadSchedule)) {
				c.Errorf("%s: %.200v", what, err)
			} else if len(err.Error()) > 1000 {
				c.Errorf("%s: an error text of %d bytes", what, len(err.Error()))
			}
		}
		// Bad names to ask for are just not there.
		if _, err := s.client.Get(ctx, huge); !errors.Is(err, task.ErrNotFound) {
			c.Errorf("get: %.200v", err)
		}

		s.submit(task.Of("good", "small", task.ID("g")))
		s.wait("g")
		time.Sleep(time.Minute)
		for _, n := range c.Runs() {
			for _, kind := range []node.EventKind{node.SessionSuspended, node.SessionLost, node.LinkDown} {
				if told := n.Told(kind); len(told) > 0 {
					c.Errorf("%s: %v", n, told[0].Event)
				}
			}
		}
		if terms := c.Terms(dispatcher); len(terms) != 1 {
			c.Errorf("%d terms", len(terms))
		}
		if n := len(s.all()); n != 5 {
			c.Errorf("%d tasks in the record: %v", n, s.all())
		}
	})
}

// The bounds of one message, taken together, hold for what a worker reports as well:
// many large outcomes at a time are no problem.
func TestManyLargeOutcomesAtOnceAreRecorded(t *testing.T) {
	conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
		large := strings.Repeat("x", 140<<10)
		s := play(c, cast{cfg: task.Config{MaxBody: 256 << 10, Slots: 30}, dispatch: []int{0}, work: []int{1}, kinds: map[string]handler{
			"large": func(ctx context.Context, t *task.Task, y *try) error {
				if err := t.Progress(ctx, large); err != nil {
					return err
				}
				if err := t.Return(large); err != nil {
					return err
				}
				if err := t.Then(task.Of("next", large)); err != nil {
					return err
				}
				return doze(ctx, time.Minute) // all end at a time
			},
			"next": func(context.Context, *task.Task, *try) error { return nil },
		}})
		var ids []string
		for range 30 {
			ids = append(ids, s.submit(task.Of("large", large))...)
		}
		for _, id := range ids {
			if r := s.wait(id); len(r.Data) < len(large) {
				c.Errorf("%s has a result of %d bytes", id, len(r.Data))
			}
			s.wait(id + "/1")
			s.wellDone(id, 1)
			s.wellDone(id+"/1", 1)
		}
	})
}
