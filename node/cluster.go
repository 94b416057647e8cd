package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"conclave/actor"
	"conclave/global"
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
	n.dropAtEnd(pid)
	token, err := n.registry.Register(ctx, service, pid)
	if err != nil {
		return token, fmt.Errorf("register %q: %w", service, err)
	}
	return token, nil
}

// dropAtEnd has a process's registrations taken back when it ends. One that is
// not alive is found out by the registry.
func (n *Node) dropAtEnd(pid actor.PID) {
	n.mu.Lock()
	_, known := n.ending[pid]
	n.ending[pid] = struct{}{}
	n.mu.Unlock()
	if known {
		return
	}
	forget := func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.ending, pid)
	}
	if !n.system.AtEnd(pid, func(actor.PID, error) {
		forget()
		n.registry.Drop(pid)
	}) {
		forget()
	}
}

var errGuest = errors.New("a guest cannot be reached, so it offers nothing and holds nothing")

// Unregister takes a process out of a service.
func (n *Node) Unregister(ctx context.Context, service string, pid actor.PID) error {
	return n.registry.Unregister(ctx, service, pid)
}

// GetCapable is who offers the service, sorted, from this node's cache: it makes
// no request unless nothing is cached yet or a watch has told of a change. Nobody
// is an empty slice and no error. The slice is shared and must not be changed.
//
// While ZooKeeper cannot be reached the last known answer is given; Lookup tells
// its age.
func (n *Node) GetCapable(ctx context.Context, service string) ([]actor.PID, error) {
	return n.registry.GetCapable(ctx, service)
}

// Lookup is GetCapable that also says how fresh the answer is.
func (n *Node) Lookup(ctx context.Context, service string) (View, error) {
	return n.registry.Lookup(ctx, service)
}

// WaitCapable waits until at least count processes offer the service.
func (n *Node) WaitCapable(ctx context.Context, service string, count int) ([]actor.PID, error) {
	return n.registry.WaitCapable(ctx, service, count)
}

// SendCapable sends body to every process that offers the service and says to
// how many. ErrNoCapable: nobody does. Errors of single sends are joined; the
// others have been made.
func (n *Node) SendCapable(ctx context.Context, service string, body any) (int, error) {
	pids, err := n.registry.GetCapable(ctx, service)
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

// Nodes is every node of the cluster that has a session and can be reached,
// this one included. Guests are not among them.
func (n *Node) Nodes(ctx context.Context) ([]actor.NodeID, error) {
	all, err := n.registry.Nodes(ctx)
	return slices.DeleteFunc(slices.Clone(all), func(id actor.NodeID) bool { return id.Address == "" }), err
}

// CandidateOption changes a candidacy.
type CandidateOption = global.Option

// While ties a candidacy to ctx (a *actor.Process is one): when it is done the
// candidacy is withdrawn, and it is never elected for an owner that has gone.
func While(ctx context.Context) CandidateOption { return global.While(ctx) }

// RegisterCandidate makes this node stand for the global name: when it is
// elected, f runs as the holder, under a term, as long as that lasts; then the
// node stands again. Exactly one holder in the whole cluster acts at any time
// (docs/guarantees.md says what exactly that means and what it rests on).
//
// It returns the PID of the elected holder, ours or not, once there is one. When
// ctx ends first the candidacy goes on standing. Registered again, f and the
// options are those of the next term; a running holder goes on.
//
// f returns nil to withdraw. An error or a panic resigns, and the node stands
// again at the back, after a wait that doubles from 100 ms to 30 s.
func (n *Node) RegisterCandidate(ctx context.Context, name string, f actor.Func, opts ...CandidateOption) (actor.PID, error) {
	return n.registerCandidate(ctx, name, global.Run(f), opts)
}

// RegisterHandlerCandidate is RegisterCandidate for an event-driven holder: each
// term gets a Handler of its own from make, which must not block.
func (n *Node) RegisterHandlerCandidate(ctx context.Context, name string, make func() actor.Handler, opts ...CandidateOption) (actor.PID, error) {
	return n.registerCandidate(ctx, name, global.Handle(make), opts)
}

func (n *Node) registerCandidate(ctx context.Context, name string, code global.Code, opts []CandidateOption) (actor.PID, error) {
	if n.cfg.Guest {
		return actor.PID{}, fmt.Errorf("candidate for %q: %w", name, errGuest)
	}
	return n.globals.Register(ctx, name, code, opts...)
}

// Withdraw takes a candidacy back: a holder is told to return, and when it and
// all that it spawned have, the name passes.
func (n *Node) Withdraw(ctx context.Context, name string) error { return n.globals.Withdraw(ctx, name) }

// WhereisGlobal is the process that holds the name, from this node's cache.
// While nobody does it waits; when ctx ends first the error wraps ErrNoHolder.
func (n *Node) WhereisGlobal(ctx context.Context, name string) (actor.PID, error) {
	pid, err := n.globals.Whereis(ctx, name)
	if errors.Is(err, global.ErrNoHolder) {
		err = &noHolder{err}
	}
	return pid, err
}

type noHolder struct{ cause error }

func (e *noHolder) Error() string   { return e.cause.Error() }
func (e *noHolder) Unwrap() []error { return []error{ErrNoHolder, e.cause} }

// Holding says whether this node holds the name and may act as its holder at
// this moment, and under which term.
func (n *Node) Holding(name string) (actor.Term, bool) { return n.globals.Holding(name) }

// SendGlobal sends body to the holder of the name and follows it through a
// failover until ctx ends. nil: it is in the mailbox of a holder. It is
// repeated only when it certainly was not accepted (no holder, the process is
// gone, no link could be made); otherwise the error wraps ErrUnknownOutcome, and
// the caller decides whether twice is better than not at all.
func (n *Node) SendGlobal(ctx context.Context, name string, body any) error {
	return n.follow(ctx, name, func(pid actor.PID) error {
		return n.system.SendConfirmed(ctx, pid, body)
	})
}

// CallGlobal calls the holder of the name, following it through a failover as
// SendGlobal does. The reply is read with actor.As.
func (n *Node) CallGlobal(ctx context.Context, name string, body any) (reply actor.Message, err error) {
	err = n.follow(ctx, name, func(pid actor.PID) (err error) {
		reply, err = n.system.Request(ctx, pid, body)
		return err
	})
	return reply, err
}

// follow does something with the holder until it is done or may have been.
func (n *Node) follow(ctx context.Context, name string, do func(actor.PID) error) error {
	wait := 5 * time.Millisecond
	for {
		pid, err := n.WhereisGlobal(ctx, name)
		if err != nil {
			return err
		}
		err = do(pid)
		switch {
		case err == nil:
			return nil
		case !notAccepted(pid, err):
			if uncertain(err) {
				return &unknownOutcome{name, pid, err}
			}
			return err
		}
		// The view still names who has gone: give the watch time to tell.
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return &noHolder{fmt.Errorf("global %q: %w; the last holder, %s: %w", name, context.Cause(ctx), pid, err)}
		}
		wait = min(2*wait, 200*time.Millisecond)
	}
}

// notAccepted says whether what failed certainly had no effect and can be
// repeated: the process was not there, or nothing was ever sent to it. The
// holder's own answer may be such an error too, about somebody else.
func notAccepted(holder actor.PID, err error) bool {
	switch err := err.(type) {
	case *actor.EndedError:
		return err.PID == holder && err.Reason == nil
	case *notSentError:
		return err.to == holder
	}
	return false
}

// uncertain says whether what failed may have had its effect all the same.
func uncertain(err error) bool {
	return errors.Is(err, actor.LinkLost) || errors.Is(err, actor.NoProcess) || errors.Is(err, actor.ErrTermOver) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, actor.ErrTimeout)
}

type unknownOutcome struct {
	name  string
	pid   actor.PID
	cause error
}

func (e *unknownOutcome) Error() string {
	return fmt.Sprintf("global %q at %s: %v: %v", e.name, e.pid, ErrUnknownOutcome, e.cause)
}
func (e *unknownOutcome) Unwrap() []error { return []error{ErrUnknownOutcome, e.cause} }

// directory answers names for the processes of a node.
type directory Node

func (d *directory) GetCapable(ctx context.Context, service string) ([]actor.PID, error) {
	return d.registry.GetCapable(ctx, service)
}

func (d *directory) WaitCapable(ctx context.Context, service string, n int) ([]actor.PID, error) {
	return d.registry.WaitCapable(ctx, service, n)
}

func (d *directory) WhereisGlobal(ctx context.Context, name string) (actor.PID, error) {
	return (*Node)(d).WhereisGlobal(ctx, name)
}

func (d *directory) NameChanged(name string, pid actor.PID, there bool) {
	if d.cfg.Guest || d.cfg.AdvertiseNames != nil && !d.cfg.AdvertiseNames(name) {
		return
	}
	d.adverts.post(advert{name, pid, there})
}
