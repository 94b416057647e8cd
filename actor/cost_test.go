package actor

import (
	"testing"

	"conclave/internal/cost"
)

// What messages cost, as instructions, so that a change that makes them dearer is
// seen on any machine, however busy. Bounds are a third above what was counted.

func TestCostOfSendingAndReceiving(t *testing.T) {
	cost.Need(t)
	s := newSystem(t)
	must(t, s, func(p *Process) error {
		body := &struct{ A, B int }{1, 2}
		const n = 1000
		cost.AtMost(t, costOfSend, n, func() {
			for range n {
				if err := p.Send(p.Self(), body); err != nil {
					panic(err)
				}
			}
			for range n {
				if _, err := p.Receive(); err != nil {
					panic(err)
				}
			}
		})
		return nil
	})
}

func TestCostOfMailInRuns(t *testing.T) {
	cost.Need(t)
	s := newSystem(t)
	must(t, s, func(p *Process) error {
		mail := mailOf(64)
		cost.AtMost(t, costOfRun, len(mail), func() {
			if s.DeliverMail(p.Self(), mail) != Accepted {
				panic("not accepted")
			}
			for range mail {
				if _, err := p.Receive(); err != nil {
					panic(err)
				}
			}
		})
		return nil
	})
}

const (
	costOfSend = 5.6
	costOfRun  = 3.9
)
