package actor

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// A successor is heard of after a holder's mail was admitted and before it is in
// the mailbox. It does not get in, so nobody can read it behind the successor's.
func TestMailThatWasAdmittedIsTurnedAwayOnceASuccessorIsHeardOf(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWire(t)
		var here *System
		here, _ = w.node("a", func(c *SystemConfig) {
			c.OnTerm = func(e Envelope, accepted bool, _ time.Duration) {
				if accepted && e.Term.Number() == 3 {
					here.Terms().Heard(bossTerm(4))
				}
			}
		})
		there, _ := w.node("b")
		var read []string
		sink := here.Spawn(func(p *Process) error {
			for {
				m, err := p.Receive()
				if err != nil {
					return err
				}
				read = append(read, fmt.Sprint(m.Body()))
			}
		})
		old := NewTenure(t.Context(), bossTerm(3), nil)
		must(t, there, func(p *Process) error { return p.Send(sink, "order") }, InTenure(old))
		synctest.Wait()
		if n := here.DeadLetters(DeadStaleTerm); n != 1 || len(read) != 0 {
			t.Errorf("%d stale letters, want 1; read: %v", n, read)
		}
		here.terms.Reset()
		must(t, there, func(p *Process) error {
			_, err := Call[string](p, sink, "question")
			wantErr(t, err, ErrTermOver)
			return nil
		}, InTenure(old))
		if n := here.DeadLetters(DeadStaleTerm); n != 2 || len(read) != 0 {
			t.Errorf("%d stale letters, want 2; read: %v", n, read)
		}
		here.terms.Reset()
		local := NewTenure(t.Context(), bossTerm(3), nil)
		sent := make(chan error, 1)
		_ = run(here, func(p *Process) error { sent <- p.Send(sink, "order"); return nil }, InTenure(local))
		wantErr(t, <-sent, ErrTermOver)
		if n := here.DeadLetters(DeadStaleTerm); n != 3 || len(read) != 0 {
			t.Errorf("%d stale letters, want 3; read: %v", n, read)
		}
		old.End(nil)
		local.End(nil)
		here.Exit(sink, Killed)
	})
}
