package node_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/node"
)

// stand makes m a candidate and returns the holder.
func (m *member) stand(name string, f actor.Func, opts ...node.CandidateOption) actor.PID {
	m.c.Helper()
	pid, err := m.RegisterCandidate(m.c.brief(), name, f, opts...)
	if err != nil {
		m.c.Fatalf("%s: candidate for %s: %v", m.name, name, err)
	}
	return pid
}

func (m *member) whereis(name string) actor.PID {
	m.c.Helper()
	pid, err := m.WhereisGlobal(m.c.brief(), name)
	if err != nil {
		m.c.Fatalf("%s: where is %s: %v", m.name, name, err)
	}
	return pid
}

// holder is the one node that holds the name.
func (c *cluster) holder(name string) (holder *member) {
	c.Helper()
	c.await("one holder of "+name, func() bool {
		count := 0
		for _, m := range c.members {
			if _, ok := m.Holding(name); ok {
				holder = m
				count++
			}
		}
		return count == 1
	})
	return holder
}

// whoami answers every call with the PID of who answers, and its term.
type whoami struct {
	PID  actor.PID
	Term int64
}

func tellsWho(p *actor.Process) error {
	for {
		m, err := p.Receive()
		if err != nil {
			return err
		}
		if m.IsCall() {
			if err := p.Reply(m, whoami{p.Self(), p.Term().Number()}); err != nil {
				return err
			}
		}
	}
}

func (m *member) askGlobal(name string) whoami {
	m.c.Helper()
	reply, err := m.CallGlobal(m.c.brief(), name, "who are you?")
	if err != nil {
		m.c.Fatalf("%s calls %s: %v", m.name, name, err)
	}
	return as[whoami](m.c, reply)
}

func TestElectedIsFoundAndCalledFromEverywhere(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		pid := a.stand("chef", tellsWho)
		if got := b.stand("chef", tellsWho); got != pid {
			c.Errorf("b was told of %v, a holds as %v", got, pid)
		}
		for _, m := range c.members {
			if got := m.whereis("chef"); got != pid {
				c.Errorf("%s sees %v, want %v", m.name, got, pid)
			}
			if who := m.askGlobal("chef"); who.PID != pid || who.Term == 0 {
				c.Errorf("%s was answered by %+v", m.name, who)
			}
			c.ok(m.SendGlobal(c.brief(), "chef", "good morning"))
		}
		term, held := a.Holding("chef")
		if !held || term.Scope() != "chef" || term.Number() != b.askGlobal("chef").Term {
			c.Errorf("a holds %v: %v", term, held)
		}
		if b != a {
			if term, held := b.Holding("chef"); held {
				c.Errorf("b holds %v too", term)
			}
		}
	})
}

func TestNobodyHoldsIsAnErrorThatNamesIt(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a := c.node("a")
		for call, f := range map[string]func(context.Context) error{
			"WhereisGlobal": func(ctx context.Context) error { _, err := a.WhereisGlobal(ctx, "chef"); return err },
			"SendGlobal":    func(ctx context.Context) error { return a.SendGlobal(ctx, "chef", "hello") },
			"CallGlobal":    func(ctx context.Context) error { _, err := a.CallGlobal(ctx, "chef", "hello"); return err },
		} {
			err := f(c.within(20 * time.Millisecond))
			if !errors.Is(err, node.ErrNoHolder) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "chef") {
				c.Errorf("%s: %v", call, err)
			}
		}
	})
}

func TestWithdrawnPassesTheNameOn(t *testing.T) {
	apart(t, func(c *cluster) {
		all := c.nodes(3)
		terms := make(map[int64]bool)
		last := int64(0)
		for _, m := range all {
			m.stand("chef", tellsWho)
		}
		for range all {
			who := all[2].askGlobal("chef")
			if terms[who.Term] || who.Term <= last {
				c.Errorf("term %d after %d", who.Term, last)
			}
			terms[who.Term], last = true, who.Term
			c.ok(c.holder("chef").Withdraw(c.brief(), "chef"))
			if len(terms) == len(all) {
				break
			}
			c.await("another", func() bool { return all[2].whereis("chef") != who.PID })
		}
		if _, err := all[0].WhereisGlobal(c.within(50*time.Millisecond), "chef"); !errors.Is(err, node.ErrNoHolder) {
			c.Errorf("all have withdrawn: %v", err)
		}
		for _, m := range all {
			if n := len(m.told(node.Withdrawn)); n != 1 {
				c.Errorf("%s told %d times of its withdrawal", m.name, n)
			}
		}
	})
}

func TestHolderThatReturnsWellHasWithdrawn(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a := c.node("a")
		pid := a.stand("chef", func(p *actor.Process) error {
			_, err := p.Receive()
			return err
		})
		c.ok(a.Send(pid, "you may go"))
		a.awaitTold(node.Withdrawn, 0)
		ended := a.awaitTold(node.TermEnded, 0)
		if ended.PID != pid || ended.Term != a.told(node.TermBegan)[0].Term {
			c.Errorf("%+v", ended)
		}
	})
}

func TestHolderThatFailsStandsAgainUnderAHigherTerm(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a := c.node("a")
		a.stand("chef", func(p *actor.Process) error {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			if m.Body() == "panic" {
				panic("the soup!")
			}
			return errBusiness
		})
		c.ok(a.SendGlobal(c.brief(), "chef", "fail"))
		a.awaitTold(node.TermBegan, 1)
		c.ok(a.SendGlobal(c.brief(), "chef", "panic"))
		a.awaitTold(node.TermBegan, 2)
		began, ended := a.told(node.TermBegan), a.told(node.TermEnded)
		for i := 1; i < len(began); i++ {
			if began[i].Term.Number() <= began[i-1].Term.Number() || ended[i-1].at.After(began[i].at) {
				c.Errorf("%v after %v", began[i], began[i-1])
			}
		}
		if ended[0].Err == nil || !strings.Contains(ended[0].Err.Error(), errBusiness.Error()) ||
			ended[1].Err == nil || !strings.Contains(ended[1].Err.Error(), "the soup!") {
			c.Errorf("ended with %v and %v", ended[0].Err, ended[1].Err)
		}
	})
}

func TestHandlerHoldsAGlobal(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		var made atomic.Int32
		pid, err := a.RegisterHandlerCandidate(c.brief(), "counter", func() actor.Handler {
			made.Add(1)
			count, x := 0, &actor.Mux{}
			actor.On(x, func(p *actor.Process, n int, m actor.Message) error {
				count += n
				return p.Reply(m, count)
			})
			return x
		})
		c.ok(err)
		for _, want := range []int{1, 2, 3} {
			m, err := b.CallGlobal(c.brief(), "counter", 1)
			c.ok(err)
			if n := as[int](c, m); n != want || m.From != pid {
				c.Errorf("%d from %v, want %d from %v", n, m.From, want, pid)
			}
		}
		if n := made.Load(); n != 1 {
			c.Errorf("%d handlers for one term", n)
		}
	})
}

func TestCandidacyEndsWithTheProcessItIsTiedTo(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		owner := a.Spawn(func(p *actor.Process) error {
			if _, err := a.RegisterCandidate(p, "chef", tellsWho, node.While(p)); err != nil {
				return err
			}
			return idle(p)
		})
		pid := b.whereis("chef")
		a.Exit(owner, errBusiness)
		a.awaitTold(node.Withdrawn, 0)
		c.await("its holder's end", func() bool { return !a.Alive(pid) })
		if _, err := b.WhereisGlobal(c.within(50*time.Millisecond), "chef"); !errors.Is(err, node.ErrNoHolder) {
			c.Error(err)
		}
	})
}

func TestRegisteredAgainServesTheNextTerm_Fault25(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a := c.node("a")
		says := func(text string) actor.Func {
			return func(p *actor.Process) error {
				for {
					m, err := p.Receive()
					if err != nil {
						return err
					}
					if m.Body() == "fail" {
						return errBusiness
					}
					if err := p.Reply(m, text); err != nil {
						return err
					}
				}
			}
		}
		first := a.stand("chef", says("old"))
		for range 10 {
			if got := a.stand("chef", says("new")); got != first {
				c.Fatalf("the holder is %v, was %v", got, first)
			}
		}
		ask := func() string {
			m, err := a.CallGlobal(c.brief(), "chef", "?")
			c.ok(err)
			return as[string](c, m)
		}
		if s := ask(); s != "old" {
			c.Errorf("the running holder says %q", s)
		}
		c.ok(a.SendGlobal(c.brief(), "chef", "fail"))
		a.awaitTold(node.TermBegan, 1)
		if s := ask(); s != "new" {
			c.Errorf("the next term says %q", s)
		}
	})
}

// What a caller's context ends with may be any error: of a call that was under way
// nobody knows what became of it all the same.
func TestCallThatItsCallerGivesUpHasAnUnknownOutcome(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		taken := make(chan struct{}, 1)
		a.stand("chef", func(p *actor.Process) error {
			for {
				if _, err := p.Receive(); err != nil {
					return err
				}
				taken <- struct{}{}
			}
		})
		for _, m := range []*member{a, b} {
			ctx, cancel := context.WithCancelCause(c.brief())
			go func() {
				<-taken
				cancel(errBusiness)
			}()
			if _, err := m.CallGlobal(ctx, "chef", "?"); !errors.Is(err, node.ErrUnknownOutcome) || !errors.Is(err, errBusiness) {
				c.Errorf("%s: %v", m.name, err)
			}
		}
	})
}

func TestCallOfANodeThatStopsHasAnUnknownOutcome(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		taken := make(chan struct{})
		a.stand("chef", func(p *actor.Process) error {
			if _, err := p.Receive(); err != nil {
				return err
			}
			close(taken)
			<-p.Done()
			return nil
		})
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			<-taken
			b.stop()
		}()
		if _, err := b.CallGlobal(c.brief(), "chef", "?"); !errors.Is(err, node.ErrUnknownOutcome) || !errors.Is(err, node.ErrStopped) {
			c.Error(err)
		}
		<-stopped
	})
}

func TestCallGlobalGoesOnWithTheNextHolder(t *testing.T) {
	for name, kill := range map[string]func(c *cluster, holder *member, pid actor.PID){
		"its node has stopped":       func(c *cluster, holder *member, _ actor.PID) { holder.stop() },
		"its process was killed":     func(c *cluster, holder *member, pid actor.PID) { c.members[2].Exit(pid, actor.Killed) },
		"its session has expired":    func(c *cluster, holder *member, _ actor.PID) { c.expire(holder) },
		"its session was given up":   func(c *cluster, holder *member, _ actor.PID) { c.endSession(holder) },
		"it has resigned":            func(c *cluster, holder *member, _ actor.PID) { c.ok(holder.Withdraw(c.brief(), "chef")) },
		"its znode has been deleted": func(c *cluster, _ *member, pid actor.PID) { c.deleteCandidate("chef", pid) },
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			apart(t, func(c *cluster) {
				a, b, caller := c.node("a"), c.node("b"), c.node("caller")
				a.stand("chef", tellsWho)
				b.stand("chef", tellsWho)
				first := caller.askGlobal("chef")
				if first.PID.Node() != a.ID() {
					c.Fatalf("%v answered, not %v", first.PID, a.ID())
				}
				kill(c, a, first.PID)
				c.await("an answer of another", func() bool {
					m, err := caller.CallGlobal(c.brief(), "chef", "who are you?")
					if errors.Is(err, node.ErrUnknownOutcome) {
						return false // the first had taken it up
					}
					c.ok(err)
					who := as[whoami](c, m)
					if who.Term < first.Term || (who.Term == first.Term) != (who.PID == first.PID) {
						c.Fatalf("%+v answered after %+v", who, first)
					}
					return who.Term > first.Term
				})
				c.ok(caller.SendGlobal(c.brief(), "chef", "hello"))
			})
		})
	}
}

func TestCallThatTheHolderTookUpAndDidNotAnswerIsUnknown(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		for name, end := range map[string]func(p *actor.Process) error{
			"fails":          func(*actor.Process) error { return errBusiness },
			"is killed":      func(p *actor.Process) error { p.Exit(p.Self(), actor.Killed); return idle(p) },
			"has no process": func(*actor.Process) error { return actor.NoProcess },
			"panics":         func(*actor.Process) error { panic("ouch") },
		} {
			calls := make(chan struct{}, 10)
			holder := a.stand(name, func(p *actor.Process) error {
				if _, err := p.Receive(); err != nil {
					return err
				}
				calls <- struct{}{}
				return end(p)
			})
			_, err := b.CallGlobal(c.brief(), name, "work")
			if !errors.Is(err, node.ErrUnknownOutcome) || !errors.Is(err, actor.NoProcess) ||
				!strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), holder.String()) {
				c.Errorf("a holder that %s: %v", name, err)
			}
			next(c, calls)
			none(c, calls)
			c.ok(a.Withdraw(c.brief(), name))
		}
	})
}

func TestErrorThatTheHolderAnswersIsNotRepeated(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		dead := a.Spawn(func(*actor.Process) error { return nil })
		c.await("its end", func() bool { return !a.Alive(dead) })
		answers := []error{
			errBusiness, actor.NoProcess, actor.NotSent, actor.LinkLost, actor.ErrMailboxFull,
			&actor.EndedError{PID: dead}, &actor.EndedError{PID: dead, Reason: errBusiness},
		}
		var calls atomic.Int32
		a.stand("chef", func(p *actor.Process) error {
			for {
				m, err := p.Receive()
				if err != nil {
					return err
				}
				answer := answers[calls.Add(1)-1]
				if err := p.Reply(m, answer); err != nil {
					return err
				}
			}
		})
		for i, answer := range answers {
			_, err := b.CallGlobal(c.brief(), "chef", "work")
			if err == nil || !strings.Contains(err.Error(), answer.Error()) || calls.Load() != int32(i)+1 {
				c.Errorf("after %d calls: %v became %v", calls.Load(), answer, err)
			}
		}
	})
}

func TestCallInTheMailboxOfAHolderThatEndsIsMadeToTheNext(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b, caller := c.node("a"), c.node("b"), c.node("caller")
		busy, release := make(chan struct{}, 1), make(chan struct{})
		a.stand("chef", func(p *actor.Process) error {
			if _, err := p.Receive(); err != nil {
				return err
			}
			busy <- struct{}{}
			<-release
			return errBusiness
		})
		b.stand("chef", tellsWho)
		go caller.CallGlobal(c.brief(), "chef", "keeps it busy")
		next(c, busy)
		answered := make(chan whoami, 1)
		go func() { answered <- caller.askGlobal("chef") }()
		c.await("two calls", func() bool { return len(caller.told(node.LinkUp)) > 0 })
		none(c, answered)
		close(release)
		if who := next(c, answered); who.PID.Node() != b.ID() {
			c.Errorf("%v answered", who.PID)
		}
	})
}
