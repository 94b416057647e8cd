package node_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/actor"
	"conclave/node"
	"conclave/registry"
)

func contains(pids []actor.PID, pid actor.PID) bool { return slices.Contains(pids, pid) }

// awaitCapable waits until exactly these offer the service, as m sees it.
func (m *member) awaitCapable(service string, want ...actor.PID) {
	m.c.Helper()
	var got []actor.PID
	ok := m.c.awaitFor(m.c.patience(), func() bool {
		var err error
		got, err = m.GetCapable(m.c.brief(), service)
		m.c.ok(err)
		return len(got) == len(want) && !slices.ContainsFunc(want, func(pid actor.PID) bool { return !contains(got, pid) })
	})
	if !ok {
		m.c.Fatalf("%s sees %v offer %s, want %v", m.name, got, service, want)
	}
}

func (m *member) register(service string, pid actor.PID) {
	m.c.Helper()
	if _, err := m.Register(m.c.brief(), service, pid); err != nil {
		m.c.Fatalf("%s: register %s: %v", m.name, service, err)
	}
}

func TestMailToALocalNameReachesWhoHasIt(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to, mail := b.sink()
		c.ok(b.RegisterName("kitchen", to))
		if b.Whereis("kitchen") != to || !a.Whereis("cellar").IsZero() {
			c.Error("Whereis")
		}
		c.ok(a.SendName(b.ID(), "kitchen", "from outside"))
		var from actor.PID
		a.do(func(p *actor.Process) error {
			from = p.Self()
			return p.SendName(to, "kitchen", "from a process")
		})
		if m := next(c, mail); m.Body() != "from outside" || !m.From.IsZero() {
			c.Error(m.Body(), m.From)
		}
		if m := next(c, mail); m.Body() != "from a process" || m.From != from {
			c.Error(m.Body(), m.From)
		}
		c.ok(a.SendName(b.ID(), "cellar", "anybody?"))
		c.await("a dead letter", func() bool { return b.DeadLetters(actor.DeadNoName) == 1 })
		if l := b.told(node.Dead)[0].Letter; l.Name != "cellar" || l.Type != "string" {
			c.Errorf("%+v", l)
		}
		if err := a.SendName(b.ID(), "a/b", ""); !errors.Is(err, actor.ErrBadName) {
			c.Error(err)
		}
	})
}

func TestRegisteredIsFoundEverywhereAndUnregisteredIsNot(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		one, two := b.Spawn(idle), b.Spawn(idle)
		a.awaitCapable("cook")
		b.register("cook", one)
		if pids, err := b.GetCapable(c.brief(), "cook"); err != nil || !slices.Equal(pids, []actor.PID{one}) {
			c.Errorf("who registers sees %v, %v", pids, err)
		}
		b.register("cook", two)
		a.awaitCapable("cook", one, two)
		c.ok(b.Unregister(c.brief(), "cook", one))
		a.awaitCapable("cook", two)
		b.Exit(two, errBusiness)
		a.awaitCapable("cook")
	})
}

func TestRegistrationOfTheDeadOrOfStrangersIsRefused(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		dead := a.Spawn(func(*actor.Process) error { return nil })
		c.await("its end", func() bool { return !a.Alive(dead) })
		if _, err := a.Register(c.brief(), "cook", dead); !errors.Is(err, registry.ErrNoProcess) || !strings.Contains(err.Error(), "cook") {
			c.Errorf("a dead process: %v", err)
		}
		if _, err := a.Register(c.brief(), "cook", b.Spawn(idle)); !errors.Is(err, registry.ErrForeign) {
			c.Errorf("another node's: %v", err)
		}
		if err := a.RegisterName("cook", dead); !errors.Is(err, actor.NoProcess) {
			c.Errorf("a name for a dead process: %v", err)
		}
		a.awaitCapable("cook")
	})
}

func TestWaitCapableReturnsWhenEnoughAreThere(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		enough := make(chan []actor.PID, 1)
		go func() {
			pids, err := a.WaitCapable(c.brief(), "cook", 2)
			if err != nil {
				c.Error(err)
			}
			enough <- pids
		}()
		one := b.Spawn(idle)
		b.register("cook", one)
		a.awaitCapable("cook", one)
		none(c, enough)
		two := a.Spawn(idle)
		a.register("cook", two)
		if pids := next(c, enough); len(pids) != 2 || !contains(pids, one) || !contains(pids, two) {
			c.Error(pids)
		}
		if _, err := a.WaitCapable(c.within(20*time.Millisecond), "cook", 3); !errors.Is(err, context.DeadlineExceeded) {
			c.Error(err)
		}
	})
}

func TestSendCapableReachesEveryCook(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		if n, err := a.SendCapable(c.brief(), "cook", "?"); n != 0 || !errors.Is(err, node.ErrNoCapable) || !strings.Contains(err.Error(), "cook") {
			c.Error(n, err)
		}
		one, first := a.sink()
		two, second := b.sink()
		a.register("cook", one)
		b.register("cook", two)
		a.awaitCapable("cook", one, two)
		if n, err := a.SendCapable(c.brief(), "cook", "soup"); n != 2 || err != nil {
			c.Error(n, err)
		}
		for _, mail := range []<-chan actor.Message{first, second} {
			if m := next(c, mail); m.Body() != "soup" {
				c.Error(m.Body())
			}
		}
	})
}

func TestNodesAreListedWithoutGuests(t *testing.T) {
	everyWay(t, func(c *cluster) {
		all := c.nodes(3)
		c.guest("guest")
		want := make(map[actor.NodeID]bool)
		for _, m := range all {
			want[m.ID()] = true
		}
		c.await("all nodes", func() bool {
			ids, err := all[0].Nodes(c.brief())
			c.ok(err)
			for _, id := range ids {
				if !want[id] {
					c.Fatalf("%v is listed", id)
				}
			}
			return len(ids) == len(want)
		})
		if last := all[len(all)-1]; len(want) > 1 {
			last.stop()
			c.await("one less", func() bool {
				ids, err := all[0].Nodes(c.brief())
				c.ok(err)
				return len(ids) == len(want)-1 && !slices.Contains(ids, last.ID())
			})
		}
	})
}

func TestLookupTellsHowFreshItsAnswerIs(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		pid := b.Spawn(idle)
		if v, err := a.Lookup(c.brief(), "cook"); err != nil || len(v.PIDs) != 0 || v.Stale {
			c.Errorf("%+v, %v", v, err)
		}
		b.register("cook", pid)
		a.awaitCapable("cook", pid)
		if v, err := a.Lookup(c.brief(), "cook"); err != nil || !contains(v.PIDs, pid) || v.Token.IsZero() {
			c.Errorf("%+v, %v", v, err)
		}
	})
}

func TestProcessesLookUpNamesThemselves(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		cook := b.Spawn(idle)
		b.register("cook", cook)
		chef, err := b.RegisterCandidate(c.brief(), "chef", idle)
		c.ok(err)
		a.do(func(p *actor.Process) error {
			pids, err := p.WaitCapable("cook", 1)
			if err != nil || !slices.Equal(pids, []actor.PID{cook}) {
				return fmt.Errorf("wait: %v, %w", pids, err)
			}
			if pids, err = p.GetCapable("cook"); err != nil || !slices.Equal(pids, []actor.PID{cook}) {
				return fmt.Errorf("get: %v, %w", pids, err)
			}
			pid, err := p.WhereisGlobal("chef")
			if err != nil || pid != chef {
				return fmt.Errorf("whereis: %v, %w", pid, err)
			}
			if p.Term() != (actor.Term{}) {
				return errors.New("it holds a term")
			}
			return nil
		})
	})
}

func TestGuestLooksUpSendsAndIsAnsweredButOffersNothing(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a := c.node("a")
		a.register("cook", a.Spawn(echo))
		g := c.guest("guest")
		pids, err := g.WaitCapable(c.brief(), "cook", 1)
		c.ok(err)
		home, mail := g.sink()
		g.do(func(p *actor.Process) error {
			said, err := actor.Call[string](p, pids[0], "hello")
			if said != "hello" {
				return fmt.Errorf("%q, %w", said, err)
			}
			return err
		})
		// Over the link that the guest has made, it can be reached.
		c.ok(a.Send(home, "psst"))
		if m := next(c, mail); m.Body() != "psst" {
			c.Error(m.Body())
		}
		if _, err := g.Register(c.brief(), "cook", home); err == nil || !strings.Contains(err.Error(), "guest") {
			c.Errorf("a guest registers: %v", err)
		}
		if _, err := g.RegisterCandidate(c.brief(), "chef", idle); err == nil || !strings.Contains(err.Error(), "guest") {
			c.Errorf("a guest stands: %v", err)
		}
		c.ok(g.RegisterName("waiter", home))
		a.awaitCapable("waiter")
		// When it has left nobody can reach it any more.
		g.stop()
		c.await("the end of the link", func() bool { return len(a.told(node.LinkDown)) > 0 })
		a.do(func(p *actor.Process) error {
			p.Monitor(home)
			d, _, err := actor.Expect[actor.Down](p)
			if !errors.Is(d.Reason, actor.NoProcess) {
				return fmt.Errorf("%v, %w", d.Reason, err)
			}
			if _, err := actor.Call[int](p, home, ""); !errors.Is(err, actor.NoProcess) {
				return fmt.Errorf("a call to a guest that left: %w", err)
			}
			return nil
		})
	})
}
