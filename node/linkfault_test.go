package node_test

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"conclave/actor"
	"conclave/node"
	"conclave/transport"
)

// tally is a process on m that counts what comes from each sender: numbers that
// rise by one. It fails the test when one comes twice or too early.
type tally struct {
	mu   sync.Mutex
	last map[actor.PID]int
	lost map[actor.PID]int
}

func (m *member) tally() (actor.PID, *tally) {
	t := &tally{last: make(map[actor.PID]int), lost: make(map[actor.PID]int)}
	return m.Spawn(func(p *actor.Process) error {
		for {
			n, msg, err := actor.Expect[int](p)
			if err != nil {
				return err
			}
			t.mu.Lock()
			if n <= t.last[msg.From] {
				m.c.Errorf("%d came from %v after %d", n, msg.From, t.last[msg.From])
			}
			t.lost[msg.From] += n - t.last[msg.From] - 1
			t.last[msg.From] = n
			t.mu.Unlock()
		}
	}), t
}

func (t *tally) of(pid actor.PID) (last, lost int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last[pid], t.lost[pid]
}

// steadySender is a process that sends 1, 2, 3 ... at an interval, until stop is closed.
func (m *member) steadySender(to actor.PID, every time.Duration, stop <-chan struct{}) (actor.PID, <-chan int) {
	sent := make(chan int, 1)
	return m.Spawn(func(p *actor.Process) error {
		for n := 1; ; n++ {
			select {
			case <-stop:
				sent <- n - 1
				return nil
			case <-p.Done():
				return nil
			default:
			}
			if err := p.Send(to, n); err != nil {
				m.c.Errorf("send %d: %v", n, err)
			}
			time.Sleep(every)
		}
	}), sent
}

func TestFault34LinkBrokenUnderLoad(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to, tally := b.tally()
		callee := b.Spawn(echo)
		stop := make(chan struct{})
		var senders []actor.PID
		var sent []<-chan int
		for range 4 {
			pid, n := a.steadySender(to, 10*time.Millisecond, stop)
			senders, sent = append(senders, pid), append(sent, n)
		}
		downs := make(chan actor.Down, 100)
		a.Spawn(func(p *actor.Process) error {
			for {
				p.Monitor(to)
				d, _, err := actor.Expect[actor.Down](p)
				if err != nil {
					return err
				}
				select {
				case downs <- d:
				default: // only the first few are looked at
				}
			}
		})
		calls := make(chan error, 1)
		a.Spawn(func(p *actor.Process) error {
			for {
				_, err := actor.Call[string](p, callee, "are you there?")
				if err != nil {
					calls <- err
					return nil
				}
				time.Sleep(10 * time.Millisecond)
			}
		})
		linked := b.Spawn(idle)
		exited := make(chan error, 1)
		a.Spawn(func(p *actor.Process) error { p.Link(linked); return idle(p) },
			actor.OnExit(func(_ actor.PID, reason error) { exited <- reason }))

		time.Sleep(10 * time.Second)
		cut := time.Now()
		c.net.Partition("a", "b")
		if d := next(c, downs); d.Reason != actor.LinkLost || d.PID != to {
			c.Errorf("the monitor was told %+v", d)
		}
		if took := time.Since(cut); took > 20*time.Second {
			c.Errorf("the monitor was told after %v", took)
		}
		if err := next(c, calls); !errors.Is(err, actor.LinkLost) {
			c.Errorf("the caller was told %v", err)
		}
		if err := next(c, exited); !errors.Is(err, actor.LinkLost) {
			c.Errorf("the linked process ended with %v", err)
		}
		down := a.awaitTold(node.LinkDown, 0)
		time.Sleep(time.Minute)
		before, _ := tally.of(senders[0])
		c.net.Heal("a", "b")
		time.Sleep(10 * time.Second)
		if n, _ := tally.of(senders[0]); n == before {
			c.Error("the link has not come back by itself")
		}
		close(stop)
		time.Sleep(time.Second)
		// Whatever was sent has arrived, or is known to be lost: what no link
		// could be made for is counted, the rest was under way when it broke.
		lost, underWay := 0, 0
		for i, pid := range senders {
			n := next(c, sent[i])
			got, missing := tally.of(pid)
			if got != n {
				c.Errorf("the last of %d messages to arrive was %d", n, got)
			}
			lost += missing
			underWay += int(down.at.Sub(cut)/(10*time.Millisecond)) + 1
		}
		if dead := int(a.DeadLetters(actor.DeadLinkLost)); lost < dead || lost-dead > underWay {
			c.Errorf("%d were lost, of which %d are dead letters and at most %d were under way", lost, dead, underWay)
		}
	})
}

// Only one side notices that the link is gone and makes a new one: what the other
// still reads of the old one must not mix with the new.
func TestFault34OrderHoldsWhenOnlyOneSideNotices(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a := c.node("a", func(cfg *node.Config) { cfg.Limits.LinkTimeout = time.Second })
		b := c.node("b", func(cfg *node.Config) { cfg.Limits.LinkTimeout = time.Hour })
		to, tally := b.tally()
		stop := make(chan struct{})
		var senders []actor.PID
		var sent []<-chan int
		for range 4 {
			pid, n := a.steadySender(to, 250*time.Microsecond, stop)
			senders, sent = append(senders, pid), append(sent, n)
		}
		for range 5 {
			time.Sleep(100 * time.Millisecond)
			c.net.Partition("a", "b")
			time.Sleep(1100 * time.Millisecond)
			c.net.Heal("a", "b")
		}
		if n := len(a.told(node.LinkDown)); n < 5 {
			c.Errorf("the link went down %d times, of 5", n)
		}
		close(stop)
		time.Sleep(3 * time.Second)
		for i, pid := range senders {
			n := next(c, sent[i])
			if got, _ := tally.of(pid); got != n {
				c.Errorf("the last of %d to arrive was %d", n, got)
			}
		}
	})
}

func TestFault35BothDialAtOnce(t *testing.T) {
	for _, apart := range []time.Duration{0, 1, 5, 10, 15, 20, 30, 40} {
		apart *= time.Millisecond
		inBubble(t, func(c *cluster) {
			c.net.Delay("a", "b", 10*time.Millisecond)
			a, b := c.node("a"), c.node("b")
			toA, tallyA := a.tally()
			toB, tallyB := b.tally()
			stop := make(chan struct{})
			fromA, sentA := a.steadySender(toB, time.Millisecond, stop)
			time.Sleep(apart)
			fromB, sentB := b.steadySender(toA, time.Millisecond, stop)
			time.Sleep(500 * time.Millisecond)
			close(stop)
			time.Sleep(100 * time.Millisecond)
			if last, lost := tallyB.of(fromA); last != next(c, sentA) || lost != 0 {
				c.Errorf("%v apart: a to b: the last was %d, %d are lost", apart, last, lost)
			}
			if last, lost := tallyA.of(fromB); last != next(c, sentB) || lost != 0 {
				c.Errorf("%v apart: b to a: the last was %d, %d are lost", apart, last, lost)
			}
			for _, m := range c.members {
				up, down, failed := len(m.told(node.LinkUp)), len(m.told(node.LinkDown)), len(m.told(node.LinkFailed))
				if up != 1 || down != 0 || failed != 0 {
					c.Errorf("%v apart: %s: %d links, %d down, %d failed", apart, m.name, up, down, failed)
				}
			}
		})
	}
}

func TestFault36PeerThatStopsReading(t *testing.T) {
	for name, freeze := range map[string]func(c *cluster, s *stub){
		"dies":   func(_ *cluster, s *stub) { s.close() },
		"freeze": func(c *cluster, _ *stub) { c.net.Partition("a", "stub") },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(c *cluster) {
				a, b := c.node("a", func(cfg *node.Config) { cfg.Limits.Outbox = 1 << 20 }), c.node("b")
				s := c.stub("stub", a)
				body := make([]byte, 1000)
				accepted := make([]atomic.Int64, 4)
				blocked := make(chan error, len(accepted))
				for i := range accepted {
					a.Spawn(func(p *actor.Process) error {
						for {
							began := time.Now()
							if err := p.Send(s.pid(7), body); err != nil {
								blocked <- err
								return err
							}
							if time.Since(began) > time.Second {
								blocked <- nil
								return nil
							}
							accepted[i].Add(1)
						}
					})
				}
				time.Sleep(time.Minute)
				// The outbox, the batch that is being written, and the window.
				total := int64(0)
				for i := range accepted {
					total += accepted[i].Load()
				}
				if size := total * int64(len(body)); size > 3<<20 || size < 1<<20 {
					c.Errorf("%d bytes were accepted for a peer that does not read", size)
				}
				none(c, blocked)
				// Others are undisturbed, on the same node and to other nodes.
				callee := b.Spawn(echo)
				a.do(func(p *actor.Process) error {
					began := time.Now()
					for range 100 {
						if _, err := actor.Call[string](p, callee, "hello"); err != nil {
							return err
						}
					}
					if took := time.Since(began); took != 0 {
						return fmt.Errorf("calls to another node took %v", took)
					}
					// What need not wait, does not: monitors are set at once.
					p.Monitor(s.pid(8))
					freeze(c, s)
					d, _, err := actor.Expect[actor.Down](p)
					if err != nil || !errors.Is(d.Reason, actor.LinkLost) {
						return fmt.Errorf("%+v, %w", d, err)
					}
					return nil
				})
				for range accepted {
					if err := next(c, blocked); err != nil {
						c.Errorf("a waiting sender was told %v", err)
					}
				}
				a.awaitTold(node.LinkDown, 0)
			})
		})
	}
}

// A sender that waits for a peer that does not read can be stopped.
func TestFault36SenderThatWaitsEndsWithItsExit(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a := c.node("a", func(cfg *node.Config) { cfg.Limits.Outbox = 1 << 20 })
		s := c.stub("stub", a)
		body := make([]byte, 10_000)
		over := make(chan error, 1)
		pid := a.Spawn(func(p *actor.Process) error {
			for {
				if err := p.Send(s.pid(7), body); err != nil {
					return err
				}
			}
		}, actor.OnExit(func(_ actor.PID, reason error) { over <- reason }))
		time.Sleep(time.Second)
		none(c, over)
		a.Exit(pid, errBusiness)
		if err := next(c, over); !errors.Is(err, errBusiness) {
			c.Error(err)
		}
		// And a whole node of them stops within its time.
		for range 10 {
			a.Spawn(func(p *actor.Process) error { return p.Send(s.pid(7), body) })
		}
		a.gone = true
		began := time.Now()
		if err := a.Stop(c.within(3 * time.Second)); err == nil {
			c.Error("Stop has flushed to a peer that does not read")
		}
		if took := time.Since(began); took > 3*time.Second {
			c.Errorf("Stop took %v", took)
		}
	})
}

func TestFault38HostileFramesEndOneLinkOnly(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to, mail := a.sink()
		callee := b.Spawn(echo)
		if _, err := actor.Call[string](a.With(c.brief()), callee, "link up"); err != nil {
			c.Fatal(err)
		}
		for i, garbage := range [][]byte{
			bytes.Repeat([]byte("GET / HTTP/1.1\r\n\r\n"), 10),
			bytes.Repeat([]byte{0xff}, 16),
			{0, 0, 0, 0},
			make([]byte, 100_000),
		} {
			s := c.stub(fmt.Sprint("stub", i), a)
			conn := s.dial(a)
			s.write(conn, transport.Messages, &transport.Frame{Kind: transport.Message, From: 1, To: to.Serial(), Type: "string", Body: []byte("\xa5hello")})
			if m := next(c, mail); m.Body() != "hello" || m.From != s.pid(1) {
				c.Errorf("%v from %v", m.Body(), m.From)
			}
			_ = conn.Write(transport.Messages, garbage)
			if f := a.awaitTold(node.LinkDown, i); f.Peer.Name != s.id.Name || f.Err == nil {
				c.Errorf("garbage %d: %v", i, f.Event)
			}
			if _, err := actor.Call[string](a.With(c.brief()), callee, "still linked"); err != nil {
				c.Errorf("after garbage %d: %v", i, err)
			}
		}
		none(c, mail)
		if n := len(b.told(node.LinkDown)); n != 0 {
			c.Errorf("%d good links went down", n)
		}
	})
}

func TestIdleLinkStaysAndCostsPings(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		if _, err := actor.Call[string](a.With(c.brief()), b.Spawn(echo), "link up"); err != nil {
			c.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		for _, m := range c.members {
			if len(m.told(node.LinkUp)) != 1 || len(m.told(node.LinkDown)) != 0 {
				c.Errorf("%s: %d links, %d down", m.name, len(m.told(node.LinkUp)), len(m.told(node.LinkDown)))
			}
		}
	})
}
