package actor

import "time"

// SendAfter sends body to a process when d has passed, as Send would then. It
// does not if p has ended by then, or if cancel was called first, which says
// whether it came in time. An error that Send would have returned is lost, so
// a process that must know sends to itself and acts on that.
func (p *Process) SendAfter(d time.Duration, to PID, body any) (cancel func() bool) {
	timer := time.AfterFunc(d, func() {
		p.mu.Lock()
		ended := p.ended
		p.mu.Unlock()
		if !ended {
			_ = p.Send(to, body)
		}
	})
	return timer.Stop
}
