package task

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"conclave/actor"
)

func TestWorkerIsThereFromItsFirstHandlerOn(t *testing.T) {
	onStage(t, Config{Slots: 4, Attributes: map[string]string{"gpu": "yes"}, Load: func() float64 { return 0.5 }}, func(s *stage) {
		time.Sleep(time.Minute)
		if guid, _ := s.znode(); guid != "" {
			s.Error("a worker without a handler has a znode")
		}
		s.handle("a", (&rehearsal{}).handle)
		s.handle("b", (&rehearsal{}).handle, 2)
		guid := s.meet("")
		if h := s.last(); !maps.Equal(kindsOf(h), map[string]int{"a": 4, "b": 2}) || h.Slots != 4 || h.CPU != 0.5 || h.Attributes["gpu"] != "yes" || h.Worker != guid {
			s.Errorf("it says %+v", h)
		}
		if s.happened(WorkerBegan) != 1 {
			s.Error("nobody was told that it has begun")
		}
	})
}

func TestTaskRunsAndItsOutcomeIsTold(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		s.handle("add", func(ctx context.Context, t *Task) error {
			var n []int
			if err := t.Decode(&n); err != nil {
				return err
			}
			if err := t.Then(Of("next", 1)); err != nil {
				return err
			}
			return t.Return(n[0] + n[1])
		})
		s.meet("")
		body := Of("add", []int{1, 2})
		a := s.give("add", "x", func(a *assignment) { a.Body, a.Type = body.Body, body.Type })
		o := s.endsAs(a, howDone)
		var sum int
		if err := decode(o.Result, &sum); err != nil || sum != 3 || len(o.Then) != 1 || o.Then[0].Kind != "next" {
			s.Errorf("%d, %v: %+v", sum, err, o)
		}
		b := s.give("add", "y", func(a *assignment) { a.Body = []byte{0xc1} })
		if o := s.endsAs(b, howFailed); !strings.Contains(o.Error, ErrBody.Error()) {
			s.Errorf("a broken body: %+v", o)
		}
	})
}

func TestHandlersReturnSaysHowAnAttemptEnds(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		what := map[string]error{
			"nil": nil, "retry": fmt.Errorf("wrapped: %w", Retry(1500*time.Microsecond)), "discard": Discard(errors.New("no use")),
			"error": errors.New("broken"), "long": errors.New(strings.Repeat("é", 4000)), "bytes": errors.New("a\xffb"),
			"panic": nil, "goexit": nil,
		}
		s.handle("k", func(ctx context.Context, t *Task) error {
			switch t.ID() {
			case "panic":
				var n []int
				return t.Return(n[len(t.ID())])
			case "goexit":
				goexit()
			}
			return what[t.ID()]
		})
		s.meet("")
		given := make(map[string]assignment)
		for id := range what {
			given[id] = s.give("k", id)
		}
		s.endsAs(given["nil"], howDone)
		if o := s.endsAs(given["retry"], howAgain); o.Delay != 2 {
			s.Errorf("again in %d ms, not rounded up to 2", o.Delay)
		}
		if o := s.endsAs(given["discard"], howDiscard); o.Error != "no use" {
			s.Errorf("%+v", o)
		}
		if o := s.endsAs(given["error"], howFailed); o.Error != "broken" {
			s.Errorf("%+v", o)
		}
		if o := s.endsAs(given["long"], howFailed); len(o.Error) > maxReason || len(o.Error) < maxReason-4 || !utf8.ValidString(o.Error) {
			s.Errorf("a reason of %d bytes, valid: %t", len(o.Error), utf8.ValidString(o.Error))
		}
		if o := s.endsAs(given["bytes"], howFailed); !utf8.ValidString(o.Error) {
			s.Errorf("%q", o.Error)
		}
		if o := s.endsAs(given["panic"], howFailed); !strings.HasPrefix(o.Error, "panic: runtime error: index out of range [5] with length 0") || !strings.Contains(o.Error, "worker_test.go:") {
			s.Errorf("%+v", o)
		}
		s.endsAs(given["goexit"], howFailed)
		if h := s.last(); len(h.Running) > 0 {
			s.Errorf("still running: %v", h.Running)
		}
	})
}

func TestOfferFollowsTheHandlers(t *testing.T) {
	onStage(t, Config{Slots: 8}, func(s *stage) {
		s.handle("a", (&rehearsal{}).handle)
		s.meet("")
		before := len(s.hellos)
		for i := range 100 {
			s.handle(fmt.Sprint("k", i), (&rehearsal{}).handle, 1)
		}
		s.Await("the last kind", func() bool { return len(s.last().Kinds) == 101 })
		if n := len(s.hellos) - before; n > 3 {
			s.Errorf("%d hellos for changes of one moment", n)
		}
		for i := range 100 {
			s.w.unhandle(fmt.Sprint("k", i))
		}
		s.handle("a", (&rehearsal{}).handle, 3)
		s.Await("the new offer", func() bool { return maps.Equal(kindsOf(s.last()), map[string]int{"a": 3}) })
	})
}

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

func TestOutcomesAreSaidUntilTheyAreRecorded(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		s.hush(true)
		s.handle("k", func(context.Context, *Task) error { return nil })
		guid := s.meet("")
		a := s.give("k", "a")
		s.endsAs(a, howDone)
		time.Sleep(time.Minute)
		if n := len(s.outcomesOf(a)); n < 25 || n > 35 {
			s.Errorf("said %d times in a minute", n)
		}
		s.enter() // another dispatcher
		s.mu.Lock()
		s.hellos = nil
		s.mu.Unlock()
		s.greet(guid)
		if h := s.last(); len(h.Outcomes) != 1 {
			s.Errorf("it says %+v", h)
		}
		s.hush(false)
		time.Sleep(3 * time.Second)
		n := len(s.outcomesOf(a))
		time.Sleep(time.Minute)
		if len(s.outcomesOf(a)) != n {
			s.Error("said again although it was recorded")
		}
	})
}

func TestOutcomesOutliveALostLink(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		r := &rehearsal{}
		s.handle("k", r.handle)
		s.meet("")
		a := s.give("k", "a")
		p := r.begins(s, "a", 1)
		s.Partition(0, 1)
		p.finish <- nil
		time.Sleep(40 * time.Second) // both sides have given the link up
		if len(s.outcomesOf(a)) > 0 {
			s.Fatal("it came through")
		}
		s.Heal(0, 1)
		s.endsAs(a, howDone) // without being greeted
	})
}

func TestOutcomesOfOneMomentTravelTogether(t *testing.T) {
	onStage(t, Config{Slots: 200}, func(s *stage) {
		r := &rehearsal{}
		s.handle("k", r.handle)
		guid := s.meet("")
		var all assign
		all.Worker = guid
		for i := range 200 {
			all.Tasks = append(all.Tasks, assignment{ID: fmt.Sprint(i), Kind: "k", Fence: uint64(i + 1)})
		}
		s.say(&all)
		s.Await("all to run", func() bool { s.Settle(); return r.among == 200 })
		for _, p := range r.runs {
			p.finish <- nil
		}
		s.ends(all.Tasks[0])
		s.ends(all.Tasks[199])
		s.Settle()
		if len(s.told) != 200 || s.messages > 20 {
			s.Errorf("%d outcomes in %d messages", len(s.told), s.messages)
		}
	})
}

func TestOutcomesTooLargeForOneMessageAreSpread(t *testing.T) {
	onStage(t, Config{MaxBody: 100 << 10, Slots: 50}, func(s *stage) {
		s.hush(true)
		s.handle("k", func(ctx context.Context, t *Task) error { return t.Return(make([]byte, 90<<10)) })
		s.meet("")
		var all []assignment
		for i := range 20 {
			all = append(all, s.give("k", fmt.Sprint(i)))
		}
		for _, a := range all {
			s.endsAs(a, howDone)
		}
		s.mu.Lock()
		s.told, s.offered = nil, nil
		s.mu.Unlock()
		s.greet(s.last().Worker)
		for _, a := range all {
			s.endsAs(a, howDone)
		}
		for _, h := range s.hellos {
			n := 0
			for i := range h.Outcomes {
				n += h.Outcomes[i].size()
			}
			if n > 200<<10 {
				s.Errorf("a hello with %d bytes of outcomes", n)
			}
		}
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

func TestDeposedDispatcherIsNotHeeded(t *testing.T) {
	w := &worker{}
	term := func(cluster string, n int64) actor.Message {
		return actor.Message{Term: actor.MakeTerm(cluster, "task:s", n)}
	}
	for i, c := range []struct {
		m    actor.Message
		want bool
	}{
		{term("c", 5), true}, {term("c", 4), false}, {term("c", 5), true}, {actor.Message{}, true}, {term("c", 4), false},
		{term("c", 9), true}, {term("c", 5), false}, {term("wiped", 1), true}, {term("wiped", 1), true},
	} {
		if got := w.heed(c.m); got != c.want {
			t.Errorf("%d: %v is heeded: %t", i, c.m.Term, got)
		}
	}
}

func TestProgressIsToldInOrderAndTheLatestCounts(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		r := &rehearsal{}
		s.handle("k", func(ctx context.Context, t *Task) error {
			for i := range 1000 {
				if err := t.Progress(ctx, i); err != nil {
					return err
				}
			}
			return r.handle(ctx, t)
		})
		s.meet("")
		a := s.give("k", "a")
		p := r.begins(s, "a", 1)
		latest := func() (n int) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.progress) == 0 {
				return -1
			}
			d := s.progress[len(s.progress)-1]
			if err := decode(d.Data, &n); err != nil || d.ID != "a" || d.Fence != a.Fence {
				s.Errorf("%+v: %v", d, err)
			}
			return n
		}
		s.Await("the latest", func() bool { return latest() == 999 })
		if n := len(s.progress); n > 500 {
			s.Errorf("%d messages", n)
		}
		s.mu.Lock()
		s.progress = nil
		s.mu.Unlock()
		s.enter()
		s.say(&greet{Scope: "s"}) // another dispatcher may not know it
		s.Await("the latest again", func() bool { return latest() == 999 })
		if err := p.t.Progress(p.ctx, "x"); err != nil {
			s.Error(err)
		}
		p.finish <- errors.New("failed")
		s.ends(a)
		s.mu.Lock()
		defer s.mu.Unlock()
		var text string
		if err := decode(s.progress[len(s.progress)-1].Data, &text); err != nil || text != "x" {
			s.Errorf("the outcome came before the last progress: %q, %v", text, err)
		}
	})
}

func TestLoopThatFailsIsStartedAgain(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		r := &rehearsal{}
		s.handle("k", r.handle)
		guid := s.meet("")
		_, pid := s.znode()
		s.give("k", "a")
		p := r.begins(s, "a", 1)
		s.Node(0).Exit(pid, actor.Killed)
		next := s.meet(guid)
		if _, now := s.znode(); now == pid {
			s.Error("the znode tells of the loop that is dead")
		}
		if _, cause := r.ended(p); !errors.Is(cause, ErrLost) {
			s.Errorf("what ran has ended with %v", cause)
		}
		b := s.give("k", "b")
		r.begins(s, "b", 1).finish <- nil
		s.endsAs(b, howDone)
		if h := s.last(); h.Worker != next || kindsOf(h)["k"] == 0 {
			s.Errorf("it says %+v", h)
		}
	})
}

func TestGuestsDoNotWork(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		q, err := Open(s.Guest("g").Node, "s", Config{})
		if err != nil {
			s.Fatal(err)
		}
		err = q.Handle("k", (&rehearsal{}).handle)
		if err == nil || !strings.Contains(err.Error(), "guests do not work") {
			s.Errorf("%v", err)
		}
	})
}

func TestTenThousandTasksThroughSixtyFourSlots(t *testing.T) {
	onStage(t, Config{Slots: 64}, func(s *stage) {
		r := &rehearsal{}
		s.handle("k", func(ctx context.Context, t *Task) error {
			r.mu.Lock()
			r.among++
			r.most = max(r.most, r.among)
			r.mu.Unlock()
			time.Sleep(time.Millisecond)
			r.mu.Lock()
			r.among--
			r.mu.Unlock()
			return nil
		})
		guid := s.meet("")
		s.Settle()
		before := s.Node(0).System().Count()
		for i := range 100 {
			a := &assign{Worker: guid}
			for j := range 100 {
				n := 100*i + j
				a.Tasks = append(a.Tasks, assignment{ID: fmt.Sprint(n), Kind: "k", Fence: uint64(n + 1)})
			}
			s.say(a)
		}
		began := s.Now()
		s.Await("all outcomes", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(s.told) >= 10_000
		})
		if d := s.Now() - began; d < 10_000/64*time.Millisecond {
			s.Errorf("done in %v", d)
		}
		time.Sleep(5 * time.Second)
		if len(s.told) != 10_000 || r.most != 64 {
			s.Errorf("%d outcomes, %d at once", len(s.told), r.most)
		}
		if n := s.Node(0).System().Count(); n != before {
			s.Errorf("%d processes, %d before", n, before)
		}
		if err := s.leaves(time.Minute); err != nil {
			s.Error(err)
		}
		if n := len(s.w.tasks) + len(s.w.live) + len(s.w.queue) + len(s.w.reports.unsent) + s.w.used; n != 0 {
			s.Errorf("%d left over", n)
		}
	})
}
