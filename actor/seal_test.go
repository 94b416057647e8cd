package actor

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// sealed has a process read what is in its mailbox only once it may.
func sealed(s *System, got *[]int, end chan error, opts ...SpawnOption) (pid PID, may chan struct{}) {
	may = make(chan struct{})
	pid = s.Spawn(func(p *Process) error {
		<-may
		for {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			*got = append(*got, m.Body().(int))
			if m.IsCall() {
				_ = p.Reply(m, m.Body())
			}
		}
	}, append(opts, OnExit(func(_ PID, reason error) { end <- reason }))...)
	return pid, may
}

func TestSealedProcessReadsWhatWasAcceptedAndNothingElse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		var got []int
		end := make(chan error, 1)
		pid, may := sealed(s, &got, end)
		for i := range 100 {
			if err := s.SendConfirmed(context.Background(), pid, i); err != nil {
				t.Fatal(err)
			}
		}
		if !s.Seal(pid, nil) {
			t.Fatal("not sealed")
		}
		if s.Seal(pid, errTest) {
			t.Error("sealed twice")
		}
		var ended *EndedError
		if err := s.SendConfirmed(context.Background(), pid, 100); !errors.As(err, &ended) || ended.Reason != nil || ended.PID != pid {
			t.Errorf("a message after the seal: %v", err)
		}
		if _, err := s.Request(context.Background(), pid, 100); !errors.As(err, &ended) || ended.Reason != nil {
			t.Errorf("a call after the seal: %v", err)
		}
		if s.DeliverMail(pid, []Mail{{From: PID{}, Body: 100}}) != Refused {
			t.Error("mail from elsewhere is let in")
		}
		close(may)
		if reason := <-end; reason != Normal {
			t.Errorf("it ended with %v", reason)
		}
		if len(got) != 100 || got[99] != 99 {
			t.Errorf("it has read %v", got)
		}
	})
}

func TestSealEndsWhoWaitsForMail(t *testing.T) {
	for name, code := range map[string]Func{
		"Receive": func(p *Process) error { _, err := p.Receive(); return err },
		"ReceiveTimeout": func(p *Process) error {
			for {
				if _, err := p.ReceiveTimeout(time.Hour); err != nil {
					return err
				}
			}
		},
		"Expect": func(p *Process) error { _, _, err := Expect[string](p); return err },
		"trap":   func(p *Process) error { p.TrapExit(true); _, err := p.Receive(); return err },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newSystem(t)
				end := make(chan error, 1)
				pid := s.Spawn(code, OnExit(func(_ PID, reason error) { end <- reason }))
				if name == "Expect" {
					_ = s.Send(context.Background(), pid, 1) // stays, and keeps nobody
				}
				synctest.Wait()
				s.Seal(pid, errTest)
				if reason := <-end; reason != errTest {
					t.Errorf("it ended with %v", reason)
				}
			})
		})
	}
}

func TestSealedHandlerHandlesItsMailAndEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		n := 0
		end := make(chan error, 2)
		onExit := OnExit(func(_ PID, reason error) { end <- reason })
		pid := s.SpawnHandler(handlerFunc(func(*Process, Message) error { n++; time.Sleep(time.Second); return nil }), onExit)
		for range 10 {
			_ = s.Send(context.Background(), pid, 1)
		}
		s.Seal(pid, nil)
		if reason := <-end; reason != Normal || n != 10 {
			t.Errorf("it ended with %v after %d messages", reason, n)
		}
		pid = s.SpawnHandler(handlerFunc(func(*Process, Message) error { return nil }), onExit)
		synctest.Wait() // it waits, and never had mail
		s.Seal(pid, nil)
		if reason := <-end; reason != Normal {
			t.Errorf("the idle one ended with %v", reason)
		}
	})
}

func TestSealedProcessStillHearsSignalsAndReplies(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		end := make(chan error, 1)
		other := s.Spawn(func(p *Process) error {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			time.Sleep(time.Second)
			return p.Reply(m, "yes")
		})
		sealed := make(chan struct{})
		pid := s.Spawn(func(p *Process) error {
			p.Monitor(other)
			if _, err := p.Receive(); err != nil {
				return err
			}
			<-sealed
			if v, err := Call[string](p, other, "?"); err != nil || v != "yes" {
				t.Errorf("the call: %q, %v", v, err)
			}
			synctest.Wait() // it ends behind its answer
			if down, _, err := Expect[Down](p); err != nil || down.PID != other {
				t.Errorf("the end of the other: %v, %v", down, err)
			}
			_, err := p.Receive()
			return err
		}, OnExit(func(_ PID, reason error) { end <- reason }))
		_ = s.Send(context.Background(), pid, 1)
		synctest.Wait()
		s.Seal(pid, nil)
		close(sealed)
		if reason := <-end; reason != Normal {
			t.Errorf("it ended with %v", reason)
		}
	})
}

func TestSealFreesWhoWaitsForRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		var got []int
		end := make(chan error, 1)
		pid, may := sealed(s, &got, end, WithMailbox(Mailbox{Limit: 1, Policy: Wait}))
		_ = s.Send(context.Background(), pid, 1)
		sent := make(chan error)
		go func() { sent <- s.SendConfirmed(context.Background(), pid, 2) }()
		synctest.Wait()
		s.Seal(pid, nil)
		var ended *EndedError
		if err := <-sent; !errors.As(err, &ended) || ended.Reason != nil {
			t.Errorf("who waited for room: %v", err)
		}
		close(may)
		<-end
		if len(got) != 1 {
			t.Errorf("it has read %v", got)
		}
	})
}

func TestRestTellsWhoHasNothingToDo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		var call Message
		pid := s.Spawn(func(p *Process) error {
			for {
				m, err := p.Receive()
				if err != nil {
					return err
				}
				switch m.Body() {
				case "call":
					call = m
				case "reply":
					_ = p.Reply(call, 1)
				case "expect":
					_, _, _ = Expect[int](p)
				case "timer":
					p.SendAfter(time.Minute, p.Self(), "rings")
				}
			}
		})
		rest := func(what string, waits bool) uint32 {
			t.Helper()
			synctest.Wait()
			r, there := s.Rest(pid)
			if !there || r.Waits != waits {
				t.Errorf("%s: %+v, %t", what, r, there)
			}
			return r.Times
		}
		first := rest("at first", true)
		if again := rest("again", true); again != first {
			t.Errorf("it has begun to wait %d and %d times", first, again)
		}
		go func() { _, _ = s.Request(context.Background(), pid, "call") }()
		rest("it owes an answer", false)
		_ = s.Send(context.Background(), pid, "reply")
		if again := rest("it has answered", true); again == first {
			t.Error("nobody can tell that it has done something")
		}
		_ = s.Send(context.Background(), pid, "timer")
		rest("a timer is set", false)
		time.Sleep(2 * time.Minute)
		rest("it has rung", true)
		_ = s.Send(context.Background(), pid, "expect")
		rest("it expects something", true)
		_ = s.Send(context.Background(), pid, "for later")
		rest("it has passed mail over", false)
		_ = s.Send(context.Background(), pid, 1)
		rest("it has read all", true)
		s.Exit(pid, errTest)
		synctest.Wait()
		if _, there := s.Rest(pid); there {
			t.Error("it has ended")
		}
	})
}

func TestCallThatComesAsItsProcessEndsWasCertainlyNotTaken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		pid := s.Spawn(func(p *Process) error { _, err := p.Receive(); return err })
		p := s.table.get(pid.serial)
		ref, call := s.calls.start(pid)
		if c, why := p.newCall(Envelope{Kind: KindCall, From: s.self, To: pid, Ref: ref}); c == nil {
			t.Fatal(why)
		}
		s.Seal(pid, nil) // before the call is in the mailbox
		<-call.done
		var ended *EndedError
		if !errors.As(call.err, &ended) || ended.Reason != nil {
			t.Errorf("its caller is told: %v", call.err)
		}
	})
}

func TestSealedProcessKeepsWhatHasToBeKeptInItsOwnTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		end := make(chan error, 1)
		store := s.Spawn(func(p *Process) error {
			for {
				m, err := p.Receive()
				if err != nil {
					return err
				}
				time.Sleep(time.Second)
				_ = p.Reply(m, "kept")
			}
		})
		pid := s.Spawn(func(p *Process) error {
			ctx, cancel := context.WithCancel(p)
			defer cancel()
			for range 2 {
				if _, err := p.Receive(); err != errTest {
					t.Errorf("no mail: %v", err)
				}
			}
			if _, err := p.ReceiveTimeout(0); err != errTest {
				t.Errorf("no mail, and no time: %v", err)
			}
			if p.Err() != nil || ctx.Err() != nil {
				t.Errorf("its context has ended: %v", context.Cause(p))
			}
			if v, err := Call[string](p, store, "keep this"); err != nil || v != "kept" {
				t.Errorf("it calls: %q, %v", v, err)
			}
			return nil
		}, OnExit(func(_ PID, reason error) { end <- reason }))
		synctest.Wait()
		s.Seal(pid, errTest)
		if reason := <-end; reason != errTest {
			t.Errorf("it ended with %v", reason)
		}
	})
}

func TestSealedProcessCanStillBeStopped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		end := make(chan error, 1)
		pid := s.Spawn(func(p *Process) error {
			_, _ = p.Receive()
			<-p.Done() // a store that does not answer
			_, err := p.Receive()
			return err
		}, OnExit(func(_ PID, reason error) { end <- reason }))
		s.Seal(pid, nil)
		synctest.Wait()
		s.Exit(pid, errTest)
		if reason := <-end; reason != errTest {
			t.Errorf("it ended with %v", reason)
		}
	})
}

func TestSealedSupervisorSeesItsChildrenOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		end := make(chan error, 1)
		out := false
		pid := s.Spawn(Supervise(Supervisor{Children: []Child{{Name: "slow", Start: func(p *Process) error {
			<-p.Done()
			time.Sleep(time.Second)
			out = true
			return nil
		}}}}), OnExit(func(_ PID, reason error) { end <- reason }))
		synctest.Wait()
		s.Seal(pid, nil)
		if reason := <-end; reason != Normal || !out {
			t.Errorf("it ended with %v, its child has: %t", reason, out)
		}
	})
}

func TestSystemThatStopsWaitsForWhoeverAnotherIsToStop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		var got []int
		end := make(chan error, 1)
		pid, may := sealed(s, &got, end, StoppedBySpawner())
		for i := range 10 {
			_ = s.Send(context.Background(), pid, i)
		}
		stopped := make(chan error, 1)
		go func() { stopped <- s.Stop(context.Background(), Shutdown) }()
		close(may)
		synctest.Wait()
		if len(stopped) > 0 || len(end) > 0 || len(got) != 10 {
			t.Errorf("the system has stopped: %d, the process has ended: %d, and has read %v", len(stopped), len(end), got)
		}
		s.Seal(pid, nil)
		if reason := <-end; reason != Normal {
			t.Errorf("it ended with %v", reason)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

func TestAnswerOfASealedProcessIsNotTakenForItsRefusal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		handled := 0
		started := make(chan struct{})
		var pid PID
		helper := s.Spawn(func(p *Process) error {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			s.Seal(pid, nil)
			_, err = s.Request(p, pid, "from the helper")
			return p.Reply(m, err)
		})
		pid = s.Spawn(func(p *Process) error {
			close(started)
			for {
				m, err := p.Receive()
				if err != nil {
					return err
				}
				handled++
				_, err = p.Request(helper, "help")
				_ = p.Reply(m, err)
			}
		})
		<-started
		_, err := s.Request(context.Background(), pid, 1)
		if ended, refused := err.(*EndedError); handled != 1 || refused {
			t.Errorf("it was handled %d times, and its caller told %#v", handled, ended)
		}
		if !errors.Is(err, NoProcess) {
			t.Errorf("the answer was %v", err)
		}
	})
}
