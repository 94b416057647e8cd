//conclave:pure

package actor

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// supervision is what a supervisor knows and decides. It starts and stops nothing
// itself: step is told what has happened and returns what to do. Times are counted
// from the supervisor's start.
type supervision struct {
	strategy  Strategy
	intensity int
	period    time.Duration
	children  []*supervised // in the order of their start

	first    bool            // not all of the first children are up yet
	ending   bool            // all children are being stopped, for good
	over     bool            // and it is done
	cause    error           // why it ends
	restarts []time.Duration // when, within the last period
	lastID   uint64
	lastRun  uint64

	now time.Duration
	out []any
}

// supervised is one child of a supervision.
type supervised struct {
	id   uint64
	spec Child

	phase ChildState
	run   uint64 // the number of its instance; no two have the same
	up    bool   // it is to run
	again bool   // its instance has to go, in turn, before it starts again
	drop  bool   // it is no child any more once its instance has ended
	fresh bool   // it was added by StartChild and has not been up yet
	late  bool   // it is being stopped because it did not start in time
	stuck bool   // it was told to stop and its time to do so has passed

	since    time.Duration // when it was up
	until    time.Duration // when it must be up, or have ended; 0: no limit
	at       time.Duration // it does not start before
	failures int           // in a row
	reason   error         // of its last end
	starter  uint64        // the request that waits for its start; 0: none
	stoppers []uint64      // those that wait for its end
}

// What a supervision is told.
type (
	superBegin   struct{} // start the first children
	superTimer   struct{} // time has passed
	superStop    struct{ reason error }
	childStarted struct{ run uint64 }
	childEnded   struct {
		run    uint64
		reason error
	}
)

// What it wants done.
type (
	superUp    struct{} // all of the first children are up
	superOver  struct{} // nothing is left to do: end with cause
	childStart struct {
		child *supervised
		run   uint64
	}
	childExit  struct{ child *supervised } // tell its instance to stop
	childStuck struct{ child *supervised } // report it
	childAgain struct {                    // report that it starts again
		child *supervised
		in    time.Duration
	}
	childAnswer struct {
		ask   uint64
		child *supervised // nil: it failed, or the child is no more
		err   error
	}
)

// step takes in what has happened, and returns what to do about it, in order.
func (s *supervision) step(event any, now time.Duration) []any {
	s.now, s.out = now, nil
	switch e := event.(type) {
	case superBegin:
		s.first = true
	case superTimer:
	case superStop:
		s.end(e.reason)
	case childStarted:
		if c := s.instance(e.run); c != nil && c.phase == ChildStarting {
			s.isUp(c)
		}
	case childEnded:
		if c := s.instance(e.run); c != nil {
			s.ended(c, e.reason)
		}
	default:
		if !s.ending {
			s.command(event)
		}
	}
	s.deadlines()
	s.stops()
	s.starts()
	if s.ending && !s.over && !slices.ContainsFunc(s.children, (*supervised).holdsUp) {
		s.over = true
		s.do(superOver{})
	}
	return s.out
}

// alarm is when a superTimer is needed next; 0: not before something happens.
func (s *supervision) alarm() time.Duration {
	var next time.Duration
	for _, c := range s.children {
		at := c.until
		if c.phase == ChildDown && c.up {
			at = c.at
		}
		if at > s.now && (next == 0 || at < next) {
			next = at
		}
	}
	return next
}

func (s *supervision) do(action any) { s.out = append(s.out, action) }

func (s *supervision) instance(run uint64) *supervised {
	for _, c := range s.children {
		if c.run == run && c.phase != ChildDown {
			return c
		}
	}
	return nil
}

func (s *supervision) add(spec Child) *supervised {
	s.lastID++
	c := &supervised{id: s.lastID, spec: spec, up: true}
	s.children = append(s.children, c)
	return c
}

func (s *supervision) remove(c *supervised) {
	s.children = slices.DeleteFunc(s.children, func(o *supervised) bool { return o == c })
}

// isUp is that a child's instance counts as started.
func (s *supervision) isUp(c *supervised) {
	c.phase, c.since, c.until, c.fresh = ChildUp, s.now, 0, false
	s.answerStarter(c, nil)
}

func (s *supervision) answerStarter(c *supervised, err error) {
	if c.starter != 0 {
		s.do(childAnswer{c.starter, c, err})
		c.starter = 0
	}
}

// ended is that the code of a child's instance has returned.
func (s *supervision) ended(c *supervised, reason error) {
	asked := (c.phase == ChildStopping || c.again) && !c.late
	unborn := c.phase == ChildStarting || c.late
	wasUp := c.phase == ChildUp
	if c.late {
		reason = c.tooLate()
	}
	c.phase, c.reason, c.until, c.again, c.late, c.stuck = ChildDown, reason, 0, false, false, false
	for _, ask := range c.stoppers {
		s.do(childAnswer{ask, nil, nil})
	}
	c.stoppers = nil
	switch {
	case c.starter != 0 && unborn:
		s.answerStarter(c, c.notStarted(reason))
		c.up, c.drop = false, c.drop || c.fresh
	case s.ending:
	case asked:
		c.drop = c.drop || c.spec.Restart == Temporary && c.starter == 0
	case unborn && s.first:
		s.end(c.notStarted(reason))
	case !c.spec.Restart.again(reason):
		c.up, c.drop = false, c.drop || c.spec.Restart == Temporary
	default:
		if wasUp && s.now-c.since >= c.spec.Backoff.Reset {
			c.failures = 0
		}
		s.restart(c)
	}
	if c.drop {
		s.remove(c)
	}
}

func (c *supervised) tooLate() error {
	return fmt.Errorf("it took longer than %v", c.spec.StartTimeout)
}

func (c *supervised) notStarted(why error) error {
	return fmt.Errorf("child %q: %w: %w", c.spec.Name, ErrNotStarted, why)
}

// restart has c start again, and with it whom the strategy says, unless there
// have been too many restarts.
func (s *supervision) restart(c *supervised) {
	c.failures++
	s.restarts = slices.DeleteFunc(s.restarts, func(t time.Duration) bool { return s.now-t >= s.period })
	if len(s.restarts) >= s.intensity {
		s.end(fmt.Errorf("%w: more than %d within %v, last child %q: %w", ErrTooManyRestarts, s.intensity, s.period, c.spec.Name, c.reason))
		return
	}
	s.restarts = append(s.restarts, s.now)
	in := c.spec.Backoff.delay(c.failures)
	c.at = s.now + in
	s.do(childAgain{c, in})
	if s.strategy == OneForOne {
		return
	}
	behind := false
	for _, o := range slices.Clone(s.children) {
		behind = behind || o == c
		if o == c || !o.up || s.strategy == RestForOne && !behind {
			continue
		}
		o.again = o.phase != ChildDown
		o.at = max(o.at, c.at)
	}
}

// end has all children stopped, for good.
func (s *supervision) end(cause error) {
	if s.ending {
		return
	}
	s.ending, s.cause, s.first = true, cause, false
	for _, c := range s.children {
		c.up = false
		if c.alive() {
			c.until = 0 // to be up is not asked of it any more
		}
	}
}

// deadlines sees to starts and stops that take too long.
func (s *supervision) deadlines() {
	for _, c := range s.children {
		if c.until == 0 || s.now < c.until {
			continue
		}
		c.until = 0
		if c.phase == ChildStopping {
			c.stuck = true
			s.do(childStuck{c})
			for _, ask := range c.stoppers {
				s.do(childAnswer{ask, nil, fmt.Errorf("child %q: %w", c.spec.Name, ErrStuck)})
			}
			c.stoppers = nil
			s.answerStarter(c, fmt.Errorf("child %q: %w", c.spec.Name, ErrStuck))
			if c.late && c.fresh {
				c.late, c.up, c.drop = false, false, true
			}
			continue
		}
		if s.first {
			s.end(c.notStarted(c.tooLate())) // it is stopped in its turn
			continue
		}
		c.late = true
		s.exit(c)
	}
}

// exit tells the instance of c to stop.
func (s *supervision) exit(c *supervised) {
	c.phase, c.until = ChildStopping, 0
	if c.spec.Shutdown > 0 {
		c.until = s.now + c.spec.Shutdown
	}
	s.do(childExit{c})
}

func (c *supervised) alive() bool { return c.phase == ChildStarting || c.phase == ChildUp }

// holdsUp says whether the end has to wait for c.
func (c *supervised) holdsUp() bool { return c.alive() || c.phase == ChildStopping && !c.stuck }

// stops tells those to stop who must: who goes in turn only when all behind it
// that go too have gone.
func (s *supervision) stops() {
	busy := slices.ContainsFunc(s.children, func(c *supervised) bool {
		return c.phase == ChildStopping && !c.stuck && (s.ending || c.again)
	})
	for _, c := range slices.Backward(s.children) {
		switch {
		case !c.alive() || c.up && !c.again:
		case !s.ending && !c.again:
			s.exit(c)
		case !busy:
			busy = true
			s.exit(c)
		}
	}
}

// starts starts those whose time has come. The first children, and those of a
// group, go one after the other; so nobody of a group starts while one of it is
// still to go.
func (s *supervision) starts() {
	group := s.strategy != OneForOne
	if s.ending || group && slices.ContainsFunc(s.children, func(c *supervised) bool { return c.again }) {
		return
	}
	for _, c := range s.children {
		if c.up && c.phase == ChildDown && s.now >= c.at {
			s.start(c)
		}
		if c.up && c.phase != ChildUp && (group || s.first) {
			return // those behind it wait
		}
	}
	if s.first {
		s.first = false
		s.do(superUp{})
	}
}

func (s *supervision) start(c *supervised) {
	s.lastRun++
	c.run, c.phase, c.until = s.lastRun, ChildStarting, 0
	s.do(childStart{c, c.run})
	switch {
	case c.spec.StartTimeout == 0:
		s.isUp(c)
	case c.spec.StartTimeout > 0:
		c.until = s.now + c.spec.StartTimeout
	}
}

// again says whether a child that ended so, unasked, is started again.
func (r Restart) again(reason error) bool {
	switch r {
	case Permanent:
		return true
	case Transient:
		if errors.Is(reason, ErrTooManyRestarts) {
			return true // a supervisor's; what it wraps is the end of a child
		}
		return !errors.Is(reason, Normal) && !errors.Is(reason, Shutdown) && !errors.Is(reason, StoppedBySupervisor)
	default:
		return false
	}
}

// delay is how long to wait before the restart after so many ends in a row.
func (b Backoff) delay(failures int) time.Duration {
	d := b.From
	for range failures - 1 {
		if d >= b.To/2 {
			return b.To
		}
		d *= 2
	}
	return min(d, b.To)
}
