package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"conclave/actor"
	"conclave/global"
	"conclave/internal/keeper"
)

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
	if f == nil {
		return actor.PID{}, fmt.Errorf("candidate for %q: the function is nil", name)
	}
	return n.registerCandidate(ctx, name, global.Run(f), opts)
}

// RegisterHandlerCandidate is RegisterCandidate for an event-driven holder: each
// term gets a Handler of its own from make, which must not block.
func (n *Node) RegisterHandlerCandidate(ctx context.Context, name string, make func() actor.Handler, opts ...CandidateOption) (actor.PID, error) {
	if make == nil {
		return actor.PID{}, fmt.Errorf("candidate for %q: the function is nil", name)
	}
	return n.registerCandidate(ctx, name, global.Handle(make), opts)
}

func (n *Node) registerCandidate(ctx context.Context, name string, code global.Code, opts []CandidateOption) (actor.PID, error) {
	if n.cfg.Guest {
		return actor.PID{}, fmt.Errorf("candidate for %q: %w", name, errGuest)
	}
	if n.leaves() {
		return actor.PID{}, fmt.Errorf("candidate for %q: %w", name, errLeaving)
	}
	pid, err := n.globals.Register(ctx, name, code, opts...)
	return pid, told(err)
}

// Withdraw takes a candidacy back: a holder is told to return, and when it and
// all that it spawned have, the name passes.
func (n *Node) Withdraw(ctx context.Context, name string) error {
	return told(n.globals.Withdraw(ctx, name))
}

// WhereisGlobal is the process that holds the name, from this node's cache.
// While nobody does it waits; when ctx ends first the error wraps ErrNoHolder.
func (n *Node) WhereisGlobal(ctx context.Context, name string) (actor.PID, error) {
	pid, err := n.globals.Whereis(ctx, name)
	return pid, told(err)
}

// Holder is who holds a name, and under which term.
type Holder = global.Holder

// LookupGlobal is WhereisGlobal that also tells the term, and whether ZooKeeper
// can be reached just now.
func (n *Node) LookupGlobal(ctx context.Context, name string) (Holder, error) {
	h, err := n.globals.Lookup(ctx, name)
	return h, told(err)
}

// FreshGlobal is LookupGlobal that asks ZooKeeper, behind a write of our own: it
// does not return a holder who had been replaced, anywhere, before it was called.
// Between its answer and what the caller does with it the name may pass.
func (n *Node) FreshGlobal(ctx context.Context, name string) (Holder, error) {
	h, err := n.globals.Fresh(ctx, name)
	return h, told(err)
}

// AtLeastGlobal is LookupGlobal that returns no holder of an older term than that
// one, which may have come with a message: from the cache if that is new enough.
// The zero term asks for nothing. [ErrNoSuchTerm]: the term is not one of this name
// in this cluster.
func (n *Node) AtLeastGlobal(ctx context.Context, name string, term actor.Term) (Holder, error) {
	h, err := n.globals.AtLeast(ctx, name, term)
	return h, told(err)
}

// ErrNoSuchTerm: a look-up was to wait for a term that cannot come.
var ErrNoSuchTerm = global.ErrNoSuchTerm

// Holding says whether this node holds the name and may act as its holder at
// this moment, and under which term.
func (n *Node) Holding(name string) (actor.Term, bool) { return n.globals.Holding(name) }

// HolderFence is for the parts of the runtime whose holders write to ZooKeeper: a
// Multi of that session with the check op in it is done only while the term's
// candidate znode is there, so never after the name has passed, whatever this
// node believes. It asks ZooKeeper nothing. [ErrNotHolder]: this node does not act
// under that term now.
func (n *Node) HolderFence(term actor.Term) (s *keeper.Session, op keeper.Op, err error) {
	return n.globals.Fence(term)
}

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
	var over actor.Term // who held the name under this or a lower one does no more
	for {
		pid, err := n.holderAfter(ctx, name, over)
		if err != nil {
			return err
		}
		// Asked after the look-up: who finds the next holder finds here whether
		// older mail has to go to it first.
		if moved, waited, err := n.moves.await(ctx, name); err != nil {
			return err
		} else if waited {
			over = moved
			continue
		}
		err = do(pid)
		switch {
		case err == nil:
			return nil
		case !NotAccepted(pid, err):
			if Uncertain(ctx, err) {
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
			return &alsoError{ErrNoHolder, fmt.Errorf("global %q: %w; the last holder, %s: %w", name, context.Cause(ctx), pid, err)}
		}
		wait = min(2*wait, 200*time.Millisecond)
	}
}

// holderAfter is WhereisGlobal for the holder of a later term than over.
func (n *Node) holderAfter(ctx context.Context, name string, over actor.Term) (actor.PID, error) {
	if over.IsZero() {
		return n.WhereisGlobal(ctx, name)
	}
	next, err := n.globals.Next(ctx, over)
	return next.PID, told(err)
}

// NotAccepted says whether a confirmed message or a call that failed certainly had no effect and can be
// repeated: the process was not there, or nothing was ever sent to it. The
// holder's own answer may be such an error too, about somebody else.
func NotAccepted(holder actor.PID, err error) bool {
	switch err := err.(type) {
	case *actor.EndedError:
		return err.PID == holder && err.Reason == nil
	case *notSentError:
		return err.to == holder
	}
	return false
}

// Uncertain says whether what failed may have had its effect all the same. ctx is that
// of whoever waited: what it ends with may be any error.
func Uncertain(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, actor.Shutdown) || errors.Is(err, actor.LinkLost) || errors.Is(err, actor.NoProcess) || errors.Is(err, actor.ErrTermOver) ||
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
