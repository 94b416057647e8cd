package actor

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// linkedTo is a process linked to pid; its end comes out of the channel.
func linkedTo(s *System, pid PID, f Func) chan error {
	end := make(chan error, 1)
	s.Spawn(func(p *Process) error {
		p.Link(pid)
		return f(p)
	}, OnExit(func(_ PID, reason error) { end <- reason }))
	return end
}

func TestLinkedProcessesEndTogether(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		first := s.Spawn(untilDone)
		second := linkedTo(s, first, untilDone)
		third := linkedTo(s, first, func(p *Process) error { <-p.Done(); return p.Err() })
		synctest.Wait()
		s.Exit(first, errTest)
		if a, b := <-second, <-third; a != errTest || b != errTest {
			t.Errorf("reasons %v and %v", a, b)
		}
	})
}

func TestLinkWorksFromEitherSide(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		target := s.Spawn(untilDone)
		linker := linkedTo(s, target, func(p *Process) error { time.Sleep(time.Second); return errTest })
		end := ended(s, target)
		if a := <-linker; a != errTest || end != errTest {
			t.Errorf("reasons %v and %v", a, end)
		}
	})
}

func TestNormalEndLeavesLinkedProcessesAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		first := s.Spawn(func(p *Process) error { time.Sleep(time.Second); return nil })
		second := linkedTo(s, first, func(p *Process) error { time.Sleep(time.Minute); return p.Err() })
		if err := <-second; err != Normal {
			t.Errorf("reason %v", err)
		}
	})
}

func TestLinkToTheDeadIsNoProcess(t *testing.T) {
	s := newSystem(t)
	gone := s.Spawn(func(*Process) error { return nil })
	await(t, "its end", func() bool { return !s.Alive(gone) })
	if err := <-linkedTo(s, gone, untilDone); err != NoProcess {
		t.Errorf("reason %v", err)
	}
	elsewhere := MakePID(testNode("elsewhere"), 1)
	if err := <-linkedTo(s, elsewhere, untilDone); err != LinkLost {
		t.Errorf("to where no link leads: reason %v", err)
	}
	must(t, s, func(p *Process) error {
		p.Link(p.Self())
		p.Link(PID{})
		return p.Err()
	})
}

func TestTrappedExitsAreMail(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		must(t, s, func(p *Process) error {
			p.TrapExit(true)
			for _, reason := range []error{errTest, nil, Killed} {
				q := p.Spawn(func(*Process) error { return reason }, Linked())
				e, m, err := Expect[Exited](p)
				if err != nil || e.From != q || m.From != q || e.Reason != orNormal(reason) {
					return fmt.Errorf("%v: %v, %w", reason, e, err)
				}
			}
			s.Exit(p.Self(), errTest)
			if e, _, err := Expect[Exited](p); err != nil || !e.From.IsZero() || e.Reason != errTest {
				return fmt.Errorf("an Exit from outside: %v, %w", e, err)
			}
			p.TrapExit(false)
			p.Spawn(func(*Process) error { return errTest }, Linked())
			if _, err := p.Receive(); err != errTest {
				return fmt.Errorf("when it traps no longer: %w", err)
			}
			return Normal // nil would be the reason it was stopped for
		})
	})
}

func TestKilledCannotBeTrapped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		pid := s.Spawn(func(p *Process) error { p.TrapExit(true); return untilDone(p) })
		synctest.Wait()
		s.Exit(pid, Killed)
		if err := ended(s, pid); err != Killed && err != NoProcess {
			t.Errorf("reason %v", err)
		}
	})
}

func TestLinkedChildTellsItsParent(t *testing.T) {
	s := newSystem(t)
	err := run(s, func(p *Process) error {
		p.Spawn(func(*Process) error { panic(errTest) }, Linked())
		return untilDone(p)
	})
	var panicked *PanicError
	if !errors.As(err, &panicked) {
		t.Errorf("reason %v, want the child's panic", err)
	}
	child := make(chan error, 1)
	_ = run(s, func(p *Process) error {
		p.SpawnHandler(&Mux{}, Linked(), OnExit(func(_ PID, reason error) { child <- reason }))
		return errTest
	})
	wantErr(t, <-child, errTest)
	pid := s.Spawn(func(*Process) error { return nil }, Linked()) // no parent: no effect
	await(t, "its end", func() bool { return !s.Alive(pid) })
}

func TestUnlinkFromEitherSide(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		for name, unlink := range map[string]func(p, q *Process){
			"the one that linked": func(p, q *Process) { p.Unlink(q.Self()) },
			"the other one":       func(p, q *Process) { q.Unlink(p.Self()) },
		} {
			var q *Process
			ready := make(chan struct{})
			s.Spawn(func(p *Process) error {
				q = p
				close(ready)
				time.Sleep(time.Second)
				return errTest
			})
			<-ready
			must(t, s, func(p *Process) error {
				p.Link(q.Self())
				unlink(p, q)
				time.Sleep(time.Minute)
				if p.Err() != nil {
					return fmt.Errorf("%s unlinked, and it ends with the other", name)
				}
				return nil
			})
		}
	})
}

// What Unlink finds when it returns is how it stays.
func TestUnlinkAgainstExit(t *testing.T) {
	s := newSystem(t)
	for range 2000 {
		must(t, s, func(p *Process) error {
			left := make(chan struct{})
			q := p.Spawn(untilDone, OnExit(func(PID, error) { close(left) }))
			p.Link(q)
			s.Exit(q, errTest)
			runtime.Gosched()
			p.Unlink(q)
			stopped := p.Err() != nil
			<-left
			if !stopped && p.Err() != nil {
				return errors.New("stopped by the end of a process it had unlinked")
			}
			return Normal // stopped or not
		})
	}
}

// Everything a process sent before it ended is there before the news of its end.
func TestMailComesBeforeTheNewsOfTheEnd(t *testing.T) {
	w := newWire(t)
	here, _ := w.node("a")
	there, _ := w.node("b")
	for _, s := range []*System{here, there} {
		for range 100 {
			must(t, here, func(p *Process) error {
				p.TrapExit(true)
				q := s.Spawn(func(q *Process) error {
					if _, err := q.Receive(); err != nil {
						return err
					}
					for i := range 10 {
						_ = q.Send(p.Self(), i)
					}
					return nil
				})
				p.Link(q)
				ref := p.Monitor(q)
				_ = p.Send(q, "go")
				for i := range 10 {
					if m, err := p.Receive(); err != nil || m.Body() != i {
						return fmt.Errorf("%v, %w before message %d", m.Body(), err, i)
					}
				}
				seen := 0
				for range 2 {
					m, err := p.Receive()
					if err != nil {
						return err
					}
					if d, ok := As[Down](m); ok && d == (Down{ref, q, Normal}) {
						seen++
					}
					if e, ok := As[Exited](m); ok && e == (Exited{q, Normal}) {
						seen++
					}
				}
				if seen != 2 {
					return errors.New("not both of Down and Exited")
				}
				return nil
			})
		}
	}
}
