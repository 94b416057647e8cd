package actor

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

func TestMonitorTellsTheReason(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		must(t, s, func(p *Process) error {
			for _, want := range []error{errTest, Normal, Killed} {
				q := p.Spawn(func(*Process) error { time.Sleep(time.Second); return want })
				first, second := p.Monitor(q), p.Monitor(q)
				refs := map[Ref]bool{first: true, second: true}
				for range 2 {
					d, m, err := Expect[Down](p)
					if err != nil || m.From != q || d.PID != q || d.Reason != want || !refs[d.Ref] {
						return fmt.Errorf("%v: %v, %w", want, d, err)
					}
					delete(refs, d.Ref)
				}
			}
			return nil
		})
	})
}

func TestMonitorOfWhatIsNotThere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		gone := s.Spawn(func(*Process) error { return errTest })
		synctest.Wait()
		elsewhere := MakePID(testNode("elsewhere"), 1)
		must(t, s, func(p *Process) error {
			for pid, want := range map[PID]error{gone: NoProcess, {}: NoProcess, elsewhere: LinkLost} {
				ref := p.Monitor(pid)
				m, err := p.ReceiveTimeout(0)
				if d, ok := As[Down](m); err != nil || !ok || d != (Down{ref, pid, want}) {
					return fmt.Errorf("%s: %v, %w", pid, m.Body(), err)
				}
			}
			return nil
		})
	})
}

// A Monitor set after Spawn finds nobody if the process has been quick.
func TestMonitoredTellsTheReasonHoweverSoon(t *testing.T) {
	s := newSystem(t)
	must(t, s, func(p *Process) error {
		for range 1000 {
			var ref Ref
			q := p.Spawn(func(*Process) error { return errTest }, Monitored(&ref))
			if d, m, err := Expect[Down](p); err != nil || m.From != q || d != (Down{ref, q, errTest}) {
				return fmt.Errorf("%v, %w", d, err)
			}
		}
		return nil
	})
}

func TestMonitoredIsAMonitor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		s.Spawn(func(*Process) error { return nil }, Monitored(nil)) // no parent: no effect
		must(t, s, func(p *Process) error {
			var first, second Ref
			q := p.Spawn(untilDone, Monitored(&first), Linked())
			second = p.Monitor(q)
			p.TrapExit(true)
			p.Demonitor(first)
			s.Exit(q, errTest)
			if d, _, err := Expect[Down](p); err != nil || d != (Down{second, q, errTest}) {
				return fmt.Errorf("%v, %w", d, err)
			}
			if x, _, err := Expect[Exited](p); err != nil || x != (Exited{q, errTest}) {
				return fmt.Errorf("%v, %w", x, err)
			}
			if m, err := p.ReceiveTimeout(time.Hour); !errors.Is(err, ErrTimeout) {
				return fmt.Errorf("a monitor that was undone: %v, %w", m.Body(), err)
			}
			over := NewTenure(t.Context(), bossTerm(1), nil)
			over.End(nil)
			q = p.Spawn(untilDone, Monitored(&first), InTenure(over))
			if d, _, err := Expect[Down](p); err != nil || d.Ref != first || d.PID != q || !errors.Is(d.Reason, ErrTermOver) {
				return fmt.Errorf("%v, %w", d, err)
			}
			return nil
		})
	})
}

func TestMonitorStopsNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		watched := s.Spawn(untilDone)
		must(t, s, func(p *Process) error { p.Monitor(watched); p.Monitor(p.Self()); return nil })
		_ = run(s, func(p *Process) error { p.Monitor(watched); return errTest })
		synctest.Wait()
		p := s.table.get(watched.serial)
		if p == nil {
			t.Fatal("the end of its watchers ended it")
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if n := len(p.ties.watchers); n != 0 {
			t.Errorf("%d watchers that are gone are remembered", n)
		}
	})
}

func TestDemonitorTakesBackTheDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		must(t, s, func(p *Process) error {
			q := s.Spawn(untilDone)
			before, kept, after := p.Monitor(q), p.Monitor(q), p.Monitor(q)
			p.Demonitor(before)
			_ = p.Send(p.Self(), "mail")
			s.Exit(q, errTest)
			synctest.Wait()
			p.Demonitor(after) // its Down lies in the mailbox
			p.Demonitor(after) // and no second time
			p.Demonitor(12345)
			if m, err := p.Receive(); err != nil || m.Body() != "mail" {
				return fmt.Errorf("%v, %w", m.Body(), err)
			}
			if d, _, err := Expect[Down](p); err != nil || d.Ref != kept {
				return fmt.Errorf("%v, %w, want that of %d", d, err, kept)
			}
			if m, err := p.ReceiveTimeout(time.Hour); err != ErrTimeout {
				return fmt.Errorf("%v came", m.Body())
			}
			if p.left != 0 || p.box.counted != 0 {
				return fmt.Errorf("an empty mailbox counts %d", p.left+p.box.counted)
			}
			return nil
		})
	})
}

// A Down that was passed over by Expect is found in the queue, too.
func TestDemonitorOfADownThatWasPassedOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		must(t, s, func(p *Process) error {
			_ = p.Send(p.Self(), 1)
			ref := p.Monitor(PID{})
			_ = p.Send(p.Self(), 2)
			_ = p.Send(p.Self(), "now")
			if _, _, err := Expect[string](p); err != nil {
				return err
			}
			p.Demonitor(ref)
			for want := 1; want <= 2; want++ {
				if m, err := p.Receive(); err != nil || m.Body() != want {
					return fmt.Errorf("%v, %w; want %d", m.Body(), err, want)
				}
			}
			return nil
		})
	})
}

// However the end and the Demonitor interleave, no Down comes after it.
func TestDemonitorAgainstExit(t *testing.T) {
	s := newSystem(t)
	must(t, s, func(p *Process) error {
		for i := range 5000 {
			left := make(chan struct{})
			q := p.Spawn(untilDone, OnExit(func(PID, error) { close(left) }))
			ref := p.Monitor(q)
			s.Exit(q, errTest)
			for range i % 4 {
				runtime.Gosched()
			}
			p.Demonitor(ref)
			<-left
			if m, err := p.ReceiveTimeout(0); err == nil {
				return fmt.Errorf("%v came after Demonitor", m.Body())
			}
		}
		return nil
	})
}

func TestSignalsDoNotCountAgainstTheBound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		must(t, s, func(p *Process) error {
			p.TrapExit(true)
			_ = p.Send(p.Self(), "fills it")
			wantErr(t, p.Send(p.Self(), "one too many"), ErrMailboxFull)
			for range 50 {
				q := s.Spawn(untilDone)
				p.Link(q)
				p.Monitor(q)
				s.Exit(q, errTest)
			}
			synctest.Wait()
			if m, err := p.Receive(); err != nil || m.Body() != "fills it" {
				return fmt.Errorf("%v, %w", m.Body(), err)
			}
			if err := p.Send(p.Self(), "room again"); err != nil {
				return err
			}
			exits, downs := 0, 0
			for range 100 {
				m, err := p.Receive()
				if err != nil {
					return err
				}
				switch m.Body().(type) {
				case Exited:
					exits++
				case Down:
					downs++
				}
			}
			if exits != 50 || downs != 50 {
				return errors.New("signals were lost at a full mailbox")
			}
			return nil
		}, WithMailbox(Mailbox{Limit: 1}))
	})
}
