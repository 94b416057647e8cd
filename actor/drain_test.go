package actor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAwaitIdleWaitsForAllThatFollowsFromTheMail(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		done := 0
		// Each passes its mail on to the next, of either kind, a second later.
		next := PID{}
		for i := range 10 {
			to := next
			pass := func(p *Process) error {
				time.Sleep(time.Second)
				if to.IsZero() {
					done++
					return nil
				}
				return p.Send(to, "next")
			}
			if i%2 == 0 {
				next = s.SpawnHandler(handlerFunc(func(p *Process, _ Message) error { return pass(p) }))
				continue
			}
			next = s.Spawn(func(p *Process) error {
				for {
					if _, _, err := Expect[string](p); err != nil {
						return err
					}
					if err := pass(p); err != nil {
						return err
					}
				}
			})
		}
		for range 3 {
			if err := s.Send(t.Context(), next, "first"); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		if err := s.AwaitIdle(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); done != 3 || took < 12*time.Second || took > 12*time.Second+time.Second/2 {
			t.Errorf("%d arrived, after %v", done, took)
		}
	})
}

func TestAwaitIdleWaitsForProcessesWithoutMail(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		s.Spawn(func(p *Process) error { time.Sleep(time.Minute); return nil })
		callee := s.Spawn(func(p *Process) error {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			p.Spawn(func(q *Process) error { time.Sleep(2 * time.Minute); return q.Reply(m, "done") })
			return untilDone(p)
		})
		s.Spawn(func(p *Process) error { _, err := Call[string](p, callee, "work"); return err })
		began := time.Now()
		if err := s.AwaitIdle(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took < 2*time.Minute || took > 125*time.Second {
			t.Errorf("idle after %v", took)
		}
	})
}

func TestAwaitIdleLeavesOutWhoHasNothingToFinish(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		tenure, _ := lapsing(t)
		blocked := func(p *Process) error { <-p.Done(); return nil }
		s.Spawn(blocked, Endless())
		s.Spawn(blocked, InTenure(tenure))
		s.Spawn(untilDone)
		picky := s.Spawn(func(p *Process) error { _, _, err := Expect[int](p); return err })
		if err := s.Send(t.Context(), picky, "not what it waits for"); err != nil {
			t.Fatal(err)
		}
		s.SendAfter(time.Hour, picky, 1)
		synctest.Wait()
		began := time.Now()
		if err := s.AwaitIdle(t.Context()); err != nil || time.Since(began) > 0 {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		tenure.End(nil)
	})
}

func TestAwaitIdleSaysWhoIsNotDone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		pid := s.Spawn(func(p *Process) error { <-p.Done(); return nil })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.AwaitIdle(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), pid.String()) {
			t.Errorf("%v", err)
		}
	})
}

// Mail that is passed round is always somewhere, though each process is idle most
// of the time, and no survey sees them all at once: one that goes up the table and
// a message that comes down may well miss each other.
func TestMailThatGoesRoundIsNeverOverlooked(t *testing.T) {
	s := newSystem(t)
	const ring, rounds = 20, 5000
	over := make(chan struct{})
	pids := make([]PID, ring)
	for i := range ring {
		pids[i] = s.SpawnHandler(handlerFunc(func(p *Process, m Message) error {
			left, _ := As[int](m)
			if left == 0 {
				close(over)
				return nil
			}
			return p.Send(pids[(i+ring-1)%ring], left-1)
		}))
	}
	if err := s.Send(t.Context(), pids[0], ring*rounds); err != nil {
		t.Fatal(err)
	}
	for looks := 0; ; looks++ {
		idle := s.idle()
		select {
		case <-over:
			t.Logf("%d looks", looks)
			return
		default:
			if idle {
				t.Fatalf("look %d: idle while mail goes round", looks)
			}
		}
	}
}

func TestSurveysDifferWhenSomethingWasDoneInBetween(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		for _, pid := range []PID{s.Spawn(untilDone), s.SpawnHandler(handlerFunc(func(*Process, Message) error { return nil }))} {
			synctest.Wait()
			first := s.survey()
			if again := s.survey(); first.busy != 0 || again != first {
				t.Errorf("%+v and %+v with nothing in between", first, again)
			}
			if err := s.Send(t.Context(), pid, 1); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if again := s.survey(); again.busy != 0 || again == first {
				t.Errorf("%+v again after a message", again)
			}
		}
	})
}
