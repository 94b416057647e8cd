package actor

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
)

// will is an Heir that notes what it is given.
type will struct {
	state any
	mail  []Unread
	err   error
}

func (w *will) State(state any) error { w.state = state; return w.err }
func (w *will) Unread(mail []Unread)  { w.mail = append(w.mail, mail...) }

func TestUnreadConfirmedMailGoesToTheHeirInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead []DeadLetter
		s := NewSystem(SystemConfig{Node: testNode("n"), OnDeadLetter: func(d DeadLetter) { dead = append(dead, d) }})
		tenure := NewTenure(context.Background(), MakeTerm("c", "x", 7), nil)
		over := make(chan error, 1)
		read := make(chan Message, 1)
		pid := s.Spawn(func(p *Process) error {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			read <- m
			<-p.Done()
			return p.HandOver("ledger")
		}, InTenure(tenure), OnExit(func(_ PID, reason error) { over <- reason }))
		for i := range 4 {
			if err := s.SendConfirmed(t.Context(), pid, i); err != nil {
				t.Fatal(err)
			}
			if err := s.Send(t.Context(), pid, "plain"); err != nil {
				t.Fatal(err)
			}
		}
		call := make(chan error, 1)
		go func() { _, err := s.Request(t.Context(), pid, "call"); call <- err }()
		synctest.Wait()
		w := &will{}
		if !tenure.HandOver(w) {
			t.Error("the hand-over was not planned")
		}
		if reason := <-over; !errors.Is(reason, Normal) && !errors.Is(reason, ErrHandOver) {
			t.Errorf("it ended with %v", reason)
		}
		if m := <-read; !m.From.IsZero() {
			t.Errorf("the first message came from %v, sent from outside any process", m.From)
		}
		if w.state != "ledger" {
			t.Errorf("state %v", w.state)
		}
		want := []Unread{{s.Node(), 1}, {s.Node(), 2}, {s.Node(), 3}}
		if !slices.Equal(w.mail, want) {
			t.Errorf("the heir got %v, want %v", w.mail, want)
		}
		var ended *EndedError
		if err := <-call; !errors.As(err, &ended) || ended.Reason != nil {
			t.Errorf("the unread call failed with %v", err)
		}
		if len(dead) != 5 { // the plain ones and the call
			t.Errorf("%d dead letters: %v", len(dead), dead)
		}
		for _, d := range dead {
			if d.Type != "string" {
				t.Errorf("dead letter %+v", d)
			}
		}
		<-tenure.Ended()
		if err := context.Cause(tenure.Context()); !errors.Is(err, ErrHandOver) {
			t.Errorf("cause %v", err)
		}
	})
}

func TestMailOfATermThatIsNotHandedOverIsADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSystem(SystemConfig{Node: testNode("n")})
		tenure := NewTenure(context.Background(), MakeTerm("c", "x", 7), nil)
		pid := s.Spawn(func(p *Process) error {
			<-p.Done()
			if err := p.HandOver(1); !errors.Is(err, ErrNoHandOver) {
				t.Errorf("HandOver: %v", err)
			}
			return nil
		}, InTenure(tenure))
		if err := s.SendConfirmed(t.Context(), pid, 1); err != nil {
			t.Fatal(err)
		}
		tenure.End(errors.New("lapsed"))
		<-tenure.Ended()
		synctest.Wait()
		if w := (&will{}); tenure.HandOver(w) || w.mail != nil {
			t.Error("a tenure that had ended was handed over")
		}
		if n := s.DeadLetters(DeadNoProcess); n != 1 {
			t.Errorf("%d dead letters", n)
		}
	})
}

func TestInheritedIsThereForItsTypeOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSystem(SystemConfig{Node: testNode("n")})
		tenure := NewTenure(context.Background(), MakeTerm("c", "x", 8), nil)
		tenure.Inherit(42)
		done := make(chan struct{})
		s.Spawn(func(p *Process) error {
			defer close(done)
			if v, ok := Inherited[int](p); !ok || v != 42 {
				t.Errorf("inherited %v, %v", v, ok)
			}
			if v, ok := Inherited[string](p); ok {
				t.Errorf("inherited %q", v)
			}
			return nil
		}, InTenure(tenure))
		<-done
		s.Spawn(func(p *Process) error {
			if v, ok := Inherited[int](p); ok {
				t.Errorf("inherited %v without a term", v)
			}
			if err := p.HandOver(1); !errors.Is(err, ErrNoHandOver) {
				t.Errorf("HandOver without a term: %v", err)
			}
			return nil
		})
		tenure.End(nil)
		synctest.Wait()
	})
}

// Another node told the holder to exit, which traps that. What tells it so is no
// mail that was confirmed to anybody, and no next holder reads it.
func TestExitSignalsAreNotGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSystem(SystemConfig{Node: testNode("n")})
		tenure := NewTenure(context.Background(), MakeTerm("c", "x", 7), nil)
		over := make(chan error, 1)
		pid := s.Spawn(func(p *Process) error {
			p.TrapExit(true)
			<-p.Done()
			return nil
		}, InTenure(tenure), OnExit(func(_ PID, reason error) { over <- reason }))
		synctest.Wait()
		s.Deliver(Envelope{Kind: KindStop, From: MakePID(testNode("other"), 0), To: pid, Reason: Shutdown})
		w := &will{}
		tenure.HandOver(w)
		<-over
		if len(w.mail) != 0 {
			t.Errorf("given back: %+v", w.mail)
		}
	})
}
