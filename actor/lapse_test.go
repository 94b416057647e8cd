package actor

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

var errLapsed = errors.New("lapsed")

// lapsing is a tenure whose lease a test can let lapse, with nobody told.
func lapsing(t *testing.T) (*Tenure, *atomic.Bool) {
	lapsed := new(atomic.Bool)
	return NewTenure(t.Context(), bossTerm(7), func() error {
		if lapsed.Load() {
			return errLapsed
		}
		return nil
	}), lapsed
}

func TestNothingIsHandedOutAfterTheLease(t *testing.T) {
	type test struct {
		name  string
		start func(s *System, got func(), opts ...SpawnOption) PID
	}
	for _, test := range []test{
		{"Receive", func(s *System, got func(), opts ...SpawnOption) PID {
			return s.Spawn(func(p *Process) error {
				_, err := p.Receive()
				if err == nil {
					got()
				}
				return err
			}, opts...)
		}},
		{"Expect", func(s *System, got func(), opts ...SpawnOption) PID {
			return s.Spawn(func(p *Process) error {
				_, _, err := Expect[string](p)
				if err == nil {
					got()
				}
				return err
			}, opts...)
		}},
		{"Handler", func(s *System, got func(), opts ...SpawnOption) PID {
			return s.SpawnHandler(handlerFunc(func(*Process, Message) error { got(); return nil }), opts...)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newSystem(t)
				tenure, lapsed := lapsing(t)
				var reason error
				pid := test.start(s, func() { t.Error("a message was handed out") },
					InTenure(tenure), OnExit(func(_ PID, r error) { reason = r }))
				synctest.Wait()
				lapsed.Store(true)
				if err := s.Send(t.Context(), pid, "a job"); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				if !errors.Is(reason, ErrTermOver) || !errors.Is(reason, errLapsed) {
					t.Errorf("it ended with %v", reason)
				}
			})
		})
	}
}

func TestReplyIsNotHandedOutAfterTheLease(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		tenure, lapsed := lapsing(t)
		callee := s.SpawnHandler(handlerFunc(func(p *Process, m Message) error {
			lapsed.Store(true)
			return p.Reply(m, "done")
		}))
		s.Spawn(func(p *Process) error {
			if reply, err := Call[string](p, callee, "do"); !errors.Is(err, ErrTermOver) {
				t.Errorf("%q, %v", reply, err)
			}
			return nil
		}, InTenure(tenure))
		synctest.Wait()
		s.Exit(callee, nil)
	})
}

func TestLeaseIsCheckedAgainAfterWaitingForRoom(t *testing.T) {
	for name, send := range map[string]func(p *Process, to PID) error{
		"Send": func(p *Process, to PID) error { return p.Send(to, "late") },
		"Call": func(p *Process, to PID) error { _, err := Call[string](p, to, "late"); return err },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newSystem(t)
				tenure, lapsed := lapsing(t)
				gate := make(chan struct{})
				full := s.Spawn(func(p *Process) error {
					<-gate
					for {
						m, err := p.Receive()
						if err != nil {
							return err
						}
						if v, _ := As[string](m); v == "late" {
							t.Error("it was sent although the wait had outlasted the lease")
						}
					}
				}, WithMailbox(Mailbox{Limit: 1, Policy: Wait}))
				if err := s.Send(t.Context(), full, "first"); err != nil {
					t.Fatal(err)
				}
				told := make(chan error, 1)
				s.Spawn(func(p *Process) error { told <- send(p, full); return nil }, InTenure(tenure))
				synctest.Wait()
				lapsed.Store(true)
				close(gate)
				if err := <-told; !errors.Is(err, ErrTermOver) {
					t.Errorf("it was told %v", err)
				}
				synctest.Wait()
				s.Exit(full, nil)
			})
		})
	}
}

func TestLapsedHolderTakesNoName(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		tenure, lapsed := lapsing(t)
		s.Spawn(func(p *Process) error {
			lapsed.Store(true)
			if err := p.Register("x"); !errors.Is(err, ErrTermOver) {
				t.Error(err)
			}
			return nil
		}, InTenure(tenure))
		synctest.Wait()
	})
}
