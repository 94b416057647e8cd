package node

import (
	"context"
	"errors"
	"time"

	"conclave/actor"
	"conclave/transport"
)

// run is the loop that owns the agreement on the link.
func (p *peer) run() {
	machine := linkup{lower: p.links.self.Node().Incarnation < p.id.Incarnation}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	// A timer that outlived the loop would keep all of a stopped node in memory.
	retirement := time.NewTicker(retireAfter)
	defer retirement.Stop()
	for {
		now := p.links.now()
		next := time.Hour
		if at := machine.wake(); at != 0 {
			next = max(0, at-now)
		}
		if machine.live != 0 {
			next = min(next, p.heartbeat(machine.live, now))
		}
		timer.Reset(next)
		var event any = evTick{}
		select {
		case event = <-p.events:
		case <-timer.C:
		case <-retirement.C:
			if p.retire(&machine) {
				return
			}
			continue
		case <-p.links.done:
			p.end()
			return
		}
		if e, ok := event.(evBulk); ok {
			if c := p.connection(e.conn); c != nil && e.conn == machine.live {
				p.startBulk(c)
			}
			continue
		}
		if _, ok := event.(evWant); ok {
			p.mu.Lock()
			p.asked = false
			p.mu.Unlock()
		}
		for _, action := range machine.step(event, p.links.now()) {
			p.do(action)
		}
	}
}

// retire takes a peer for which nothing is left to do out of the table. Its loop
// ends then.
func (p *peer) retire(m *linkup) bool {
	if m.live != 0 || m.in != 0 || m.out != 0 || m.wanted || m.phase == dialing {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.pending) > 0 || len(p.conns) > 0 || len(p.events) > 0 {
		return false
	}
	p.gone = true
	p.links.forget(p)
	return true
}

// end closes everything when the node stops.
func (p *peer) end() {
	p.mu.Lock()
	p.gone = true
	p.links.forget(p) // who looks it up again is told that the node has stopped
	conns := make([]*connection, 0, len(p.conns))
	for _, c := range p.conns {
		conns = append(conns, c)
	}
	p.mu.Unlock()
	for _, c := range conns {
		p.close(c)
	}
	p.abandon(actor.DeadLinkLost, errLinksClosed, func(actor.PID) error { return errLinksClosed })
	p.down(errLinksLost)
}

// heartbeat pings over the link when that is due and reports a link that has
// been silent too long. It says when to look again.
func (p *peer) heartbeat(id connID, now time.Duration) time.Duration {
	c := p.connection(id)
	if c == nil {
		return time.Hour
	}
	timeout := p.links.limits.LinkTimeout
	silent := now - time.Duration(c.heard.Load())
	if silent >= timeout {
		err := c.over(errHeartbeat)
		p.close(c)
		p.links.running.Go(func() { p.post(evLost{id, err}) })
		return time.Hour
	}
	every, quiet := timeout/3, silent
	if c.bulk != nil {
		quiet = max(quiet, c.bulk.still(now))
	}
	if quiet >= every {
		// The answer counts as heard; until it comes, ping again each time.
		_ = c.control.append(context.Background(), &transport.Frame{Kind: transport.Ping}, true)
		return min(every, timeout-silent)
	}
	return every - quiet
}

// do carries out what the machine says.
func (p *peer) do(action any) {
	switch a := action.(type) {
	case acDial:
		p.links.running.Go(p.dial)
	case acVerdict:
		c := p.connection(a.conn)
		if c == nil {
			return
		}
		p.links.sendVerdict(c.control, a.verdict, "")
		if a.verdict != verdictYes {
			p.links.closeLater(func() { p.close(c) })
		}
	case acGo:
		if c := p.connection(a.conn); c != nil {
			_ = c.control.append(context.Background(), &transport.Frame{Kind: transport.Go}, true)
		}
	case acAdopt:
		if c := p.connection(a.conn); c != nil {
			p.up(c)
		}
	case acClose:
		if c := p.connection(a.conn); c != nil {
			p.close(c)
		}
	case acLost:
		p.lost(a.err)
	case acFail:
		p.failed(a.err)
	}
}

// dial makes a connection and reports it to the loop.
func (p *peer) dial() {
	ctx, cancel := p.links.dialContext()
	defer cancel()
	conn, h, err := p.links.dial(ctx, p.id)
	if err != nil {
		p.post(evDialFail{err})
		return
	}
	switch {
	case h.Incarnation != p.id.Incarnation:
		conn.Close()
		p.post(evDialFail{&staleError{want: p.id, found: h.node()}})
		return
	case !p.links.sameCluster(h.Cluster):
		conn.Close()
		p.post(evDialFail{ErrOtherCluster})
		return
	}
	if !p.attach(conn, h, func(id connID) any { return evDialed{id} }) {
		conn.Close()
	}
}

// staleError: the process's node has restarted, so the process is dead for ever.
type staleError struct{ want, found actor.NodeID }

func (e *staleError) Error() string { return e.want.String() + " is now " + e.found.String() }
func (e *staleError) Unwrap() error { return actor.NoProcess }

// up makes c the link: first what waited for one, then everything new.
func (p *peer) up(c *connection) {
	p.mu.Lock()
	if p.conns[c.id] != c {
		p.mu.Unlock()
		return // it has ended already: its evLost is on the way
	}
	for i := range p.pending {
		f := &p.pending[i].Frame
		if fence := p.pending[i].fence; fence != nil {
			if err := actor.CheckTerm(fence); err != nil {
				p.links.deadFrame(p, f, actor.DeadStaleTerm, err)
				continue // it has waited longer than its sender's lease lasted
			}
		}
		if !c.handsOver && forHandOver(f.Kind) {
			p.links.deadFrame(p, f, actor.DeadLinkLost, errNotAble)
			continue
		}
		if c.bulk != nil {
			c.bulk.takes(f) // it is not open yet, but wanted, if f is large
		}
		if err := c.out.append(context.Background(), f, true); err != nil {
			p.links.deadFrame(p, f, actor.DeadTooLarge, &sendError{to: p.base.WithSerial(f.To), sort: ErrTooLarge, cause: err})
		}
	}
	p.pending, p.bytes = nil, 0
	p.live.Store(c.out)
	room := p.room
	p.room = nil
	p.mu.Unlock()
	if room != nil {
		close(room)
	}
	p.links.running.Go(func() {
		if err := c.out.run(c.conn); err != errOutboxClosed {
			p.post(evLost{c.id, c.over(err)})
		}
	})
	p.last = c
	c.readers.Add(1)
	p.links.running.Go(func() {
		err := p.readMessages(c)
		c.passed.end()
		c.readers.Done()
		p.post(evLost{c.id, c.over(err)})
		p.close(c)
	})
	p.links.linkUp(p, c)
}

// lost tells everybody who is bound to the peer that the link is over.
func (p *peer) lost(err error) {
	if p.last != nil {
		// What had arrived is delivered before anybody hears that the link is
		// over, and before anything that comes over the next one.
		p.last.readers.Wait()
		p.last = nil // with its buffers: the peer itself is remembered for a while
	}
	if stopped, ended := p.stopped(); stopped {
		p.links.linkDown(p, ErrPeerStopped)
		p.release()
		p.links.system.NodeStopped(p.id, ended)
		return // nothing waits for another link
	}
	p.links.linkDown(p, err)
	p.down(actor.LinkLost)
	p.mu.Lock()
	again := len(p.pending) > 0 && !p.asked
	p.asked = p.asked || again
	p.mu.Unlock()
	if again {
		p.want()
	}
}

// failed gives up what waits for a link that cannot be made.
func (p *peer) failed(err error) {
	dead, reason := actor.DeadLinkLost, error(actor.LinkLost)
	why := func(to actor.PID) error { return &notSentError{to, err} }
	if errors.Is(err, actor.NoProcess) {
		dead, reason = actor.DeadStaleIncarnation, actor.NoProcess
		why = func(to actor.PID) error { return &actor.EndedError{PID: to} }
	}
	p.abandon(dead, reason, why)
	p.links.linkFailed(p, err)
	p.release()
	// What is bound to the peer now has sent nothing: what had, heard of the end
	// of the link that it was sent over.
	p.links.system.NodeUnreached(p.id, reason, why)
	// What was made since the first line may have been told just now that it is
	// over, so none of it may go out over the next link. All of it is told here.
	p.abandon(dead, reason, why)
}

func (p *peer) down(reason error) {
	p.release()
	p.links.system.NodeLost(p.id, reason)
}

// release lets those go on who wait for processes of the peer to have room.
func (p *peer) release() {
	p.mu.Lock()
	for serial, resumed := range p.paused {
		close(resumed)
		delete(p.paused, serial)
	}
	p.pauses.Store(0)
	p.mu.Unlock()
	p.links.unpause(p)
	p.links.asks.lost(p.base.NodeHandle(), actor.LinkLost)
	p.links.moves.each(mvLost{p.id})
}
