package task_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"conclave/conclavetest"
	"conclave/task"
)

// FAULTS 47, in virtual time.

func TestPoisonTaskIsDeadLettered(t *testing.T) {
	const attempts = 3
	for name, poison := range map[string]struct {
		do     func(s *scene, ctx context.Context, y *try) error
		reason string        // that it is dead for
		wait   time.Duration // before the second attempt, about; 0: not looked at
	}{
		"returns errors": {
			do:     func(_ *scene, _ context.Context, y *try) error { return fmt.Errorf("failure %d", y.attempt) },
			reason: "failure 3", wait: time.Second,
		},
		"panics": {
			do:     func(_ *scene, _ context.Context, y *try) error { return errorsOf[y.attempt] },
			reason: "panic: runtime error: index out of range", wait: time.Second,
		},
		"takes too long": {
			do:     func(_ *scene, ctx context.Context, _ *try) error { <-ctx.Done(); return ctx.Err() },
			reason: task.ErrTimeout.Error(),
		},
		"does not return": {
			do: func(s *scene, _ context.Context, _ *try) error {
				<-s.Context().Done()
				return nil
			},
			reason: task.ErrTimeout.Error(),
		},
		"kills its worker": {
			do: func(s *scene, ctx context.Context, y *try) error {
				s.Kill(y.node.Index())
				<-ctx.Done()
				return ctx.Err()
			},
			reason: "is gone",
		},
	} {
		t.Run(name, func(t *testing.T) {
			conclavetest.Run(t, 0, 6, func(c *conclavetest.Cluster) {
				var s *scene
				ready := make(chan struct{})
				s = play(c, cast{dispatch: []int{0}, cfg: task.Config{Slots: 4}, kinds: map[string]handler{
					"poison": func(ctx context.Context, t *task.Task, y *try) error {
						<-ready
						return poison.do(s, ctx, y)
					},
					"good": func(ctx context.Context, _ *task.Task, _ *try) error { return doze(ctx, time.Second) },
				}, work: []int{1, 2, 3, 4, 5}})
				close(ready)
				s.submit(task.Of("poison", "rat", task.ID("p"), task.Attempts(attempts), task.Timeout(5*time.Second)))
				var ids []string
				for i := range 40 {
					ids = append(ids, s.submit(task.Of("good", i, task.ID(fmt.Sprint("g", i)), task.Attempts(attempts)))...)
					time.Sleep(100 * time.Millisecond)
				}
				r, err := s.outcome("p")
				var dead *task.DeadError
				if !errors.As(err, &dead) || dead.Attempts != attempts || !strings.Contains(dead.Reason, poison.reason) {
					c.Errorf("it ended with %v", err)
				}
				if r.State != task.Dead || r.Failures != attempts {
					c.Errorf("it is %s with %d failures", r.State, r.Failures)
				}
				tries := s.tries("p")
				if len(tries) != attempts {
					c.Fatalf("it was tried %d times", len(tries))
				}
				if poison.wait > 0 {
					for i := 1; i < attempts; i++ {
						pause, want := tries[i].began.at-tries[i-1].ended.at, poison.wait<<(i-1)
						if pause < want*9/10 || pause > want*11/10+10*time.Millisecond {
							c.Errorf("attempt %d came after %v, not about %v", i+1, pause, want)
						}
					}
				}
				for _, id := range ids {
					s.wait(id)
				}
				if events := s.told(task.TaskDead); len(events) != 1 || events[0].Task != "p" {
					c.Errorf("events: %+v", events)
				}
				// It keeps its body, and is tried again if an operator says so.
				if d := s.get("p"); d.State != task.Dead || len(d.Body) == 0 {
					c.Errorf("the dead task: %+v", d)
				}
				time.Sleep(time.Hour / 2)
				if n := len(s.tries("p")); n != attempts {
					c.Errorf("it was tried again: %d times", n)
				}
				s.follow(risingFences)
				for _, id := range ids {
					if i := s.get(id); i.Failures > 1 {
						c.Errorf("%s has failed %d times beside it", id, i.Failures)
					}
				}
				c.Mend()
			})
		})
	}
}

// Discard needs one attempt, Retry none.
func TestOutcomesThatAreNoFailures(t *testing.T) {
	conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
		s := play(c, cast{dispatch: []int{0}, work: []int{1}, kinds: map[string]handler{
			"never": func(context.Context, *task.Task, *try) error { return task.Discard(errors.New("no such customer")) },
			"later": func(_ context.Context, t *task.Task, _ *try) error {
				if t.Attempt() < 30 {
					return fmt.Errorf("the shop is closed: %w", task.Retry(time.Minute))
				}
				return nil
			},
		}})
		s.submit(task.Of("never", nil, task.ID("n")), task.Of("later", nil, task.ID("l"), task.Attempts(2)))
		if _, err := s.outcome("n"); !errors.Is(err, task.ErrDead) || !strings.Contains(err.Error(), "no such customer") {
			c.Errorf("discarded: %v", err)
		}
		if n := len(s.tries("n")); n != 1 {
			c.Errorf("it was tried %d times", n)
		}
		time.Sleep(28 * time.Minute)
		s.wait("l")
		s.wellDone("l", 30)
		if d := s.get("l"); d.Failures != 0 {
			c.Errorf("%d failures", d.Failures)
		}
	})
}

// errorsOf is shorter than its reader thinks.
var errorsOf []error
