package shard

import (
	"context"
	"errors"

	"conclave/internal/keeper"
)

// ask makes one request of a part's machine, outside the loop. f returns the answer,
// or an error. Every request is answered exactly once: within the session's timeout,
// as one that takes longer is as good as failed.
func (h *host) ask(part int, op uint64, f func(ctx context.Context, s *keeper.Session, path string) (event, error)) {
	s, path := h.session, h.sp.k.Paths().SpaceOwner(h.sp.name, part)
	h.requests.Go(func() {
		ctx, cancel := context.WithTimeout(h.ctx, s.Timeout())
		defer cancel()
		answer, err := event(nil), error(keeper.ErrNotConnected)
		select {
		case h.gate <- struct{}{}:
			answer, err = f(ctx, s, path)
			<-h.gate
		case <-ctx.Done():
		}
		if err != nil {
			h.post(happened{part: part, event: failed{op: op, why: classify(err)}, err: err})
		} else if answer != nil {
			h.post(happened{part: part, event: answer})
		}
	})
}

func (h *host) create(part int, a create) {
	data := []byte(h.sp.door.String())
	h.ask(part, a.op, func(ctx context.Context, s *keeper.Session, path string) (event, error) {
		_, err := s.Create(ctx, path, data, keeper.Ephemeral)
		if errors.Is(err, keeper.ErrNodeExists) {
			return exists(a), nil
		}
		return created(a), err
	})
}

func (h *host) read(part int, a read) {
	h.ask(part, a.op, func(ctx context.Context, s *keeper.Session, path string) (event, error) {
		if a.sync {
			if err := s.Sync(ctx, path); err != nil {
				return nil, err
			}
		}
		var watch func()
		if a.watch {
			watch = func() { h.post(happened{part: part, event: ownerChanged{}}) }
		}
		_, stat, err := s.Get(ctx, path, watch)
		if errors.Is(err, keeper.ErrNoNode) {
			return noOwner{op: a.op}, nil
		}
		return ownerRead{op: a.op, session: stat.EphemeralOwner, czxid: stat.Czxid}, err
	})
}

func (h *host) claim(part int, a claim) {
	h.ask(part, a.op, func(ctx context.Context, s *keeper.Session, path string) (event, error) {
		lease, err := s.Claim(ctx, path)
		if errors.Is(err, keeper.ErrOwnerGone) && !errors.Is(err, keeper.ErrSessionLost) {
			return failed{op: a.op, why: gone}, nil
		}
		if err != nil {
			return nil, err
		}
		if !h.post(newLease{part: part, op: a.op, lease: lease}) {
			lease.Release()
		}
		return nil, nil // that was the answer
	})
}

// newLease takes in what a claim has brought.
func (h *host) newLease(p *holding, i newLease) {
	if err := i.lease.Check(); err != nil { // the reply took longer than it was worth
		i.lease.Release()
		h.step(p, failed{op: i.op, why: endOf(err)})
		return
	}
	p.leases[i.op] = i.lease
	heard := int64(-1)
	if t, ok := h.sp.n.System().Terms().Highest(h.numbered(p.part, i.lease.Czxid())); ok {
		heard = t.Number()
	}
	h.step(p, claimed{op: i.op, czxid: i.lease.Czxid(), heard: heard})
}

func (h *host) remove(part int, a remove) {
	h.ask(part, a.op, func(ctx context.Context, s *keeper.Session, path string) (event, error) {
		return deleted(a), s.Delete(ctx, path, keeper.AnyVersion)
	})
}

// classify says what is known about a request that failed.
func classify(err error) why {
	switch {
	case errors.Is(err, keeper.ErrSessionLost), errors.Is(err, keeper.ErrClosed):
		return over
	case errors.Is(err, keeper.ErrUnknownOutcome):
		return unknown
	case errors.Is(err, keeper.ErrNoNode):
		return gone
	case errors.Is(err, keeper.ErrLeaseLapsed):
		return lapsed
	case errors.Is(err, keeper.ErrNoAuth), errors.Is(err, keeper.ErrAuthFailed),
		errors.Is(err, keeper.ErrBadRequest), errors.Is(err, keeper.ErrTooLarge):
		return refused
	case errors.Is(err, keeper.ErrNotConnected):
		return unsent
	default:
		return unknown
	}
}
