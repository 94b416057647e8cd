package node_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
	"conclave/node"
)

// kept checks that a Transfer failed before the holder was told to end, which
// holds on under the term it had.
func (m *member) kept(name string, before actor.Term, err, cause error) {
	m.c.Helper()
	failed := (*node.TransferError)(nil)
	if !errors.As(err, &failed) || failed.Ended || cause != nil && !errors.Is(err, cause) {
		m.c.Errorf("transfer: %v", err)
	}
	if now, ok := m.Holding(name); !ok || now != before {
		m.c.Errorf("%s holds %v (%v), held %v", m.name, now, ok, before)
	}
}

// degraded checks that a Transfer failed after the holder was told to end.
func (c *cluster) degraded(err, cause error) {
	c.Helper()
	failed := (*node.TransferError)(nil)
	if !errors.As(err, &failed) || !failed.Ended || cause != nil && !errors.Is(err, cause) {
		c.Errorf("transfer: %v", err)
	}
}

func TestTransferToADeadNodeIsAnErrorAndTheHolderGoesOn(t *testing.T) {
	inBubble(t, func(c *cluster) {
		all := c.inLine("chef", 3, keeps)
		a, b := all[0], all[1]
		before, _ := a.Holding("chef")
		b.die() // its candidate is in line until its session expires
		a.kept("chef", before, a.Transfer(c.brief(), "chef", b.ID()), nil)
		if got := all[2].book("chef"); !slices.Equal(got, []string{"n1"}) {
			c.Errorf("the entries are %v", got)
		}
		c.neverTwo("chef")
	})
}

func TestCandidateThatDoesNotStepBackIsAnErrorAndTheHolderGoesOn(t *testing.T) {
	inBubble(t, func(c *cluster) {
		all := c.inLine("chef", 4, keeps)
		a, last := all[0], all[3]
		before, _ := a.Holding("chef")
		c.net.Partition("n1", "n3")
		ctx := c.within(3 * time.Second)
		a.kept("chef", before, a.Transfer(ctx, "chef", last.ID()), nil)
		c.net.Heal("n1", "n3")
		c.wantLine(a, "chef", "n1", "n3", "n4", "n2") // n2 had done it
		a.transfer("chef", last)
		c.neverTwo("chef")
	})
}

// stands puts a candidate into the line that names another node.
func (m *member) standsFor(name string, other actor.NodeID) {
	m.c.Helper()
	s, err := m.Keeper().Session(m.c.brief())
	m.c.ok(err)
	prefix := m.Keeper().Paths().CandidatePrefix(name, "other")
	_, err = s.Create(m.c.brief(), prefix, []byte(other.String()), keeper.EphemeralSequential)
	m.c.ok(err)
}

func TestNodeOfAnOlderVersionIsToldApart(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a := c.inLine("chef", 1, keeps)[0]
		old := c.stub("old", a)
		old.dial(a)
		c.settle()
		a.standsFor("chef", old.id)
		before, _ := a.Holding("chef")
		err := a.Transfer(c.brief(), "chef", old.id)
		a.kept("chef", before, err, nil)
		if !strings.Contains(err.Error(), "its version of Conclave cannot") {
			c.Error(err)
		}
		a.gone = true // the stub does not answer its goodbye
	})
}

func TestNodeOfAnOlderVersionThatHasToBeDialedIsToldApart(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a := c.inLine("chef", 1, keeps)[0]
		old := c.stub("old", a)
		a.standsFor("chef", old.id)
		before, _ := a.Holding("chef")
		err := a.Transfer(c.brief(), "chef", old.id)
		a.kept("chef", before, err, nil)
		if !strings.Contains(err.Error(), "its version of Conclave cannot") {
			c.Error(err)
		}
		a.gone = true
	})
}

func TestTargetThatDiesBeforeTheStateLeavesAnOrdinaryElection(t *testing.T) {
	inBubble(t, func(c *cluster) {
		all := c.nodes(3)
		a, b := all[0], all[1]
		for _, m := range all {
			m.stand("chef", func(p *actor.Process) error {
				<-p.Done()
				if m == a {
					b.die()
					return p.HandOver(legacy{[]string{"a's"}})
				}
				return context.Cause(p)
			})
		}
		c.degraded(a.Transfer(c.brief(), "chef", b.ID()), node.ErrOtherHolder)
		if got := c.holder("chef"); got != all[2] {
			c.Errorf("%s holds", got.name)
		}
		c.neverTwo("chef")
	})
}

func TestTargetThatDiesWithTheStateLeavesAnOrdinaryElection(t *testing.T) {
	inBubble(t, func(c *cluster) {
		all := c.nodes(3)
		a, b, third := all[0], all[1], all[2]
		got := make(chan bool, 9)
		for _, m := range all {
			m.stand("chef", func(p *actor.Process) error {
				_, inherits := actor.Inherited[string](p)
				got <- inherits
				<-p.Done()
				if m == a {
					time.AfterFunc(50*time.Millisecond, b.die)
					return p.HandOver("state")
				}
				return context.Cause(p)
			})
		}
		third.whereis("chef")
		c.ok(third.SendGlobal(c.brief(), "chef", "so that there is a link"))
		c.net.Delay("n1", "n3", 500*time.Millisecond) // its answer to the marker is late: b has the state by then
		c.degraded(a.Transfer(c.brief(), "chef", b.ID()), node.ErrOtherHolder)
		if holder := c.holder("chef"); holder != third {
			c.Errorf("%s holds", holder.name)
		}
		if first, second := next(c, got), next(c, got); first || second {
			c.Error("state came to a term that it was not meant for")
		}
		c.neverTwo("chef")
	})
}

// The holder has ended and its state has arrived, but it cannot delete its
// candidate: when its session expires the target is the very next, and inherits.
func TestStateOutlivesTheDeathOfItsHolder(t *testing.T) {
	inBubble(t, func(c *cluster) {
		all := c.nodes(3)
		a, b, third := all[0], all[1], all[2]
		got := make(chan string, 9)
		for _, m := range all {
			m.stand("chef", func(p *actor.Process) error {
				state, _ := actor.Inherited[string](p)
				got <- m.name + " " + state
				<-p.Done()
				if m == a {
					time.AfterFunc(50*time.Millisecond, a.die)
					return p.HandOver("of a")
				}
				return context.Cause(p)
			})
		}
		c.ok(third.SendGlobal(c.brief(), "chef", "so that there is a link"))
		c.net.Delay("n1", "n3", 500*time.Millisecond)
		ctx := c.within(time.Second)
		c.degraded(a.Transfer(ctx, "chef", b.ID()), nil)
		if first, second := next(c, got), next(c, got); first != "n1 " || second != "n2 of a" {
			c.Errorf("%q, then %q", first, second)
		}
		third.awaitTold(node.LinkDown, 0)
		c.neverTwo("chef")
	})
}

func TestHolderNodeThatDiesInMidHandOverIsReplaced(t *testing.T) {
	inBubble(t, func(c *cluster) {
		all := c.nodes(3)
		a, b, third := all[0], all[1], all[2]
		read := make(chan string, 99)
		for _, m := range all {
			m.stand("chef", func(p *actor.Process) error {
				if m == a {
					<-p.Done()
					<-c.Context().Done() // its code does not return before its node dies
					return nil
				}
				if _, inherits := actor.Inherited[string](p); inherits {
					c.Error("there was nothing to inherit")
				}
				for {
					text, _, err := actor.Expect[string](p)
					if err != nil {
						return err
					}
					read <- text
				}
			})
		}
		c.ok(third.SendGlobal(c.brief(), "chef", "lost with its node"))
		transferred := make(chan error, 1)
		go func() { transferred <- a.Transfer(c.within(10*time.Second), "chef", b.ID()) }()
		c.settle()
		sent := make(chan error, 1)
		go func() { sent <- third.SendGlobal(c.brief(), "chef", "waits") }()
		c.settle()
		none(c, sent)
		a.die()
		c.ok(next(c, sent))
		if got := next(c, read); got != "waits" {
			c.Errorf("%q was read", got)
		}
		if holder := c.holder("chef"); holder != b {
			c.Errorf("%s holds", holder.name)
		}
		c.degraded(next(c, transferred), nil)
	})
}

func TestCutBetweenHolderAndTargetDropsTheStateOnly(t *testing.T) {
	inBubble(t, func(c *cluster) {
		all := c.nodes(3)
		a, b := all[0], all[1]
		got := make(chan string, 9)
		for _, m := range all {
			m.stand("chef", func(p *actor.Process) error {
				state, _ := actor.Inherited[string](p)
				got <- m.name + " " + state
				<-p.Done()
				if m == a {
					c.net.Partition("n1", "n2")
					return p.HandOver("of a")
				}
				return context.Cause(p)
			})
		}
		c.ok(all[2].SendGlobal(c.brief(), "chef", "unread"))
		begun := time.Now()
		c.degraded(a.Transfer(c.brief(), "chef", b.ID()), context.DeadlineExceeded)
		if took := time.Since(begun); took > 6*time.Second {
			c.Errorf("the name was without a holder for %v", took)
		}
		if first, second := next(c, got), next(c, got); first != "n1 " || second != "n2 " {
			c.Errorf("%q, then %q", first, second)
		}
		c.net.Heal("n1", "n2")
		c.neverTwo("chef")
	})
}

// What a slow or cut off sender's node cannot be given back in time reaches it
// later: then the order is not kept, but nothing is lost.
func TestMailForASenderThatIsCutOffComesBackLater(t *testing.T) {
	inBubble(t, func(c *cluster) {
		o := newOffice(c)
		all := c.inLine("office", 2, o.hold)
		sender := c.node("sender")
		o.acked[item{"x", 1}], o.acked[item{"x", 2}] = true, true
		c.ok(sender.SendGlobal(c.brief(), "office", item{"x", 1}))
		c.ok(sender.SendGlobal(c.brief(), "office", item{"x", 2}))
		c.net.Partition("n1", "sender")
		all[0].transfer("office", all[1])
		o.quota.Store(1 << 40)
		c.net.Heal("n1", "sender")
		all[1].transfer("office", all[0]) // now they read
		o.settleAccounts(0)
		c.neverTwo("office")
	})
}
