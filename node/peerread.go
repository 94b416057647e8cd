package node

import (
	"context"

	"conclave/actor"
	"conclave/transport"
)

// readMessages hands on what comes in the messages lane.
func (p *peer) readMessages(c *connection) error {
	dec := transport.NewDecoder(transport.LaneReader(c.conn, transport.Messages), p.links.limits.MaxMessage)
	var f transport.Frame
	for {
		if dec.Buffered() == 0 {
			c.heard.Store(int64(p.links.now()))
		}
		if err := dec.Next(&f); err != nil {
			return err
		}
		if f.Kind == transport.Bye {
			// All that the peer had to say has been read.
			_ = c.control.append(context.Background(), &transport.Frame{Kind: transport.Bye}, true)
			continue
		}
		if p.takeMove(c, &f) {
			continue
		}
		e, ok := p.envelope(c, &f)
		if !ok {
			continue
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
			_ = c.control.append(context.Background(), &transport.Frame{Kind: transport.Pong}, true)
		case transport.Announce, transport.TermStale:
			if f.Scope != "" {
				p.links.system.Terms().Heard(actor.MakeTerm(c.cluster, f.Scope, f.TermNumber))
			}
		case transport.Pause:
			p.pause(c, f.To)
		case transport.Resume:
			p.resume(f.To)
		case transport.Answer:
			p.answered(&f)
		case transport.Bye:
			c.byeOnce.Do(func() { close(c.bye) })
		}
	}
}

const maxControlFrame = 64 << 10
