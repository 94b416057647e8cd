package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"conclave/actor"
)

// errLeaving is what a node that leaves says to who would give it something new.
var errLeaving = fmt.Errorf("it is leaving and takes on nothing new: %w", ErrStopped)

// Drain lets the node finish what it has begun, before Stop:
//
//  1. What it advertises is taken down, so that no new work is sent to it. From
//     here on Register and RegisterCandidate are refused.
//  2. Globals that it holds are handed over (Transfer) to the next in line.
//  3. Parts that it owns are given up, so many at a time, each for another member of its
//     space to take over; see shard.Space.Drain.
//  4. It waits until no process has unread mail or is at work; see
//     actor.System.AwaitIdle for what that means. Mail from those who have not heard
//     yet, and from those who know a PID, is accepted all the while.
//
// Nothing is stopped: Stop does that, also when Drain's time was not enough. The
// error says what was not done when ctx ended, or who could not be handed over (a
// name that nobody else stands for passes, or not, when Stop resigns). Not to be
// called by a process of the node unless it is actor.Endless, nor by what runs for a
// part: it would wait for itself. A part that is stuck keeps it until ctx ends, as a
// process that is at work does: leave time for Stop.
func (n *Node) Drain(ctx context.Context) error {
	polite, cancel := n.politely(ctx)
	defer cancel()
	unregistered := <-n.unregister(polite)
	passed := n.passOn(polite, ctx)
	return errors.Join(unregistered, passed, n.giveUp(ctx), n.system.AwaitIdle(ctx))
}

// OnDrain has f called when the node drains, before it waits for its processes to be idle.
// What f returns is part of Drain's error; Drain waits for f, which heeds ctx. It is for
// the parts of the runtime that hand over to other nodes what they have. cancel takes it
// back.
func (n *Node) OnDrain(f func(ctx context.Context) error) (cancel func()) {
	return n.onDrain.add(f)
}

// giveUp calls what OnDrain was given.
func (n *Node) giveUp(ctx context.Context) error {
	fs := n.onDrain.list()
	failed := make([]error, len(fs))
	var all sync.WaitGroup
	for i, f := range fs {
		all.Go(func() { failed[i] = f(ctx) })
	}
	all.Wait()
	return errors.Join(failed...)
}

// unregister takes down what is advertised and refuses to advertise more. The
// channel gets the outcome.
func (n *Node) unregister(ctx context.Context) <-chan error {
	n.drains.Do(func() { close(n.draining) })
	n.adverts.close()
	done := make(chan error, 1)
	if s := n.keeper.Current(); s == nil || !s.Connected() {
		// It cannot be done now and must not be done again under a new session. The
		// old one's end does it.
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		cancel()
		_ = n.registry.UnregisterAll(ctx)
		done <- nil
		return done
	}
	go func() { done <- n.registry.UnregisterAll(ctx) }()
	return done
}

// passOn hands every global that is held here to the next in line that is not us.
// look bounds finding out who that is.
func (n *Node) passOn(look, ctx context.Context) error {
	if s := n.keeper.Current(); s == nil || !s.Connected() {
		return nil // they will be resigned
	}
	n.mu.Lock()
	names := make([]string, 0, len(n.held))
	for term := range n.held {
		names = append(names, term.Scope())
	}
	n.mu.Unlock()
	slices.Sort(names)
	var failed []error
	for _, name := range names {
		line, err := n.Candidates(look, name)
		if err != nil {
			failed = append(failed, fmt.Errorf("hand over %q: %w", name, err))
			continue
		}
		next := slices.IndexFunc(line, func(id actor.NodeID) bool { return id != n.id })
		if next < 0 {
			continue // nobody to hand it over to
		}
		if err := n.Transfer(ctx, name, line[next]); err != nil && !errors.Is(err, ErrNotHolder) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}
