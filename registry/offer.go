package registry

import (
	"context"
	"errors"
	"fmt"

	"conclave/actor"
)

// Register makes it known to the cluster that a process of this node offers a
// service, and returns when ZooKeeper has it. From then on it is seen by every
// look-up on this node, and by AtLeast with the token on every other.
//
// It holds until Unregister or Drop: under each new session it is made again,
// and so it is when somebody deletes it. Registering again does no harm.
//
// If ctx ends before it is done the error wraps ErrPending: the registration
// stays wanted and will be made when that is possible. (So a context that has
// ended before the call notes the wish and waits for nothing.) After every other
// error of a first registration it is not wanted: actor.ErrBadName, ErrForeign,
// ErrNoProcess, ErrUnregistered, ErrClosed, or what ZooKeeper refuses.
func (r *Registry) Register(ctx context.Context, service string, pid actor.PID) (Token, error) {
	if err := actor.CheckName(service); err != nil {
		return Token{}, fmt.Errorf("registry: service: %w", err)
	}
	if pid.IsZero() {
		return Token{}, fmt.Errorf("%w: the zero PID", ErrNoProcess)
	}
	if !r.cfg.Self.IsZero() && pid.Node() != r.cfg.Self {
		return Token{}, fmt.Errorf("%w: %s is not of %s", ErrForeign, pid, r.cfg.Self)
	}
	key := offerKey{service, pid}
	id := r.ids.Add(1)
	c := &call{id: id, reply: make(chan reply, 1)}
	if !r.box.put(post{ev: register{id, key}, call: c}) {
		return Token{}, ErrClosed
	}
	if r.cfg.Alive != nil && !r.cfg.Alive(pid) {
		// It has ended before the wish was noted, so nobody will drop it.
		r.box.put(post{ev: drop{pid}})
		r.box.put(post{ev: leave{id, key}})
		return Token{}, fmt.Errorf("%w: %s", ErrNoProcess, pid)
	}
	answer, err := r.awaitOffer(ctx, c, key)
	return answer.token, err
}

// Unregister takes a registration back, and returns when ZooKeeper has noted
// it: from then on no look-up on this node sees it. What is not registered
// is gone already. If ctx ends before, the error wraps ErrPending, and it is
// still taken back as soon as that is possible.
func (r *Registry) Unregister(ctx context.Context, service string, pid actor.PID) error {
	if err := actor.CheckName(service); err != nil {
		return fmt.Errorf("registry: service: %w", err)
	}
	key := offerKey{service, pid}
	c := &call{id: r.ids.Add(1), reply: make(chan reply, 1)}
	if !r.box.put(post{ev: unregister{c.id, key}, call: c}) {
		return ErrClosed
	}
	_, err := r.awaitOffer(ctx, c, key)
	return err
}

// Drop takes back everything a process has registered: it has ended. It does
// not wait.
func (r *Registry) Drop(pid actor.PID) { r.box.put(post{ev: drop{pid}}) }

// UnregisterAll takes back every registration of this node and returns when
// that is done, or with an error that wraps ErrPending when ctx ends.
func (r *Registry) UnregisterAll(ctx context.Context) error {
	c := &call{id: r.ids.Add(1), reply: make(chan reply, 1)}
	if !r.box.put(post{ev: dropAll{c.id}, call: c}) {
		return ErrClosed
	}
	_, err := r.awaitOffer(ctx, c, offerKey{})
	return err
}

func (r *Registry) awaitOffer(ctx context.Context, c *call, key offerKey) (reply, error) {
	answer, answered := c.await(ctx)
	if !answered {
		r.box.put(post{ev: leave{c.id, key}})
		return reply{}, fmt.Errorf("%w: %w", ErrPending, context.Cause(ctx))
	}
	if err := answer.err; err != nil && !errors.Is(err, ErrUnregistered) && !errors.Is(err, ErrClosed) {
		return reply{}, fmt.Errorf("registry: %w", err)
	}
	return answer, answer.err
}
