package actor

import (
	"context"
	"errors"
	"testing"
)

func TestWhatIsSentWithinAHoldersContextGoesUnderItsTerm(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		term := MakeTerm("c", "chef", 7)
		holds := true
		tenure := NewTenure(context.Background(), term, func() error {
			if holds {
				return nil
			}
			return errTest
		})
		defer tenure.End(nil)
		got := make(chan Term, 4)
		to := s.Spawn(func(p *Process) error {
			for {
				m, err := p.Receive()
				if err != nil {
					return err
				}
				got <- m.Term
				if m.IsCall() {
					_ = p.Reply(m, 1)
				}
			}
		})
		done := make(chan struct{})
		s.Spawn(func(p *Process) error {
			defer close(done)
			ctx, cancel := context.WithCancel(p)
			defer cancel()
			if ProcessOf(ctx) != p || ProcessOf(context.Background()) != nil {
				t.Error("the process of a context is not found")
			}
			for _, ctx := range []context.Context{p, ctx} {
				if err := s.SendConfirmed(ctx, to, 1); err != nil {
					t.Error(err)
				}
				if _, err := s.Request(ctx, to, 1); err != nil {
					t.Error(err)
				}
			}
			holds = false
			if err := s.SendConfirmed(ctx, to, 2); !errors.Is(err, ErrTermOver) {
				t.Errorf("after the lease: %v", err)
			}
			return nil
		}, InTenure(tenure))
		<-done
		for range 4 {
			if t1 := <-got; t1 != term {
				t.Errorf("it was sent under %v", t1)
			}
		}
		if len(got) != 0 {
			t.Error("something was sent after the lease")
		}
	})
}
