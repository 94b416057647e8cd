package task

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"conclave/actor"
	"conclave/conclavetest"
	"conclave/node"
)

func TestAttemptThatTakesTooLongIsToldAndHasFailed(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		r := &rehearsal{}
		s.handle("k", r.handle)
		s.meet("")
		a := s.give("k", "a", within(3*time.Second))
		p := r.begins(s, "a", 1)
		o := s.endsAs(a, howFailed)
		at, cause := r.ended(p)
		if !errors.Is(cause, ErrTimeout) || at.Sub(p.began) != 3*time.Second || o.Error != ErrTimeout.Error() {
			s.Errorf("%v after %v: %+v", cause, at.Sub(p.began), o)
		}
		b := s.give("k", "b", within(3*time.Second))
		time.Sleep(2 * time.Second)
		r.begins(s, "b", 1).finish <- nil
		s.endsAs(b, howDone)
	})
}

func TestHandlerThatIsDoneWithinItsGraceIsDone(t *testing.T) {
	onStage(t, Config{Grace: 10 * time.Second}, func(s *stage) {
		r := &rehearsal{deaf: true}
		s.handle("k", r.handle)
		s.meet("")
		a := s.give("k", "a", within(3*time.Second))
		p := r.begins(s, "a", 1)
		time.Sleep(12 * time.Second)
		p.finish <- nil
		s.endsAs(a, howDone)
		if s.happened(TaskStuck) != 0 {
			s.Error("told that it is stuck")
		}
	})
}

func TestStuckHandlerHasFailedAndKeepsItsSlot(t *testing.T) {
	onStage(t, Config{Slots: 2, Grace: 10 * time.Second}, func(s *stage) {
		r := &rehearsal{deaf: true}
		s.handle("k", r.handle)
		guid := s.meet("")
		a := s.give("k", "a", within(3*time.Second))
		p := r.begins(s, "a", 1)
		if err := p.t.Check(); err != nil {
			s.Error(err)
		}
		time.Sleep(12 * time.Second)
		if len(s.outcomesOf(a)) > 0 {
			s.Error("it has failed before its grace was over")
		}
		s.endsAs(a, howFailed)
		if d := time.Since(p.began); d > 13*time.Second+10*time.Millisecond || s.happened(TaskStuck) != 1 {
			s.Errorf("after %v, told %d times", d, s.happened(TaskStuck))
		}
		if err := p.t.Check(); !errors.Is(err, ErrLost) {
			s.Errorf("Check says %v", err)
		}
		s.Await("the smaller offer", func() bool { return s.last().Slots == 1 && kindsOf(s.last())["k"] == 1 })
		if has(s.last(), a) {
			s.Error("it says that it runs what has failed")
		}
		again := s.give("k", "a") // the same task, elsewhere stuck
		q := r.begins(s, "a", 2)
		c := s.give("k", "c") // waits: one slot is taken for good
		time.Sleep(time.Minute)
		if len(r.of("c")) > 0 {
			s.Error("the stuck handler's slot was given away")
		}
		p.finish <- errors.New("late") // nobody cares
		r.begins(s, "c", 1).finish <- nil
		s.endsAs(c, howDone)
		q.finish <- nil
		s.endsAs(again, howDone)
		s.Await("the whole offer", func() bool { return s.last().Slots == 2 })
		if n := len(s.outcomesOf(a)); n != 1 {
			s.Errorf("the stuck one's outcome was told %d times", n)
		}
		if now, _ := s.znode(); now != guid {
			s.Error("a stuck handler has cost the permit")
		}
	})
}

func TestAttemptWithoutAHeartbeatHasFailed(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		r := &rehearsal{}
		s.handle("k", func(ctx context.Context, t *Task) error {
			for i := range 10 {
				time.Sleep(900 * time.Millisecond)
				if i%2 == 0 {
					t.Heartbeat()
				} else if err := t.Progress(ctx, i); err != nil {
					return err
				}
			}
			return r.handle(ctx, t)
		})
		s.meet("")
		a := s.give("k", "a", beating(time.Second))
		p := r.begins(s, "a", 1)
		o := s.endsAs(a, howFailed)
		at, cause := r.ended(p)
		if !errors.Is(cause, ErrHeartbeat) || at.Sub(p.began) != time.Second || o.Error != ErrHeartbeat.Error() {
			s.Errorf("%v, %v after the last sign of life: %+v", cause, at.Sub(p.began), o)
		}
	})
}

func TestCancelledAttemptIsDoneIfItSaysSoAndDiscardedOtherwise(t *testing.T) {
	onStage(t, Config{Slots: 3, Grace: 10 * time.Second}, func(s *stage) {
		r, deaf := &rehearsal{}, &rehearsal{deaf: true}
		s.handle("k", r.handle)
		s.handle("deaf", deaf.handle)
		s.meet("")
		cancel := func(a assignment) { s.say(&abandon{List: []held{{a.ID, a.Fence}}, Why: whyCancelled}) }
		a := s.give("k", "a")
		p := r.begins(s, "a", 1)
		cancel(a)
		s.endsAs(a, howDiscard)
		if _, cause := r.ended(p); !errors.Is(cause, ErrCancelled) {
			s.Errorf("it has ended with %v", cause)
		}
		nice := s.give("deaf", "nice")
		q := deaf.begins(s, "nice", 1)
		again := s.give("deaf", "again")
		deaf.begins(s, "again", 1).finish <- Retry(0)
		s.endsAs(again, howAgain)
		stuck := s.give("deaf", "stuck")
		st := deaf.begins(s, "stuck", 1)
		third := s.give("deaf", "third")
		th := deaf.begins(s, "third", 1)
		waits := s.give("k", "waits")
		s.Settle()
		for _, a := range []assignment{nice, stuck, third, waits, {ID: "strange", Fence: 1}} {
			cancel(a)
			cancel(assignment{ID: a.ID, Fence: a.Fence + 100}) // another one: no matter
		}
		s.endsAs(waits, howDiscard)
		q.finish <- nil
		s.endsAs(nice, howDone)
		th.finish <- Retry(time.Second)
		s.endsAs(third, howDiscard)
		s.endsAs(stuck, howDiscard)
		if d := time.Since(st.began); d < 10*time.Second || s.happened(TaskStuck) != 1 {
			s.Errorf("after %v, told %d times", d, s.happened(TaskStuck))
		}
		if len(r.of("waits")) > 0 {
			s.Error("a cancelled task was begun")
		}
		st.finish <- nil
	})
}

func TestAbandonedAttemptIsLost(t *testing.T) {
	onStage(t, Config{Slots: 1}, func(s *stage) {
		r := &rehearsal{}
		s.handle("k", r.handle)
		s.meet("")
		a, waits := s.give("k", "a"), s.give("k", "waits")
		p := r.begins(s, "a", 1)
		s.say(&abandon{List: []held{{"a", a.Fence}, {"waits", waits.Fence}}, Why: whyNotYours})
		s.endsAs(a, howLost)
		if _, cause := r.ended(p); !errors.Is(cause, ErrLost) {
			s.Errorf("it has ended with %v", cause)
		}
		time.Sleep(time.Minute)
		if len(r.of("waits")) > 0 || len(s.last().Running) > 0 {
			s.Error("it begins, or has, what it was told to abandon")
		}
	})
}

func TestHandlersContextIsThatOfAProcess(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		echo := s.node.Spawn(func(p *actor.Process) error {
			for {
				n, m, err := actor.Expect[int](p)
				if err != nil {
					return err
				}
				p.Reply(m, n+1)
			}
		})
		s.handle("k", func(ctx context.Context, t *Task) error {
			n, err := actor.Call[int](s.Node(0).With(ctx), echo, 41)
			if err != nil {
				return err
			}
			return t.Return(n)
		})
		s.meet("")
		a := s.give("k", "a")
		var n int
		if err := decode(s.endsAs(a, howDone).Result, &n); err != nil || n != 42 {
			s.Errorf("%d, %v", n, err)
		}
	})
}

func TestAttemptWhoseProcessSomebodyEndsHasFailed(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		s.handle("k", func(ctx context.Context, t *Task) error {
			t.run.(*attempt).stop(errors.New("no more"))
			<-ctx.Done()
			return ctx.Err()
		})
		s.meet("")
		a := s.give("k", "a")
		if o := s.endsAs(a, howFailed); o.Error != "no more" { // and was not given back, to be given again for ever
			s.Errorf("%+v", o)
		}
	})
}

func TestResultThatNoMessageCanCarryIsAFailure(t *testing.T) {
	onStage(t, Config{MaxBody: 200 << 10}, func(s *stage) {
		s.handle("k", func(ctx context.Context, t *Task) error {
			if t.ID() == "large" {
				return t.Return(make([]byte, 150<<10))
			}
			return nil
		})
		s.meet("")
		large, small := s.give("k", "large"), s.give("k", "small")
		s.endsAs(small, howDone)
		if o := s.endsAs(large, howFailed); !strings.Contains(o.Error, "too large") {
			s.Errorf("%+v", o)
		}
	}, conclavetest.Configure(func(_ string, cfg *node.Config) { cfg.Limits.MaxMessage = 100 << 10 }))
}
