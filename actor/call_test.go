package actor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// openCalls is how many calls to pid wait for an answer.
func openCalls(s *System, pid PID) (n int) {
	p := s.table.get(pid.serial)
	if p == nil {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := p.calls; c != nil; c = c.next {
		n++
	}
	return n
}

func TestCallGetsItsReply(t *testing.T) {
	s := newSystem(t)
	echo := s.Spawn(echoing)
	must(t, s, func(p *Process) error {
		_ = p.Send(p.Self(), "other mail")
		if n, err := Call[int](p, echo, 5); n != 5 || err != nil {
			return fmt.Errorf("%d, %w", n, err)
		}
		if o, err := Call[*order](p, echo, order{Item: "pot"}); err != nil || o.Item != "pot" {
			return fmt.Errorf("a pointer asked for, a value answered: %v, %w", o, err)
		}
		if _, err := Call[string](p, echo, 5); !errors.Is(err, ErrUnexpectedReply) {
			return fmt.Errorf("an int for a string: %w", err)
		}
		m, err := p.Receive()
		if m.Body() != "other mail" {
			return errors.New("other mail did not wait its turn")
		}
		return err
	})
	if n := openCalls(s, echo); n != 0 {
		t.Errorf("%d calls are still open", n)
	}
}

func TestReplyFailsACallWithItsError(t *testing.T) {
	s := newSystem(t)
	pid := s.SpawnHandler(handlerFunc(func(p *Process, m Message) error {
		if err := p.Reply(m, errTest); err != nil {
			t.Error(err)
		}
		wantErr(t, p.Reply(m, "again"), ErrNoReplyWanted)
		return nil
	}))
	must(t, s, func(p *Process) error {
		_, err := Call[int](p, pid, 1)
		wantErr(t, err, errTest)
		wantErr(t, p.Reply(Message{}, 1), ErrNoReplyWanted)
		return nil
	})
}

func TestAnotherProcessMayReply(t *testing.T) {
	s := newSystem(t)
	front := s.SpawnHandler(handlerFunc(func(p *Process, m Message) error {
		p.Spawn(func(helper *Process) error { return helper.Reply(m, helper.Self()) })
		return nil
	}))
	must(t, s, func(p *Process) error {
		m, err := p.Request(front, 1)
		if err != nil || m.Body() != m.From || m.From == front {
			return fmt.Errorf("%v from %s, %w", m.Body(), m.From, err)
		}
		return nil
	})
}

func TestCallToNobody(t *testing.T) {
	s := newSystem(t)
	gone := s.Spawn(func(*Process) error { return nil })
	await(t, "its end", func() bool { return !s.Alive(gone) })
	must(t, s, func(p *Process) error {
		_, err := Call[int](p, gone, 1)
		var ended *EndedError
		if !errors.As(err, &ended) || ended.PID != gone || !errors.Is(err, NoProcess) {
			return fmt.Errorf("to one that ended: %w", err)
		}
		if _, err = Call[int](p, PID{}, 1); !errors.Is(err, NoProcess) {
			return fmt.Errorf("to the zero PID: %w", err)
		}
		if _, err = Call[int](p, MakePID(testNode("elsewhere"), 1), 1); !errors.Is(err, LinkLost) {
			return fmt.Errorf("to a node without a link: %w", err)
		}
		return nil
	})
}

func TestCallerLearnsThatTheCalleeEnded(t *testing.T) {
	for name, c := range map[string]struct {
		callee Func
		want   error
	}{
		"with an error":    {func(p *Process) error { _, _ = p.Receive(); return errTest }, errTest},
		"well":             {func(p *Process) error { _, _ = p.Receive(); return nil }, Normal},
		"in a panic":       {func(p *Process) error { _, _ = p.Receive(); panic(errTest) }, errTest},
		"without reading":  {func(p *Process) error { synctest.Wait(); return errTest }, NoProcess},
		"after it was cut": {func(p *Process) error { _, _ = p.Receive(); p.Exit(p.Self(), Killed); return nil }, Killed},
	} {
		bubble(t, func(t *testing.T) {
			s := newSystem(t)
			callee := s.Spawn(c.callee)
			must(t, s, func(p *Process) error {
				_, err := Call[int](p, callee, 1)
				var ended *EndedError
				if !errors.As(err, &ended) || ended.PID != callee || !errors.Is(err, NoProcess) || !errors.Is(err, c.want) {
					t.Errorf("%s: %v, want it to wrap NoProcess and %v", name, err, c.want)
				}
				return nil
			})
		})
	}
}

func TestCallToItselfIsAnError(t *testing.T) {
	s := newSystem(t)
	must(t, s, func(p *Process) error {
		if _, err := Call[int](p, p.Self(), 1); err == nil {
			return errors.New("it answered itself")
		}
		return nil
	})
}

func TestCallWithinItsBound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var dead letters
		s := newSystem(t, collecting(&dead))
		late := make(chan error, 1)
		callee := s.Spawn(func(p *Process) error {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			time.Sleep(time.Minute)
			late <- p.Reply(m, "too late")
			return untilDone(p)
		})
		must(t, s, func(p *Process) error {
			start := time.Now()
			_, err := Call[string](p.Within(time.Second), callee, 1)
			if wantErr(t, err, ErrTimeout); time.Since(start) != time.Second {
				t.Errorf("gave up after %v", time.Since(start))
			}
			if n := openCalls(s, callee); n != 0 {
				t.Errorf("%d calls are still open at the callee", n)
			}
			if err := <-late; err != nil {
				t.Errorf("the late reply: %v", err)
			}
			if m, err := p.ReceiveTimeout(time.Hour); err != ErrTimeout {
				t.Errorf("%v came as mail", m.Body())
			}
			return nil
		})
		if got := dead.list(); len(got) != 1 || got[0].Reason != DeadLateReply || got[0].Type != "string" {
			t.Errorf("dead letters %v, want the late reply", got)
		}
	})
}

// The bound is kept when it is the sending that waits.
func TestCallWithinItsBoundWhenThereIsNoRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWire(t)
		here, _ := w.node("a")
		there, _ := w.node("b")
		stuck := here.Spawn(func(p *Process) error { <-p.Done(); return nil },
			WithMailbox(Mailbox{Limit: 1, Policy: Wait}))
		_ = here.Send(t.Context(), stuck, "fills it")
		for _, s := range []*System{here, there} {
			must(t, s, func(p *Process) error {
				for range 2 { // from elsewhere, the first goes into the reserve
					start := time.Now()
					_, err := Call[int](p.Within(time.Second), stuck, 1)
					if wantErr(t, err, ErrTimeout); time.Since(start) != time.Second {
						t.Errorf("gave up after %v", time.Since(start))
					}
				}
				return nil
			})
		}
		synctest.Wait()
		if n := openCalls(here, stuck); n != 0 {
			t.Errorf("%d calls are still open at the callee", n)
		}
	})
}

// A reply that comes at the moment of the timeout is the reply or a dead
// letter, and never the answer to the next call.
func TestReplyAgainstTimeout(t *testing.T) {
	var dead letters
	s := newSystem(t, collecting(&dead))
	echo := s.Spawn(echoing)
	timeouts := 0
	must(t, s, func(p *Process) error {
		for i := range 3000 {
			n, err := Call[int](p.Within(time.Duration(i%30)*time.Microsecond), echo, i)
			switch {
			case errors.Is(err, ErrTimeout):
				timeouts++
			case err != nil:
				return err
			case n != i:
				return fmt.Errorf("call %d got the reply of call %d", i, n)
			}
		}
		_, err := Call[int](p, echo, 1)
		return err
	})
	if n := int(s.DeadLetters(DeadLateReply)); n != timeouts || openCalls(s, echo) != 0 {
		t.Errorf("%d calls timed out, %d replies were late, %d are open", timeouts, n, openCalls(s, echo))
	}
}

func TestCallEndsWhenTheCallerMustStop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		silent := s.Spawn(untilDone)
		caller := s.Spawn(func(p *Process) error {
			_, err := Call[int](p, silent, 1)
			if err != errTest {
				t.Errorf("the call ended with %v", err)
			}
			if _, again := Call[int](p, silent, 1); again != errTest {
				t.Errorf("a call of one that must stop: %v", again)
			}
			return err
		})
		synctest.Wait()
		s.Exit(caller, errTest)
		synctest.Wait()
		if s.Alive(caller) || openCalls(s, silent) != 0 {
			t.Errorf("alive: %v, open calls: %d", s.Alive(caller), openCalls(s, silent))
		}
	})
}

func TestManyCallersOneCallee(t *testing.T) {
	s := newSystem(t)
	echo := s.SpawnHandler(handlerFunc(func(p *Process, m Message) error { return p.Reply(m, m.Body()) }))
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			must(t, s, func(p *Process) error {
				for n := range 300 {
					if got, err := Call[int](p, echo, i*1000+n); got != i*1000+n || err != nil {
						return fmt.Errorf("%d, %w", got, err)
					}
				}
				return nil
			})
		})
	}
	wg.Wait()
	if n := openCalls(s, echo); n != 0 {
		t.Errorf("%d calls are still open", n)
	}
}

func TestCallsOfTheNodeItself(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		echo, silent := s.Spawn(echoing), s.Spawn(untilDone)
		m, err := s.Request(t.Context(), echo, 5)
		if err != nil || m.Body() != 5 || m.From != echo {
			t.Errorf("%v from %s, %v", m.Body(), m.From, err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errTest)
		defer cancel()
		_, err = s.Request(ctx, silent, 1)
		if wantErr(t, err, errTest); openCalls(s, silent) != 0 {
			t.Error("the call that was given up is still open")
		}
		end := make(chan error, 1)
		go func() {
			_, err := s.Request(context.Background(), silent, 1)
			end <- err
		}()
		synctest.Wait()
		s.Exit(silent, errTest)
		err = <-end
		wantErr(t, err, NoProcess)
		wantErr(t, err, errTest)
		_, err = s.Request(t.Context(), silent, 1)
		wantErr(t, err, NoProcess)
		_, err = s.Request(t.Context(), PID{}, 1)
		wantErr(t, err, NoProcess)
	})
}

// What a Router sees of a bounded call is a context like any other.
func TestBoundOfACallIsAContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		var seen []error
		must(t, s, func(p *Process) error {
			ctx := &boundContext{Process: p, until: time.Now().Add(time.Second)}
			defer ctx.end()
			if at, ok := ctx.Deadline(); !ok || time.Until(at) != time.Second || ctx.Err() != nil || ctx.Value(1) != nil {
				t.Errorf("deadline %v, error %v", at, ctx.Err())
			}
			derived, cancel := context.WithCancel(ctx)
			defer cancel()
			<-derived.Done()
			seen = append(seen, ctx.Err(), context.Cause(derived))

			ctx = &boundContext{Process: p, until: time.Now().Add(time.Hour)}
			defer ctx.end()
			p.Exit(p.Self(), errTest)
			<-ctx.Done()
			seen = append(seen, ctx.Err(), context.Cause(ctx))
			return Normal
		})
		if got := fmt.Sprint(seen); got != fmt.Sprint([]error{context.DeadlineExceeded, ErrTimeout, context.Canceled, errTest}) {
			t.Error(got)
		}
	})
}
