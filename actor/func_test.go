package actor

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestFuncEndsWithWhatItReturns(t *testing.T) {
	s := newSystem(t)
	for _, c := range []struct {
		name string
		f    Func
		want error
	}{
		{"nil is Normal", func(*Process) error { return nil }, Normal},
		{"an error is itself", func(*Process) error { return errTest }, errTest},
		{"Goexit", func(*Process) error { runtime.Goexit(); return nil }, ErrGoexit},
		{"its own context's error, when nobody stopped it", func(*Process) error { return context.Canceled }, context.Canceled},
	} {
		if err := run(s, c.f); err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestPanicEndsOnlyItsProcess(t *testing.T) {
	s := newSystem(t)
	bystander := s.Spawn(untilDone)
	err := run(s, func(*Process) error { panic(errTest) })
	var panicked *PanicError
	if !errors.As(err, &panicked) || panicked.Value != errTest {
		t.Fatalf("reason %v, want a PanicError with the value", err)
	}
	wantErr(t, err, errTest) // a panic with an error wraps it
	if !strings.Contains(string(panicked.Stack), "TestPanicEndsOnlyItsProcess") {
		t.Errorf("the stack does not show who panicked:\n%s", panicked.Stack)
	}
	if err := run(s, func(*Process) error { panic("text") }); err.Error() != "panic: text" {
		t.Errorf("reason %q", err)
	}
	if err := run(s, func(*Process) error { panic(nil) }); !errors.As(err, &panicked) {
		t.Errorf("panic(nil): reason %v", err)
	}
	if !s.Alive(bystander) {
		t.Error("another process ended with it")
	}
}

func TestPanicAfterStopIsStillAPanic(t *testing.T) {
	s := newSystem(t)
	err := run(s, func(p *Process) error {
		p.Exit(p.Self(), errTest)
		panic("on the way out")
	})
	var panicked *PanicError
	if !errors.As(err, &panicked) {
		t.Fatalf("reason %v, want the panic", err)
	}
}

func TestStoppedProcessTakesTheReasonOfTheSignal(t *testing.T) {
	s := newSystem(t)
	for name, how := range map[string]func(p *Process) error{
		"returns what Receive says": func(p *Process) error { return untilDone(p) },
		"returns nil":               func(p *Process) error { <-p.Done(); return nil },
		"returns p.Err()":           func(p *Process) error { <-p.Done(); return p.Err() },
		"returns a wrapped context error": func(p *Process) error {
			<-p.Done()
			return fmt.Errorf("query: %w", p.Err())
		},
		"returns the cause": func(p *Process) error { <-p.Done(); return context.Cause(p) },
	} {
		pid := s.Spawn(how)
		s.Exit(pid, errTest)
		if err := ended(s, pid); err != errTest && err != NoProcess {
			t.Errorf("%s: %v", name, err)
		}
	}
	pid := s.Spawn(func(p *Process) error { <-p.Done(); return errors.New("clean-up failed") })
	s.Exit(pid, errTest)
	if err := ended(s, pid); err != NoProcess && err.Error() != "clean-up failed" {
		t.Errorf("an error of its own: %v", err)
	}
}

func TestProcessIsAContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		type key struct{}
		seen := make(chan error, 1)
		pid := s.Spawn(func(p *Process) error {
			if _, has := p.Deadline(); has || p.Err() != nil || context.Cause(p) != nil || p.Value(key{}) != nil {
				t.Error("a new process is not a fresh context")
			}
			ctx, cancel := context.WithTimeout(context.WithValue(p, key{}, 1), time.Hour)
			defer cancel()
			go func() { <-ctx.Done(); seen <- context.Cause(ctx) }()
			<-p.Done()
			if p.Err() != context.Canceled || context.Cause(p) != errTest || context.Cause(ctx) != errTest {
				t.Errorf("err %v, cause %v, derived cause %v", p.Err(), context.Cause(p), context.Cause(ctx))
			}
			return p.Err()
		})
		synctest.Wait()
		s.Exit(pid, errTest)
		if err := <-seen; err != errTest {
			t.Errorf("the derived context ended with %v", err)
		}
	})
}

func TestDerivedContextsEndWithTheProcess(t *testing.T) {
	s := newSystem(t)
	var early context.Context
	var process *Process
	cancelEarly := func() {}
	must(t, s, func(p *Process) error {
		process = p
		early, cancelEarly = context.WithCancel(p)
		return nil
	})
	defer cancelEarly()
	<-early.Done()
	if err := context.Cause(early); err != Normal {
		t.Errorf("cause %v, want Normal", err)
	}
	late, cancel := context.WithCancel(process)
	defer cancel()
	<-late.Done() // derived when all was over
	if process.Err() != context.Canceled || context.Cause(process) != Normal {
		t.Errorf("err %v, cause %v", process.Err(), context.Cause(process))
	}
}

// Whoever sees that a process is stopping sees the reason in its context too.
func TestCauseIsThereWhenReceiveFails(t *testing.T) {
	s := newSystem(t)
	for range 300 {
		pid := s.Spawn(func(p *Process) error {
			p.Done() // so that there is a context to cancel
			_, err := p.Receive()
			if err != errTest || context.Cause(p) != errTest || p.Err() == nil {
				t.Errorf("Receive says %v, the context %v because of %v", err, p.Err(), context.Cause(p))
			}
			return err
		})
		runtime.Gosched()
		s.Exit(pid, errTest)
		await(t, "its end", func() bool { return !s.Alive(pid) })
	}
}

func TestExitWithoutAReasonIsNormal(t *testing.T) {
	s := newSystem(t)
	for _, stop := range []func(pid PID){
		func(pid PID) { s.Exit(pid, nil) },
		func(pid PID) { _ = s.Stop(context.Background(), nil) },
	} {
		var cause error
		pid := s.Spawn(func(p *Process) error { <-p.Done(); cause = context.Cause(p); return nil })
		end := make(chan error, 1)
		s.AtEnd(pid, func(_ PID, reason error) { end <- reason })
		stop(pid)
		if err := <-end; err != Normal || cause != Normal {
			t.Errorf("reason %v, cause %v, want Normal for both", err, cause)
		}
	}
}

func TestProcessEndsItself(t *testing.T) {
	s := newSystem(t)
	err := run(s, func(p *Process) error {
		p.Exit(p.Self(), errTest)
		_, err := p.Receive()
		return err
	})
	wantErr(t, err, errTest)
}

func TestSendAfterSendsWhenTheTimeHasCome(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		must(t, s, func(p *Process) error {
			start := time.Now()
			timer := p.SendAfter(time.Second, p.Self(), "not this")
			p.SendAfter(2*time.Second, p.Self(), "this")
			if !timer.Stop() || timer.Stop() {
				t.Error("Stop says something else than what it did")
			}
			text, m, err := Expect[string](p)
			if err != nil || text != "this" || m.From != p.Self() || time.Since(start) != 2*time.Second {
				t.Errorf("%q from %v after %v, %v", text, m.From, time.Since(start), err)
			}
			return err
		})
		to := s.SpawnHandler(handlerFunc(func(*Process, Message) error {
			t.Error("a process that has ended still sent")
			return nil
		}))
		must(t, s, func(p *Process) error { p.SendAfter(time.Second, to, 1); return nil })
		time.Sleep(2 * time.Second)
	})
}
