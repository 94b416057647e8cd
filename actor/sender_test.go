package actor

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestWithinBoundsSendsAndLookUps(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t, func(c *SystemConfig) { c.Directory = silent{} })
		full := s.Spawn(func(p *Process) error { <-p.Done(); return nil }, WithMailbox(Mailbox{Limit: 1, Policy: Wait}))
		must(t, s, func(p *Process) error {
			began := time.Now()
			var by Sender = p.Within(time.Second)
			if err := by.Send(full, "there is room"); err != nil {
				return err
			}
			if err := by.Send(full, "there is none"); !errors.Is(err, ErrTimeout) || time.Since(began) != time.Second {
				t.Errorf("Send after %v: %v", time.Since(began), err)
			}
			if _, err := by.GetCapable("worker"); !errors.Is(err, ErrTimeout) || time.Since(began) != 2*time.Second {
				t.Errorf("GetCapable after %v: %v", time.Since(began), err)
			}
			return nil
		})
	})
}

// silent is a Directory that does not answer.
type silent struct{ Directory }

func (silent) GetCapable(ctx context.Context, _ string) ([]PID, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

func TestBacklogIsTheMailThatWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		gate := make(chan struct{})
		to := s.Spawn(func(p *Process) error {
			<-gate
			for range 2 {
				if _, err := p.Receive(); err != nil {
					return err
				}
			}
			<-gate
			return nil
		}, WithMailbox(Mailbox{Limit: 100}))
		for i := range 5 {
			if err := s.Send(t.Context(), to, i); err != nil {
				t.Fatal(err)
			}
		}
		if n, here := s.Backlog(to); n != 5 || !here {
			t.Errorf("%d, %v", n, here)
		}
		gate <- struct{}{}
		time.Sleep(time.Second)
		if n, here := s.Backlog(to); n != 3 || !here {
			t.Errorf("%d, %v", n, here)
		}
		close(gate)
		time.Sleep(time.Second)
		if n, here := s.Backlog(to); n != 0 || !here {
			t.Errorf("of one that has ended: %d, %v", n, here)
		}
		if n, here := s.Backlog(MakePID(testNode("elsewhere"), to.Serial())); n != 0 || here {
			t.Errorf("of another node: %d, %v", n, here)
		}
	})
}
