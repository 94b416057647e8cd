package actor

import (
	"errors"
	"testing"
	"testing/synctest"
)

func TestHolderWhoseTermIsOverStopsNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		victim := s.Spawn(untilDone)
		lapsed := errors.New("lapsed")
		var lease error
		tenure := NewTenure(t.Context(), bossTerm(7), func() error { return lease })
		woken := make(chan struct{})
		s.Spawn(func(p *Process) error {
			<-woken
			p.Exit(victim, errTest)
			return nil
		}, InTenure(tenure))
		synctest.Wait()
		lease = lapsed
		close(woken)
		synctest.Wait()
		if !s.Alive(victim) {
			t.Error("a lapsed holder has stopped another process")
		}
		s.Exit(victim, nil)
	})
}

func TestExitUnderALowerTermIsNotHeeded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		victim := s.Spawn(untilDone)
		s.Terms().Heard(bossTerm(8))
		from := MakePID(testNode("other"), 1)
		stop := Envelope{Kind: KindStop, From: from, To: victim, Term: bossTerm(7), Reason: errTest}
		if d := s.Deliver(stop); d != Stale {
			t.Errorf("delivered: %v", d)
		}
		synctest.Wait()
		if !s.Alive(victim) {
			t.Error("a deposed holder has stopped a process")
		}
		stop.Term = bossTerm(8)
		s.Deliver(stop)
		synctest.Wait()
		if s.Alive(victim) {
			t.Error("the holder has not")
		}
	})
}
