package global

import (
	"context"
	"errors"
	"testing"
	"time"

	"conclave/internal/keeper"
)

func TestFault13OnlyTheSuccessorWakes(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		all := c.joinAll(6)
		for _, m := range all {
			m.register("boss", Run(idles))
		}
		holder := c.holder("boss")
		c.admin()
		time.Sleep(time.Second)
		before := make([]keeper.Stats, len(all))
		for i, m := range all {
			before[i] = m.keeper.Stats()
		}
		c.dev.ExpireSession(all[3].session().ID()) // the fourth in line
		c.settle()
		for i, m := range all {
			after := m.keeper.Stats()
			woke, asked := after.WatchEvents-before[i].WatchEvents, after.Total()-after.Heartbeats-before[i].Total()+before[i].Heartbeats
			switch i {
			case 3:
			case 4:
				if woke != 1 {
					t.Errorf("the successor woke %d times", woke)
				}
			default:
				if woke != 0 || asked != 0 {
					t.Errorf("the one in place %d woke %d times and asked %d times", i+1, woke, asked)
				}
			}
		}
		if h := c.holder("boss"); h != holder {
			t.Errorf("%s holds now", h.name)
		}
		if e, _ := seen[TermEnded](holder); len(e) != 0 {
			t.Errorf("the holder was disturbed: %v", e)
		}
	})
}

func TestFault14HolderWhoseZnodeIsDeletedStops(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		m, next := c.join("n"), c.join("next")
		m.register("boss", Run(idles))
		next.register("boss", Run(idles))
		start := time.Now()
		c.delete(m.znode("boss"))
		c.await("next holds", func() bool { _, ok := next.g.Holding("boss"); return ok })
		c.await("it stands again", func() bool { return len(c.candidates("boss")) == 2 })
		if took := time.Since(start); took > c.soon {
			t.Errorf("it took %v", took)
		}
		ended, _ := seen[TermEnded](m)
		if len(ended) != 1 || !errors.Is(ended[0].Cause, ErrDeleted) {
			t.Errorf("ended: %v", ended)
		}
		if spans := c.terms("boss"); len(spans) != 2 || spans[1].number <= spans[0].number {
			t.Errorf("terms %+v", spans)
		}
	})
}

func TestFault14DeletedWhileWaiting(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		all := c.joinAll(3)
		for _, m := range all {
			m.register("boss", Run(idles))
		}
		old := all[1].znode("boss")
		c.delete(old)
		c.await("it stands again", func() bool { return len(c.candidates("boss")) == 3 })
		all[0].withdraw("boss")
		if h := c.holder("boss"); h != all[2] {
			t.Errorf("%s holds", h.name)
		}
		c.neverTwo("boss")
	})
}

func TestFault15ParentDeleted(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		all := c.joinAll(3)
		for _, m := range all {
			m.register("boss", Run(idles))
		}
		peer := c.join("peer")
		peer.whereis("boss")
		admin := c.admin()
		parent := admin.keeper.Paths().Global("boss")
		var ops []keeper.Op
		for _, child := range c.candidates("boss") {
			ops = append(ops, keeper.DeleteOp(parent+"/"+child, keeper.AnyVersion))
		}
		if _, err := admin.session().Multi(context.Background(), append(ops, keeper.DeleteOp(parent, keeper.AnyVersion))...); err != nil {
			t.Fatal(err)
		}
		c.await("all stand again", func() bool {
			_, there, err := admin.session().Exists(context.Background(), parent, nil)
			return err == nil && there && len(c.candidates("boss")) == 3 && len(c.holders("boss")) == 1
		})
		c.await("the new holder is found", func() bool {
			return peer.whereis("boss").Node() == c.holder("boss").system.Node()
		})
		spans := c.terms("boss")
		if len(spans) < 2 {
			t.Errorf("the term that lost its znode goes on: %+v", spans)
		}
		for i := 1; i < len(spans); i++ {
			if spans[i].number <= spans[i-1].number {
				t.Errorf("terms %+v", spans)
			}
		}
	})
}

func TestFault16NothingQueuedOutlivesItsSession(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		m := c.join("n")
		c.admin().register("other", Run(idles))
		m.register("a", Run(idles))
		old := m.session().ID()
		m.wire.cut()
		time.Sleep(time.Millisecond)
		go m.g.Register(context.Background(), "boss", Run(idles))
		go m.g.Withdraw(context.Background(), "a")
		time.Sleep(c.T / 4)
		c.dev.ExpireSession(old)
		m.wire.mend()
		if h := c.holder("boss"); h != m {
			t.Errorf("%s holds", h.name)
		}
		c.await("a is withdrawn", func() bool { return len(c.candidates("a")) == 0 })
		if got := c.candidates("boss"); len(got) != 1 {
			t.Errorf("candidates %v", got)
		}
		for _, n := range c.dev.Dump() {
			if n.EphemeralOwner == old {
				t.Errorf("%s is of the old session", n.Path)
			}
		}
	})
}
