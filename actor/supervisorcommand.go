//conclave:pure

package actor

import "fmt"

// What a supervision is asked for by somebody who waits for the answer.
type (
	childAdd struct {
		ask  uint64
		spec Child
	}
	childTerminate struct {
		ask  uint64
		name string
	}
	childRestart struct {
		ask  uint64
		name string
	}
	childDelete struct {
		ask  uint64
		name string
	}
)

// command does what somebody asks for about one child.
func (s *supervision) command(event any) {
	var ask uint64
	var err error
	switch e := event.(type) {
	case childAdd:
		ask = e.ask
		if s.named(e.spec.Name) != nil {
			err = fmt.Errorf("child %q: %w", e.spec.Name, ErrChildExists)
			break
		}
		c := s.add(e.spec)
		c.starter, c.fresh = ask, true
	case childTerminate:
		ask = e.ask
		c := s.named(e.name)
		if c == nil {
			err = fmt.Errorf("child %q: %w", e.name, ErrNoChild)
			break
		}
		s.terminate(c, ask)
	case childRestart:
		ask = e.ask
		c := s.named(e.name)
		switch {
		case c == nil:
			err = fmt.Errorf("child %q: %w", e.name, ErrNoChild)
		case c.starter != 0:
			err = fmt.Errorf("child %q: %w", e.name, ErrChildBusy)
		default:
			c.up, c.at, c.failures, c.starter = true, s.now, 0, ask
			c.again = c.phase != ChildDown
		}
	case childDelete:
		ask = e.ask
		c := s.named(e.name)
		switch {
		case c == nil:
			err = fmt.Errorf("child %q: %w", e.name, ErrNoChild)
		case c.up || c.phase != ChildDown:
			err = fmt.Errorf("child %q: %w", e.name, ErrChildBusy)
		default:
			s.remove(c)
			s.do(childAnswer{ask, nil, nil})
		}
	}
	if err != nil {
		s.do(childAnswer{ask, nil, err})
	}
}

func (s *supervision) named(name string) *supervised {
	for _, c := range s.children {
		if c.spec.Name == name {
			return c
		}
	}
	return nil
}

func (s *supervision) terminate(c *supervised, ask uint64) {
	c.up, c.again = false, false
	s.answerStarter(c, fmt.Errorf("child %q: %w: it was terminated", c.spec.Name, ErrNotStarted))
	switch {
	case c.phase == ChildDown:
		s.do(childAnswer{ask, nil, nil})
		if c.spec.Restart == Temporary || c.fresh {
			s.remove(c)
		}
	case c.stuck:
		s.do(childAnswer{ask, nil, fmt.Errorf("child %q: %w", c.spec.Name, ErrStuck)})
	default:
		c.late = false // whatever it was stopped for, it stays down
		c.drop = c.drop || c.fresh
		c.stoppers = append(c.stoppers, ask)
	}
}
