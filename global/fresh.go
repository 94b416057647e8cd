package global

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	reader := newView(g, name) // shows nothing to anybody
	for {
		var shown *found
		if v := g.view(name); v != nil {
			shown = v.value.Load()
		}
		f, err := g.readFresh(ctx, reader)
		switch {
		case f != nil:
			return f.holder(), nil
		case err == nil:
			if err = g.awaitAnother(ctx, name, shown); err == nil {
				continue
			}
		case ctx.Err() == nil && mayPass(err):
			if err = pause(ctx); err == nil {
				continue
			}
		}
		if errors.Is(err, keeper.ErrClosed) || errors.Is(err, ErrClosed) {
			return Holder{}, ErrClosed
		}
		return Holder{}, fmt.Errorf("%w of %q: %w", ErrNoHolder, name, err)
	}
}

// readFresh reads the name once; nil: nobody holds it.
func (g *Globals) readFresh(ctx context.Context, reader *view) (*found, error) {
	s, err := g.keeper.Session(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.Err(); err != nil { // over, and the next is not there yet
		return nil, err
	}
	// A write of our own goes through the quorum: what the server shows after it
	// has everything that was committed before.
	if _, err := s.Multi(ctx, s.Fence()); err != nil {
		return nil, err
	}
	f, _, err := reader.read(ctx, s, nil)
	return f, err
}

// awaitAnother waits for a holder. The one that the cache showed before ZooKeeper
// was asked, and said that there is none, is none: if it is shown still, the watch
// that should have told has been lost.
func (g *Globals) awaitAnother(ctx context.Context, name string, shown *found) error {
	if err := g.names.has(ctx, name); err != nil { // so that unknown names set no watch
		return err
	}
	v := g.viewOf(name)
	v.mu.Lock()
	if v.value.Load() == shown {
		v.outdateLocked()
	}
	v.mu.Unlock()
	_, err := v.wait(ctx, nil)
	return err
}

// mayPass says whether it is worth asking again: in the next session, over the
// next connection, or once it is known how the write came out.
func mayPass(err error) bool {
	return !errors.Is(err, keeper.ErrClosed) &&
		(errors.Is(err, keeper.ErrSessionLost) || errors.Is(err, keeper.ErrUnknownOutcome) || errors.Is(err, keeper.ErrNotConnected))
}

// pause waits a moment, so that a session that is over is not asked for in a
// tight loop.
func pause(ctx context.Context) error {
	timer := time.NewTimer(retryMin)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
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
