package task_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"conclave/conclavetest"
	"conclave/task"
	"conclave/zkdev"
)

// FAULTS 46, in virtual time: a client does not hear what became of its task.

// submission is what came back of a Submit.
type submission struct {
	id  string
	err error
}

// submitting has the client submit and does not wait for it.
func (s *scene) submitting(spec task.Spec) <-chan submission {
	out := make(chan submission, 1)
	go func() {
		ctx, cancel := s.within()
		defer cancel()
		id, err := s.client.Submit(ctx, spec)
		out <- submission{id, err}
	}()
	return out
}

func TestSubmitRetriedAfterUnknownOutcomeRunsOnce(t *testing.T) {
	quick := func(context.Context, *task.Task, *try) error { return nil }
	slow := func(ctx context.Context, _ *task.Task, _ *try) error { return doze(ctx, time.Minute) }
	for name, part := range map[string]struct {
		work   handler
		strike func(s *scene, holder int) // before it is submitted
	}{
		"the answer is lost, the task done long since": {quick, loseAnswers},
		"the answer is lost, the task still runs":      {slow, loseAnswers},
		"the dispatcher dies after the commit, the task done": {quick, func(s *scene, holder int) {
			s.killAtCommit(holder, 1, zkdev.HoldReply)
		}},
		"the dispatcher dies after the commit, the task runs": {slow, func(s *scene, holder int) {
			s.killAtCommit(holder, 1, zkdev.HoldReply)
		}},
		"the dispatcher dies before the commit": {quick, func(s *scene, holder int) {
			s.killAtCommit(holder, 1, zkdev.LoseRequest)
		}},
		"the reply to the commit is lost": {quick, func(s *scene, holder int) { s.LoseReply(holder) }},
		"nothing is answered, and the dispatcher replaced": {quick, func(s *scene, holder int) {
			loseAnswers(s, holder)
			time.AfterFunc(5*time.Second, func() { s.Kill(holder) })
		}},
		"the dispatcher is paused": {quick, func(s *scene, holder int) {
			s.Pause(holder)
			time.AfterFunc(30*time.Second, func() { s.Resume(holder) })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			conclavetest.Run(t, 0, 4, func(c *conclavetest.Cluster) {
				s := play(c, cast{dispatch: []int{0, 1}, work: []int{2, 3}, kinds: map[string]handler{"charge": part.work}})
				s.submit(task.Of("charge", "others", task.ID("first")))
				s.wait("first")
				time.Sleep(3 * time.Second)
				part.strike(s, s.holder())
				// It has no id of its own: Submit makes one, and keeps it.
				out := s.submitting(task.Of("charge", "card"))
				time.Sleep(40 * time.Second)
				s.Mend()
				got := <-out
				if got.err != nil {
					c.Fatalf("submit: %v", got.err)
				}
				s.wait(got.id)
				s.quiet()
				s.wellDone(got.id, 1)
				s.doneOnce("first", got.id)
			})
		})
	}
}

// loseAnswers lets nothing of a node reach the client.
func loseAnswers(s *scene, holder int) { s.CutOneWay(holder, s.guest.Index()) }

// killAtCommit kills a node at its n-th commit from now on.
func (s *scene) killAtCommit(i, n int, f zkdev.Fault) {
	struck := make(chan struct{})
	var owner int64
	s.commits(func(k int, session int64) zkdev.Fault {
		switch {
		case k == n:
			owner = session
			close(struck)
			return f
		case k > n && session == owner && f == zkdev.LoseRequest: // it tries again
			return f
		}
		return zkdev.NoFault
	})
	go func() {
		select {
		case <-struck:
			s.Kill(i)
		case <-s.Context().Done():
		}
	}()
}

// The task was done and forgotten before the client could ask again. Nobody can
// know then whether it ever was: so it is not taken.
func TestSubmitRetriedAfterItsTaskWasForgottenIsUnknown(t *testing.T) {
	conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
		s := play(c, cast{
			cfg: task.Config{Keep: task.Keep{For: 5 * time.Second}}, dispatch: []int{0}, work: []int{1},
			kinds: map[string]handler{"charge": func(context.Context, *task.Task, *try) error { return nil }},
		})
		s.submit(task.Of("charge", nil, task.ID("first")))
		s.wait("first")
		time.Sleep(30 * time.Second)
		loseAnswers(s, 0)
		out := s.submitting(task.Of("charge", nil, task.ID("x")))
		time.Sleep(time.Minute)
		c.Mend()
		got := <-out
		if !errors.Is(got.err, task.ErrUnknownOutcome) || got.id != "x" {
			c.Errorf("submit: %q, %v", got.id, got.err)
		}
		if n := len(s.tries("x")); n != 1 {
			c.Errorf("it was run %d times", n)
		}
		// Whoever decides that it shall be done again, may.
		s.submit(task.Of("charge", nil, task.ID("x")))
		s.wait("x")
		if n := len(s.tries("x")); n != 2 {
			c.Errorf("asked for anew, it was run %d times in all", n)
		}
		s.follow(risingFencesOfAll)
	})
}

// risingFencesOfAll: of the tries of one task the later has the higher fence, even
// if the task was forgotten between.
func risingFencesOfAll(_ *scene, all []try) (found []string) {
	if !slices.IsSortedFunc(all, func(a, b try) int { return int(a.fence) - int(b.fence) }) {
		found = append(found, "the fences do not rise")
	}
	return found
}

// A client that gives up hears that nobody knows, and which id to ask for.
func TestSubmitThatGivesUpNamesItsTask(t *testing.T) {
	conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
		s := play(c, cast{dispatch: []int{0}, work: []int{1}, kinds: map[string]handler{
			"charge": func(context.Context, *task.Task, *try) error { return nil },
		}})
		s.submit(task.Of("charge", nil, task.ID("first")))
		s.wait("first")
		loseAnswers(s, 0)
		ctx, cancel := context.WithTimeout(c.Context(), 30*time.Second)
		defer cancel()
		id, err := s.client.Submit(ctx, task.Of("charge", nil))
		if !errors.Is(err, task.ErrUnknownOutcome) || !errors.Is(err, context.DeadlineExceeded) || id == "" {
			c.Fatalf("submit: %q, %v", id, err)
		}
		c.Mend()
		if again := s.submit(task.Of("charge", nil, task.ID(id))); again[0] != id {
			c.Errorf("submitted as %q", again)
		}
		s.wait(id)
		s.quiet()
		s.wellDone(id, 1)
	})
}
