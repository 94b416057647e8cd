package task

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"
)

// takes has somebody take, and returns who gets it.
func (s *stage) takes(ctx context.Context, kinds ...string) chan taken {
	ch := make(chan taken, 1)
	go func() {
		l, err := s.w.take(ctx, kinds...)
		ch <- taken{l, err}
	}()
	s.Settle()
	return ch
}

// leased takes a task that is given then.
func (s *stage) leased(id string, change ...func(*assignment)) (*Lease, assignment) {
	s.Helper()
	ch := s.takes(s.Context(), "k")
	if guid, _ := s.znode(); guid == "" || s.last() == nil {
		s.meet("")
	}
	a := s.give("k", id, change...)
	got := <-ch
	if got.err != nil {
		s.Fatal(got.err)
	}
	return got.lease, a
}

func TestTakenTaskIsDoneWhenItsCompletionIsRecorded(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		ctx := s.Context()
		l, a := s.leased("x", func(a *assignment) { a.Meta = map[string]string{"m": "n"} })
		if l.ID() != "x" || l.Fence() != a.Fence || l.Meta()["m"] != "n" {
			s.Errorf("%+v", l.Task)
		}
		if err := errors.Join(l.Heartbeat(), l.Progress(ctx, 7), l.Check()); err != nil {
			s.Error(err)
		}
		if err := l.Complete(ctx, make([]byte, DefaultMaxBody+1)); !errors.Is(err, ErrTooLarge) {
			s.Errorf("a result too large: %v", err)
		}
		if err := l.Complete(ctx, nil, Of("", 1)); !errors.Is(err, ErrBadTask) {
			s.Errorf("a follower without a kind: %v", err)
		}
		s.hush(true)
		short, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if err := l.Complete(short, "done", Of("next", 1)); !errors.Is(err, context.DeadlineExceeded) {
			s.Errorf("while nothing is recorded: %v", err)
		}
		s.hush(false)
		if err := l.Complete(ctx, "ignored"); err != nil { // the same word again
			s.Error(err)
		}
		var text string
		o := s.endsAs(a, howDone)
		if err := decode(o.Result, &text); err != nil || text != "done" || len(o.Then) != 1 {
			s.Errorf("%q, %v: %+v", text, err, o)
		}
		if err := l.Fail(ctx, nil); !errors.Is(err, ErrState) {
			s.Errorf("failing what is done: %v", err)
		}
		if err := l.Heartbeat(); !errors.Is(err, ErrState) {
			s.Errorf("a heartbeat of what is done: %v", err)
		}
	})
}

// Whose time is up as the answer comes is told the answer.
func TestWhatIsRecordedIsToldThoughTheTimeIsUp(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		l, _ := s.leased("x")
		if err := l.Complete(s.Context(), nil); err != nil {
			s.Fatal(err)
		}
		over, cancel := context.WithCancel(s.Context())
		cancel()
		for range 100 {
			if err := l.Complete(over, nil); err != nil {
				s.Fatalf("what was recorded is told as %v", err)
			}
		}
	})
}

func TestWaysInWhichALeaseEnds(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		ctx := s.Context()
		for i, c := range []struct {
			say  func(*Lease) error
			want outcome
		}{
			{func(l *Lease) error { return l.Complete(ctx, nil) }, outcome{How: howDone}},
			{func(l *Lease) error { return l.Fail(ctx, errors.New("broken")) }, outcome{How: howFailed, Error: "broken"}},
			{func(l *Lease) error { return l.Again(ctx, time.Second) }, outcome{How: howAgain, Delay: 1000}},
			{func(l *Lease) error { return l.Discard(ctx, errors.New("no use")) }, outcome{How: howDiscard, Error: "no use"}},
			{func(l *Lease) error { return l.Release(ctx) }, outcome{How: howReleased}},
		} {
			l, a := s.leased(fmt.Sprint(i))
			if err := c.say(l); err != nil {
				s.Error(err)
			}
			if o := s.ends(a); o.How != c.want.How || o.Error != c.want.Error || o.Delay != c.want.Delay {
				s.Errorf("%d: %+v", i, o)
			}
		}
	})
}

func TestTakersAreOfferedASlotEach(t *testing.T) {
	onStage(t, Config{Slots: 2}, func(s *stage) {
		ctx, cancel := context.WithCancel(s.Context())
		defer cancel()
		ab := s.takes(ctx, "a", "b", "a")
		s.meet("")
		if h := s.last(); h.Slots != 1 || !maps.Equal(kindsOf(h), map[string]int{"a": 1, "b": 1}) {
			s.Errorf("it says %+v", h)
		}
		s.handle("a", (&rehearsal{}).handle)
		b := s.takes(ctx, "b")
		s.Await("all", func() bool {
			h := s.last()
			return h.Slots == 4 && maps.Equal(kindsOf(h), map[string]int{"a": 3, "b": 2})
		})
		x := s.give("b", "x")
		got := <-ab
		s.Await("what is left", func() bool {
			h := s.last()
			return h.Slots == 4 && maps.Equal(kindsOf(h), map[string]int{"a": 2, "b": 2}) && has(h, x)
		})
		cancel()
		if got := <-b; !errors.Is(got.err, context.Canceled) {
			s.Error(got.err)
		}
		if err := got.lease.Complete(s.Context(), nil); err != nil {
			s.Error(err)
		}
		s.Await("the handler only", func() bool {
			h := s.last()
			return h.Slots == 2 && maps.Equal(kindsOf(h), map[string]int{"a": 2})
		})
	})
}

func TestTaskOfATakerThatHasGoneGoesBack(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		ctx, cancel := context.WithCancel(s.Context())
		ch := s.takes(ctx, "k")
		guid := s.meet("")
		cancel()
		if got := <-ch; got.lease != nil || !errors.Is(got.err, context.Canceled) {
			s.Errorf("%+v", got)
		}
		s.endsAs(s.giveTo(guid, "k", "late"), howReleased) // given before the dispatcher had heard
		gone, cancel := context.WithCancel(s.Context())
		cancel()
		for i := range 20 { // and one that comes when it has just gone
			t := &taker{[]string{"k"}, make(chan taken, 1)}
			s.w.post(t)
			s.Settle()
			a := s.giveTo(guid, "k", fmt.Sprint(i))
			s.Settle()
			if len(t.ch) != 1 {
				s.Fatal("nothing has come")
			}
			if l, _ := s.w.handed(gone, t); l != nil {
				l.Release(s.Context())
			}
			s.endsAs(a, howReleased)
		}
	})
}

func TestLeaseThatShowsNoLifeHasFailed(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		for _, c := range []struct {
			what  string
			beat  time.Duration
			quiet time.Duration
			want  time.Duration
		}{{"default", 0, 0, 30 * time.Second}, {"task's", 7 * time.Second, 0, 7 * time.Second}, {"set", 0, 90 * time.Second, 90 * time.Second}, {"shorter", 7 * time.Second, time.Second, time.Second}} {
			l, a := s.leased(c.what, beating(c.beat))
			if c.quiet > 0 {
				l.Quiet(c.quiet)
			}
			for range 5 {
				time.Sleep(c.want - 10*time.Millisecond)
				if err := l.Heartbeat(); err != nil {
					s.Fatalf("%s: %v", c.what, err)
				}
			}
			at := time.Now()
			<-l.Context().Done()
			if d := time.Since(at); d != c.want {
				s.Errorf("%s: after %v", c.what, d)
			}
			if o := s.endsAs(a, howFailed); o.Error != ErrHeartbeat.Error() {
				s.Errorf("%+v", o)
			}
			err := l.Complete(s.Context(), nil)
			if !errors.Is(err, ErrLost) || !errors.Is(err, ErrHeartbeat) || !errors.Is(l.Heartbeat(), ErrHeartbeat) {
				s.Errorf("%s: late: %v, %v", c.what, err, l.Heartbeat())
			}
		}
		if s.happened(TaskStuck) > 0 {
			s.Error("a lease was told to be stuck")
		}
	})
}

func TestLeaseHearsOfItsEnd(t *testing.T) {
	onStage(t, Config{Grace: 10 * time.Second}, func(s *stage) {
		ctx := s.Context()
		l, a := s.leased("cancelled")
		s.say(&abandon{List: []held{{a.ID, a.Fence}}, Why: whyCancelled})
		s.Settle()
		if err := l.Heartbeat(); !errors.Is(err, ErrCancelled) {
			s.Errorf("cancelled: %v", err)
		}
		if err := l.Fail(ctx, errors.New("stopped")); err != nil {
			s.Error(err)
		}
		s.endsAs(a, howDiscard)

		_, a = s.leased("ignores")
		s.say(&abandon{List: []held{{a.ID, a.Fence}}, Why: whyCancelled})
		s.endsAs(a, howDiscard)

		l, a = s.leased("slow", within(time.Minute))
		for l.Heartbeat() == nil {
			time.Sleep(time.Second)
		}
		if o := s.endsAs(a, howFailed); o.Error != ErrTimeout.Error() {
			s.Errorf("%+v", o)
		}
		if err := l.Complete(ctx, nil); !errors.Is(err, ErrLost) || !errors.Is(err, ErrTimeout) {
			s.Error(err)
		}

		l, a = s.leased("lost")
		s.deleteZnode(s.last().Worker)
		s.Settle()
		if err := l.Heartbeat(); !errors.Is(err, ErrLost) {
			s.Errorf("lost: %v", err)
		}
		if err := l.Complete(ctx, nil); !errors.Is(err, ErrLost) {
			s.Errorf("lost: %v", err)
		}
		if o := s.ends(a); o.How != howLost {
			s.Errorf("%+v", o)
		}
		if s.happened(TaskStuck) > 0 {
			s.Error("a lease was told to be stuck")
		}
	})
}

func TestRefusedCompletionIsLost(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		l, a := s.leased("x")
		s.hush(true)
		fate := make(chan error, 1)
		go func() { fate <- l.Complete(s.Context(), nil) }()
		s.endsAs(a, howDone)
		s.say(&recorded{List: []verdict{{ID: "x", Fence: a.Fence, Refused: true}}})
		if err := <-fate; !errors.Is(err, ErrLost) {
			s.Error(err)
		}
	})
}

func TestCompletionThatNobodyRecordsIsLostWithThePermit(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		l, a := s.leased("x")
		s.hush(true)
		fate := make(chan error, 1)
		go func() { fate <- l.Complete(s.Context(), nil) }()
		s.endsAs(a, howDone)
		s.ExpireSession(0)
		if err := <-fate; !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "may have been recorded") {
			s.Error(err)
		}
	})
}

func TestTakersAndLeasesEndWithTheWorker(t *testing.T) {
	onStage(t, Config{Grace: 10 * time.Second}, func(s *stage) {
		l, a := s.leased("x")
		ch := s.takes(s.Context(), "k")
		left := make(chan error, 1)
		go func() { left <- s.leaves(time.Minute) }()
		if got := <-ch; !errors.Is(got.err, ErrClosed) {
			s.Error(got.err)
		}
		for range 6 {
			time.Sleep(10 * time.Second)
			l.Heartbeat()
		}
		s.Settle()
		if err := l.Heartbeat(); !errors.Is(err, ErrClosed) {
			s.Error(err)
		}
		if err := l.Release(s.Context()); err != nil {
			s.Error(err)
		}
		s.endsAs(a, howReleased)
		if err := <-left; err != nil {
			s.Error(err)
		}
	})
}

func TestNobodyTakesNoKindOrABadOne(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		for _, kinds := range [][]string{nil, {""}, {"a", "b\x00"}, {strings.Repeat("x", MaxName+1)}} {
			if l, err := s.w.take(s.Context(), kinds...); err == nil || l != nil {
				s.Errorf("%q: %v, %v", kinds, l, err)
			}
		}
	})
}

func TestManyTakersFromManyGoroutines(t *testing.T) {
	onStage(t, Config{}, func(s *stage) {
		const takers, each = 20, 30
		var all sync.WaitGroup
		var mu sync.Mutex
		got := make(map[string]int)
		for range takers {
			all.Go(func() {
				for {
					ctx, cancel := context.WithTimeout(s.Context(), time.Minute)
					l, err := s.w.take(ctx, "k")
					cancel()
					if err != nil {
						return
					}
					l.Heartbeat()
					mu.Lock()
					got[l.ID()]++
					mu.Unlock()
					if err := l.Complete(s.Context(), l.ID()); err != nil {
						s.Error(err)
					}
				}
			})
		}
		guid := s.meet("")
		n := 0
		for n < takers*each {
			time.Sleep(time.Millisecond)
			h := s.last()
			a := &assign{Worker: guid}
			for range min(h.Slots-len(h.Running), takers*each-n) { // what is offered, and so at times too many
				s.fence++
				a.Tasks = append(a.Tasks, assignment{ID: fmt.Sprint(s.fence), Kind: "k", Fence: s.fence})
				n++
			}
			s.say(a)
		}
		all.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		ended := make(map[string]bool)
		for _, o := range s.told {
			ended[o.ID] = true
			if o.How == howDone != (got[o.ID] == 1) || got[o.ID] > 1 {
				s.Errorf("%s was taken %d times and has ended as %d", o.ID, got[o.ID], o.How)
			}
		}
		if len(ended) != n {
			s.Errorf("%d of %d have ended", len(ended), n)
		}
		s.Logf("%d of %d were taken", len(got), n)
	})
}
