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
	"conclave/codec"
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

// reader reads a lane of a stub's connection.
type reader struct {
	c   *cluster
	dec *transport.Decoder
}

func (c *cluster) reader(conn transport.Conn, l transport.Lane) reader {
	return reader{c, transport.NewDecoder(transport.LaneReader(conn, l), 0)}
}

// want reads a frame and compares its kind and the size of its body.
func (r reader) want(kind transport.Kind, size int) transport.Frame {
	r.c.Helper()
	var f transport.Frame
	r.c.ok(r.dec.Next(&f))
	if f.Kind != kind || len(f.Body)/1000 != size/1000 {
		r.c.Fatalf("%v with a body of %d bytes, want %v with %d", f.Kind, len(f.Body), kind, size)
	}
	return f
}

// bulkStub is a stub that knows the bulk lane, linked with a, which has opened it,
// and a process of a's that sends what it is told to.
func bulkStub(c *cluster, a *member) (s *stub, conn transport.Conn, send func(to uint64, body any)) {
	s = c.stub("stub", a)
	s.bulk, s.said = true, make(chan transport.Frame, 16)
	c.ok(s.listener.SetHello(s.hello(a)))
	orders := make(chan func(*actor.Process) error)
	done := make(chan error)
	a.Spawn(func(p *actor.Process) error {
		for {
			select {
			case order := <-orders:
				done <- order(p)
			case <-p.Done():
				return nil
			}
		}
	})
	send = func(to uint64, body any) {
		c.Helper()
		orders <- func(p *actor.Process) error { return p.Send(s.pid(to), body) }
		c.ok(next(c, done))
	}
	send(1, "hello")
	conn = next(c, s.up)
	send(1, bulky)
	if f := next(c, s.said); f.Kind != transport.BulkLane || f.Flags != 1 || !conn.BulkOpen() {
		c.Fatalf("%v, flags %d", f.Kind, f.Flags)
	}
	c.settle()
	return s, conn, send
}

func TestSmallMailBehindBulkGoesTheSameWayUntilThatHasArrived(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a := c.node("a")
		s, conn, send := bulkStub(c, a)
		defer s.close()
		messages, bulk := c.reader(conn, transport.Messages), c.reader(conn, transport.Bulk)
		messages.want(transport.Message, 0)
		messages.want(transport.Message, 50_000) // while there was no bulk lane

		send(1, bulky)
		send(1, "behind it")
		send(2, "to another")
		a.Spawn(func(p *actor.Process) error { return p.Send(s.pid(1), "from another") })
		if f := bulk.want(transport.After, 0); f.Ref != 2 {
			c.Errorf("after %d", f.Ref)
		}
		bulk.want(transport.Message, 50_000)
		first := bulk.want(transport.Sync, 0)
		bulk.want(transport.Message, 0)
		messages.want(transport.Message, 0)
		messages.want(transport.Message, 0)

		// What the first answer does not cover is asked for by a second question.
		s.write(conn, transport.Control, &transport.Frame{Kind: transport.Synced, Ref: first.Ref})
		second := bulk.want(transport.Sync, 0)
		send(1, "still behind")
		bulk.want(transport.After, 0)
		bulk.want(transport.Message, 0)
		s.write(conn, transport.Control, &transport.Frame{Kind: transport.Synced, Ref: second.Ref})
		third := bulk.want(transport.Sync, 0)
		s.write(conn, transport.Control, &transport.Frame{Kind: transport.Synced, Ref: third.Ref + 7}) // nonsense
		send(1, "still behind")
		bulk.want(transport.Message, 0)
		s.write(conn, transport.Control, &transport.Frame{Kind: transport.Synced, Ref: third.Ref})
		last := bulk.want(transport.Sync, 0)
		s.write(conn, transport.Control, &transport.Frame{Kind: transport.Synced, Ref: last.Ref})
		c.settle()
		send(1, "free again")
		messages.want(transport.Message, 0)
	})
}

func TestBulkWaitsForTheMessagesBeforeIt(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a := c.node("a")
		to, got := a.sink()
		s, conn, _ := bulkStub(c, a)
		defer s.close()
		body := func(v any) transport.Frame {
			b, typ, err := codec.Append(nil, v)
			c.ok(err)
			return transport.Frame{Kind: transport.Message, From: 9, To: to.Serial(), Type: typ, Body: b}
		}
		small, large := body("small"), body("large")
		s.write(conn, transport.Bulk, &transport.Frame{Kind: transport.After, Ref: 2}, &large, &transport.Frame{Kind: transport.Sync, Ref: 5})
		time.Sleep(time.Minute)
		none(c, got)
		unknown := transport.Frame{Kind: 200} // counts, too
		s.write(conn, transport.Messages, &unknown, &small)
		for _, want := range []string{"small", "large"} {
			if v, _ := actor.As[string](next(c, got)); v != want {
				c.Errorf("%q, want %q", v, want)
			}
		}
		if f := next(c, s.said); f.Kind != transport.Synced || f.Ref != 5 {
			c.Errorf("%v %d", f.Kind, f.Ref)
		}
		// One that can never be delivered ends with the link, and holds nothing up.
		s.write(conn, transport.Bulk, &transport.Frame{Kind: transport.After, Ref: 1 << 60}, &large)
		c.settle()
		conn.Close()
		a.awaitTold(node.LinkDown, 0)
		none(c, got)
	})
}

func TestPeerWithoutBulkGetsEverythingInTheMessagesLane(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a := c.node("a")
		s := c.stub("stub", a)
		defer s.close()
		s.said = make(chan transport.Frame, 16)
		sent := make(chan error, 1)
		a.Spawn(func(p *actor.Process) error {
			for range 20 {
				if err := p.Send(s.pid(1), bulky); err != nil {
					sent <- err
				}
				time.Sleep(time.Second)
			}
			sent <- nil
			return nil
		})
		conn := next(c, s.up)
		messages := c.reader(conn, transport.Messages)
		for range 20 {
			messages.want(transport.Message, 50_000)
		}
		c.ok(next(c, sent))
		if conn.BulkOpen() || len(s.said) > 0 {
			c.Error("it was offered a bulk lane")
		}
	})
}

// Nobody reads the bulk lane: senders of large bodies wait, with a bounded number
// of bytes taken; others go on; and in the end the link is given up, although the
// peer answers pings.
func TestBulkLaneThatDoesNotGetOnIsBoundedAndEndsTheLink(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a := c.node("a", func(cfg *node.Config) { cfg.Limits.Outbox = 1 << 20 })
		s, conn, send := bulkStub(c, a)
		defer s.close()
		messages := c.reader(conn, transport.Messages)
		began := time.Now()
		taken, waits := make(chan int, 1000), make(chan error, 1)
		a.Spawn(func(p *actor.Process) error {
			p.Monitor(s.pid(2))
			for {
				if err := p.Send(s.pid(3), bulky); err != nil || time.Since(began) > time.Second {
					waits <- err
					return nil
				}
				taken <- len(bulky)
			}
		})
		time.Sleep(5 * time.Second)
		total := 0
		for len(taken) > 0 {
			total += <-taken
		}
		if total < 1<<20 || total > 3<<20 {
			c.Errorf("%d bytes were taken", total)
		}
		none(c, waits)
		send(4, "undisturbed")
		messages.want(transport.Message, 0)
		down := a.awaitTold(node.LinkDown, 0)
		if took := down.at.Sub(began); took < 15*time.Second || took > 26*time.Second {
			c.Errorf("the link was given up after %v", took)
		}
		next(c, waits) // on the next link, or told that there is none
	})
}

func TestWordOfABulkConnectionThatIsNotThereEndsTheLink(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a := c.node("a")
		s := c.stub("stub", a)
		s.bulk = true
		conn := s.dial(a)
		a.awaitTold(node.LinkUp, 0)
		s.write(conn, transport.Control, &transport.Frame{Kind: transport.BulkLane, Flags: 1})
		a.awaitTold(node.LinkDown, 0)
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

func TestKindThatHasNoPlaceInTheBulkLaneEndsTheLink(t *testing.T) {
	for _, kind := range []transport.Kind{transport.Returned, transport.Moved, transport.State, transport.Ping} {
		inBubble(t, func(c *cluster) {
			a := c.node("a")
			s, conn, _ := bulkStub(c, a)
			defer s.close()
			s.write(conn, transport.Bulk, &transport.Frame{Kind: 200}) // one that a later version may have
			time.Sleep(time.Second)
			if len(a.told(node.LinkDown)) > 0 {
				c.Error("an unknown kind has ended the link")
			}
			s.write(conn, transport.Bulk, &transport.Frame{Kind: kind, Scope: "chef", TermNumber: 1, Ref: 1})
			a.awaitTold(node.LinkDown, 0)
		})
	}
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
