package node

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"conclave/actor"
	"conclave/registry"
)

// Token stands for a moment in the life of the cluster; see Register.
type Token = registry.Token

// View is what is known about a service: who offers it, and how fresh that is.
type View = registry.View

// Register advertises a process of this node under a service. It returns when
// the cluster can see it; a look-up on this node then does. The process leaves
// the service by itself when it ends, the node's session included. The token
// lets another node's AtLeast see at least this registration.
//
// When ctx ends first, the registration stays wanted and is made as soon as
// ZooKeeper can be reached.
func (n *Node) Register(ctx context.Context, service string, pid actor.PID) (Token, error) {
	if n.cfg.Guest {
		return Token{}, fmt.Errorf("register %q: %w", service, errGuest)
	}
	if n.leaves() {
		return Token{}, fmt.Errorf("register %q: %w", service, errLeaving)
	}
	_ = n.dropAtEnd(pid) // one that has ended is found out by the registry
	token, err := n.registry.Register(ctx, service, pid)
	if err != nil {
		return token, fmt.Errorf("register %q: %w", service, told(err))
	}
	return token, nil
}

// dropAtEnd has a process's registrations and subscriptions taken back when it
// ends. It says false when it has ended.
func (n *Node) dropAtEnd(pid actor.PID) (alive bool) {
	n.mu.Lock()
	_, known := n.ending[pid]
	n.ending[pid] = struct{}{}
	n.mu.Unlock()
	if known {
		return true
	}
	forget := func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.ending, pid)
	}
	if !n.system.AtEnd(pid, func(actor.PID, error) {
		forget()
		n.registry.Drop(pid)
		n.follows.ended(pid)
	}) {
		forget()
		return false
	}
	return true
}

var errGuest = errors.New("a guest cannot be reached, so it offers nothing and holds nothing")

// Unregister takes a process out of a service.
func (n *Node) Unregister(ctx context.Context, service string, pid actor.PID) error {
	return told(n.registry.Unregister(ctx, service, pid))
}

// GetCapable is who offers the service, sorted, from this node's cache: it makes
// no request unless nothing is cached yet or a watch has told of a change. Nobody
// is an empty slice and no error. The slice is shared and must not be changed.
//
// While ZooKeeper cannot be reached the last known answer is given; Lookup tells
// its age.
func (n *Node) GetCapable(ctx context.Context, service string) ([]actor.PID, error) {
	pids, err := n.registry.GetCapable(ctx, service)
	return pids, told(err)
}

// Lookup is GetCapable that also says how fresh the answer is.
func (n *Node) Lookup(ctx context.Context, service string) (View, error) {
	view, err := n.registry.Lookup(ctx, service)
	return view, told(err)
}

// Fresh is Lookup that asks ZooKeeper, behind a write of our own: it sees
// everything that was done before it was called, anywhere.
func (n *Node) Fresh(ctx context.Context, service string) (View, error) {
	view, err := n.registry.Fresh(ctx, service)
	return view, told(err)
}

// AtLeast is Lookup that waits until it sees at least what the token stands
// for; on the node that got the token it does not wait.
func (n *Node) AtLeast(ctx context.Context, service string, token Token) (View, error) {
	view, err := n.registry.AtLeast(ctx, service, token)
	return view, told(err)
}

// WaitCapable waits until at least count processes offer the service.
func (n *Node) WaitCapable(ctx context.Context, service string, count int) ([]actor.PID, error) {
	pids, err := n.registry.WaitCapable(ctx, service, count)
	return pids, told(err)
}

// SendCapable sends body to every process that offers the service and says to
// how many. ErrNoCapable: nobody does. Errors of single sends are joined; the
// others have been made.
func (n *Node) SendCapable(ctx context.Context, service string, body any) (int, error) {
	pids, err := n.GetCapable(ctx, service)
	if err != nil {
		return 0, err
	}
	if len(pids) == 0 {
		return 0, fmt.Errorf("%q: %w", service, ErrNoCapable)
	}
	return n.sendAll(len(pids), func(i int) error { return n.system.Send(ctx, pids[i], body) })
}

// SendNodes sends body to the local name on every node of the cluster, this one
// included, and says to how many nodes. Where no process has the name it is a
// dead letter there.
func (n *Node) SendNodes(ctx context.Context, localName string, body any) (int, error) {
	if err := actor.CheckName(localName); err != nil {
		return 0, err
	}
	nodes, err := n.Nodes(ctx)
	if err != nil {
		return 0, err
	}
	return n.sendAll(len(nodes), func(i int) error { return n.system.SendName(ctx, nodes[i], localName, body) })
}

func (n *Node) sendAll(count int, send func(int) error) (int, error) {
	var failed []error
	for i := range count {
		if err := send(i); err != nil {
			failed = append(failed, err)
		}
	}
	return count - len(failed), errors.Join(failed...)
}

// Services is the names of the services that are, or lately were, offered in the
// cluster, sorted, from this node's cache.
func (n *Node) Services(ctx context.Context) ([]string, error) {
	names, err := n.registry.Services(ctx)
	return names, told(err)
}

// Nodes is every node of the cluster that has a session and can be reached,
// this one included. Guests are not among them.
func (n *Node) Nodes(ctx context.Context) ([]actor.NodeID, error) {
	all, err := n.registry.Nodes(ctx)
	return slices.DeleteFunc(slices.Clone(all), func(id actor.NodeID) bool { return id.Address == "" }), told(err)
}
