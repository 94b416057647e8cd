package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"conclave/actor"
	"conclave/internal/journal"
	"conclave/node"
	"conclave/shard"
)

// leadership is how a scope comes by its dispatchers, and how they are asked. There
// are two ways: one dispatcher, which is a global, or one for each part, which is
// what the owner of the part runs.
type leadership interface {
	// parts is how many dispatchers there are: 1, or one for each part.
	parts() int
	// call asks a part's dispatcher, and follows it wherever it goes until ctx ends:
	// node.ErrNoHolder if there was none all the time, node.ErrUnknownOutcome if
	// nobody knows whether it has heard.
	call(ctx context.Context, part int, body any) (actor.Message, error)
	// stand has this node stand for it, if it may. It returns when the node does, or
	// ctx has ended.
	stand(ctx context.Context) error
	// drain has others dispatch, if there are any; the node itself hands globals over.
	drain(ctx context.Context) error
	// leave has it stand for it no longer: what runs here ends first.
	leave(ctx context.Context) error
	// leads says whether this node certainly is a part's dispatcher's, now.
	leads(part int) bool
	// candidates are those that stand for it, the first of them first.
	candidates(ctx context.Context) ([]actor.NodeID, error)
}

// globalName is the global that a scope's dispatcher is, and the space that the parts
// of a divided scope are.
func globalName(scope string) string { return "task:" + scope }

// lead is the scope's leadership, when it is known how it is divided.
func (q *Queue) lead(ctx context.Context, parts int) (leadership, error) {
	if parts > 1 {
		return q.leadParts(ctx, parts)
	}
	l := &soleLeader{n: q.n, name: globalName(q.scope)}
	if q.mayDispatch() {
		store := q.cfg.Store
		if store == nil {
			store = ZooKeeper(q.n, q.scope, q.skipped)
		}
		l.run = (&dispatcher{n: q.n, area: area{scope: q.scope}, cfg: q.cfg, store: store}).run
	}
	return l, nil
}

// soleLeader is one dispatcher, which is a global.
type soleLeader struct {
	n    *node.Node
	name string
	run  actor.Func // nil: this node does not stand
}

func (l *soleLeader) parts() int { return 1 }

func (l *soleLeader) call(ctx context.Context, _ int, body any) (actor.Message, error) {
	return l.n.CallGlobal(ctx, l.name, body)
}

func (l *soleLeader) stand(ctx context.Context) error {
	if l.run == nil {
		return nil
	}
	_, err := l.n.RegisterCandidate(ctx, l.name, l.run)
	return err
}

func (l *soleLeader) drain(context.Context) error { return nil }

func (l *soleLeader) leave(ctx context.Context) error {
	if l.run == nil {
		return nil
	}
	return l.n.Withdraw(ctx, l.name)
}

func (l *soleLeader) leads(int) bool {
	_, holds := l.n.Holding(l.name)
	return holds
}

func (l *soleLeader) candidates(ctx context.Context) ([]actor.NodeID, error) {
	return l.n.Candidates(ctx, l.name)
}

// leadParts has this node take part in the space of the scope's parts.
func (q *Queue) leadParts(ctx context.Context, parts int) (leadership, error) {
	// What this node's workers have done is recorded before its parts go: there may be
	// nobody else.
	cfg := shard.Config{Parts: parts, Watch: !q.mayDispatch() || draining(q.n), Linger: true, Logger: q.cfg.Logger}
	group := new(journal.Group)
	cfg.Serve = func(part int) actor.Func {
		d := &dispatcher{n: q.n, area: area{scope: q.scope, part: part, parts: parts}, cfg: q.cfg}
		d.store = newPartStore(q.n, d.area, group, func(err error) { d.tell(Event{Kind: Skipped, Err: err}) })
		return d.run
	}
	sp, err := shard.Open(ctx, q.n, globalName(q.scope), cfg)
	if errors.Is(err, shard.ErrMismatch) {
		err = fmt.Errorf("%w: %w", ErrMismatch, err)
	}
	if err != nil {
		return nil, err
	}
	return &partLeaders{n: q.n, sp: sp}, nil
}

// draining says whether a node was told to drain.
func draining(n *node.Node) bool {
	select {
	case <-n.Draining():
		return true
	default:
		return false
	}
}

// partLeaders are a dispatcher for each part: the part's owner runs it.
type partLeaders struct {
	n  *node.Node
	sp *shard.Space
}

func (l *partLeaders) parts() int { return l.sp.Parts() }

func (l *partLeaders) call(ctx context.Context, part int, body any) (actor.Message, error) {
	for {
		m, err := l.sp.RequestPart(l.n.With(ctx), part, body)
		if errors.Is(err, shard.ErrClosed) {
			select {
			case <-l.n.Stopped():
				return m, fmt.Errorf("%w: part %d of %s", node.ErrStopped, part, l.sp.Name())
			default:
			}
			return m, fmt.Errorf("%w: %w", ErrClosed, err)
		}
		if err == nil || errors.Is(err, node.ErrUnknownOutcome) || !nobodyTook(err) && ctx.Err() == nil {
			return m, err
		}
		// The space has waited for an owner as long as it does; we do as long as ctx.
		if why := rest(ctx, l.n, 10*time.Millisecond); why != nil {
			return m, fmt.Errorf("%w: part %d of %s: %w (%w)", node.ErrNoHolder, part, l.sp.Name(), why, err)
		}
	}
}

// nobodyTook says whether a call went to nobody: there was no owner, or none that would
// take it.
func nobodyTook(err error) bool {
	return errors.Is(err, shard.ErrMoved) || errors.Is(err, shard.ErrNoOwner) || errors.Is(err, actor.ErrTimeout)
}

// stand has nothing to do, as the node stands since the space was opened, unless it was
// to drain before that: depart did not wait for it.
func (l *partLeaders) stand(ctx context.Context) error {
	if draining(l.n) {
		return l.drain(ctx)
	}
	return nil
}

func (l *partLeaders) drain(ctx context.Context) error { return l.sp.Drain(ctx) }

func (l *partLeaders) leave(ctx context.Context) error { return l.sp.Close(ctx) }

func (l *partLeaders) leads(part int) bool {
	_, owns := l.sp.Owned(part)
	return owns
}

// candidates are the nodes that may own parts, those with the most parts first.
func (l *partLeaders) candidates(ctx context.Context) (all []actor.NodeID, err error) {
	layout, err := shard.Look(ctx, l.n, l.sp.Name())
	members := layout.Members
	slices.SortStableFunc(members, func(a, b shard.MemberLayout) int { return b.Owned - a.Owned })
	for _, m := range members {
		if m.Owned > 0 || m.Weight > 0 && !m.Leaving && !m.Unfit {
			all = append(all, m.Node)
		}
	}
	return all, err
}
