package actor

import (
	"context"
	"errors"
	"testing"
)

// A holder that stood still may have mail put into its mailbox before it notices that
// its lease is over. It will never read it, so its sender must not be told that it was
// accepted.
func TestNothingIsConfirmedByAProcessWhoseLeaseIsOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var told caught
		s := newSystem(t, catching(&told))
		holds := true
		tenure := NewTenure(context.Background(), MakeTerm("c", "chef", 7), func() error {
			if holds {
				return nil
			}
			return errTest
		})
		defer tenure.End(nil)
		pid := s.Spawn(func(p *Process) error { <-p.Done(); return nil }, InTenure(tenure))
		other := MakePID(testNode("there"), 5)
		from := func(ref uint64) Envelope { return Envelope{Kind: KindMessage, From: other, To: pid, Ref: ref, Body: 1} }
		if err := s.SendConfirmed(context.Background(), pid, 1); err != nil {
			t.Errorf("while the lease lasts: %v", err)
		}
		if s.Deliver(from(3)) != Accepted {
			t.Error("mail from elsewhere is refused while the lease lasts")
		}
		holds = false
		var ended *EndedError
		if err := s.SendConfirmed(context.Background(), pid, 2); !errors.As(err, &ended) || ended.Reason != nil || ended.PID != pid {
			t.Errorf("when the lease is over: %v", err)
		}
		if s.Deliver(from(4)) != Refused {
			t.Error("mail from elsewhere is taken when the lease is over")
		}
		answers := told.answers()
		if e, there := answers[3]; !there || e != nil {
			t.Errorf("the sender of the first is told %v", e)
		}
		if e, _ := answers[4].(*EndedError); e == nil || e.Reason != nil {
			t.Errorf("the sender of the second is told %v", answers[4])
		}
	})
}
