package node

import (
	"context"

	"conclave/actor"
	"conclave/transport"
)

// readMessages hands on what comes in the messages lane.
func (p *peer) readMessages(c *connection) error {
	lane := &tally{transport.LaneReader(c.conn, transport.Messages), &c.progress, &c.passed.wanted}
	dec := transport.NewDecoder(lane, p.links.limits.MaxMessage)
	run := mailRun{peer: p, conn: c, mail: make([]actor.Mail, 0, longestRun)}
	var f transport.Frame
	for {
		if !dec.Ready() {
			run.deliver() // before waiting for what comes next
			c.passed.reach(dec.Count())
			c.heard.Store(int64(p.links.now()))
			f = transport.Frame{} // a link that rests keeps no body
		}
		if err := dec.NextAny(&f); err != nil { // all kinds count for the bulk lane
			run.deliver()
			return err
		}
		if run.add(&f, dec) {
			continue
		}
		run.deliver()
		if !p.takeMove(c, &f) {
			p.take(c, &f)
		}
	}
}

// take delivers a frame that is for a process.
func (p *peer) take(c *connection, f *transport.Frame) {
	if f.Kind == transport.Bye {
		p.hearBye(c, f)
		return
	}
	if f.Kind == transport.Reply && f.Scope == "" {
		p.links.system.DeliverReply(p.base.WithSerial(f.From), p.links.self.WithSerial(f.To), f.Ref, newRemoteBody(&p.way, f))
		return
	}
	e, ok := p.envelope(c, f)
	if !ok {
		return
	}
	if e.Kind == actor.KindMessage && e.Ref != 0 {
		c.confirming.Lock()
		defer c.confirming.Unlock()
	}
	switch p.links.system.Deliver(e) {
	case actor.Full:
		p.links.pauseSender(p, c, e.To)
	case actor.Stale:
		if highest, ok := p.links.system.Terms().Highest(e.Term); ok {
			_ = c.control.append(context.Background(), &transport.Frame{
				Kind: transport.TermStale, Scope: highest.Scope(), TermNumber: highest.Number(),
			}, true)
		}
	}
}

// mailRun gathers messages and calls that came one behind the other for one
// process, and are plain: sent by PID, under no term, and without a trace.
type mailRun struct {
	peer *peer
	conn *connection
	to   uint64
	mail []actor.Mail

	bodies []remoteBody // to be used next
	sort   *bodySort    // of the last
}

// longestRun keeps a busy link from holding up the first message of a run.
const longestRun = 64

// add says false of a frame that is not plain mail. It is what dec gave last.
func (r *mailRun) add(f *transport.Frame, dec *transport.Decoder) bool {
	if f.Kind != transport.Call && (f.Kind != transport.Message || f.Ref != 0) ||
		f.To == 0 || f.Scope != "" || len(f.Ext) > 0 {
		return false
	}
	if f.To != r.to || len(r.mail) == longestRun {
		r.deliver()
		r.to = f.To
	}
	b := r.body(f, dec)
	n := len(r.mail)
	r.mail = r.mail[:n+1] // filled in place, as actor's mailboxes are
	m := &r.mail[n]
	if from := r.peer.base.WithSerial(f.From); m.From != from {
		m.From = from
	}
	m.Body = b
	m.Call = f.Ref
	return true
}

// body is that of f. Those that came together are allocated together, as their bytes
// are, but only such as share their memory: who keeps one of them keeps that, at most
// 16 KiB, and nothing of its neighbours besides.
func (r *mailRun) body(f *transport.Frame, dec *transport.Decoder) *remoteBody {
	memory, at := dec.Memory(f)
	if len(memory) == len(f.Body) {
		return newRemoteBody(&r.peer.way, f)
	}
	shared := r.sort != nil && r.sort.in(memory)
	if len(r.bodies) == 0 || !shared {
		unread := min(dec.Buffered(), len(memory)-at)
		r.bodies = make([]remoteBody, min(1+unread/(len(f.Body)+minFrame), longestRun/2))
	}
	if !shared || r.sort.to != f.To || r.sort.typ != f.Type {
		r.sort = &bodySort{&r.peer.way, f.To, f.Type, memory}
	}
	b := &r.bodies[0]
	r.bodies = r.bodies[1:]
	b.sort, b.at, b.size = r.sort, uint32(at), uint32(len(f.Body))
	return b
}

// minFrame is about what a frame takes besides its body.
const minFrame = 8

func (r *mailRun) deliver() {
	if len(r.mail) == 0 {
		return
	}
	to := r.peer.links.self.WithSerial(r.to)
	if r.peer.links.system.DeliverMail(to, r.mail) == actor.Full {
		r.peer.links.pauseSender(r.peer, r.conn, to)
	}
	for i := range r.mail {
		r.mail[i].Body = nil
	}
	r.mail = r.mail[:0]
}

// readControl takes what the nodes say to each other.
func (p *peer) readControl(c *connection) error {
	dec := transport.NewDecoder(transport.LaneReader(c.conn, transport.Control), maxControlFrame)
	var f transport.Frame
	for {
		if err := dec.Next(&f); err != nil {
			return err
		}
		c.heard.Store(int64(p.links.now()))
		switch f.Kind {
		case transport.Verdict:
			p.post(evVerdict{c.id, verdict(f.Flags), string(f.Body)})
		case transport.Go:
			p.post(evGo{c.id})
		case transport.Ping:
			_ = c.control.append(context.Background(), &transport.Frame{Kind: transport.Pong, Ref: c.progress.Load()}, true)
		case transport.Pong:
			if c.bulk != nil && c.bulk.pong(f.Ref) >= p.links.limits.LinkTimeout {
				return errBulkStalled
			}
		case transport.Announce, transport.TermStale:
			if f.Scope != "" {
				p.links.system.Terms().Heard(actor.MakeTerm(c.cluster, f.Scope, f.TermNumber))
			}
		case transport.Pause:
			p.pause(c, f.To)
		case transport.Resume:
			p.resume(f.To)
		case transport.BulkLane:
			if err := p.bulkLane(c, &f); err != nil {
				return err
			}
		case transport.Synced:
			if c.bulk != nil {
				c.bulk.synced(f.Ref)
			}
		case transport.Answer:
			p.answered(&f)
		case transport.Bye:
			c.byeOnce.Do(func() { close(c.bye) })
		}
	}
}

const maxControlFrame = 64 << 10
