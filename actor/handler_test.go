package actor

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestHandlerEndsWithItsFirstError(t *testing.T) {
	s := newSystem(t)
	for _, c := range []struct {
		name string
		h    handlerFunc
		is   func(error) bool
	}{
		{"an error", func(*Process, Message) error { return errTest }, func(err error) bool { return err == errTest }},
		{"Normal", func(*Process, Message) error { return Normal }, func(err error) bool { return err == Normal }},
		{"Goexit", func(*Process, Message) error { runtime.Goexit(); return nil }, func(err error) bool { return err == ErrGoexit }},
		{"a panic", func(*Process, Message) error { panic(errTest) }, func(err error) bool {
			var panicked *PanicError
			return errors.As(err, &panicked) && errors.Is(err, errTest)
		}},
	} {
		end := make(chan error, 2)
		pid := s.SpawnHandler(c.h, OnExit(func(_ PID, reason error) { end <- reason }))
		for range 3 {
			_ = s.Send(context.Background(), pid, 1) // only the first is handled
		}
		if err := <-end; !c.is(err) {
			t.Errorf("%s: reason %v", c.name, err)
		}
	}
}

func TestIdleHandlerOwnsNoGoroutine(t *testing.T) {
	s := newSystem(t)
	before := runtime.NumGoroutine()
	var handled atomic.Int64
	var pids []PID
	for range 1000 {
		pids = append(pids, s.SpawnHandler(handlerFunc(func(*Process, Message) error { handled.Add(1); return nil })))
	}
	for _, pid := range pids {
		_ = s.Send(context.Background(), pid, 1)
	}
	await(t, "1000 messages", func() bool { return handled.Load() == 1000 })
	await(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before+maxIdle })
}

func TestIdleHandlerIsStoppedAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		pid := s.SpawnHandler(handlerFunc(func(*Process, Message) error { return nil }))
		_ = s.Send(context.Background(), pid, 1)
		synctest.Wait()
		s.Exit(pid, errTest)
		if err := ended(s, pid); err != errTest && err != NoProcess {
			t.Errorf("reason %v", err)
		}
	})
}

func TestBusyHandlerSeesThatItMustStop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		pid := s.SpawnHandler(handlerFunc(func(p *Process, _ Message) error {
			<-p.Done()
			return context.Cause(p)
		}))
		_ = s.Send(context.Background(), pid, 1)
		synctest.Wait()
		s.Exit(pid, errTest)
		if err := ended(s, pid); err != errTest && err != NoProcess {
			t.Errorf("reason %v", err)
		}
	})
}

func TestHandlerCannotReceive(t *testing.T) {
	s := newSystem(t)
	errs := make(chan error, 3)
	pid := s.SpawnHandler(handlerFunc(func(p *Process, _ Message) error {
		_, err := p.Receive()
		errs <- err
		_, err = p.ReceiveTimeout(time.Hour)
		errs <- err
		_, _, err = Expect[int](p)
		errs <- err
		return nil
	}))
	_ = s.Send(context.Background(), pid, 1)
	for range 3 {
		wantErr(t, <-errs, ErrNotInHandler)
	}
}

func TestHandlerCalls(t *testing.T) {
	s := newSystem(t)
	echo := s.Spawn(echoing)
	got := make(chan int, 1)
	pid := s.SpawnHandler(handlerFunc(func(p *Process, m Message) error {
		n, _ := As[int](m)
		reply, err := Call[int](p, echo, n)
		got <- reply
		return err
	}))
	for i := range 100 {
		_ = s.Send(context.Background(), pid, i)
	}
	for i := range 100 {
		if n := <-got; n != i {
			t.Fatalf("reply %d, want %d: mail and replies are mixed up", n, i)
		}
	}
}

// However senders, the end of the work and the going idle interleave: one
// message is handled at a time, each once, in order, and none is left lying.
func TestHandlerNeverRunsTwiceNorSleepsOnMail(t *testing.T) {
	s := newSystem(t)
	const senders, each = 4, 3000
	var at, handled atomic.Int64
	last := make([]int, senders)
	pid := s.SpawnHandler(handlerFunc(func(_ *Process, m Message) error {
		if at.Add(1) != 1 {
			t.Error("two goroutines handle mail of one process")
		}
		v := m.Body().([2]int)
		if v[1] != last[v[0]]+1 {
			t.Errorf("sender %d: %d after %d", v[0], v[1], last[v[0]])
		}
		last[v[0]] = v[1]
		at.Add(-1)
		handled.Add(1)
		return nil
	}))
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			for n := 1; n <= each; n++ {
				_ = s.Send(context.Background(), pid, [2]int{i, n})
				if n%3 == 0 {
					runtime.Gosched() // let it go idle
				}
			}
		})
	}
	wg.Wait()
	await(t, "all mail", func() bool { return handled.Load() == senders*each })
}

// Mail, exit signals and panics at the same moment: the process leaves once.
func TestHandlerLeavesOnce(t *testing.T) {
	s := newSystem(t)
	for i := range 300 {
		var left atomic.Int64
		pid := s.SpawnHandler(handlerFunc(func(_ *Process, m Message) error {
			if m.Body() == "panic" {
				panic("as told")
			}
			return nil
		}), OnExit(func(PID, error) { left.Add(1) }))
		var wg sync.WaitGroup
		wg.Go(func() { _ = s.Send(context.Background(), pid, "work") })
		wg.Go(func() { s.Exit(pid, errTest) })
		wg.Go(func() {
			if i%2 == 0 {
				_ = s.Send(context.Background(), pid, "panic")
			}
		})
		wg.Wait()
		await(t, "its end", func() bool { return left.Load() > 0 })
		if n := left.Load(); n != 1 {
			t.Fatalf("left %d times", n)
		}
	}
	await(t, "all to have left", func() bool {
		s.stopMu.Lock()
		defer s.stopMu.Unlock()
		return s.living == 0
	})
	checkEmpty(t, s)
}
