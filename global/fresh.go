package global

import (
	"context"
	"errors"
	"fmt"

	"conclave/actor"
	"conclave/internal/keeper"
)

// Fresh is Lookup that asks ZooKeeper, behind a write of this node's own: whoever
// held the name when it was called, or a later holder, is what it returns. It
// costs three round trips and keeps nothing. While nobody holds the name it
// waits. The holder may be another before the caller can look: what a message
// to it is worth, its term tells.
func (g *Globals) Fresh(ctx context.Context, name string) (Holder, error) {
	if err := actor.CheckName(name); err != nil {
		return Holder{}, err
	}
	v := newView(g, name) // never shown: it does not outlive the call
	for {
		f, changed, err := g.readFresh(ctx, v)
		if f != nil {
			return f.holder(), nil
		}
		if err == nil {
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				err = context.Cause(ctx)
			case <-g.ctx.Done():
				return Holder{}, ErrClosed
			}
		}
		if ctx.Err() == nil && (errors.Is(err, keeper.ErrSessionLost) || errors.Is(err, keeper.ErrUnknownOutcome)) {
			continue // in the next session, or once it is known how the write came out
		}
		if errors.Is(err, keeper.ErrClosed) {
			return Holder{}, ErrClosed
		}
		return Holder{}, fmt.Errorf("%w of %q: %w", ErrNoHolder, name, err)
	}
}

// readFresh reads the name once. Without a holder, changed is closed when that
// may have changed.
func (g *Globals) readFresh(ctx context.Context, v *view) (f *found, changed <-chan struct{}, err error) {
	s, err := g.keeper.Session(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := s.Err(); err != nil { // over, and the next is not there yet
		return nil, nil, pauseAfter(ctx, err)
	}
	// A write of our own goes through the quorum: what the server shows after it
	// has everything that was committed before.
	if _, err := s.Multi(ctx, s.Fence()); err != nil {
		return nil, nil, pauseAfter(ctx, err)
	}
	if f, _, err = v.read(ctx, s, nil); f != nil || err != nil {
		return f, nil, err
	}
	if err := g.names.has(ctx, v.name); err != nil { // so that unknown names set no watch
		return nil, nil, err
	}
	fired := make(chan struct{})
	once := make(chan struct{}, 1)
	f, _, err = v.read(ctx, s, func() {
		select {
		case once <- struct{}{}:
			close(fired)
		default:
		}
	})
	return f, fired, err
}

// pauseAfter waits a moment, so that a session that is over is not asked for in
// a tight loop.
func pauseAfter(ctx context.Context, err error) error {
	wait, cancel := context.WithTimeout(ctx, retryMin)
	defer cancel()
	<-wait.Done()
	return err
}

// AtLeast is Lookup that does not answer with an older term than that one: from
// the cache if that is new enough, otherwise when ZooKeeper has told. The term
// may have come with a message, or from another node; the zero term is any.
func (g *Globals) AtLeast(ctx context.Context, name string, term actor.Term) (Holder, error) {
	if term.IsZero() {
		return g.Lookup(ctx, name)
	}
	if term.Scope() != name {
		return Holder{}, fmt.Errorf("%w: %s is not a term of %q", ErrNoSuchTerm, term, name)
	}
	if v := g.view(name); v != nil {
		if f := v.value.Load(); f != nil && notBefore(f.term, term) {
			return f.holder(), nil
		}
	}
	h, err := g.Fresh(ctx, name)
	if err == nil && !notBefore(h.Term, term) {
		// It is ahead of what ZooKeeper says, so it is no term that was: of a
		// cluster that is no more, or made up.
		return Holder{}, fmt.Errorf("%w: %s has not begun; now is %s", ErrNoSuchTerm, term, h.Term)
	}
	return h, err
}

// ErrNoSuchTerm: a look-up was to wait for a term that cannot come.
var ErrNoSuchTerm = errors.New("no such term")

func notBefore(t, least actor.Term) bool {
	return t.Cluster() == least.Cluster() && t.Number() >= least.Number()
}
