package global

import (
	"context"
	"errors"
	"fmt"

	"conclave/actor"
)

// Option changes a registration.
type Option func(*options)

type options struct{ while context.Context }

// While ties the candidacy to ctx: when it is done, the candidacy is withdrawn,
// in line or in its term. A *actor.Process is a context: given one, the node
// never stands, or holds, for a process that has ended.
func While(ctx context.Context) Option { return func(o *options) { o.while = ctx } }

// Register offers code for the name: this node stands for it from now on, term
// after term, until Withdraw, Close, or a holder of its that returns nil. A
// holder that fails or panics resigns and stands again at the back, after a wait
// that doubles from 100 ms to 30 s. Registered again, the code and the options
// are those of the next term; a running holder goes on.
//
// It returns the elected holder's PID, ours or not, once this node stands and
// there is one. An error does not take the offer back, except when ctx of [While]
// has ended before. It wraps [ErrNotStanding] or [ErrNoHolder] when ctx ended too
// soon, [ErrWithdrawn], [ErrClosed], or tells what ZooKeeper refuses.
func (g *Globals) Register(ctx context.Context, name string, code Code, opts ...Option) (actor.PID, error) {
	if err := actor.CheckName(name); err != nil {
		return actor.PID{}, err
	}
	if code == nil {
		return actor.PID{}, errors.New("no code to hold the name with")
	}
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	if o.while != nil && o.while.Err() != nil {
		return actor.PID{}, fmt.Errorf("%w: %w", ErrWithdrawn, context.Cause(o.while))
	}
	stands := make(chan error, 1)
	c, err := g.offer(name, offer{code, stands}, o)
	if err != nil {
		return actor.PID{}, err
	}
	select {
	case err := <-stands:
		if err != nil {
			return actor.PID{}, err
		}
	case <-ctx.Done():
		return actor.PID{}, fmt.Errorf("%w for %q: %w", ErrNotStanding, name, context.Cause(ctx))
	}
	// The wait ends with the candidacy too: its holder may have returned at once.
	waiting, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(c.ctx, func() { stop(ErrWithdrawn) })()
	f, err := g.viewOf(name).wait(waiting, nil)
	switch {
	case err == nil:
		return f.pid, nil
	case errors.Is(err, ErrWithdrawn), errors.Is(err, ErrClosed):
		return actor.PID{}, err
	default:
		return actor.PID{}, fmt.Errorf("%w of %q: %w", ErrNoHolder, name, err)
	}
}

// offer hands the offer to the name's candidacy, which it starts if need be.
func (g *Globals) offer(name string, item offer, o options) (*candidacy, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closing {
		return nil, ErrClosed
	}
	c := g.candidates[name]
	if c == nil || !c.offer(item, o.while) {
		c = newCandidacy(g, name)
		if g.session != nil {
			c.post(newSession{g.session})
		}
		c.post(barred{on: g.stuck > 0})
		c.offer(item, o.while)
		g.candidates[name] = c
		g.running.Go(c.run)
	}
	return c, nil
}

// offer posts an offer and ties the candidacy to what it was given. False: it
// has finished. What an earlier offer was tied to has no say from here on.
func (c *candidacy) offer(item offer, while context.Context) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.postLocked(item) {
		return false
	}
	if c.untie != nil {
		c.untie()
		c.untie = nil
	}
	c.ties++
	if while == nil {
		return true
	}
	mine := c.ties
	c.untie = context.AfterFunc(while, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if mine == c.ties {
			c.postLocked(withdraw{})
		}
	})
	return true
}

// forget takes a finished candidacy off the list, unless another took its place.
func (g *Globals) forget(c *candidacy) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.candidates[c.name] == c {
		delete(g.candidates, c.name)
	}
}

// Withdraw takes the offer back: a holder is told to return, and when it and all
// that it spawned have, the candidate's znode is deleted. It returns when nothing
// is left of the candidacy, or with the cause of ctx's end; the candidacy goes on
// withdrawing then. A name that this node does not stand for is withdrawn already.
// It wraps [ErrRegisteredAgain] if that happened meanwhile. A holder that wants
// to withdraw does not call this, which would wait for it: it returns nil.
func (g *Globals) Withdraw(ctx context.Context, name string) error {
	g.mu.Lock()
	c := g.candidates[name]
	g.mu.Unlock()
	gone := make(chan error, 1)
	if c == nil || !c.post(takeBack{gone}) {
		return nil
	}
	select {
	case err := <-gone:
		return err
	case <-ctx.Done():
		return fmt.Errorf("withdrawing from %q: %w", name, context.Cause(ctx))
	}
}

// Close resigns from everything, all names at once: holders are told to return,
// and when they have, their znodes are deleted, if ZooKeeper answers. When ctx
// ends first the rest is left to the end of the session and the error says which
// names; it wraps [ErrStuck] if a holder has not returned.
func (g *Globals) Close(ctx context.Context) error {
	g.mu.Lock()
	g.closing = true
	all := make([]*candidacy, 0, len(g.candidates))
	for _, c := range g.candidates {
		c.post(closing{})
		all = append(all, c)
	}
	g.mu.Unlock()
	var errs []error
	for _, c := range all {
		select {
		case <-c.done:
		case <-ctx.Done():
			select {
			case <-c.done:
				continue
			default:
			}
			errs = append(errs, fmt.Errorf("leaving %q: %w", c.name, context.Cause(ctx)))
		}
	}
	g.mu.Lock()
	if len(errs) > 0 && g.stuck > 0 {
		errs = append(errs, ErrStuck)
	}
	g.cancel()
	g.mu.Unlock()
	g.running.Wait()
	return errors.Join(errs...)
}
