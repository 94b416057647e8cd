package node_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/node"
)

// gated is a process on m that reads nothing before gate is closed, and then
// hands on its mail.
func (m *member) gated(gate <-chan struct{}, box actor.Mailbox) (actor.PID, <-chan actor.Message) {
	mail := make(chan actor.Message, 1<<17)
	return m.Spawn(func(p *actor.Process) error {
		select {
		case <-gate:
		case <-p.Done():
			return nil
		}
		for {
			msg, err := p.Receive()
			if err != nil {
				return err
			}
			mail <- msg
		}
	}, actor.WithMailbox(box)), mail
}

func TestFault37FullMailboxRefusesAndTellsWho(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		gate := make(chan struct{})
		to, mail := b.gated(gate, actor.Mailbox{Limit: 10})
		a.do(func(p *actor.Process) error {
			for i := range 100 {
				if err := p.Send(to, i); err != nil {
					return fmt.Errorf("send %d: %w", i, err)
				}
			}
			if _, err := actor.Call[int](p, to, "a call"); !errors.Is(err, actor.ErrMailboxFull) {
				return fmt.Errorf("the caller was told %w", err)
			}
			return nil
		})
		if n := b.DeadLetters(actor.DeadMailboxFull); n != 91 {
			c.Errorf("%d dead letters, want 91", n)
		}
		for _, f := range b.told(node.Dead) {
			if f.Letter.To != to || f.Letter.From.Node() != a.ID() || f.Letter.Reason != actor.DeadMailboxFull {
				c.Errorf("%+v", f.Letter)
			}
		}
		// On its own node the sender is told itself.
		if err := b.Send(to, "one more"); !errors.Is(err, actor.ErrMailboxFull) {
			c.Errorf("a sender of the same node was told %v", err)
		}
		close(gate)
		for i := range 10 {
			if m := next(c, mail); m.Body() != i {
				c.Errorf("%v in place of %d", m.Body(), i)
			}
		}
		none(c, mail)
		c.ok(a.Send(to, "there is room again"))
		if m := next(c, mail); m.Body() != "there is room again" {
			c.Error(m.Body())
		}
	})
}

func TestFault37FullMailboxMakesSendersOfOtherNodesWait(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a", func(cfg *node.Config) { cfg.Limits.Outbox = 64 << 10 }), c.node("b")
		const count = 30_000
		gate := make(chan struct{})
		to, mail := b.gated(gate, actor.Mailbox{Limit: 100, Policy: actor.Wait})
		free, other := b.sink()
		sent := make(chan error, 3)
		var progress atomic.Int64
		for _, m := range []*member{a, a, b} {
			m.Spawn(func(p *actor.Process) error {
				for i := range count {
					if err := p.Send(to, i); err != nil {
						sent <- fmt.Errorf("%s: send %d: %w", m.name, i, err)
						return err
					}
					progress.Add(1)
				}
				sent <- nil
				return nil
			})
		}
		c.awaitStill(&progress)
		if n := progress.Load(); n == 3*count {
			c.Error("nobody had to wait")
		}
		// While they wait, nobody else does.
		for i := range 100 {
			c.ok(a.Send(free, i))
			if m := next(c, other); m.Body() != i {
				c.Errorf("%v in place of %d", m.Body(), i)
			}
		}
		close(gate)
		last := make(map[actor.PID]int)
		for range 3 * count {
			m := next(c, mail)
			n := as[int](c, m)
			if n != last[m.From] {
				c.Fatalf("%d of %v in place of %d", n, m.From, last[m.From])
			}
			last[m.From]++
		}
		for range 3 {
			c.ok(next(c, sent))
		}
		if n := a.DeadLetters(actor.DeadMailboxFull) + b.DeadLetters(actor.DeadMailboxFull); n != 0 {
			c.Errorf("%d dead letters", n)
		}
	})
}

func TestFault37ExitSignalsGetThroughAFullMailbox(t *testing.T) {
	for _, policy := range []actor.Policy{actor.Refuse, actor.Wait} {
		t.Run([]string{"refuse", "wait"}[policy], func(t *testing.T) {
			apart(t, func(c *cluster) {
				a, b := c.node("a"), c.node("b")
				box := actor.Mailbox{Limit: 5, Policy: policy}
				fill := func(to actor.PID) {
					a.Spawn(func(p *actor.Process) error {
						for range 100 {
							if err := p.Send(to, "fill"); err != nil {
								return err
							}
						}
						return nil
					})
					full := func() bool { return b.DeadLetters(actor.DeadMailboxFull) > 0 }
					if policy == actor.Wait {
						full = func() bool {
							_, err := actor.Call[int](b.Within(time.Millisecond), to, "")
							return errors.Is(err, actor.ErrTimeout)
						}
					}
					c.await("a full mailbox", full)
				}
				over := make(chan error, 1)
				to := b.Spawn(idle, actor.WithMailbox(box), actor.OnExit(func(_ actor.PID, reason error) { over <- reason }))
				fill(to)
				a.Exit(to, errBusiness)
				if err := next(c, over); err == nil || err.Error() != errBusiness.Error() {
					c.Errorf("it ended with %v", err)
				}
				// One that traps exits finds the signal and a Down behind the mail.
				victim, gate, watches := a.Spawn(idle), make(chan struct{}), make(chan struct{})
				got := make(chan any, 10)
				trapper := b.Spawn(func(p *actor.Process) error {
					p.TrapExit(true)
					p.Monitor(victim)
					if _, err := actor.Call[string](p, a.Spawn(echo), "monitor set"); err != nil {
						return err
					}
					close(watches)
					<-gate
					e, _, err := actor.Expect[actor.Exited](p)
					if err != nil {
						return err
					}
					got <- e.Reason.Error()
					d, _, err := actor.Expect[actor.Down](p)
					if err != nil {
						return err
					}
					got <- d.Reason.Error()
					return nil
				}, actor.WithMailbox(box))
				next(c, watches)
				fill(trapper)
				a.Exit(trapper, errors.New("go home"))
				a.Exit(victim, errBusiness)
				close(gate)
				for _, want := range []string{"go home", errBusiness.Error()} {
					if v := next(c, got); v != want {
						c.Errorf("%v in place of %v", v, want)
					}
				}
			})
		})
	}
}

// awaitStill waits until a counter that has begun to count stands still.
func (c *cluster) awaitStill(n *atomic.Int64) {
	c.Helper()
	last, since := int64(0), time.Now()
	c.await("the counting to stop", func() bool {
		if v := n.Load(); v != last {
			last, since = v, time.Now()
		}
		return last > 0 && time.Since(since) > 100*time.Millisecond
	})
}

func TestFault37WaitingSenderIsReleasedWhenItsReceiverEnds(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to := b.Spawn(idle, actor.WithMailbox(actor.Mailbox{Limit: 5, Policy: actor.Wait}))
		large := strings.Repeat("x", 1000) // so many of them fit nowhere on the way
		done := make(chan error, 2)
		var sent atomic.Int64
		for range 2 {
			a.Spawn(func(p *actor.Process) error {
				for range 15_000 {
					if err := p.Send(to, large); err != nil {
						done <- err
						return err
					}
					sent.Add(1)
				}
				done <- nil
				return nil
			})
		}
		c.awaitStill(&sent)
		none(c, done)
		b.Exit(to, actor.Killed)
		for range 2 {
			c.ok(next(c, done))
		}
		if b.DeadLetters(actor.DeadNoProcess) == 0 {
			c.Error("no dead letters for mail to who has ended")
		}
	})
}

func TestFault37WaitingSenderIsReleasedWhenTheLinkBreaks(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to := b.Spawn(idle, actor.WithMailbox(actor.Mailbox{Limit: 5, Policy: actor.Wait}))
		large := strings.Repeat("x", 1000)
		done := make(chan error, 1)
		a.Spawn(func(p *actor.Process) error {
			for range 15_000 {
				if err := p.Send(to, large); err != nil {
					done <- err
					return err
				}
			}
			done <- nil
			return nil
		})
		time.Sleep(time.Second)
		none(c, done)
		c.net.Partition("a", "b")
		c.ok(next(c, done))
		// What nobody can be reached for is a dead letter, all of it.
		a.awaitTold(node.LinkFailed, 0)
		if n := a.DeadLetters(actor.DeadLinkLost); n == 0 || n > 15_000 {
			c.Errorf("%d dead letters", n)
		}
	})
}

// Who reads nothing while it waits for a reply never gives the word that its
// senders may go on, so the reply must not wait for that word.
func TestFault37ReplyGetsThroughToAProcessWhoseSendersWait(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a", func(cfg *node.Config) { cfg.Limits.Outbox = 64 << 10 }), c.node("b")
		helper := a.Spawn(echo)
		const count = 200
		gate := make(chan struct{})
		done := make(chan error, 1)
		to := b.Spawn(func(p *actor.Process) error {
			select {
			case <-gate:
			case <-p.Done():
				return nil
			}
			for i := range count {
				_, err := p.Receive()
				if err == nil {
					_, err = actor.Call[int](p.Within(c.patience()), helper, i)
				}
				if err != nil {
					done <- fmt.Errorf("message %d: %w", i, err)
					return err
				}
			}
			done <- nil
			return nil
		}, actor.WithMailbox(actor.Mailbox{Limit: 10, Policy: actor.Wait}))
		large := strings.Repeat("x", 1000) // so many of them fit nowhere on the way
		var sent atomic.Int64
		a.Spawn(func(p *actor.Process) error {
			for range 15_000 {
				if err := p.Send(to, large); err != nil {
					return err
				}
				sent.Add(1)
			}
			return nil
		})
		c.awaitStill(&sent)
		if sent.Load() == 15_000 {
			c.Error("nobody had to wait")
		}
		close(gate)
		c.ok(next(c, done))
	})
}

// A mailbox is relieved, and filled again by others, between any two steps of telling
// a sender to pause. Whoever was told is told of the end of it.
func TestNobodyStaysPausedWhoeverFillsTheMailbox(t *testing.T) {
	apart(t, func(c *cluster) {
		const nodes, callers, each = 4, 3, 300
		b := c.node("b")
		to := b.Spawn(func(p *actor.Process) error {
			for i := 1; ; i++ {
				m, err := p.Receive()
				if err != nil {
					return err
				}
				for range i % 4 * 10 {
					runtime.Gosched()
				}
				if err := p.Reply(m, i); err != nil {
					return err
				}
			}
		}, actor.WithMailbox(actor.Mailbox{Limit: 1, Policy: actor.Wait}))
		done := make(chan error, nodes*callers)
		for i := range nodes {
			n := c.node(fmt.Sprint("a", i))
			for range callers { // with one message on its way each, nothing else tells them
				n.Spawn(func(p *actor.Process) error {
					for i := range each {
						if _, err := actor.Call[int](p, to, i); err != nil {
							done <- err
							return err
						}
					}
					done <- nil
					return nil
				})
			}
		}
		for range nodes * callers {
			c.ok(next(c, done))
		}
	})
}
