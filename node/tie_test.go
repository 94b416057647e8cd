package node_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"conclave/actor"
	"conclave/node"
)

// What binds processes to each other: links, monitors, exit signals.

func TestMonitorIsToldHowTheOtherEnded(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		for _, end := range []error{actor.Normal, actor.Killed, errBusiness, fmt.Errorf("as told: %w", actor.Shutdown)} {
			to := b.Spawn(idle)
			a.do(func(p *actor.Process) error {
				ref := p.Monitor(to)
				p.Exit(to, end)
				d, m, err := actor.Expect[actor.Down](p)
				if err != nil {
					return err
				}
				if d.Ref != ref || d.PID != to || m.From != to || d.Reason.Error() != end.Error() {
					return fmt.Errorf("%+v, want %v, %v, %v", d, ref, to, end)
				}
				for _, s := range []error{actor.Normal, actor.Killed, actor.Shutdown} {
					if errors.Is(end, s) != errors.Is(d.Reason, s) {
						return fmt.Errorf("%v became %v", end, d.Reason)
					}
				}
				return nil
			})
		}
	})
}

func TestMonitorOfNobodyIsToldAtOnce(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		gone := b.Spawn(func(*actor.Process) error { return nil })
		c.await("its end", func() bool { return !b.Alive(gone) })
		a.do(func(p *actor.Process) error {
			p.Monitor(gone)
			d, _, err := actor.Expect[actor.Down](p)
			if d.Reason != actor.NoProcess {
				return fmt.Errorf("%v, %w", d.Reason, err)
			}
			return nil
		})
	})
}

func TestDownComesBehindWhatWasSentBefore(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		a.do(func(p *actor.Process) error {
			home := p.Self()
			to := b.Spawn(func(q *actor.Process) error {
				if _, err := q.Receive(); err != nil {
					return err
				}
				for i := range 1000 {
					if err := q.Send(home, i); err != nil {
						return err
					}
				}
				return errBusiness
			})
			p.Monitor(to)
			if err := p.Send(to, "go"); err != nil {
				return err
			}
			for i := range 1000 {
				m, err := p.Receive()
				if err != nil {
					return err
				}
				if m.Body() != i {
					return fmt.Errorf("%v came in place of %d", m.Body(), i)
				}
			}
			d, _, err := actor.Expect[actor.Down](p)
			if err != nil || d.Reason.Error() != errBusiness.Error() {
				return fmt.Errorf("%v, %w", d, err)
			}
			return nil
		})
	})
}

func TestDemonitoredIsNotTold(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to := b.Spawn(echo)
		a.do(func(p *actor.Process) error {
			one, two := p.Monitor(to), p.Monitor(to)
			p.Demonitor(one)
			p.Exit(to, errBusiness)
			d, _, err := actor.Expect[actor.Down](p)
			if err != nil || d.Ref != two {
				return fmt.Errorf("%+v, %w", d, err)
			}
			if m, err := p.ReceiveTimeout(20 * time.Millisecond); !errors.Is(err, actor.ErrTimeout) {
				return fmt.Errorf("more came: %v, %w", m.Body(), err)
			}
			return nil
		})
	})
}

func TestLinkedEndsWithTheOther(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		for _, end := range []error{errBusiness, actor.Killed} {
			to := b.Spawn(idle)
			err := a.run(func(p *actor.Process) error {
				p.Link(to)
				p.Exit(to, end)
				return idle(p)
			})
			if err == nil || err.Error() != end.Error() || errors.Is(err, actor.Killed) != errors.Is(end, actor.Killed) {
				c.Errorf("linked with one that ended with %v: %v", end, err)
			}
			// And the other way round.
			linked := make(chan struct{})
			over := make(chan error, 1)
			other := a.Spawn(idle)
			b.Spawn(func(p *actor.Process) error {
				p.Link(other)
				if _, err := actor.Call[string](p, a.Spawn(echo), "link set"); err != nil {
					return err
				}
				close(linked)
				return idle(p)
			}, actor.OnExit(func(_ actor.PID, reason error) { over <- reason }))
			next(c, linked)
			a.Exit(other, end)
			if err := next(c, over); err == nil || err.Error() != end.Error() {
				c.Errorf("linked with one that ended with %v: %v", end, err)
			}
		}
	})
}

func TestLinkedSurvivesAGoodEnd(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to := b.Spawn(func(p *actor.Process) error {
			_, err := p.Receive()
			return err
		})
		a.do(func(p *actor.Process) error {
			p.Link(to)
			p.Monitor(to)
			if err := p.Send(to, "end"); err != nil {
				return err
			}
			if d, _, err := actor.Expect[actor.Down](p); err != nil || d.Reason != actor.Normal {
				return fmt.Errorf("%v, %w", d, err)
			}
			if _, err := p.ReceiveTimeout(20 * time.Millisecond); !errors.Is(err, actor.ErrTimeout) {
				return err
			}
			return nil
		})
	})
}

func TestLinkWithNobodyEndsWithNoProcess(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		gone := b.Spawn(func(*actor.Process) error { return nil })
		c.await("its end", func() bool { return !b.Alive(gone) })
		err := a.run(func(p *actor.Process) error {
			p.Link(gone)
			return idle(p)
		})
		if err != actor.NoProcess {
			c.Error(err)
		}
	})
}

func TestUnlinkedIsFree(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to := b.Spawn(idle)
		a.do(func(p *actor.Process) error {
			p.Link(to)
			p.Unlink(to)
			p.Monitor(to)
			p.Exit(to, errBusiness)
			_, _, err := actor.Expect[actor.Down](p)
			return err
		})
	})
}

func TestTrappedExitIsAMessage(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to := b.Spawn(idle)
		a.do(func(p *actor.Process) error {
			p.TrapExit(true)
			p.Link(to)
			p.Exit(to, errBusiness)
			e, m, err := actor.Expect[actor.Exited](p)
			if err != nil || e.From != to || m.From != to || e.Reason.Error() != errBusiness.Error() {
				return fmt.Errorf("%+v, %w", e, err)
			}
			return nil
		})
		// Told to Exit, a process that traps goes on; with Killed it does not.
		got := make(chan actor.Exited, 1)
		trapper := b.Spawn(func(p *actor.Process) error {
			p.TrapExit(true)
			if err := p.Register("trapper"); err != nil {
				return err
			}
			e, _, err := actor.Expect[actor.Exited](p)
			if err != nil {
				return err
			}
			got <- e
			return idle(p)
		})
		c.await("the trap", func() bool { return b.Whereis("trapper") == trapper })
		a.do(func(p *actor.Process) error {
			p.Monitor(trapper)
			p.Exit(trapper, errBusiness)
			if e := next(c, got); e.From != p.Self() || e.Reason.Error() != errBusiness.Error() {
				return fmt.Errorf("%+v", e)
			}
			p.Exit(trapper, actor.Killed)
			d, _, err := actor.Expect[actor.Down](p)
			if err != nil || !errors.Is(d.Reason, actor.Killed) {
				return fmt.Errorf("%+v, %w", d, err)
			}
			return nil
		})
	})
}

func TestPanicIsAnExitReason(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to := b.Spawn(func(p *actor.Process) error {
			if _, err := p.Receive(); err != nil {
				return err
			}
			panic("the roof is on fire")
		})
		a.do(func(p *actor.Process) error {
			p.Monitor(to)
			if err := p.Send(to, "go"); err != nil {
				return err
			}
			d, _, err := actor.Expect[actor.Down](p)
			if err != nil || !strings.Contains(d.Reason.Error(), "the roof is on fire") {
				return fmt.Errorf("%v, %w", d.Reason, err)
			}
			return nil
		})
	})
}

func TestNodeThatLeavesTellsMonitorsShutdown(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to := b.Spawn(idle)
		watching := make(chan struct{})
		down := make(chan actor.Down, 1)
		a.Spawn(func(p *actor.Process) error {
			p.Monitor(to)
			if _, err := actor.Call[string](p, b.Spawn(echo), "monitor set"); err != nil {
				return err
			}
			close(watching)
			d, _, err := actor.Expect[actor.Down](p)
			down <- d
			return err
		})
		next(c, watching)
		b.stop()
		if d := next(c, down); !errors.Is(d.Reason, actor.Shutdown) {
			c.Errorf("%v", d.Reason)
		}
		a.awaitTold(node.LinkDown, 0)
	})
}

func TestProcessIsAContextThatEndsWithItsExit(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		started := make(chan struct{})
		over := make(chan error, 1)
		to := b.Spawn(func(p *actor.Process) error {
			close(started)
			_, err := b.WaitCapable(p, "nobody offers this", 1)
			over <- err
			return err
		})
		next(c, started)
		a.Exit(to, errBusiness)
		if err := next(c, over); err == nil || !strings.Contains(err.Error(), errBusiness.Error()) {
			c.Error(err)
		}
	})
}
