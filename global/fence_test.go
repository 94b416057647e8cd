package global

import (
	"errors"
	"testing"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
)

func TestFencedWriteIsDoneOnlyUnderItsTerm(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		first, next := c.join("first"), c.join("next")
		first.register("boss", Run(idles))
		next.register("boss", Run(idles))
		c.await("the first holds", func() bool { _, ok := first.g.Holding("boss"); return ok })
		term, _ := first.g.Holding("boss")
		s, fence, err := first.g.Fence(term)
		if err != nil || s != first.session() {
			t.Fatalf("session %p, want %p: %v", s, first.session(), err)
		}
		write := func(name string) error {
			_, err := s.Multi(short(), fence, keeper.CreateOp(first.keeper.Paths().Root()+"/"+name, nil, keeper.Persistent))
			return err
		}
		if err := write("during"); err != nil {
			t.Errorf("under its term: %v", err)
		}
		for _, other := range []actor.Term{
			{},
			actor.MakeTerm(term.Cluster(), "boss", term.Number()+1),
			actor.MakeTerm("another", "boss", term.Number()),
			actor.MakeTerm(term.Cluster(), "clerk", term.Number()),
		} {
			if _, _, err := first.g.Fence(other); !errors.Is(err, ErrNotHolder) {
				t.Errorf("of %v: %v", other, err)
			}
		}
		if _, _, err := next.g.Fence(term); !errors.Is(err, ErrNotHolder) {
			t.Errorf("by who stands behind: %v", err)
		}

		first.withdraw("boss")
		if _, _, err := first.g.Fence(term); !errors.Is(err, ErrNotHolder) {
			t.Errorf("of a term that is over: %v", err)
		}
		var failed *keeper.OpError
		if err := write("after"); !errors.As(err, &failed) || failed.Index != 0 || !errors.Is(err, keeper.ErrNoNode) {
			t.Errorf("after its term: %v", err)
		}
		if _, there, err := s.Exists(short(), first.keeper.Paths().Root()+"/after", nil); there || err != nil {
			t.Errorf("it was written: %v %v", there, err)
		}
	})
}

// Who does not know yet that its session is over is told that it holds nothing,
// or fails at ZooKeeper.
func TestFenceIsNotHandedOutAfterTheLease(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		m := c.join("m")
		m.register("boss", Run(idles))
		term, _ := m.g.Holding("boss")
		m.wire.cut()
		time.Sleep(c.T)
		if _, _, err := m.g.Fence(term); !errors.Is(err, ErrNotHolder) {
			t.Error(err)
		}
	})
}
