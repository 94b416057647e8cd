package node

import (
	"context"
	"time"

	"conclave/actor"
)

// With is the node as a Sender whose calls, sends and look-ups end with ctx.
func (n *Node) With(ctx context.Context) actor.Sender { return sender{n, ctx, 0} }

// Within is the node as a Sender each of whose calls, sends and look-ups ends
// after d with actor.ErrTimeout.
func (n *Node) Within(d time.Duration) actor.Sender { return sender{n, n.links.life, d} }

type sender struct {
	n   *Node
	ctx context.Context
	d   time.Duration
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

func (s sender) bound() (context.Context, context.CancelFunc) {
	if s.d <= 0 {
		return s.ctx, func() {}
	}
	return context.WithTimeoutCause(s.ctx, s.d, actor.ErrTimeout)
}
