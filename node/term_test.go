package node_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"conclave/actor"
	"conclave/node"
)

func TestMessagesOfAHolderCarryItsTerm(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to, mail := b.sink()
		ready := make(chan actor.Term, 1)
		a.stand("chef", func(p *actor.Process) error {
			if err := p.Send(to, "from the holder"); err != nil {
				return err
			}
			p.Spawn(func(p *actor.Process) error { return p.Send(to, "from its child") })
			p.SpawnDetached(func(p *actor.Process) error { return p.Send(to, "from a free process") })
			ready <- p.Term()
			return tellsWho(p)
		})
		term := next(c, ready)
		if term.Scope() != "chef" || term.Number() == 0 || term.Cluster() == "" {
			c.Errorf("%v of %q", term, term.Cluster())
		}
		for range 3 {
			m := next(c, mail)
			want := term
			if m.Body() == "from a free process" {
				want = actor.Term{}
			}
			if m.Term != want {
				c.Errorf("%v carries %v, want %v", m.Body(), m.Term, want)
			}
		}
		// A reply of the holder carries it too, one of anybody else does not.
		m, err := b.CallGlobal(c.brief(), "chef", "?")
		c.ok(err)
		if m.Term != term {
			c.Errorf("the reply carries %v", m.Term)
		}
		c.await("events", func() bool { return len(b.told(node.Accepted)) >= 3 })
		for _, f := range b.told(node.Accepted) {
			if f.Term != term || f.From.IsZero() {
				c.Errorf("accepted %v", f.Event)
			}
		}
	})
}

func TestHolderWhoseTermIsOverSendsNothingMore(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to, mail := b.sink()
		refused := make(chan error, 4)
		at := make(chan struct{}, 8)
		a.stand("chef", func(p *actor.Process) error {
			child := make(chan struct{})
			p.Spawn(func(q *actor.Process) error {
				at <- struct{}{}
				<-q.Done()
				refused <- q.Send(to, "too late, from its child")
				close(child)
				return nil
			})
			<-p.Done()
			refused <- p.Send(to, "too late")
			_, err := p.Request(to, "too late")
			refused <- err
			<-child
			return nil
		})
		next(c, at)
		c.endSession(a)
		for range 3 {
			if err := next(c, refused); !errors.Is(err, actor.ErrTermOver) {
				c.Error(err)
			}
		}
		none(c, mail)
		ended := a.awaitTold(node.TermEnded, 0)
		if ended.Err == nil {
			c.Error("a term ended without a reason")
		}
		a.awaitTold(node.TermBegan, 1)
	})
}

// deposed is a process on m that acts under a term of its own making: a holder
// that does not know yet that it has been deposed.
func (m *member) deposed(scope string, number int64, f actor.Func) (actor.PID, *actor.Tenure, <-chan error) {
	cluster := m.told(node.SessionUp)[0].Cluster
	tenure := actor.NewTenure(m.c.Context(), actor.MakeTerm(cluster, scope, number), nil)
	over := make(chan error, 1)
	pid := m.Spawn(f, actor.InTenure(tenure), actor.OnExit(func(_ actor.PID, reason error) { over <- reason }))
	return pid, tenure, over
}

func TestLowerTermIsTurnedAwayAndItsHolderEnds(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		a.awaitTold(node.SessionUp, 0)
		b.awaitTold(node.SessionUp, 0)
		to, mail := b.sink()
		_, high, _ := b.deposed("chef", 1000, idle)
		// What b has heard of, a hears of when they link, and not before.
		sent := make(chan error, 1)
		pid, _, over := a.deposed("chef", 999, func(p *actor.Process) error {
			sent <- p.Send(to, "I am the chef")
			return idle(p)
		})
		c.ok(next(c, sent))
		if err := next(c, over); !errors.Is(err, actor.ErrTermOver) {
			c.Errorf("the deposed ended with %v", err)
		}
		none(c, mail)
		f := b.awaitTold(node.Refused, 0)
		if f.Term.Number() != 999 || f.From != pid || f.PID != to {
			c.Errorf("refused %v", f.Event)
		}
		c.await("a dead letter", func() bool { return b.DeadLetters(actor.DeadStaleTerm) == 1 })
		if high.Context().Err() != nil {
			c.Error("the higher term has ended too")
		}
		// From now on a knows it: the next of the old term ends at once.
		_, _, over = a.deposed("chef", 998, idle)
		if err := next(c, over); !errors.Is(err, actor.ErrTermOver) {
			c.Error(err)
		}
		// A higher one is welcome, and deposes b's.
		_, _, _ = a.deposed("chef", 1001, func(p *actor.Process) error {
			if err := p.Send(to, "now I am"); err != nil {
				return err
			}
			return idle(p)
		})
		if m := next(c, mail); m.Body() != "now I am" || m.Term.Number() != 1001 {
			c.Errorf("%v under %v", m.Body(), m.Term)
		}
		c.await("the end of the lower", func() bool { return high.Context().Err() != nil })
		// Other scopes are not concerned.
		_, _, _ = a.deposed("cook", 1, func(p *actor.Process) error { return p.Send(to, "I cook") })
		if m := next(c, mail); m.Body() != "I cook" {
			c.Errorf("%v", m.Body())
		}
	})
}

func TestCallUnderALowerTermFails(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		a.awaitTold(node.SessionUp, 0)
		b.awaitTold(node.SessionUp, 0)
		to := b.Spawn(echo)
		b.deposed("chef", 1000, idle)
		_, _, over := a.deposed("chef", 999, func(p *actor.Process) error {
			_, err := actor.Call[string](p, to, "hello")
			return fmt.Errorf("the call: %w", err)
		})
		if err := next(c, over); !errors.Is(err, actor.ErrTermOver) {
			c.Error(err)
		}
	})
}

func TestAnnouncedTermEndsADeposedHolderWithoutAMessage(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b, d := c.node("a"), c.node("b"), c.node("d")
		a.awaitTold(node.SessionUp, 0)
		_, _, over := a.deposed("chef", 1, idle)
		// a and b are linked, b becomes the real holder: a hears of it at once.
		echoes := b.Spawn(echo)
		if _, err := actor.Call[string](a.With(c.brief()), echoes, "link up"); err != nil {
			c.Fatal(err)
		}
		b.stand("chef", idle)
		if err := next(c, over); !errors.Is(err, actor.ErrTermOver) {
			c.Error(err)
		}
		// d links only afterwards: what is held is told to new links too.
		d.awaitTold(node.SessionUp, 0)
		_, _, over = d.deposed("chef", 2, idle)
		if _, err := actor.Call[string](d.With(c.brief()), echoes, "link up"); err != nil {
			c.Fatal(err)
		}
		if err := next(c, over); !errors.Is(err, actor.ErrTermOver) {
			c.Error(err)
		}
	})
}

func TestReplyUnderALowerTermIsNoReply(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		a.awaitTold(node.SessionUp, 0)
		b.awaitTold(node.SessionUp, 0)
		asked, higher := make(chan struct{}), make(chan struct{})
		pid, _, _ := b.deposed("chef", 5, func(p *actor.Process) error {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			close(asked)
			<-higher
			return p.Reply(m, "my word is law")
		})
		answer := make(chan error, 1)
		go func() {
			_, err := actor.Call[string](a.With(c.brief()), pid, "?")
			answer <- err
		}()
		next(c, asked)
		a.deposed("chef", 6, idle)
		close(higher)
		if err := next(c, answer); !errors.Is(err, actor.ErrTermOver) {
			c.Errorf("the reply under a lower term came through: %v", err)
		}
		a.awaitTold(node.Refused, 0)
	})
}

func TestTermsOfPassedMessagesAreKept(t *testing.T) {
	// Somebody outside the term replies: no term; Message.Term lets it pass it on.
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		free := b.Spawn(func(p *actor.Process) error {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			return p.Reply(m, m.Term.Number())
		})
		got := make(chan error, 1)
		a.stand("chef", func(p *actor.Process) error {
			m, err := p.Request(free, "?")
			if err == nil && (!m.Term.IsZero() || m.Body() != p.Term().Number()) {
				err = fmt.Errorf("%v under %v, want %d under none", m.Body(), m.Term, p.Term().Number())
			}
			got <- err
			return idle(p)
		})
		c.ok(next(c, got))
	})
}

func TestHoldingEndsTheMomentTheLeaseDoes(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a := c.node("a")
		a.stand("chef", idle)
		time.Sleep(5 * time.Second) // the lease is at its full length
		a.line.cut()
		began := time.Now()
		c.await("the end", func() bool { _, held := a.Holding("chef"); return !held })
		ended := a.awaitTold(node.TermEnded, 0)
		if took := ended.at.Sub(began); took > testSession/2 {
			c.Errorf("it held for %v without ZooKeeper, the lease is %v", took, testSession/2)
		}
		a.line.mend()
		a.awaitTold(node.TermBegan, 1)
	})
}
