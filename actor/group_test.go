package actor

import (
	"testing"
	"time"
)

// Senders that wait keep a mailbox full for as long as they are quicker than its
// process; it hears all the same.
func TestProcessWithWaitingSendersIsNotified(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		heard := make(chan bool, 1)
		busy := s.Spawn(func(p *Process) error {
			for {
				m, err := p.Receive()
				if err != nil {
					return err
				}
				if _, news := As[CapableChanged](m); news {
					heard <- true
				}
				time.Sleep(time.Millisecond)
			}
		}, WithMailbox(Mailbox{Limit: 1024, Policy: Wait}))
		for range 4 {
			s.Spawn(func(p *Process) error {
				for {
					if err := p.Send(busy, "work"); err != nil || !s.Alive(busy) {
						return err
					}
				}
			})
		}
		time.Sleep(5 * time.Second)
		told := false
		for range 100 {
			if told = s.Notify(busy, CapableChanged{}); told {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		if !told {
			t.Fatal("it was never told")
		}
		<-heard
		s.Exit(busy, Killed)
	})
}
