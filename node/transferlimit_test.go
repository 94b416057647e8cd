package node_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
	"conclave/node"
	"conclave/transport"
)

func TestCandidatesAreInLineAndNobodyStandsForAnUnknownName(t *testing.T) {
	apart(t, func(c *cluster) {
		all := c.inLine("chef", 3, keeps)
		c.wantLine(all[2], "chef", "n1", "n2", "n3")
		if line, err := all[0].Candidates(c.brief(), "cook"); err != nil || len(line) != 0 {
			c.Errorf("%v, %v", line, err)
		}
		if _, err := all[0].Candidates(c.brief(), "a/b"); !errors.Is(err, actor.ErrBadName) {
			c.Error(err)
		}
	})
}

// What came back finds the next holder's mailbox full: it waits for room, newer
// mail behind it, and the order holds.
func TestMailThatCameBackWaitsForRoom(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a, b := c.node("n1"), c.node("n2", func(cfg *node.Config) { cfg.Limits.Mailbox.Limit = 4 })
		sender := c.node("sender")
		gate := make(chan struct{})
		read := make(chan int, 99)
		a.stand("chef", idle)
		b.stand("chef", func(p *actor.Process) error {
			select {
			case <-gate:
			case <-p.Done():
			}
			for {
				n, _, err := actor.Expect[int](p)
				if err != nil {
					return err
				}
				read <- n
			}
		})
		for n := range 20 {
			c.ok(sender.SendGlobal(c.brief(), "chef", n))
		}
		a.transfer("chef", b)
		newer := make(chan error, 1)
		go func() {
			for {
				err := sender.SendGlobal(c.brief(), "chef", 20)
				select {
				case <-gate: // what came back has filled the mailbox, perhaps: that is refused
					if errors.Is(err, actor.ErrMailboxFull) {
						time.Sleep(time.Millisecond)
						continue
					}
				default:
				}
				newer <- err
				return
			}
		}()
		time.Sleep(time.Second)
		none(c, newer)
		close(gate)
		c.ok(next(c, newer))
		for want := range 21 {
			if got := next(c, read); got != want {
				c.Fatalf("%d was read, want %d", got, want)
			}
		}
	})
}

// What came back and finds no holder any more becomes a dead letter, in the end.
func TestMailThatNobodyTakesIsADeadLetterInTheEnd(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a, b, sender := c.node("n1"), c.node("n2"), c.node("sender")
		a.stand("chef", func(p *actor.Process) error {
			<-p.Done()
			b.die()
			return context.Cause(p)
		})
		b.stand("chef", idle)
		c.ok(sender.SendGlobal(c.brief(), "chef", "unread"))
		transferred := make(chan error, 1)
		go func() { transferred <- a.Transfer(c.within(time.Minute), "chef", b.ID()) }()
		a.awaitTold(node.TermEnded, 0)
		c.ok(a.Withdraw(c.brief(), "chef"))
		c.degraded(next(c, transferred), nil)
		if n := sender.DeadLetters(actor.DeadNoHolder); n != 0 {
			c.Errorf("%d dead letters at once", n)
		}
		time.Sleep(6 * time.Minute)
		if n := sender.DeadLetters(actor.DeadNoHolder); n != 1 {
			c.Errorf("%d dead letters in the end", n)
		}
		if err := sender.SendGlobal(c.within(time.Second), "chef", "newer"); !errors.Is(err, node.ErrNoHolder) {
			c.Errorf("newer mail: %v", err)
		}
	})
}

// A peer that talks nonsense about moves gets refusals, and harms nobody.
func TestHostileFramesAboutMovesChangeNothing(t *testing.T) {
	inBubble(t, func(c *cluster) {
		all := c.inLine("chef", 2, keeps)
		a, b := all[0], all[1]
		before, _ := a.Holding("chef")
		line, err := b.Keeper().Session(c.brief())
		c.ok(err)
		names, _, err := line.Children(c.brief(), b.Keeper().Paths().Global("chef"), nil)
		c.ok(err)
		s := c.stub("stub", a)
		conn := s.dial(a)
		var frames []*transport.Frame
		for _, scope := range []string{"", "chef", "a/b", "unknown"} {
			// What a peer says of terms is believed, as it has proved who it is: none
			// of these is the present one.
			for _, number := range []int64{0, -1, 7, before.Number() - 1} {
				for kind := transport.Moving; kind <= transport.State; kind++ {
					for _, candidate := range append(names, "", "nobody-0000000000") {
						frames = append(frames, &transport.Frame{
							Kind: kind, Scope: scope, TermNumber: number, Ref: uint64(len(frames)), ToName: candidate, Body: []byte("\xc1"),
						})
					}
				}
			}
		}
		s.write(conn, transport.Messages, frames...)
		s.write(conn, transport.Control, &transport.Frame{Kind: transport.Answer, Ref: 1}, &transport.Frame{Kind: transport.Answer, Flags: 1})
		time.Sleep(time.Minute)
		if now, ok := a.Holding("chef"); !ok || now != before {
			c.Errorf("a holds %v (%v)", now, ok)
		}
		if n := len(a.told(node.LinkDown)); n != 0 {
			c.Errorf("%d links were lost", n)
		}
		conn.Close() // with it goes what it said of moves whose markers never came
		if got := a.book("chef"); !slices.Equal(got, []string{"n1"}) {
			c.Errorf("the entries are %v", got)
		}
		a.gone = true // its Stop tells of the mail for a name that nobody holds
		a.transfer("chef", b)
		if got := a.book("chef"); !slices.Equal(got, []string{"n1", "n2"}) {
			c.Errorf("the entries are %v", got)
		}
	})
}

// Who does not know the frames cannot be given anything back: that is a dead
// letter, and holds nobody up.
func TestMailOfASenderOfAnOlderVersionIsADeadLetter(t *testing.T) {
	inBubble(t, func(c *cluster) {
		all := c.inLine("chef", 2, idle)
		a, b := all[0], all[1]
		old := c.stub("old", a)
		conn := old.dial(a)
		old.write(conn, transport.Messages, &transport.Frame{
			Kind: transport.Message, To: a.whereis("chef").Serial(), Ref: 7, Type: "string", Body: []byte("\xa2hi"),
		})
		c.settle()
		if took := a.transfer("chef", b); took > time.Second {
			c.Errorf("it took %v", took)
		}
		if n := a.DeadLetters(actor.DeadLinkLost); n != 1 {
			c.Errorf("%d dead letters", n)
		}
		a.gone = true // the stub does not answer its goodbye
	})
}

// Somebody has overwritten the holder's znode, so that it names no node, and the
// holder is told to hand over to no node.
func TestTransferToNobodyFromAHolderWhoseZnodeIsGarbage(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a := c.inLine("chef", 1, keeps)[0]
		before, _ := a.Holding("chef")
		s, err := a.Keeper().Session(c.brief())
		c.ok(err)
		paths := a.Keeper().Paths()
		names, _, err := s.Children(c.brief(), paths.Global("chef"), nil)
		c.ok(err)
		_, err = s.Set(c.brief(), paths.Candidate("chef", names[0]), []byte("garbage"), keeper.AnyVersion)
		c.ok(err)
		a.kept("chef", before, a.Transfer(c.brief(), "chef", actor.NodeID{}), node.ErrNotCandidate)
	})
}

// A candidate says that it has gone to the back, and has not. The holder's session
// ends while it waits for that to be seen.
func TestTransferThatWaitsForALiarEndsWithItsTerm(t *testing.T) {
	inBubble(t, func(c *cluster) {
		all := c.inLine("chef", 1, keeps)
		a := all[0]
		liar := c.stub("liar", a)
		liar.handsOver, liar.yes = true, true
		liar.dial(a)
		a.standsFor("chef", liar.id)
		b := c.node("n2")
		b.stand("chef", keeps)
		transferred := make(chan error, 1)
		go func() { transferred <- a.Transfer(context.Background(), "chef", b.ID()) }()
		time.Sleep(time.Second)
		none(c, transferred)
		a.line.sever()
		if err := next(c, transferred); err == nil {
			c.Error("it is said to have been handed over")
		}
		a.line.mend()
		a.gone = true // the stub does not answer its goodbye
	})
}
