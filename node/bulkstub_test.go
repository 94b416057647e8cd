package node_test

import (
	"testing"
	"time"

	"conclave/actor"
	"conclave/codec"
	"conclave/node"
	"conclave/transport"
)

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
