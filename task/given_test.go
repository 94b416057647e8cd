package task

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestSameAssignmentTwiceIsOneStart(t *testing.T) {
	onStage(t, Config{Slots: 1}, func(s *stage) {
		s.hush(true)
		r := &rehearsal{}
		s.handle("k", r.handle)
		guid := s.meet("")
		again := func(a assignment) {
			for range 3 {
				s.say(&assign{Worker: guid, Tasks: []assignment{a, a}})
			}
			s.Settle()
		}
		a := s.give("k", "a")
		b := s.give("k", "b")
		first := r.begins(s, "a", 1)
		again(a) // running
		again(b) // waiting for the slot
		first.finish <- nil
		second := r.begins(s, "b", 1)
		s.ends(a)
		again(a) // ended, and not acknowledged
		second.finish <- nil
		s.ends(b)
		again(b)
		r.begins(s, "a", 1)
		r.begins(s, "b", 1)
	})
}

func TestOnlyWhatThePresentPermitWasGivenRuns(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		r := &rehearsal{}
		s.handle("k", r.handle)
		s.meet("")
		s.giveTo("ANOTHER", "k", "x")
		time.Sleep(time.Minute)
		if len(r.of("x")) > 0 {
			s.Error("it runs what another permit was given")
		}
	})
}

func TestTaskGivenAgainStopsTheOldAttemptFirst(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		r := &rehearsal{}
		s.handle("k", r.handle)
		s.meet("")
		s.give("k", "a")
		old := r.begins(s, "a", 1)
		again := s.give("k", "a")
		next := r.begins(s, "a", 2)
		if _, cause := r.ended(old); !errors.Is(cause, ErrLost) {
			s.Errorf("the first one's context ended with %v", cause)
		}
		if r.most > 1 {
			s.Errorf("%d attempts at once", r.most)
		}
		if next.t.Fence() != again.Fence {
			s.Errorf("the second has fence %d, not %d", next.t.Fence(), again.Fence)
		}
		s.giveTo(s.last().Worker, "k", "a", func(a *assignment) { a.Fence = 1 }) // an older one, late
		next.finish <- nil
		s.endsAs(again, howDone)
		r.begins(s, "a", 2)
	})
}

func TestTaskGivenAgainWaitsForADeafHandlerAsLongAsItsGrace(t *testing.T) {
	onStage(t, Config{Grace: 7 * time.Second}, func(s *stage) {
		r := &rehearsal{deaf: true}
		s.handle("k", r.handle)
		s.meet("")
		s.give("k", "a")
		old := r.begins(s, "a", 1)
		at := time.Now()
		again := s.give("k", "a")
		next := r.begins(s, "a", 2)
		if d := next.began.Sub(at); d < 7*time.Second || d > 8*time.Second {
			s.Errorf("it waited for %v", d)
		}
		if s.happened(TaskStuck) != 1 {
			s.Errorf("told %d times that it is stuck", s.happened(TaskStuck))
		}
		next.finish <- nil
		s.endsAs(again, howDone)
		old.finish <- nil
	})
}

func TestMoreThanTheSlotsWaitInOrder(t *testing.T) {
	onStage(t, Config{Slots: 2}, func(s *stage) {
		r := &rehearsal{}
		s.handle("k", r.handle)
		s.handle("one", r.handle, 1)
		s.meet("")
		x, y := s.give("one", "x"), s.give("one", "y") // y waits for x, and keeps nobody else
		for i := range 6 {
			s.give("k", fmt.Sprint(i))
		}
		s.Settle()
		if len(r.of("x")) != 1 || len(r.of("y")) != 0 {
			s.Error("not one at a time of a kind with one slot")
		}
		for i := range 6 {
			r.begins(s, fmt.Sprint(i), 1).finish <- nil
		}
		s.greet(s.last().Worker)
		if h := s.last(); !has(h, x) || !has(h, y) {
			s.Errorf("what waits is not named: %v", h.Running)
		}
		r.begins(s, "x", 1).finish <- nil
		r.begins(s, "y", 1).finish <- nil
		s.endsAs(y, howDone)
		if r.most != 2 {
			s.Errorf("%d at once", r.most)
		}
		order := ""
		for _, p := range r.runs {
			if p.t.Kind() == "k" {
				order += p.t.ID()
			}
		}
		if order != "012345" {
			s.Errorf("begun in the order %s", order)
		}
	})
}

func TestTasksWithoutAHandlerGoBack(t *testing.T) {
	onStage(t, Config{Slots: 1}, func(s *stage) {
		r := &rehearsal{}
		s.handle("k", r.handle)
		s.handle("other", r.handle)
		s.meet("")
		s.endsAs(s.give("unknown", "u"), howReleased)
		run := s.give("k", "run")
		wait := s.give("k", "wait")
		p := r.begins(s, "run", 1)
		s.greet(s.last().Worker)
		if !has(s.last(), wait) {
			s.Errorf("it does not wait: %v", s.last().Running)
		}
		s.w.unhandle("k")
		s.endsAs(wait, howReleased)
		s.mu.Lock()
		for i, o := range s.told {
			if o.ID != "run" && kindsOf(s.offered[i])[map[string]string{"u": "unknown", "wait": "k"}[o.ID]] != 0 {
				s.Errorf("it offers what it gives back: %s", o.ID)
			}
		}
		s.mu.Unlock()
		p.finish <- nil
		s.endsAs(run, howDone)
	})
}

func TestReplacedHandlerTakesWhatComesLater(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		old, young := &rehearsal{}, &rehearsal{}
		s.handle("k", old.handle)
		s.meet("")
		a := s.give("k", "a")
		p := old.begins(s, "a", 1)
		s.handle("k", young.handle)
		b := s.give("k", "b")
		young.begins(s, "b", 1).finish <- nil
		s.endsAs(b, howDone)
		p.finish <- nil
		s.endsAs(a, howDone)
	})
}
