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
)

// legacy is what the holders of these tests hand on.
type legacy struct{ Entries []string }

// keeps is a holder that hands on its entries with its own node's name added, and
// answers every call with what it has so far.
func keeps(p *actor.Process) error {
	book, _ := actor.Inherited[legacy](p)
	book.Entries = append(book.Entries, p.Self().Node().Name)
	for {
		m, err := p.Receive()
		if errors.Is(err, actor.ErrHandOver) {
			return p.HandOver(book)
		}
		if err != nil {
			return err
		}
		if m.IsCall() {
			if err := p.Reply(m, book); err != nil {
				return err
			}
		}
	}
}

// inLine makes nodes that stand for the name in the order of their names.
func (c *cluster) inLine(name string, count int, f actor.Func) []*member {
	c.Helper()
	all := c.nodes(count)
	for _, m := range all {
		m.stand(name, f)
	}
	return all
}

func (m *member) book(name string) []string {
	m.c.Helper()
	reply, err := m.CallGlobal(m.c.brief(), name, "read")
	if err != nil {
		m.c.Fatalf("%s calls %s: %v", m.name, name, err)
	}
	return as[legacy](m.c, reply).Entries
}

// lineOf is the names of the nodes in line.
func (m *member) lineOf(name string) (names []string) {
	m.c.Helper()
	nodes, err := m.Candidates(m.c.brief(), name)
	if err != nil {
		m.c.Fatal(err)
	}
	for _, n := range nodes {
		names = append(names, n.Name)
	}
	return names
}

func (c *cluster) wantLine(m *member, name string, want ...string) {
	c.Helper()
	var got []string
	if !c.awaitFor(c.patience(), func() bool { got = m.lineOf(name); return slices.Equal(got, want) }) {
		c.Errorf("in line: %v, want %v", got, want)
	}
}

// transfer hands the name over, once the target stands: who has just handed it
// over itself does so a moment later.
func (m *member) transfer(name string, to *member) (took time.Duration) {
	m.c.Helper()
	m.c.await(to.name+" stands", func() bool { return slices.Contains(m.lineOf(name), to.name) })
	began := time.Now()
	if err := m.Transfer(m.c.brief(), name, to.ID()); err != nil {
		m.c.Fatal(err)
	}
	return time.Since(began)
}

func TestTransferToTheSecondHandsOverStateAndPlace(t *testing.T) {
	apart(t, func(c *cluster) {
		all := c.inLine("chef", 3, keeps)
		a, b := all[0], all[1]
		before, _ := a.Holding("chef")
		a.transfer("chef", b)
		if got := a.whereis("chef"); got.Node() != b.ID() {
			c.Errorf("the holder is %v", got)
		}
		after, ok := b.Holding("chef")
		if !ok || after.Number() <= before.Number() {
			c.Errorf("b holds %v (%v), a held %v", after, ok, before)
		}
		for _, m := range all {
			if got := m.book("chef"); !slices.Equal(got, []string{"n1", "n2"}) {
				c.Errorf("%s reads %v", m.name, got)
			}
		}
		c.wantLine(a, "chef", "n2", "n3", "n1")
	})
}

func TestTransferToTheLastOfFiveSendsTheOthersToTheBackInTheirOrder(t *testing.T) {
	apart(t, func(c *cluster) {
		all := c.inLine("chef", 5, keeps)
		all[0].transfer("chef", all[4])
		if got := all[0].book("chef"); !slices.Equal(got, []string{"n1", "n5"}) {
			c.Errorf("the new holder's legacy is %v", got)
		}
		c.wantLine(all[2], "chef", "n5", "n2", "n3", "n4", "n1")
		for _, m := range all[1:4] {
			if n := len(m.told(node.TermBegan)); n != 0 {
				c.Errorf("%s began %d terms", m.name, n)
			}
		}
	})
}

func TestNameGoesRoundAndBackWithItsState(t *testing.T) {
	apart(t, func(c *cluster) {
		all := c.inLine("chef", 3, keeps)
		want := []string{"n1"}
		for i := range 7 {
			from, to := all[i%3], all[(i+1)%3]
			from.transfer("chef", to)
			want = append(want, to.name)
		}
		if got := all[0].book("chef"); !slices.Equal(got, want) {
			c.Errorf("the legacy says %v, want %v", got, want)
		}
	})
}

func TestOrdinaryElectionInheritsNothing(t *testing.T) {
	apart(t, func(c *cluster) {
		all := c.inLine("chef", 3, keeps)
		all[0].transfer("chef", all[1])
		c.ok(all[1].Withdraw(c.brief(), "chef"))
		if got := all[0].book("chef"); !slices.Equal(got, []string{"n3"}) {
			c.Errorf("the legacy says %v", got)
		}
	})
}

func TestTransferThatCannotBeIsAnErrorAndTheHolderGoesOn(t *testing.T) {
	apart(t, func(c *cluster) {
		all := c.inLine("chef", 2, keeps)
		a, b := all[0], all[1]
		stranger := c.node("stranger")
		before, _ := a.Holding("chef")
		gone := b.ID()
		gone.Incarnation++
		for what, try := range map[string]struct {
			on   *member
			name string
			to   actor.NodeID
			want error
			says string
		}{
			"by another node":       {b, "chef", a.ID(), node.ErrNotHolder, a.ID().String()},
			"by a stranger":         {stranger, "chef", b.ID(), node.ErrNotHolder, a.ID().String()},
			"of an unknown name":    {a, "cook", b.ID(), node.ErrNotHolder, "cook"},
			"of a bad name":         {a, "a/b", b.ID(), actor.ErrBadName, "a/b"},
			"to itself":             {a, "chef", a.ID(), node.ErrNotCandidate, "it holds it"},
			"to who stands for not": {a, "chef", stranger.ID(), node.ErrNotCandidate, "stranger"},
			"to an earlier run":     {a, "chef", gone, node.ErrNotCandidate, gone.String()},
			"to nobody":             {a, "chef", actor.NodeID{}, node.ErrNotCandidate, "chef"},
		} {
			err := try.on.Transfer(c.brief(), try.name, try.to)
			if !errors.Is(err, try.want) || !strings.Contains(err.Error(), try.says) {
				c.Errorf("%s: %v", what, err)
			}
			if failed := (*node.TransferError)(nil); errors.As(err, &failed) && failed.Ended {
				c.Errorf("%s: the holder was told to end", what)
			}
		}
		if after, ok := a.Holding("chef"); !ok || after != before {
			c.Errorf("a holds %v (%v), held %v", after, ok, before)
		}
		if got := b.book("chef"); !slices.Equal(got, []string{"n1"}) {
			c.Errorf("the legacy says %v", got)
		}
	})
}

func TestOneTransferOfANameAtATime(t *testing.T) {
	inBubble(t, func(c *cluster) {
		slow := make(chan struct{})
		all := c.inLine("chef", 3, func(p *actor.Process) error {
			<-p.Done()
			<-slow
			return context.Cause(p)
		})
		first := make(chan error, 1)
		go func() { first <- all[0].Transfer(c.brief(), "chef", all[1].ID()) }()
		c.settle()
		if err := all[0].Transfer(c.brief(), "chef", all[2].ID()); !errors.Is(err, node.ErrNotHolder) && !errors.Is(err, node.ErrTransferring) {
			c.Errorf("the second: %v", err)
		}
		close(slow)
		c.ok(<-first)
	})
}

func TestHolderTransfersItselfWithItsProcessAsContext(t *testing.T) {
	apart(t, func(c *cluster) {
		all := c.nodes(2)
		failed := make(chan error, 1)
		holder := func(m *member) actor.Func {
			return func(p *actor.Process) error {
				if got, ok := actor.Inherited[string](p); ok {
					failed <- fmt.Errorf("%s: %s", m.name, got)
					return idle(p)
				}
				_, _, err := actor.Expect[string](p)
				if err != nil {
					return err
				}
				err = m.Transfer(p, "chef", all[1].ID())
				if !errors.Is(err, actor.ErrHandOver) {
					failed <- err
				}
				return p.HandOver("mine")
			}
		}
		for _, m := range all {
			m.stand("chef", holder(m))
		}
		c.ok(all[1].SendGlobal(c.brief(), "chef", "go"))
		if err := next(c, failed); err == nil || err.Error() != "n2: mine" {
			c.Error(err)
		}
	})
}

func TestStateOfOneMebibyteArrivesAndOneByteMoreIsAnError(t *testing.T) {
	apart(t, func(c *cluster) {
		const header = 5 // of so many bytes in msgpack
		for _, size := range []int{actor.MaxState - header, actor.MaxState - header + 1} {
			name := fmt.Sprintf("chef%d", size)
			told := make(chan error, 1)
			got := make(chan int, 1)
			all := c.nodes(2)
			all[0].stand(name, func(p *actor.Process) error {
				<-p.Done()
				err := p.HandOver(make([]byte, size))
				told <- err
				return err
			})
			all[1].stand(name, func(p *actor.Process) error {
				state, _ := actor.Inherited[[]byte](p)
				got <- len(state)
				return idle(p)
			})
			err := all[0].Transfer(c.brief(), name, all[1].ID())
			toCode, received := next(c, told), next(c, got)
			if size+header <= actor.MaxState {
				if err != nil || toCode != nil || received != size {
					c.Errorf("%d bytes: transfer %v, code %v, received %d", size, err, toCode, received)
				}
				continue
			}
			failed := (*node.TransferError)(nil)
			if !errors.Is(err, actor.ErrStateTooLarge) || !errors.As(err, &failed) || !failed.Ended {
				c.Errorf("%d bytes: transfer: %v", size, err)
			}
			if !errors.Is(toCode, actor.ErrStateTooLarge) || received != 0 {
				c.Errorf("%d bytes: the code was told %v, received %d", size, toCode, received)
			}
		}
	})
}

func TestSmallerStateAfterOneTooLargeCounts(t *testing.T) {
	inBubble(t, func(c *cluster) {
		all := c.nodes(2)
		got := make(chan string, 2)
		for _, m := range all {
			m.stand("chef", func(p *actor.Process) error {
				state, _ := actor.Inherited[string](p)
				got <- state
				<-p.Done()
				if !errors.Is(context.Cause(p), actor.ErrHandOver) {
					return context.Cause(p)
				}
				if err := p.HandOver(func() {}); err == nil {
					c.Error("a function was handed over")
				}
				if err := p.HandOver(make([]byte, 2<<20)); !errors.Is(err, actor.ErrStateTooLarge) {
					c.Errorf("HandOver: %v", err)
				}
				return p.HandOver("small")
			})
		}
		all[0].transfer("chef", all[1])
		if first, second := next(c, got), next(c, got); first != "" || second != "small" {
			c.Errorf("%q, then %q", first, second)
		}
		if p := len(all[0].told(node.StuckHolder)); p != 0 {
			c.Errorf("%d stuck holders", p)
		}
	})
}

func TestTransferIsQuick(t *testing.T) {
	inBubble(t, func(c *cluster) {
		all := c.inLine("chef", 5, keeps)
		if took := all[0].transfer("chef", all[4]); took > 10*time.Millisecond {
			c.Errorf("it took %v of virtual time", took)
		}
	})
}
