package task_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/conclavetest"
	"conclave/shard"
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

// Somebody closes the Queue, or the node stops, while nobody knows yet whether a
// submission was heard: it is not told as if it were not.
func TestSubmitThatMayHaveBeenHeardIsUnknownHoweverItsWaitingEnds(t *testing.T) {
	for name, end := range map[string]func(s *scene) error{
		"the Queue is closed": func(s *scene) error { return s.client.Close(s.Context()) },
		"the node stops":      func(s *scene) error { return s.guest.Node.Stop(s.Context()) },
	} {
		for _, parts := range []int{1, 8} {
			conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
				s := play(c, cast{cfg: task.Config{Parts: parts}, dispatch: []int{0}, work: []int{1}, kinds: map[string]handler{
					"charge": func(context.Context, *task.Task, *try) error { return nil },
				}})
				s.submit(task.Of("charge", nil, task.ID("y"), task.Key("x"))) // in the same part: where that is, is known
				loseAnswers(s, 0)
				out := s.submitting(task.Of("charge", nil, task.ID("x")))
				time.Sleep(time.Minute)
				if err := end(s); err != nil {
					c.Logf("%s: %v", name, err)
				}
				if got := <-out; !errors.Is(got.err, task.ErrUnknownOutcome) || got.id != "x" {
					c.Errorf("%d parts, %s: %q, %v", parts, name, got.id, got.err)
				}
				c.Mend()
				if n := len(s.tries("x")); n != 1 {
					c.Errorf("%d parts, %s: it was run %d times", parts, name, n)
				}
			})
		}
	}
}

// What was done, and its answer lost, is not told to be impossible when it is asked
// again.
func TestChangeThatMayHaveBeenDoneIsNotToldAsRefused(t *testing.T) {
	for _, parts := range []int{1, 8} {
		conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
			bad := errors.New("bad")
			var fixed atomic.Bool
			s := play(c, cast{cfg: task.Config{Parts: parts}, dispatch: []int{0}, work: []int{1}, kinds: map[string]handler{
				"charge": func(context.Context, *task.Task, *try) error {
					if fixed.Load() {
						return nil
					}
					return task.Discard(bad)
				},
			}})
			ctx, cancel := s.within()
			defer cancel()
			all := []string{"deleted", "retried", "cancelled", "elsewhere"}
			for _, id := range all {
				spec := task.Of("charge", 1, task.ID(id))
				for n := 0; id == "elsewhere" && (n == 0 || parts > 1 && shard.PartOf(spec.Key, parts) == shard.PartOf(id, parts)); n++ {
					spec.Key = fmt.Sprint("key", n)
				}
				s.submit(spec)
			}
			for _, id := range all {
				if _, err := s.client.Wait(ctx, id); !errors.Is(err, task.ErrDead) {
					c.Fatal(id, err)
				}
			}
			fixed.Store(true)
			if err := s.client.Schedule(ctx, "nightly", "30 2 * * *", task.Of("charge", 1)); err != nil {
				c.Fatal(err)
			}
			s.status() // now it is known where all parts are
			loseAnswers(s, 0)
			said := make(map[string]error)
			var mu sync.Mutex
			var asking sync.WaitGroup
			for what, ask := range map[string]func() error{
				"deleted":   func() error { _, err := s.client.Delete(ctx, "deleted"); return err },
				"retried":   func() error { _, err := s.client.Retry(ctx, "retried"); return err },
				"nightly":   func() error { return s.client.Unschedule(ctx, "nightly") },
				"cancelled": func() error { _, err := s.client.Cancel(ctx, "cancelled"); return err },
				"nobody":    func() error { _, err := s.client.Delete(ctx, "nobody"); return err },
				"elsewhere": func() error { _, err := s.client.Delete(ctx, "elsewhere"); return err },
			} {
				asking.Go(func() {
					err := ask()
					mu.Lock()
					defer mu.Unlock()
					said[what] = err
				})
			}
			time.Sleep(time.Minute)
			c.Mend()
			asking.Wait()
			want := map[string]error{
				"deleted": task.ErrUnknownOutcome, "retried": task.ErrUnknownOutcome, "nightly": task.ErrUnknownOutcome,
				"nobody": task.ErrUnknownOutcome, "cancelled": task.ErrState,
				"elsewhere": task.ErrUnknownOutcome,
			}
			if parts > 1 { // the part that may have heard of it does not have it, and the other is asked when all is well
				want["elsewhere"] = nil
			}
			for what, want := range want {
				if !errors.Is(said[what], want) {
					c.Errorf("%d parts: %s: %v, want %v", parts, what, said[what], want)
				}
			}
			if errors.Is(said["cancelled"], task.ErrUnknownOutcome) {
				c.Errorf("%d parts: a dead task that cannot be cancelled: %v", parts, said["cancelled"])
			}
			if err := s.client.Unschedule(ctx, "nightly"); !errors.Is(err, task.ErrNotFound) || errors.Is(err, task.ErrUnknownOutcome) {
				c.Errorf("%d parts: %v", parts, err)
			}
		})
	}
}
