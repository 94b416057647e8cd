package task

import (
	"conclave/actor"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

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
