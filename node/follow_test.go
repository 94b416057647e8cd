package node_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"conclave/actor"
	"conclave/node"
)

// group follows a service in a process and applies what that is told.
type group struct {
	c     *cluster
	pid   actor.PID
	mail  <-chan actor.Message
	known []actor.PID
}

func (m *member) follow(service string) *group {
	m.c.Helper()
	g := &group{c: m.c}
	g.pid, g.mail = m.sink()
	m.c.ok(m.SubscribeCapable(service, g.pid))
	return g
}

// next is the next change, which must fit what was known before.
func (g *group) next() actor.CapableChanged {
	g.c.Helper()
	news := as[actor.CapableChanged](g.c, next(g.c, g.mail))
	for _, pid := range news.Left {
		if !slices.Contains(g.known, pid) {
			g.c.Errorf("%s left and was not there", pid)
		}
		g.known = slices.DeleteFunc(g.known, func(p actor.PID) bool { return p == pid })
	}
	for _, pid := range news.Joined {
		if slices.Contains(g.known, pid) {
			g.c.Errorf("%s joined twice", pid)
		}
		g.known = append(g.known, pid)
	}
	if len(g.known) != len(news.PIDs) {
		g.c.Errorf("known %v, told %v", g.known, news.PIDs)
	}
	return news
}

// until waits until those and no others are known.
func (g *group) until(pids ...actor.PID) {
	g.c.Helper()
	for {
		news := g.next()
		if len(news.PIDs) == len(pids) && !slices.ContainsFunc(pids, func(p actor.PID) bool { return !slices.Contains(news.PIDs, p) }) {
			return
		}
	}
}

func TestSubscriberIsToldWhoOffersAServiceAndEveryChange(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		g := b.follow("worker")
		if first := g.next(); first.Service != "worker" || len(first.PIDs) != 0 {
			c.Errorf("the first: %+v", first)
		}
		one, two := a.Spawn(idle), b.Spawn(idle)
		a.register("worker", one)
		g.until(one)
		b.register("worker", two)
		g.until(one, two)
		c.ok(a.Unregister(c.brief(), "worker", one))
		g.until(two)
		b.Exit(two, actor.Killed)
		g.until()
		late := b.follow("worker")
		late.until()
		a.register("worker", one)
		g.until(one)
		late.until(one)
		b.UnsubscribeCapable("worker", g.pid)
		a.Exit(one, actor.Killed)
		late.until()
		none(c, g.mail)
	})
}

func TestProcessOffersAndRetractsByItself(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		told := make(chan actor.CapableChanged, 100)
		b.Spawn(func(p *actor.Process) error {
			if err := errors.Join(p.SubscribeCapable("cook"), p.SubscribeCapable("cook")); err != nil {
				return err
			}
			for {
				news, m, err := actor.Expect[actor.CapableChanged](p)
				if err != nil {
					return err
				}
				if !m.From.IsZero() {
					c.Errorf("from %s", m.From)
				}
				told <- news
			}
		})
		if first := next(c, told); len(first.PIDs) != 0 {
			c.Errorf("%+v", first)
		}
		a.do(func(p *actor.Process) error {
			if err := errors.Join(p.Offer("cook"), p.Offer("waiter")); err != nil {
				return err
			}
			if news := next(c, told); !slices.Equal(news.Joined, []actor.PID{p.Self()}) {
				return fmt.Errorf("joined: %+v", news)
			}
			b.awaitCapable("waiter", p.Self())
			names, err := b.Services(c.brief())
			if err != nil || !slices.Equal(names, []string{"cook", "waiter"}) {
				return fmt.Errorf("%v: %w", names, err)
			}
			view, err := b.Lookup(c.brief(), "cook")
			if err != nil || len(view.Of(a.ID())) != 1 || !c.one && len(view.Of(b.ID())) != 0 {
				return fmt.Errorf("%+v: %w", view, err)
			}
			if err := p.Retract("cook"); err != nil {
				return err
			}
			if pids, err := p.GetCapable("cook"); err != nil || len(pids) != 0 {
				return fmt.Errorf("after Retract: %v, %w", pids, err)
			}
			if news := next(c, told); !slices.Equal(news.Left, []actor.PID{p.Self()}) {
				return fmt.Errorf("left: %+v", news)
			}
			return nil
		})
		b.awaitCapable("waiter")
	})
}

// A subscriber that does not read is not sent everything, but the last it is.
func TestBusySubscriberIsToldTheLastState(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a := c.node("a")
		gate := make(chan struct{})
		var news []actor.CapableChanged
		pid := a.Spawn(func(p *actor.Process) error {
			<-gate
			for {
				n, _, err := actor.Expect[actor.CapableChanged](p)
				if err != nil {
					return err
				}
				news = append(news, n)
			}
		}, actor.WithMailbox(actor.Mailbox{Limit: 4}))
		c.ok(a.SubscribeCapable("worker", pid))
		var last actor.PID
		for range 20 {
			last = a.Spawn(idle)
			a.register("worker", last)
			time.Sleep(time.Second)
		}
		close(gate)
		time.Sleep(time.Second)
		c.settle()
		if n := len(news); n < 2 || n > 4 || len(news[n-1].PIDs) != 20 || !slices.Contains(news[n-1].Joined, last) {
			c.Errorf("%d messages: %+v", n, news)
		}
		if n := a.DeadLetters(actor.DeadMailboxFull); n != 0 {
			c.Errorf("%d dead letters", n)
		}
	})
}

func TestSubscriptionsEndWithTheirProcessAndTheirNode(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a := c.node("a")
		time.Sleep(time.Second)
		before := runtime.NumGoroutine()
		pid := a.Spawn(idle)
		for i := range 30 {
			c.ok(a.SubscribeCapable(fmt.Sprint("s", i), pid))
		}
		a.Exit(pid, actor.Killed)
		time.Sleep(time.Second)
		if n := runtime.NumGoroutine(); n > before+10 {
			c.Errorf("%d goroutines, there were %d", n, before)
		}
		if err := a.SubscribeCapable("worker", pid); !errors.Is(err, actor.NoProcess) {
			c.Errorf("of one that has ended: %v", err)
		}
		if err := a.SubscribeCapable("a/b", a.Spawn(idle)); !errors.Is(err, actor.ErrBadName) {
			c.Errorf("a bad name: %v", err)
		}
		c.ok(a.SubscribeCapable("worker", a.Spawn(idle)))
		a.stop() // the bubble fails if anything of a subscription is left
		if err := a.SubscribeCapable("worker", pid); !errors.Is(err, node.ErrStopped) {
			c.Errorf("after Stop: %v", err)
		}
	})
}

// While ZooKeeper is away nobody is told that members have gone.
func TestSubscriberKeepsWhatItKnowsThroughAnOutage(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		one := a.Spawn(idle)
		a.register("worker", one)
		g := b.follow("worker")
		g.until(one)
		c.dev.Down()
		time.Sleep(3 * testSession)
		none(c, g.mail)
		c.dev.Up()
		two := a.Spawn(idle)
		a.register("worker", two)
		g.until(one, two)
	})
}
