package shard

import (
	"context"
	"time"

	"conclave/actor"
)

// handover is the way of a part from this node to another: it drains, its znode is
// deleted, and the other claims it and serves it. Nobody does from the middle of that to
// the end. So only so many are under way at a time, each until the other serves the part:
// if all were given up at once, each would be unserved for as long as all of them take.
type handover struct {
	began time.Duration
	until time.Duration // its znode's end is waited for until then; 0: the part still drains; below: no longer
	asked bool          // the other is, whether he serves it
}

// Of those that are quick, only so few are under way at a time: more make each of them
// longer, and all of them together little shorter, as all need the same servers. What takes
// longer than quick waits for something else: for mail to be read, or a hook.
const (
	quick      = 50 * time.Millisecond
	quickMoves = 2
)

// takePatience is how long another is waited for who is to take a part that has been given
// up: he may have died, or stand still.
const takePatience = time.Second

// takeCall asks a member to say when it serves a part that has been given up for it.
type takeCall struct{ Part int }

// taken: another serves the part, or that could not be waited for.
type taken struct {
	part     int
	handover *handover
	served   bool
}

// handOver has parts that others are to own drained, so many at a time. One that hangs
// does not count: it must not hold up the others.
func (h *host) handOver() {
	h.paced = h.now()
	all, fresh := 0, 0
	for _, p := range h.holdings {
		if h.follow(p) {
			all++
			if h.paced < p.handover.began+quick {
				fresh++
			}
		}
	}
	for _, p := range h.holdings {
		if all >= h.sp.cfg.Moves || fresh >= quickMoves {
			return
		}
		if p.state.mayDrain() {
			all, fresh = all+1, fresh+1
			p.handover = &handover{began: h.paced}
			h.step(p, drainNow{})
		}
	}
}

// wakes is when handOver wants to be called again; 0: at no time.
func (m *handover) wakes(paced time.Duration) time.Duration {
	if at := m.began + quick; paced < at {
		return at
	}
	return max(m.until, 0)
}

// follow lets a part's handover go on, as far as the part has come, and says whether it
// is still on the way to another.
func (h *host) follow(p *holding) bool {
	m := p.handover
	if m == nil {
		return false
	}
	switch p.state.phase {
	case draining:
		return !p.state.slow
	case deleting:
		switch {
		case m.until == 0:
			m.until = h.paced + takePatience
		case m.until <= h.paced:
			m.until = -1 // ZooKeeper is slow, or away
		}
		return m.until > 0
	case idle:
		if m.asked {
			return true
		}
		m.asked, m.until = true, -1
		id, _ := h.plan.Owner(p.part)
		if door := h.doors[id]; !door.IsZero() && door != h.sp.door && !(h.vain && h.sp.parting()) {
			h.waitFor(door, p.part, m)
			return true
		}
	}
	p.handover = nil // nobody takes it, it is to be ours again, or its term has ended out of order
	return false
}

// replan takes note of the plan. What was asked of somebody who is not to have the part
// any more says nothing of it.
func (h *host) replan(plan Plan) {
	if plan.Equal(h.plan) {
		return
	}
	for _, p := range h.holdings {
		was, _ := h.plan.Owner(p.part)
		if is, _ := plan.Owner(p.part); p.handover != nil && p.handover.asked && is != was {
			p.handover = nil
		}
	}
	h.plan, h.vain = plan, false
}

// waitFor waits until a member that is to take a part serves it.
func (h *host) waitFor(door actor.PID, part int, m *handover) {
	h.requests.Go(func() {
		ctx, cancel := context.WithTimeout(h.ctx, takePatience+takePatience/4)
		defer cancel()
		answer, err := h.sp.n.System().Request(ctx, door, &takeCall{part})
		served := false
		if err == nil {
			served, _ = actor.As[bool](answer)
		}
		h.post(taken{part, m, served})
	})
}

// taken takes in how a handover has ended. When one who is to take parts does not, a node
// that leaves waits for nobody until there is another plan: its time is short, and he would
// hold up all others. Who stays has time: what it does not give up, it serves.
func (h *host) taken(i taken) {
	if p := h.holdings[i.part]; p.handover == i.handover {
		p.handover = nil
		h.vain = h.vain || !i.served
	}
}

// served waits until this node serves the part, or ctx ends.
func (es *entities) served(ctx context.Context) bool {
	for {
		es.mu.Lock()
		serves, turned := es.t != nil && es.takes != takesLater, es.turned
		es.mu.Unlock()
		if serves {
			return true
		}
		select {
		case <-turned:
		case <-ctx.Done():
			return false
		}
	}
}
