package node_test

import (
	"context"
	"testing"

	"conclave/actor"
	"conclave/node"
)

// marker is a Tracer whose carriers are what the sender works within.
type marker struct{}

type markKey struct{}

func (marker) Send(ctx context.Context, l actor.Letter) (string, func(error)) {
	within, _ := ctx.Value(markKey{}).(string)
	return within + "/" + l.Type, nil
}

func (marker) Receive(ctx context.Context, _ actor.Letter, carrier string) (context.Context, func(error)) {
	return context.WithValue(ctx, markKey{}, carrier), nil
}

func traced(cfg *node.Config) { cfg.Tracer = marker{} }

// within answers calls with what the process works within, after asking next.
func within(next *actor.PID) actor.Func {
	return func(p *actor.Process) error {
		for {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			path, _ := p.Value(markKey{}).(string)
			if !next.IsZero() {
				if path, err = actor.Call[string](p, *next, 1); err != nil {
					return err
				}
			}
			if err := p.Reply(m, path); err != nil {
				return err
			}
		}
	}
}

func TestTraceContextTravelsFromNodeToNode(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a", traced), c.node("b", traced)
		var nobody actor.PID
		last := a.Spawn(within(&nobody))
		first := b.Spawn(within(&last))
		ctx := context.WithValue(c.brief(), markKey{}, "start")
		got, err := actor.Call[string](a.With(ctx), first, "go")
		c.ok(err)
		if want := "start/string/int"; got != want {
			c.Errorf("the last works within %q, want %q", got, want)
		}
		// Plain messages, by PID and by name, take it along, too.
		to, mail := make(chan string, 2), 0
		sink := b.Spawn(func(p *actor.Process) error {
			for {
				if _, err := p.Receive(); err != nil {
					return err
				}
				path, _ := p.Value(markKey{}).(string)
				to <- path
			}
		})
		c.ok(b.RegisterName("sink", sink))
		c.ok(a.Send(sink, 1.5))
		c.ok(a.SendName(b.ID(), "sink", true))
		for _, want := range []string{"/float64", "/bool"} {
			if got := next(c, to); got != want {
				c.Errorf("message %d came within %q, want %q", mail, got, want)
			}
			mail++
		}
	})
}

func TestNodeWithoutTracerTakesTracedMail(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a", traced), c.node("b")
		var nobody actor.PID
		to := b.Spawn(within(&nobody))
		got, err := actor.Call[string](a.Within(c.patience()), to, 1)
		c.ok(err)
		if got != "" {
			c.Errorf("a node without a Tracer works within %q", got)
		}
		sink, mail := b.sink()
		for i := range 3 {
			c.ok(a.Send(sink, i))
			if m := next(c, mail); m.Body() != i {
				c.Errorf("%v in place of %d", m.Body(), i)
			}
		}
	})
}
