package shard

import (
	"fmt"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
)

// holding is one part.
type holding struct {
	part     int
	state    part
	at       time.Duration // of its last step
	leases   map[uint64]*keeper.Lease
	t        *tenancy  // nil: no term
	handover *handover // to another member; nil: there is none under way
	err      error     // of the last request that failed
}

// step lets a part's machine go on and does what it wants.
func (h *host) step(p *holding, e event) {
	p.at = h.now()
	next, actions := step(p.state, e, p.at)
	p.state = next
	for _, a := range actions {
		h.do(p, a)
	}
}

func (h *host) do(p *holding, a action) {
	switch a := a.(type) {
	case create:
		h.create(p.part, a)
	case read:
		h.read(p.part, a)
	case claim:
		h.claim(p.part, a)
	case remove:
		h.remove(p.part, a)
	case begin:
		h.begin(p, a)
	case drain:
		close(p.t.giveUp)
	case end:
		h.end(p, a)
	case release:
		if l := p.leases[a.lease]; l != nil {
			delete(p.leases, a.lease)
			l.Release()
		}
	case alarm:
		h.alarm(p, a)
	case report:
		h.report(p, a)
	}
}

func (h *host) alarm(p *holding, a alarm) {
	kind := Unstuck
	var err error
	if a.on {
		kind = Stuck
		err = fmt.Errorf("shard: part %d stays here: %s after %v", p.part, h.sp.here(p.part).unended(), h.sp.cfg.Patience)
		if a.what == troubleStuck {
			err = fmt.Errorf("shard: the term of part %d is over, and what ran under it has not returned", p.part)
		}
	}
	h.sp.tell(Event{Kind: kind, Part: p.part, Term: h.numbered(p.part, a.number), Err: err})
}

func (h *host) report(p *holding, a report) {
	path := h.sp.k.Paths().SpaceOwner(h.sp.name, p.part)
	switch a.what {
	case reportStrange:
		h.sp.tell(Event{Kind: Skipped, Part: p.part, Err: fmt.Errorf("shard: %s is not ephemeral, so not of ours: nobody can own the part until it is deleted", path)})
	case reportRefused:
		h.sp.tell(Event{Kind: Refused, Part: p.part, Err: fmt.Errorf("shard: part %d: %w", p.part, p.err)})
	case reportWentBack:
		h.sp.tell(Event{Kind: Refused, Part: p.part, Err: fmt.Errorf("shard: part %d: ZooKeeper numbers its transactions from an earlier point than before: was it restored from an old copy?", p.part)})
	}
}

// numbered is the term of that number in the present cluster.
func (h *host) numbered(part int, number int64) actor.Term {
	if t := h.holdings[part].t; t != nil && t.term.Number() == number {
		return t.term
	}
	cluster := ""
	if h.session != nil {
		cluster = h.session.ClusterID()
	}
	return h.sp.term(cluster, part, number)
}
