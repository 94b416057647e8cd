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
