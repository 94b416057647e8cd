package node

import (
	"bytes"
	"log/slog"
	"testing"

	"conclave/actor"
	"conclave/internal/cost"
	"conclave/transport"
)

// What a message to another node costs on each side, but for the network, as
// instructions and as allocations: no busy machine changes them. Its body is 64
// bytes, so that little of it is the codec's. Bounds are a third above what was
// counted.
const (
	costOfSend  = 15.5
	costOfRead  = 16.4
	costOfServe = 40

	allocsOfSend  = 0
	allocsOfRead  = 0.07
	allocsOfServe = 0.09
)

// halfLink is one end of a link. What it sends nobody takes, and what it reads has
// been recorded.
type halfLink struct {
	links *links
	peer  *peer
	out   *outbox
	conn  *connection
	tape  tape
}

func newHalfLink(t *testing.T) *halfLink {
	cfg, err := Config{Name: "here", ZooKeeper: []string{"nowhere:1"}, Logger: slog.New(slog.DiscardHandler)}.filled()
	if err != nil {
		t.Fatal(err)
	}
	h := &halfLink{links: newLinks(cfg, func(Event) {}, nil)}
	system := actor.NewSystem(actor.SystemConfig{
		Node: actor.NodeID{Name: "here", Address: "here:1", Incarnation: 1}, Router: h.links, Logger: cfg.Logger,
	})
	h.links.begin(system, cfg.Logger)
	there := actor.NodeID{Name: "there", Address: "there:1", Incarnation: 2}
	h.peer = &peer{links: h.links, id: there, base: actor.MakePID(there, 0)}
	h.peer.way = bodyWay{system: system, from: h.peer.base, to: h.links.self}
	h.links.peers.put(h.peer)
	h.out = newOutbox(transport.Messages, 1<<30, 1<<20)
	h.peer.live.Store(h.out)
	h.conn = &connection{conn: &h.tape, out: h.out}
	h.conn.passed.moved.L = &h.conn.passed.mu
	return h
}

// taken is what the outbox holds, as its writer takes it. What was taken before must
// not be used any more.
func (h *halfLink) taken() []byte {
	h.out.gather()
	batch := h.out.buf
	h.out.buf = batch[:0]
	return batch
}

// run runs f as a process.
func (h *halfLink) run(f func(p *actor.Process)) {
	done := make(chan struct{})
	h.links.system.Spawn(func(p *actor.Process) error {
		defer close(done)
		f(p)
		return nil
	})
	<-done
}

// tape is a connection from which comes what has been recorded, and then its end.
type tape struct {
	transport.Conn
	rest bytes.Reader
}

func (t *tape) Read(_ transport.Lane, buf []byte) (int, error) { return t.rest.Read(buf) }

const frames = 1000

// sending is a process's sending of so many messages to another node.
func (h *halfLink) sending(p *actor.Process) func() {
	var body any = make([]byte, 64)
	to := h.peer.base.WithSerial(7)
	return func() {
		h.taken()
		for range frames {
			if err := p.Send(to, body); err != nil {
				panic(err)
			}
		}
	}
}

// reading is the reading of so many messages or calls from another node, and what p,
// for which they are, does with each.
func (h *halfLink) reading(p *actor.Process, kind transport.Kind, do func(m actor.Message) error) func() {
	typ, body, err := encodeBody(new([]byte), make([]byte, 64))
	if err != nil {
		panic(err)
	}
	e := transport.NewEncoder(0)
	var batch []byte
	for i := range uint64(frames) {
		f := transport.Frame{Kind: kind, From: 3, To: p.Self().Serial(), Type: typ, Body: body}
		if kind == transport.Call {
			f.Ref = 1 + i
		}
		if batch, err = e.Append(batch, &f); err != nil {
			panic(err)
		}
	}
	return func() {
		h.tape.rest.Reset(batch)
		_ = h.peer.readMessages(h.conn)
		for range frames {
			m, err := p.Receive()
			if err == nil {
				err = do(m)
			}
			if err != nil {
				panic(err)
			}
		}
	}
}

// receiving is the reading of messages.
func (h *halfLink) receiving(p *actor.Process) func() {
	return h.reading(p, transport.Message, func(actor.Message) error { return nil })
}

// serving is the reading of calls, and the sending of their replies.
func (h *halfLink) serving(p *actor.Process) func() {
	var body any = make([]byte, 64)
	f := h.reading(p, transport.Call, func(m actor.Message) error { return p.Reply(m, body) })
	return func() { h.taken(); f() }
}

func TestCostOfMailBetweenNodes(t *testing.T) {
	cost.Need(t)
	for _, c := range halves {
		t.Run(c.name, func(t *testing.T) {
			h := newHalfLink(t)
			h.run(func(p *actor.Process) { cost.AtMost(t, c.cost, frames, c.of(h, p)) })
		})
	}
}

func TestAllocationsOfMailBetweenNodes(t *testing.T) {
	cost.NeedPools(t)
	for _, c := range halves {
		t.Run(c.name, func(t *testing.T) {
			h := newHalfLink(t)
			h.run(func(p *actor.Process) {
				got := testing.AllocsPerRun(20, c.of(h, p)) / frames
				if t.Logf("%.3f allocations", got); got > c.allocs {
					t.Errorf("%.3f allocations, want at most %g", got, c.allocs)
				}
			})
		})
	}
}

var halves = []struct {
	name         string
	of           func(h *halfLink, p *actor.Process) func()
	cost, allocs float64
}{
	{"send", (*halfLink).sending, costOfSend, allocsOfSend},
	{"receive", (*halfLink).receiving, costOfRead, allocsOfRead},
	{"serve a call", (*halfLink).serving, costOfServe, allocsOfServe},
}
