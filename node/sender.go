package node

import (
	"context"
	"time"

	"conclave/actor"
)

// With is the node as a Sender whose calls, sends and look-ups end with ctx.
func (n *Node) With(ctx context.Context) actor.Sender { return sender{n: n, ctx: ctx} }

// Within is the node as a Sender each of whose calls, sends and look-ups ends
// after d with actor.ErrTimeout. With a d of 0 or less nothing is waited for.
func (n *Node) Within(d time.Duration) actor.Sender {
	return sender{n: n, ctx: n.links.life, bounded: true, d: d}
}

type sender struct {
	n       *Node
	ctx     context.Context
	bounded bool
	d       time.Duration
}

func (s sender) Request(to actor.PID, body any) (actor.Message, error) {
	ctx, cancel := s.bound()
	defer cancel()
	return s.n.system.Request(ctx, to, body)
}

func (s sender) Send(to actor.PID, body any) error {
	ctx, cancel := s.bound()
	defer cancel()
	return s.n.system.Send(ctx, to, body)
}

func (s sender) GetCapable(service string) ([]actor.PID, error) {
	ctx, cancel := s.bound()
	defer cancel()
	return s.n.GetCapable(ctx, service)
}

func (s sender) Backlog(pid actor.PID) (n int, here bool) { return s.n.system.Backlog(pid) }

// Bound makes it an actor.Bounded.
func (s sender) Bound(began time.Time) (context.Context, actor.Caller, context.CancelFunc) {
	ctx, cancel := s.ctx, context.CancelFunc(func() {})
	if s.bounded {
		ctx, cancel = context.WithDeadlineCause(s.ctx, began.Add(s.d), actor.ErrTimeout)
	}
	return ctx, sender{n: s.n, ctx: ctx}, cancel
}

func (s sender) bound() (context.Context, context.CancelFunc) {
	if !s.bounded {
		return s.ctx, func() {}
	}
	return context.WithTimeoutCause(s.ctx, s.d, actor.ErrTimeout)
}
