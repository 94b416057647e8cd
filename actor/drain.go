package actor

import (
	"context"
	"fmt"
	"time"
)

// AwaitIdle waits until, at one moment, no process of this node has mail to read
// or anything else to do. A Func is idle when it waits for mail: in Receive, or in
// Expect, whatever it passes over; a Handler when it has handled all of its own.
// Processes that act under a term are not waited for, nor are those spawned as
// [Endless] or timers that are pending.
//
// New mail and new processes are accepted meanwhile, and waited for. When ctx ends
// first, the error says how many processes are left.
func (s *System) AwaitIdle(ctx context.Context) error {
	for {
		began := time.Now()
		if s.idle() {
			return nil
		}
		timer := time.NewTimer(max(idlePause, 10*time.Since(began)))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			if last := s.survey(); last.busy > 0 {
				return fmt.Errorf("%d processes are not done, %s is one: %w", last.busy, last.one, context.Cause(ctx))
			}
			return nil
		}
	}
}

// idlePause is how long AwaitIdle waits before it looks again, at least.
const idlePause = 2 * time.Millisecond

// idle says whether there was a moment, since it was called, in which all were:
// what waits for mail in two surveys, and did not begin to wait from one to the
// other, has waited all the time between them.
func (s *System) idle() bool {
	first := s.survey()
	return first.busy == 0 && s.survey() == first
}

// survey is what all processes were found to be at, one after the other.
type survey struct {
	busy            int
	one             PID    // of the busy
	serials, sleeps uint64 // sums
}

func (s *System) survey() (found survey) {
	s.table.each(func(p *Process) {
		if p.tenure != nil || p.traits&isEndless != 0 {
			return
		}
		b := &p.box
		b.mu.Lock()
		idle := b.waiting == waitingMail
		sleeps := p.sleeps
		b.mu.Unlock()
		if !idle {
			found.busy++
			found.one = p.pid
		}
		found.serials += p.pid.serial
		found.sleeps += uint64(sleeps)
	})
	return found
}
