package keeper

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"
)

// heart is what the loop of a session owns: its leases, the machine that does
// their arithmetic, and the watch over the connection's progress.
type heart struct {
	s      *Session
	m      leaseMachine
	leases map[string]*Lease
	// spent are znodes whose lease has ended, by path, with their czxid: they
	// are not to be leased again. An entry goes when its znode does.
	spent map[string]int64
	bytes int // of leased paths
}

// run is the loop of a session. It ends with the session.
func (s *Session) run() {
	h := &heart{s: s, leases: make(map[string]*Lease), spent: make(map[string]int64)}
	defer close(s.settled)
	h.step(tick{})
	timer := time.NewTimer(h.pause())
	defer timer.Stop()
	for {
		select {
		case <-s.ctx.Done():
			h.endAll(s.Err())
			return
		case <-s.inbox.poke:
		case <-timer.C:
		}
		for _, m := range s.inbox.take() {
			h.take(m)
		}
		h.step(tick{})
		timer.Reset(h.pause())
	}
}

func (h *heart) take(m any) {
	switch m := m.(type) {
	case claim:
		h.claim(m.lease)
	case linkUp:
		h.m.timeout = h.s.Timeout()
		h.step(m)
	case about:
		if h.leases[m.lease.path] == m.lease {
			h.step(m.event)
		}
		if m.lease.gone.Load() && h.spent[m.lease.path] == m.lease.Czxid() {
			delete(h.spent, m.lease.path)
		}
	case leaseEvent:
		h.step(m)
	}
}

func (h *heart) claim(l *Lease) {
	switch made, spent := h.spent[l.path]; {
	case l.gone.Load():
		if spent && made == l.Czxid() {
			delete(h.spent, l.path)
		}
		l.end(ErrOwnerGone)
	case spent && made == l.Czxid():
		l.end(ErrLeaseLapsed)
	case h.leases[l.path] != nil:
		l.end(ErrNodeExists)
	case h.bytes+len(l.path)+32 > MaxRequest/2:
		l.end(ErrTooLarge)
	case l.ctx.Err() == nil:
		h.bytes += len(l.path) + 32
		h.leases[l.path] = l
		h.step(claimed{l.path})
	}
}

// step lets the machine take in one event and does what it says.
func (h *heart) step(ev leaseEvent) {
	events := []leaseEvent{ev}
	for len(events) > 0 {
		next := events[0]
		events = events[1:]
		for _, act := range h.m.step(next, h.s.k.cfg.Clock()) {
			switch act := act.(type) {
			case sendBeat:
				go h.s.sendBeat(act.beat, act.paths)
			case dropLink:
				h.s.dropLink("no answer to a heartbeat")
			case extend:
				if l := h.leases[act.path]; l == nil || !l.extend(act.until) {
					events = append(events, lapsed{act.path})
				} else {
					l.grant()
				}
			case end:
				h.end(act.path, act.cause)
			}
		}
	}
}

// grant wants to be called from the loop.
func (l *Lease) grant() {
	select {
	case <-l.granted:
	default:
		close(l.granted)
	}
}

func (h *heart) end(path string, cause error) {
	l := h.leases[path]
	if l == nil {
		return
	}
	l.end(cause)
	delete(h.leases, path)
	h.bytes -= len(path) + 32
	if !l.gone.Load() {
		h.spent[path] = l.Czxid()
	}
}

func (h *heart) endAll(cause error) {
	for _, l := range h.leases {
		l.end(cause)
	}
	for _, m := range h.s.inbox.take() {
		if c, ok := m.(claim); ok {
			c.lease.end(cause)
		}
	}
}

// pause is how long the loop may sleep. It also looks at the connection: one
// that has brought nothing for 2T (its server may be behind what we have seen,
// or the client have locked up) is given up together with its session, which
// the servers have ended long since.
func (h *heart) pause() time.Duration {
	now := h.s.k.cfg.Clock()
	last, limit := time.Duration(h.s.progress.Load()), 2*h.s.Timeout()
	if now-last >= limit && h.s.ID() != 0 {
		h.s.lose(fmt.Errorf("%w: nothing heard for %v", ErrNotConnected, now-last), false)
	}
	next := last + limit - now
	if next <= 0 {
		next = limit
	}
	if at, ok := h.m.wake(); ok {
		next = min(next, at-now)
	}
	return next
}

// sendBeat is one heartbeat: a write that touches our own znode and fails if a
// leased one is not there.
func (s *Session) sendBeat(beat int, paths []string) {
	ops := make([]any, 1, 1+len(paths))
	data := s.k.cfg.NodeData
	if data == nil {
		data = []byte{}
	}
	ops[0] = &zk.SetDataRequest{Path: s.own, Data: data, Version: AnyVersion}
	for _, p := range paths {
		ops = append(ops, &zk.CheckVersionRequest{Path: p, Version: AnyVersion})
	}
	bad := -1
	c := call{kind: kindHeartbeat, op: "heartbeat", path: s.own, write: true, urgent: true}
	err := s.do(s.ctx, c, func(conn *zk.Conn) error {
		got, err := conn.Multi(ops...)
		for i, r := range got {
			if r.Error != nil {
				bad = i
				return r.Error
			}
		}
		return err
	})
	switch {
	case err == nil:
		s.inbox.put(acked{beat})
	case s.ctx.Err() != nil:
	case errors.Is(err, ErrNoNode) && bad == 0:
		s.ownGone()
	case errors.Is(err, ErrNoNode) && bad > 0 && bad <= len(paths):
		s.inbox.put(refused{beat, paths[bad-1]})
	default:
		if !errors.Is(err, ErrNotConnected) && !errors.Is(err, ErrUnknownOutcome) {
			s.k.trouble("heartbeat", err)
		}
		s.inbox.put(failed{beat})
	}
}
