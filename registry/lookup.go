package registry

import (
	"context"
	"fmt"
	"slices"
	"time"

	"conclave/actor"
)

// View is what is known about a service, and how well.
type View struct {
	// PIDs offer the service, in an order that stays the same as long as they
	// do. The slice is shared: it must not be written to.
	PIDs []actor.PID
	// Stale says that changes may have been missed: there is no connection to
	// ZooKeeper, or the list has not been read again since there was one.
	Stale bool
	// Age is for how long the list has not been known to be current; 0 if it
	// is. A connection that dies silently is noticed late, and nothing before
	// that counts.
	Age time.Duration
	// Token is the moment that PIDs show. It is zero if nobody ever offered the
	// service.
	Token Token
}

// Of is those of the view's processes that live on that node.
func (v View) Of(node actor.NodeID) []actor.PID {
	return slices.DeleteFunc(slices.Clone(v.PIDs), func(pid actor.PID) bool { return pid.Node() != node })
}

// GetCapable returns the processes that offer a service, none if nobody does.
//
// A service that was asked for before is answered from memory, without a lock,
// an allocation or a request; so is one that is known not to exist. Otherwise
// GetCapable waits for one or two reads. What this node has registered and
// unregistered before the call is always seen. While ZooKeeper cannot be
// reached the last known answer is given; Lookup tells how old it is. If there
// is none, GetCapable waits until ctx ends.
//
// The order of the processes stays the same as long as they do. The slice is
// shared by all callers: it can be kept for any time, but must not be written
// to. Appending to it makes a copy.
//
// The error wraps ctx's, actor.ErrBadName, ErrClosed, or says what ZooKeeper
// refuses.
func (r *Registry) GetCapable(ctx context.Context, service string) ([]actor.PID, error) {
	if c := r.services.get(service); c != nil {
		if l := c.current(); l != nil {
			c.touch(r.sweep.Load())
			return l.pids, nil
		}
	}
	l, err := r.lookup(ctx, service)
	if l == nil {
		return nil, err
	}
	return l.pids, nil
}

// Lookup is GetCapable for those who want to know how good the answer is.
func (r *Registry) Lookup(ctx context.Context, service string) (View, error) {
	if c := r.services.get(service); c != nil {
		if l := c.current(); l != nil {
			c.touch(r.sweep.Load())
			return r.view(service, l), nil
		}
	}
	l, err := r.lookup(ctx, service)
	if err != nil {
		return View{}, err
	}
	return r.view(service, l), nil
}

// lookup answers from the names list, or waits for the loop. A nil list without
// an error: nobody offers it.
func (r *Registry) lookup(ctx context.Context, service string) (*list, error) {
	if err := actor.CheckName(service); err != nil {
		return nil, fmt.Errorf("registry: service: %w", err)
	}
	w := waiter{need: 1}
	if c := r.services.get(service); c != nil {
		w.need = c.fired.Load() + 1
		c.touch(r.sweep.Load())
	} else if names := r.names.current(); names != nil && !names.has(service) {
		r.names.touch(r.sweep.Load())
		return nil, nil
	}
	return r.ask(ctx, serviceKey(service), w)
}

// ask has the loop answer.
func (r *Registry) ask(ctx context.Context, key listKey, w waiter) (*list, error) {
	w.id = r.ids.Add(1)
	w.needNames = r.names.fired.Load() + 1
	r.names.touch(r.sweep.Load())
	answer, err := r.await(ctx, w.id, want{w, key}, cancel{key, w.id})
	return answer.list, err
}

// await posts ev and waits for the reply, or for ctx and then posts gone.
func (r *Registry) await(ctx context.Context, id uint64, ev, gone event) (reply, error) {
	if ctx.Err() != nil {
		return reply{}, fmt.Errorf("registry: %w", context.Cause(ctx))
	}
	c := &call{id: id, reply: make(chan reply, 1)}
	if !r.box.put(post{ev: ev, call: c}) {
		return reply{}, ErrClosed
	}
	answer, answered := c.await(ctx)
	if !answered {
		r.box.put(post{ev: gone})
		return reply{}, fmt.Errorf("registry: %w", context.Cause(ctx))
	}
	return answer, answer.err
}

// view says how good l is as an answer; nil stands for a service that the names
// list does not have.
func (r *Registry) view(service string, l *list) View {
	var v View
	c := &r.names
	if l != nil {
		v.PIDs, v.Token = l.pids, l.token()
		c = r.services.get(service)
	} else {
		l = r.names.list.Load()
	}
	now, live := r.now(), r.live.Load()
	var until time.Duration
	if c != nil {
		until = time.Duration(c.until.Load())
	}
	switch {
	case l == nil || l.session == live.number && live.connected() && c != nil && l.read > c.fired.Load():
		return v
	case until == 0 && l.session == live.number:
		until = live.since // suspended, and nothing else known
	}
	if until == 0 {
		until = now // it has only just happened
	}
	v.Stale, v.Age = true, max(now-until, 0)
	return v
}

// Fresh reads the service after a write of this node's own, so what it returns
// has every registration and unregistration that was completed anywhere before
// the call. It costs two requests, waits for ZooKeeper, and never returns what
// was known before: without ZooKeeper it ends with ctx.
func (r *Registry) Fresh(ctx context.Context, service string) (View, error) {
	if err := actor.CheckName(service); err != nil {
		return View{}, fmt.Errorf("registry: service: %w", err)
	}
	l, err := r.ask(ctx, serviceKey(service), waiter{mode: modeFresh})
	if err != nil {
		return View{}, err
	}
	if l == nil {
		return View{}, nil
	}
	return View{PIDs: l.pids, Token: l.token()}, nil
}

// AtLeast returns a view in which everything up to the token's moment is seen:
// the cached one if it is new enough, otherwise as Fresh does. A zero token is
// met by anything. ErrOtherCluster: the token is of a cluster that has been
// wiped since, or of another one.
func (r *Registry) AtLeast(ctx context.Context, service string, token Token) (View, error) {
	v, err := r.Lookup(ctx, service)
	if err != nil || token.IsZero() || v.Token.Cluster == token.Cluster && v.Token.Zxid >= token.Zxid {
		return v, err
	}
	v, err = r.Fresh(ctx, service)
	if err != nil {
		return View{}, err
	}
	if live := r.live.Load(); live.session != nil && live.session.ClusterID() != token.Cluster {
		return View{}, fmt.Errorf("%w: %s, ours is %s", ErrOtherCluster, token, live.session.ClusterID())
	}
	return v, nil
}

// WaitCapable returns as soon as at least n processes offer the service, all of
// them. It costs nothing while nothing changes. n below 1 is as GetCapable.
func (r *Registry) WaitCapable(ctx context.Context, service string, n int) ([]actor.PID, error) {
	if n < 1 {
		return r.GetCapable(ctx, service)
	}
	if err := actor.CheckName(service); err != nil {
		return nil, fmt.Errorf("registry: service: %w", err)
	}
	w := waiter{mode: modeMembers, members: n, need: 1}
	if c := r.services.get(service); c != nil {
		c.touch(r.sweep.Load())
		if l := c.current(); l != nil && l.size() >= n {
			return l.pids, nil
		}
		w.need = c.fired.Load() + 1
	}
	l, err := r.ask(ctx, serviceKey(service), w)
	if err != nil {
		return nil, err
	}
	return l.pids, nil
}

// Next waits until the service's list is another than the one with that token,
// and returns it: so who passes the token of the View before it misses no change
// that lasts, however long it was away. A zero token stands for a service that
// nobody has ever offered. Changes that follow each other closely come as one,
// and what was undone in between may come as no change of the processes. It
// costs nothing while nothing changes.
func (r *Registry) Next(ctx context.Context, service string, seen Token) (View, error) {
	if err := actor.CheckName(service); err != nil {
		return View{}, fmt.Errorf("registry: service: %w", err)
	}
	w := waiter{mode: modeChange, seen: seen, need: 1}
	if c := r.services.get(service); c != nil {
		c.touch(r.sweep.Load())
		if l := c.current(); l != nil && l.token() != seen {
			return r.view(service, l), nil
		}
		w.need = c.fired.Load() + 1
	}
	l, err := r.ask(ctx, serviceKey(service), w)
	if err != nil {
		return View{}, err
	}
	return r.view(service, l), nil
}

// Services returns the names of all services that anybody has offered since
// ZooKeeper last tidied up: those that nobody offers any more can be among them.
// It is cached as services are. The slice is the caller's own, sorted.
func (r *Registry) Services(ctx context.Context) ([]string, error) {
	r.names.touch(r.sweep.Load())
	l := r.names.current()
	if l == nil {
		var err error
		if l, err = r.ask(ctx, namesKey, waiter{need: r.names.fired.Load() + 1}); err != nil {
			return nil, err
		}
	}
	return slices.Clone(l.children), nil
}

// Nodes returns the nodes of the cluster, this one too, by name. It is cached
// as services are. The slice is the caller's own.
func (r *Registry) Nodes(ctx context.Context) ([]actor.NodeID, error) {
	r.nodes.touch(r.sweep.Load())
	l := r.nodes.current()
	if l == nil {
		var err error
		if l, err = r.ask(ctx, nodesKey, waiter{need: r.nodes.fired.Load() + 1}); err != nil {
			return nil, err
		}
	}
	return slices.Clone(l.nodes), nil
}
