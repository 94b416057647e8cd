package global

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
)

func TestOneHolderAmongRacers(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		all := c.joinAll(5)
		var running atomic.Int32
		code := Run(func(p *actor.Process) error {
			if running.Add(1) > 1 {
				t.Error("two run")
			}
			defer running.Add(-1)
			return idles(p)
		})
		pids := make([]actor.PID, len(all))
		var wg sync.WaitGroup
		for i, m := range all {
			wg.Go(func() { pids[i] = m.register("boss", code) })
		}
		wg.Wait()
		for i := range pids {
			if pids[i] != pids[0] {
				t.Errorf("node %d was told %v, node 0 %v", i, pids[i], pids[0])
			}
			if got := all[i].whereis("boss"); got != pids[0] {
				t.Errorf("node %d finds %v", i, got)
			}
		}
		if h := c.holder("boss"); h.system.Node() != pids[0].Node() {
			t.Errorf("%s holds, %v was elected", h.name, pids[0])
		}
		if got := len(c.candidates("boss")); got != 5 {
			t.Errorf("%d candidates", got)
		}
	})
}

func TestLoserSeesWinner(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		winner, loser := c.join("winner"), c.join("loser")
		pid := winner.register("boss", Run(idles))
		if got := loser.register("boss", Run(idles)); got != pid {
			t.Errorf("loser was told %v, want %v", got, pid)
		}
		if pid.Node() != winner.system.Node() {
			t.Errorf("%v is not of the winner", pid)
		}
		if _, ok := loser.g.Holding("boss"); ok {
			t.Error("the loser holds")
		}
		term, ok := winner.g.Holding("boss")
		if !ok || term.Scope() != "boss" {
			t.Errorf("the winner holds %v, %v", term, ok)
		}
		h, err := loser.g.Lookup(context.Background(), "boss")
		if err != nil || h.Term != term || h.PID != pid || h.Stale {
			t.Errorf("loser finds %+v, %v, want term %v", h, err, term)
		}
		winner.mu.Lock()
		defer winner.mu.Unlock()
		if len(winner.said) != 1 || winner.said[0] != term {
			t.Errorf("announced: %v", winner.said)
		}
	})
}

func TestHolderActsUnderItsTerm(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		m := c.join("n")
		terms := make(chan actor.Term, 2)
		m.register("boss", Run(func(p *actor.Process) error {
			terms <- p.Term()
			p.Spawn(func(p *actor.Process) error {
				terms <- p.Term()
				return nil
			})
			return idles(p)
		}))
		held, _ := m.g.Holding("boss")
		for range 2 {
			if got := <-terms; got != held {
				t.Errorf("term %v, want %v", got, held)
			}
		}
	})
}

func TestOneNewHolderWhenOneFails(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		all := c.joinAll(3)
		failing := make(chan error, 1)
		for _, m := range all {
			m.register("boss", Run(func(p *actor.Process) error {
				select {
				case err := <-failing:
					return err
				case <-p.Done():
					return nil
				}
			}))
		}
		first := c.holder("boss")
		old := all[2].whereis("boss")
		broken := errors.New("broken")
		start := time.Now()
		failing <- broken
		c.await("a new holder", func() bool { h := c.holders("boss"); return len(h) == 1 && h[0] != first })
		if took := time.Since(start); took > c.soon {
			t.Errorf("it took %v", took)
		}
		c.await("it is found", func() bool {
			got := all[2].whereis("boss")
			return got != old && got.Node() == c.holder("boss").system.Node()
		})
		ended, _ := seen[TermEnded](first)
		if len(ended) != 1 || !errors.Is(ended[0].Cause, broken) {
			t.Errorf("ended: %v", ended)
		}
		c.neverTwo("boss")
		// It stands again, at the back, after the shortest wait.
		c.await("three candidates", func() bool { return len(c.candidates("boss")) == 3 })
		if took := time.Since(start); took < 100*time.Millisecond || took > 100*time.Millisecond+c.soon {
			t.Errorf("it stood again after %v", took)
		}
	})
}

func TestPanickingHolderBacksOff(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster) {
		m := c.join("n")
		start := time.Now()
		var mu sync.Mutex
		var starts []time.Duration
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		m.g.Register(ctx, "boss", Run(func(p *actor.Process) error {
			mu.Lock()
			defer mu.Unlock()
			starts = append(starts, time.Since(start))
			if len(starts) == 5 {
				mu.Unlock()
				defer mu.Lock()
				return idles(p)
			}
			panic("no")
		}))
		c.await("five starts", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(starts) == 5
		})
		want := []time.Duration{0, 100, 300, 700, 1500}
		for i, at := range starts {
			if at.Truncate(c.soon) != want[i]*time.Millisecond {
				t.Errorf("start %d after %v, want %vms", i, at, int64(want[i]))
			}
		}
		c.neverTwo("boss")
	})
}

func TestHolderThatReturnsNilHasWithdrawn(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		m, other := c.join("n"), c.join("other")
		done := make(chan struct{})
		m.register("boss", Run(func(p *actor.Process) error { <-done; return nil }))
		pid := other.register("boss", Run(idles))
		close(done)
		c.await("the other holds", func() bool { _, ok := other.g.Holding("boss"); return ok })
		c.await("withdrawn", func() bool { return m.g.Candidacies() == 0 })
		if got := c.candidates("boss"); len(got) != 1 {
			t.Errorf("candidates %v", got)
		}
		c.await("the other is found", func() bool {
			got := m.whereis("boss")
			return got != pid && got.Node() == other.system.Node()
		})
		if e, _ := seen[Withdrawn](m); len(e) != 1 || e[0].Name != "boss" {
			t.Errorf("events %v", e)
		}
	})
}

func TestHandlerHolds(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		m := c.join("n")
		got := make(chan string, 1)
		pid := m.register("boss", Handle(func() actor.Handler { return echo(got) }))
		if err := m.system.Send(context.Background(), pid, "hello"); err != nil {
			t.Fatal(err)
		}
		if s := <-got; s != "hello" {
			t.Errorf("got %q", s)
		}
		// What does not make one fails and stands again.
		m.withdraw("boss")
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		m.g.Register(ctx, "boss", Handle(func() actor.Handler { panic("no") }))
		c.await("it failed", func() bool {
			ended, _ := seen[TermEnded](m)
			var panicked *actor.PanicError
			return len(ended) > 1 && errors.As(ended[1].Cause, &panicked)
		})
	})
}

type echo chan string

func (e echo) Receive(_ *actor.Process, m actor.Message) error {
	e <- m.Body().(string)
	return nil
}

func TestWithdrawLeavesNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		m, next := c.join("n"), c.join("next")
		m.register("boss", Run(idles))
		next.register("boss", Run(idles))
		m.withdraw("boss")
		if got := c.candidates("boss"); len(got) != 1 {
			t.Errorf("candidates %v", got)
		}
		if m.g.Candidacies() != 0 {
			t.Error("it still stands")
		}
		m.withdraw("boss") // again: nothing to do
		next.withdraw("boss")
		if got := c.candidates("boss"); len(got) != 0 {
			t.Errorf("candidates %v", got)
		}
		c.await("nobody is found", func() bool {
			_, err := m.g.Whereis(short(), "boss")
			return errors.Is(err, ErrNoHolder) && errors.Is(err, context.DeadlineExceeded)
		})
		c.neverTwo("boss")
	})
}

func TestCloseResignsFromEverything(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		m, next := c.join("n"), c.join("next")
		names := []string{"a", "b", "c"}
		for _, name := range names {
			m.register(name, Run(idles))
			next.register(name, Run(idles))
		}
		start := time.Now()
		if err := m.g.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > c.soon {
			t.Errorf("it took %v", took)
		}
		for _, name := range names {
			c.await("next holds "+name, func() bool { _, ok := next.g.Holding(name); return ok })
			c.neverTwo(name)
		}
		if _, err := m.g.Register(context.Background(), "a", Run(idles)); !errors.Is(err, ErrClosed) {
			t.Errorf("register after close: %v", err)
		}
		if _, err := m.g.Whereis(context.Background(), "x"); !errors.Is(err, ErrClosed) {
			t.Errorf("whereis after close: %v", err)
		}
	})
}

func TestBadNames(t *testing.T) {
	everywhere(t, func(t *testing.T, c *cluster) {
		m := c.join("n")
		for _, name := range []string{"", "a/b", "..", "a\nb"} {
			if _, err := m.g.Register(context.Background(), name, Run(idles)); !errors.Is(err, actor.ErrBadName) {
				t.Errorf("register %q: %v", name, err)
			}
			if _, err := m.g.Whereis(context.Background(), name); !errors.Is(err, actor.ErrBadName) {
				t.Errorf("whereis %q: %v", name, err)
			}
		}
		// Whatever is a good name is a good znode.
		for _, name := range []string{"a b", "100%", "größe", "a-0000000001"} {
			if pid := m.register(name, Run(idles)); c.join("o"+name).whereis(name) != pid {
				t.Errorf("%q is not found", name)
			}
		}
	})
}
