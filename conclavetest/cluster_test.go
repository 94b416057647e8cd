package conclavetest_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"conclave/actor"
	"conclave/conclavetest"
	"conclave/history"
	"conclave/node"
)

const (
	session = 10 * time.Second // the default
	tick    = time.Second
)

// stands is a holder that does nothing.
func stands(p *actor.Process) error {
	<-p.Done()
	return context.Cause(p)
}

// collects is a process that hands on what it gets.
func collects(n *conclavetest.Node) (actor.PID, <-chan int) {
	got := make(chan int, 1000)
	return n.Spawn(func(p *actor.Process) error {
		for {
			x, _, err := actor.Expect[int](p)
			if err != nil {
				return err
			}
			got <- x
		}
	}), got
}

// content is what is in a channel now.
func content(c *conclavetest.Cluster, ch <-chan int) (all []int) {
	c.Settle()
	for len(ch) > 0 {
		all = append(all, <-ch)
	}
	return all
}

func send(c *conclavetest.Cluster, from *conclavetest.Node, to actor.PID, numbers ...int) {
	c.Helper()
	for _, x := range numbers {
		if err := from.Send(to, x); err != nil {
			c.Errorf("%s sends %d: %v", from.Name(), x, err)
		}
	}
}

// standing is a cluster of three whose holder of "boss" has held it for a while.
func standing(t *testing.T, f func(c *conclavetest.Cluster, holder *conclavetest.Node)) {
	t.Helper()
	conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
		c.Setup(func(n *conclavetest.Node) { n.Stand("boss", stands) })
		holder := c.AwaitHolder("boss")
		time.Sleep(time.Minute)
		f(c, holder)
		c.Check(conclavetest.NeverTwo("boss"), conclavetest.TermsRise("boss"), conclavetest.NobodyStuck(), conclavetest.SoundHistory())
	})
}

// successor waits for a holder other than old, and says how long nobody held.
func successor(c *conclavetest.Cluster, old *conclavetest.Node) (next *conclavetest.Node, gap time.Duration) {
	c.Helper()
	c.Await("a successor", func() bool {
		next = c.Holder("boss")
		return next != nil && next != old
	})
	terms := c.Terms("boss")
	last := len(terms) - 1
	return next, terms[last].Began.Sub(terms[last-1].Ended)
}

func TestKilledNodeIsReplacedWhenItsSessionExpires(t *testing.T) {
	standing(t, func(c *conclavetest.Cluster, holder *conclavetest.Node) {
		pid, got := collects(holder)
		other := c.Node((holder.Index() + 1) % 3)
		send(c, other, pid, 1)
		if now := content(c, got); !slices.Equal(now, []int{1}) {
			c.Errorf("it got %v", now)
		}
		killed := c.Now()
		c.Kill(holder.Index())
		c.Settle()
		if len(other.Told(node.LinkDown)) != 1 {
			c.Error("the peer has not noticed")
		}
		if holder.Running() || holder.Context().Err() == nil {
			c.Error("it runs")
		}
		if next, gap := successor(c, holder); gap < session*3/4 || gap > session+tick*3/2 {
			c.Errorf("%s held after %v", next.Name(), gap)
		}
		if len(holder.Told(node.TermEnded)) != 0 {
			c.Errorf("a node that was killed at %v told of the end of its term: %v", killed, holder.Told(node.TermEnded))
		}
		witnessed := slices.ContainsFunc(c.History(), func(e history.Event) bool {
			return e.Kind == history.Died && e.Label == holder.Name() && e.At == killed
		})
		if !witnessed {
			c.Error("the history does not say that it died")
		}
		again := c.Start(holder.Index())
		if again == holder || again.ID().Address != holder.ID().Address || again.ID().Name != holder.ID().Name ||
			again.ID().Incarnation == holder.ID().Incarnation || c.Node(holder.Index()) != again {
			c.Errorf("%v after %v", again.ID(), holder.ID())
		}
		if err := again.Ready(c.Context()); err != nil {
			c.Error(err)
		}
		if c.Start(holder.Index()) != again {
			c.Error("a node that runs was started again")
		}
	})
}

func TestStoppedNodePassesItsNameAtOnce(t *testing.T) {
	standing(t, func(c *conclavetest.Cluster, holder *conclavetest.Node) {
		if err := c.Stop(holder.Index()); err != nil {
			c.Error(err)
		}
		if _, gap := successor(c, holder); gap != 0 {
			c.Errorf("nobody held for %v", gap)
		}
		c.Kill(holder.Index()) // does nothing
		again := c.Restart(holder.Index())
		c.Await("its second candidacy", func() bool { return len(again.Told(node.SessionUp)) == 1 })
	})
}

func TestPausedNodeLosesNothingAndItsLateMailIsRefused(t *testing.T) {
	conclavetest.Run(t, 0, 4, func(c *conclavetest.Cluster) {
		other := c.Node(3) // who does not stand
		far, got := collects(other)
		c.Setup(func(n *conclavetest.Node) {
			if n == other {
				return
			}
			n.Stand("boss", func(p *actor.Process) error {
				for x := 0; p.Err() == nil; x++ {
					p.Send(far, x)
					p.ReceiveTimeout(time.Second)
				}
				return context.Cause(p)
			})
		})
		holder := c.AwaitHolder("boss")
		time.Sleep(time.Minute)
		pid, own := collects(holder)
		send(c, other, pid, 1)
		content(c, own)
		content(c, got)
		c.Pause(holder.Index())
		send(c, other, pid, 2)
		time.Sleep(tick)
		if now := content(c, own); len(now) != 0 {
			c.Errorf("the paused node got %v", now)
		}
		if now := content(c, got); len(now) != 0 {
			c.Errorf("the paused node sent %v", now)
		}
		_, gap := successor(c, holder)
		if gap < session/2 {
			c.Errorf("its successor came %v after its lease", gap)
		}
		time.Sleep(time.Second)
		refused := len(other.Told(node.Refused))
		c.Resume(holder.Index())
		if now := content(c, own); !slices.Equal(now, []int{2}) {
			c.Errorf("after that it got %v", now)
		}
		if late := len(other.Told(node.Refused)) - refused; late < 3 || late > 6 {
			c.Errorf("%d late messages were refused; its lease lasted 4 to 5 s", late)
		}
		c.Check(conclavetest.NeverTwo("boss"), conclavetest.AtMostOneAccepted("boss"), conclavetest.SoundHistory())
	}, conclavetest.Configure(func(_ string, cfg *node.Config) { cfg.Limits.LinkTimeout = time.Minute }))
}

func TestPartitionAndOneWayCut(t *testing.T) {
	conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
		a, b := c.Node(0), c.Node(1)
		atA, gotA := collects(a)
		atB, gotB := collects(b)
		both := func(step, wantA, wantB string) {
			c.Helper()
			send(c, b, atA, c.Rand.IntN(100))
			send(c, a, atB, c.Rand.IntN(100))
			if nA, nB := len(content(c, gotA)), len(content(c, gotB)); fmt.Sprint(nA) != wantA || fmt.Sprint(nB) != wantB {
				c.Errorf("%s: a got %d and b %d, want %s and %s", step, nA, nB, wantA, wantB)
			}
		}
		both("at first", "1", "1")
		c.Partition(0, 1)
		both("partitioned", "0", "0")
		c.Heal(1, 0)
		both("healed", "2", "2")
		c.CutOneWay(0, 1)
		both("cut from a to b", "1", "0")
		c.Heal(0, 1)
		both("healed again", "1", "2")
		c.Delay(0, 1, time.Second)
		both("slow", "0", "0")
		time.Sleep(time.Second)
		c.Delay(0, 1, 0)
		both("at last", "2", "2")
	})
}

func TestHolderThatIsCutFromZooKeeperStopsFirst(t *testing.T) {
	for _, how := range []string{"both ways", "answers only", "quorum and leader"} {
		t.Run(how, func(t *testing.T) {
			standing(t, func(c *conclavetest.Cluster, holder *conclavetest.Node) {
				i := holder.Index()
				switch how {
				case "both ways":
					c.CutZooKeeper(i)
				case "answers only":
					c.CutZooKeeperOneWay(i)
				default:
					c.CutQuorum(i)
					time.Sleep(tick / 10)
					c.CutZooKeeper(i)
				}
				next, gap := successor(c, holder)
				if gap < session/2-tick {
					c.Errorf("%s held %v after the other's end", next.Name(), gap)
				}
				c.MendZooKeeper(i)
				c.HealQuorum(i)
				if len(holder.Told(node.LinkDown)) != 0 {
					c.Error("its links ended, too")
				}
				if err := holder.Ready(c.Context()); err != nil {
					c.Error(err)
				}
			})
		})
	}
}

func TestHolderOnAFollowerWithoutQuorumGoesToAnotherServer(t *testing.T) {
	standing(t, func(c *conclavetest.Cluster, holder *conclavetest.Node) {
		c.CutQuorum(holder.Index())
		time.Sleep(time.Minute)
		if now := c.Holder("boss"); now != holder || len(holder.Told(node.TermEnded)) != 0 {
			c.Error("it has lost its term")
		}
		if n := len(holder.Told(node.SessionSuspended)); n != 2 { // when it was led to the follower, and when it left
			c.Errorf("it lost its connection %d times", n)
		}
	})
}

func TestLaggingFollowerShowsThePast(t *testing.T) {
	conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
		c.Lag(1, 5*time.Second)
		time.Sleep(time.Minute)
		sees := func(i int) bool {
			pids, err := c.Node(i).GetCapable(c.Context(), "work")
			return err == nil && len(pids) == 1
		}
		sees(1)
		sees(2)
		c.Node(0).Offer("work", stands)
		began := c.Now()
		c.Await("the others to see it", func() bool { return sees(0) && sees(2) })
		if took := c.Now() - began; took > tick {
			c.Errorf("that took %v", took)
		}
		c.Await("node 1 to see it", func() bool { return sees(1) })
		if took := c.Now() - began; took < 5*time.Second {
			c.Errorf("it saw it after %v", took)
		}
		c.Lag(1, 0)
	})
}

func TestSessionThatExpiresIsReplaced(t *testing.T) {
	standing(t, func(c *conclavetest.Cluster, holder *conclavetest.Node) {
		pid, got := collects(holder)
		c.ExpireSession(holder.Index())
		c.Await("a new session", func() bool { return len(holder.Told(node.SessionUp)) == 2 })
		successor(c, holder)
		send(c, c.Node((holder.Index()+1)%3), pid, 1)
		if now := content(c, got); len(now) != 1 {
			c.Errorf("its PID got %v", now)
		}
	})
}

// A session that is ended before its time breaks ZooKeeper's promise, not ours.
func TestSessionThatIsEndedEarlyIsNotHeldAgainstItsHolder(t *testing.T) {
	standing(t, func(c *conclavetest.Cluster, holder *conclavetest.Node) {
		c.CutZooKeeper(holder.Index())
		c.ExpireSession(holder.Index())
		c.Await("a successor", func() bool { return len(c.Terms("boss")) == 2 })
		if _, held := holder.Holding("boss"); !held {
			c.Error("the holder has heard of it, cut off as it is")
		}
		time.Sleep(session)
		if _, held := holder.Holding("boss"); held {
			c.Error("the holder holds on")
		}
	})
}

func TestLostReplyIsLostOnce(t *testing.T) {
	standing(t, func(c *conclavetest.Cluster, holder *conclavetest.Node) {
		c.LoseReply(holder.Index())
		time.Sleep(time.Minute)
		if n := len(holder.Told(node.SessionSuspended)); n != 1 || len(c.Terms("boss")) != 1 {
			c.Errorf("%d disconnections, %d terms", n, len(c.Terms("boss")))
		}
		c.Disconnect(holder.Index())
		c.Await("another", func() bool { return len(holder.Told(node.SessionResumed)) == 2 })
	})
}

func TestZooKeeperDownAndFrozen(t *testing.T) {
	for how, fault := range map[string][2]func(*conclavetest.Cluster){
		"down":   {(*conclavetest.Cluster).ZooKeeperDown, (*conclavetest.Cluster).ZooKeeperUp},
		"frozen": {(*conclavetest.Cluster).ZooKeeperFreeze, (*conclavetest.Cluster).ZooKeeperThaw},
	} {
		t.Run(how, func(t *testing.T) {
			standing(t, func(c *conclavetest.Cluster, holder *conclavetest.Node) {
				fault[0](c)
				time.Sleep(session)
				if h := c.Holder("boss"); h != nil {
					c.Errorf("%s holds", h.Name())
				}
				fault[1](c)
				c.AwaitHolder("boss")
			})
		})
	}
}

// The server does not hear of the end of a connection that is cut.
func TestEndOfACutConnectionIsNotNoticed(t *testing.T) {
	conclavetest.Run(t, 0, 1, func(c *conclavetest.Cluster) {
		connected := func() bool {
			s := c.ZooKeeper().Sessions()
			return len(s) == 1 && s[0].Connected
		}
		c.CutZooKeeper(0)
		c.Kill(0)
		time.Sleep(time.Second)
		if !connected() {
			c.Error("the server has noticed")
		}
		c.MendZooKeeper(0)
		c.Settle()
		if connected() {
			c.Error("the server has not noticed")
		}
	})
}

func TestMendPutsEverythingInOrder(t *testing.T) {
	conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
		guest := c.Guest("guest")
		pid, got := collects(c.Node(0))
		c.Partition(0, guest.Index())
		c.Delay(0, 1, 200*time.Millisecond)
		c.CutOneWay(2, 0)
		c.Pause(0)
		c.CutZooKeeper(1)
		c.Lag(2, time.Hour)
		c.CutQuorum(2)
		c.ZooKeeperDown()
		c.ZooKeeperFreeze()
		for i := range 4 {
			send(c, c.Node(i), pid, i)
		}
		content(c, got)
		c.Mend()
		time.Sleep(time.Second) // node 1 was about to dial, slowly
		now := content(c, got)
		if slices.Sort(now); !slices.Equal(now, []int{1, 2, 3}) {
			c.Errorf("%v arrived", now)
		}
		c.Setup(func(n *conclavetest.Node) { n.Stand("boss", stands) })
		c.AwaitHolder("boss")
	})
}
