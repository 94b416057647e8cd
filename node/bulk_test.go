package node_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/node"
	"conclave/transport"
)

var bulkSeed = flag.Uint64("bulk.seed", 0, "the seed of TestMixedPairsKeepTheirOrder; 0: a new one")

// parcel is a message of any size, numbered.
type parcel struct {
	N   int
	Pad []byte
}

// sizes that go in the messages lane, and in the bulk lane.
var parcelSizes = []int{0, 10, 1000, 20_000, 33_000, 40_000, 120_000}

// parcels is a process that checks the numbers of what comes from each sender.
type parcels struct {
	mu   sync.Mutex
	last map[actor.PID]int
	lost map[actor.PID]int
	down map[actor.PID]int // the last number when its end was heard of
}

func (m *member) parcels(name string) (actor.PID, *parcels) {
	t := &parcels{last: make(map[actor.PID]int), lost: make(map[actor.PID]int), down: make(map[actor.PID]int)}
	return m.Spawn(func(p *actor.Process) error {
		if err := p.Register(name); err != nil {
			return err
		}
		mux := &actor.Mux{}
		actor.On(mux, func(p *actor.Process, x parcel, msg actor.Message) error {
			t.mu.Lock()
			defer t.mu.Unlock()
			if t.last[msg.From] == 0 {
				p.Monitor(msg.From)
			}
			if x.N <= t.last[msg.From] {
				m.c.Errorf("%d came from %v after %d", x.N, msg.From, t.last[msg.From])
			}
			if bytes.Count(x.Pad, []byte{byte(x.N)}) != len(x.Pad) {
				m.c.Errorf("%d from %v is damaged", x.N, msg.From)
			}
			t.lost[msg.From] += x.N - t.last[msg.From] - 1
			t.last[msg.From] = x.N
			return nil
		})
		actor.On(mux, func(p *actor.Process, d actor.Down, _ actor.Message) error {
			t.mu.Lock()
			defer t.mu.Unlock()
			if errors.Is(d.Reason, actor.LinkLost) {
				p.Monitor(d.PID)
				return nil
			}
			t.down[d.PID] = t.last[d.PID]
			return nil
		})
		for {
			msg, err := p.Receive()
			if err != nil {
				return err
			}
			if err := mux.Receive(p, msg); err != nil {
				return err
			}
		}
	}, actor.WithMailbox(actor.Mailbox{Limit: 1 << 20})), t
}

func TestMixedPairsKeepTheirOrder(t *testing.T) {
	for _, faults := range []bool{false, true} {
		t.Run(fmt.Sprintf("faults=%v", faults), func(t *testing.T) {
			seed := *bulkSeed
			if seed == 0 {
				seed = rand.Uint64()
			}
			t.Logf("-bulk.seed=%d", seed)
			inBubble(t, func(c *cluster) { mixPairs(c, rand.New(rand.NewPCG(seed, 1)), faults) })
		})
	}
}

func mixPairs(c *cluster, random *rand.Rand, faults bool) {
	const senders, count = 6, 300
	pause := 3000
	if faults {
		pause = 50_000 // more faults
	}
	limit := func(cfg *node.Config) { cfg.Limits.LinkTimeout = time.Second }
	a, b := c.node("a", limit), c.node("b", limit)
	c.net.Delay("a", "b", 300*time.Microsecond)
	type sender struct {
		pid actor.PID
		to  *parcels
	}
	var all []sender
	var done sync.WaitGroup
	for _, way := range [][2]*member{{a, b}, {b, a}} {
		for i := range 2 {
			name := fmt.Sprintf("parcels%d", i)
			to, tally := way[1].parcels(name)
			for range senders / 2 {
				dice := rand.New(rand.NewPCG(random.Uint64(), 2))
				done.Add(1)
				pid := way[0].Spawn(func(p *actor.Process) error {
					defer done.Done()
					for n := 1; n <= count; n++ {
						x := parcel{n, bytes.Repeat([]byte{byte(n)}, parcelSizes[dice.IntN(len(parcelSizes))])}
						send := func() error { return p.Send(to, x) }
						if dice.IntN(4) == 0 {
							send = func() error { return p.SendName(to, name, x) }
						}
						if err := send(); err != nil {
							c.Errorf("send %d: %v", n, err)
						}
						if dice.IntN(8) == 0 {
							time.Sleep(time.Duration(dice.IntN(pause)) * time.Microsecond)
						}
					}
					return nil
				})
				all = append(all, sender{pid, tally})
			}
		}
	}
	over := make(chan struct{})
	go func() {
		done.Wait()
		close(over)
	}()
	broken := 0
	for faults {
		time.Sleep(time.Duration(20+random.IntN(50)) * time.Millisecond)
		select {
		case <-over:
			faults = false
			continue
		default:
		}
		switch random.IntN(3) {
		case 0, 1:
			broken += c.net.BreakBulk("a", "b")
		default:
			c.net.Partition("a", "b")
			time.Sleep(time.Duration(random.IntN(2500)) * time.Millisecond)
			c.net.Heal("a", "b")
			broken++
		}
	}
	<-over
	time.Sleep(time.Minute)
	lost := 0
	for _, s := range all {
		s.to.mu.Lock()
		last, down := s.to.last[s.pid], s.to.down[s.pid]
		if broken == 0 && (last != count || s.to.lost[s.pid] != 0 || down != count) {
			c.Errorf("%v: the last was %d, at its end %d, of %d; %d are lost", s.pid, last, down, count, s.to.lost[s.pid])
		}
		lost += s.to.lost[s.pid]
		s.to.mu.Unlock()
	}
	c.Logf("%d connections were broken, %d messages lost", broken, lost)
	if c.net.BreakBulk("a", "b") == 0 && broken == 0 {
		c.Error("there is no bulk lane")
	}
}

// A large body that was sent before there was a link wants the lane as any other.
func TestLargeBodyThatWaitedForTheLinkOpensTheBulkLane(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a := c.node("a")
		s := c.stub("stub", a)
		defer s.close()
		s.bulk, s.said = true, make(chan transport.Frame, 16)
		c.ok(s.listener.SetHello(s.hello(a)))
		c.ok(a.Send(s.pid(1), bulky))
		if f := next(c, s.said); f.Kind != transport.BulkLane || f.Flags != 1 {
			c.Errorf("%v, flags %d", f.Kind, f.Flags)
		}
	})
}

// bulky stands for a body that goes in the bulk lane.
var bulky = make([]byte, 50_000)

func TestBulkLaneServesBothDirectionsWhoeverDialed(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		callee := b.Spawn(func(p *actor.Process) error {
			for {
				_, m, err := actor.Expect[string](p)
				if err != nil {
					return err
				}
				if err := p.Reply(m, bulky); err != nil {
					return err
				}
			}
		})
		a.do(func(p *actor.Process) error {
			for range 100 {
				if got, err := actor.Call[[]byte](p, callee, "more"); err != nil || len(got) != len(bulky) {
					return fmt.Errorf("%d bytes, %w", len(got), err)
				}
			}
			return nil
		})
		c.settle()
		if c.net != nil && c.net.BreakBulk("a", "b") != 1 {
			c.Error("there is no bulk lane")
		}
	})
}

func TestBulkConnectionThatBreaksEndsTheLink(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to, got := b.sink()
		a.do(func(p *actor.Process) error {
			ref := p.Monitor(to)
			for range 3 {
				if err := p.Send(to, bulky); err != nil {
					return err
				}
				time.Sleep(time.Second)
				next(c, got)
			}
			if broken := c.net.BreakBulk("a", "b"); broken != 1 {
				c.Errorf("%d bulk connections", broken)
			}
			if d, _, err := actor.Expect[actor.Down](p); err != nil || d.Ref != ref || !errors.Is(d.Reason, actor.LinkLost) {
				return fmt.Errorf("%+v, %w", d, err)
			}
			// And it comes again, with the next link.
			for range 3 {
				if err := p.Send(to, bulky); err != nil {
					return err
				}
				time.Sleep(time.Second)
				next(c, got)
			}
			return nil
		})
		b.awaitTold(node.LinkDown, 0)
		if broken := c.net.BreakBulk("a", "b"); broken != 1 {
			c.Errorf("%d bulk connections on the next link", broken)
		}
	})
}

func TestStopDrainsTheBulkLane(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		const count = 300
		to, got := b.sink(actor.WithMailbox(actor.Mailbox{Limit: 10 * count}))
		callee := b.Spawn(echo)
		a.do(func(p *actor.Process) error {
			for n := range count {
				for range 20 * max(0, n%4-2) { // meanwhile the bulk lane opens
					if _, err := actor.Call[string](p, callee, "hello"); err != nil {
						return err
					}
				}
				if err := p.Send(to, bulky); err != nil {
					return err
				}
				if err := p.Send(to, n); err != nil {
					return err
				}
			}
			return nil
		})
		a.stop()
		for n := range count {
			if body, ok := actor.As[[]byte](next(c, got)); !ok || len(body) != len(bulky) {
				c.Fatalf("body %d has not come", n)
			}
			if v, ok := actor.As[int](next(c, got)); !ok || v != n {
				c.Fatalf("%d instead of %d", v, n)
			}
		}
	})
}

// Links must not suffer where a second connection cannot be made.
func TestLargeBodiesGoOnWhereNoBulkConnectionCanBeMade(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to, got := b.sink()
		a.do(func(p *actor.Process) error {
			if err := p.Send(to, 1); err != nil {
				return err
			}
			next(c, got)
			c.net.RefuseBulk("b", true)
			for range 20 {
				if err := p.Send(to, bulky); err != nil {
					return err
				}
				next(c, got)
				time.Sleep(time.Second)
			}
			c.net.RefuseBulk("b", false)
			for range 20 {
				if err := p.Send(to, bulky); err != nil {
					return err
				}
				next(c, got)
				time.Sleep(time.Second)
			}
			return nil
		})
		if len(a.told(node.LinkDown)) > 0 {
			c.Error("the link went down")
		}
		if broken := c.net.BreakBulk("a", "b"); broken != 1 {
			c.Errorf("%d bulk connections once they can be made", broken)
		}
	})
}

// What the node itself sends to names keeps (0, anywhere) in the bulk lane, and
// frames of hand-overs have from and to 0.
func TestHandingOverBesideTheBulkLaneLosesNoMail(t *testing.T) {
	inBubble(t, func(c *cluster) {
		all := c.inLine("chef", 2, func(p *actor.Process) error { // reads nothing
			<-p.Done()
			return p.HandOver(legacy{})
		})
		x, old, next := c.node("x"), all[0], all[1]
		x.reads("heap")
		next.reads("heap")
		const count = 50
		for i := range count {
			c.ok(x.SendGlobal(c.brief(), "chef", parcel{i, make([]byte, parcelSizes[i%len(parcelSizes)])}))
		}
		c.net.Delay(old.name, "x", 20*time.Millisecond)
		c.net.Delay(old.name, next.name, 20*time.Millisecond)
		var over atomic.Bool
		var others sync.WaitGroup
		defer others.Wait()
		defer over.Store(true)
		for _, to := range []*member{x, next} {
			others.Go(func() {
				for !over.Load() {
					if err := old.SendName(to.ID(), "heap", bulky); err != nil {
						c.Error(err)
						return
					}
					time.Sleep(2 * time.Millisecond)
				}
			})
		}
		time.Sleep(15 * time.Second)
		old.transfer("chef", next)
		c.await("all mail at the next holder", func() bool {
			n, _ := next.System().Backlog(next.whereis("chef"))
			return n == count
		})
	})
}
