package shard_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/actor"
	"conclave/conclavetest"
	"conclave/internal/keeper"
	"conclave/shard"
	"conclave/zkdev"
)

func TestPartsAreSharedOutAndMoveWhenNodesComeAndGo(t *testing.T) {
	space(t, 3, shard.Config{Parts: 64}, func(w *world) {
		w.balanced(64, 3)
		w.Stop(1)
		w.balanced(64, 2)
		w.Start(1)
		w.balanced(64, 3)
		w.Kill(0)
		w.balanced(64, 2)
		for _, s := range w.spells {
			if s.over == 0 && s.to != 0 && s.node.Running() {
				w.Errorf("part %d on %s has ended, and OnLose was not called", s.part, s.node)
			}
		}
	})
}

func TestCloseGivesPartsUpInOrder(t *testing.T) {
	space(t, 2, shard.Config{Parts: 16}, func(w *world) {
		w.balanced(16, 2)
		ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
		defer cancel()
		if err := w.of(w.Node(0)).Close(ctx); err != nil {
			w.Fatal(err)
		}
		w.Await("the other to own all", func() bool { _, sum := w.loads(); return sum == 16 })
		for _, s := range w.spells {
			if s.node == w.Node(0) && s.why != nil {
				w.Errorf("part %d was lost, not moved: %v", s.part, s.why)
			}
		}
		if err := w.of(w.Node(1)).Close(ctx); err != nil {
			w.Fatal(err)
		}
	})
}

// With Linger a node that drains keeps its parts until it is told to drain them, be it
// the last; one that stops gives them up all the same.
func TestLingeringNodeKeepsItsPartsUntilItDrainsThem(t *testing.T) {
	var mu sync.Mutex
	var wrong []error
	cfg := shard.Config{Parts: 16, Linger: true}
	cfg.OnEvent = func(e shard.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Kind == shard.Failed || e.Kind == shard.Lost && e.Err != nil && !errors.Is(e.Err, keeper.ErrSessionLost) {
			wrong = append(wrong, e.Err)
		}
	}
	space(t, 2, cfg, func(w *world) {
		w.balanced(16, 2)
		if err := w.Node(0).Drain(w.Context()); err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.balanced(16, 2)
		if err := w.of(w.Node(0)).Drain(w.Context()); err != nil {
			w.Fatal(err)
		}
		w.balanced(16, 1)
		w.Stop(0)
		w.Start(0)
		w.balanced(16, 2)
		w.Stop(1) // undrained
		w.balanced(16, 1)
		mu.Lock()
		defer mu.Unlock()
		if len(wrong) > 0 {
			w.Errorf("%d: %v", len(wrong), wrong[0])
		}
	})
}

func TestPartsThatMoveInOrderAreNotToldAsLosses(t *testing.T) {
	s := &store{}
	var moved, lost atomic.Int32
	cfg := shard.Config{Parts: 32, OnGain: s.serve}
	cfg.OnEvent = func(e shard.Event) {
		switch {
		case e.Kind == shard.Lost && e.Err == nil:
			moved.Add(1)
		case e.Kind == shard.Lost:
			lost.Add(1)
		}
	}
	space(t, 2, cfg, func(w *world) {
		w.balanced(32, 2)
		before := moved.Load() // who was first may have had all
		if err := w.of(w.Node(0)).Drain(w.Context()); err != nil {
			w.Fatal(err)
		}
		w.balanced(32, 1)
		if n := moved.Load() - before; n != 16 || lost.Load() > 0 {
			w.Errorf("16 parts moved: %d were told as moved, and %d as lost", n, lost.Load())
		}
		s.check(w)
	})
}

func TestWatcherWaitsForTheSpaceAndFixesNothing(t *testing.T) {
	conclavetest.Run(t, 0, 1, func(c *conclavetest.Cluster) {
		g := c.Guest("early")
		early := make(chan *shard.Space, 1)
		go func() {
			sp, err := shard.Open(c.Context(), g.Node, spaceName, shard.Config{Watch: true})
			if err != nil {
				c.Error(err)
			}
			early <- sp
		}()
		time.Sleep(time.Minute)
		if len(early) > 0 {
			c.Error("it has opened a space that nobody has made")
		}
		sp, err := shard.Open(c.Context(), c.Node(0).Node, spaceName, shard.Config{Parts: 7})
		if err != nil {
			c.Fatal(err)
		}
		if n := (<-early).Parts(); n != 7 || sp.Parts() != 7 {
			c.Errorf("%d parts", n)
		}
	})
}

// An owner of parts that is told, by mail, to give them up. It must end itself first.
func TestPartsAreGivenUpByThoseWhoRunForThem(t *testing.T) {
	for name, leave := range map[string]func(*shard.Space, context.Context) error{"drain": (*shard.Space).Drain, "close": (*shard.Space).Close} {
		t.Run(name, func(t *testing.T) {
			told := make(chan error, 2)
			cfg := shard.Config{Parts: 8}
			cfg.Entity = func(string) actor.Func {
				return func(p *actor.Process) error {
					m, err := p.Receive()
					if err != nil {
						return err
					}
					sp, _, _ := shard.Of(p)
					told <- leave(sp, p)
					err = p.Reply(m, 1)
					_, _ = p.Receive()
					return err
				}
			}
			cfg.OnLose = func(p *actor.Process, part int, _ error) error {
				if sp, _, ok := shard.Of(p); ok && part == shard.PartOf("k", 8) {
					told <- leave(sp, p)
				}
				return nil
			}
			space(t, 2, cfg, func(w *world) {
				told = make(chan error, 2) // of the bubble
				w.balanced(8, 2)
				n := w.Node(0)
				if _, ours := w.of(n).Owned(shard.PartOf("k", 8)); !ours {
					n = w.Node(1)
				}
				sp := w.of(n)
				if _, err := shard.Call[int](n.Within(time.Hour), sp, "k", 1); err != nil {
					w.Error(err)
				}
				w.balanced(8, 1)
				for range 2 {
					select {
					case err := <-told:
						if !errors.Is(err, shard.ErrPending) {
							w.Error(err)
						}
					default:
						w.Error("OnLose was not called")
					}
				}
				_, err := shard.Open(w.Context(), n.Node, spaceName, shard.Config{Watch: true})
				if open := errors.Is(err, shard.ErrOpen); open != (name == "drain") {
					w.Errorf("to open it again: %v", err)
				}
			})
		})
	}
}

// At whichever request to ZooKeeper its caller gives up, answered or not, a space that was
// not opened leaves nothing behind.
func TestOpenCanBeGivenUpAtAnyStep(t *testing.T) {
	space(t, 1, shard.Config{Parts: 4}, func(w *world) {
		w.balanced(4, 1)
		n, why := w.Node(0), errors.New("no longer of interest")
		open := func(step int, lost bool) (sp *shard.Space, err error) {
			ctx, cancel := context.WithCancelCause(w.Context())
			defer cancel(nil)
			var seen atomic.Int32
			var slow *time.Timer
			remove := w.ZooKeeper().Inject(func(r zkdev.Request) zkdev.Fault {
				if !strings.Contains(strings.Join(r.Paths, " "), "/other") || int(seen.Add(1)) != step {
					return zkdev.NoFault
				}
				if lost {
					return zkdev.LoseReply
				}
				cancel(why)
				return zkdev.NoFault
			})
			defer remove()
			if lost { // and its caller does not wait for the next connection
				slow = time.AfterFunc(time.Millisecond, func() { cancel(why) })
				defer slow.Stop()
			}
			began := w.Now()
			sp, err = shard.Open(ctx, n.Node, "other", shard.Config{Parts: 8})
			if took := w.Now() - began; took > time.Second {
				w.Errorf("step %d: it took %v", step, took)
			}
			if err != nil && !errors.Is(err, why) {
				w.Errorf("step %d: %v", step, err)
			}
			return sp, err
		}
		given := 0
		for step := range 30 {
			for _, lost := range []bool{false, true} {
				sp, err := open(step, lost)
				if err != nil {
					given++
					continue
				}
				ctx, cancel := context.WithTimeout(w.Context(), time.Duration(step)*time.Millisecond)
				_ = sp.Close(ctx)
				cancel()
				for range 2 {
					if err := sp.Close(w.Context()); err != nil {
						w.Error(err)
					}
				}
			}
		}
		if given < 5 {
			w.Errorf("it was given up %d times", given)
		}
		for _, z := range w.ZooKeeper().Dump() {
			if strings.Contains(z.Path, "/other/members/") {
				w.Errorf("%s is left", z.Path)
			}
		}
		w.ZooKeeperDown()
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeoutCause(w.Context(), time.Second, why)
		defer cancel()
		if _, err := shard.Open(ctx, n.Node, "other", shard.Config{Parts: 8}); !errors.Is(err, why) {
			w.Errorf("without ZooKeeper: %v", err)
		}
		w.ZooKeeperUp()
		sp, err := shard.Open(w.Context(), n.Node, "other", shard.Config{Parts: 8})
		if err != nil {
			w.Fatal(err)
		}
		w.Await("all parts", func() bool { _, owned := sp.Owned(7); return owned })
	})
}

func TestSpaceOfANodeThatHasStoppedIsClosed(t *testing.T) {
	space(t, 1, shard.Config{Parts: 4}, func(w *world) {
		w.balanced(4, 1)
		n, sp := w.Node(0), w.of(w.Node(0))
		if _, err := shard.Open(w.Context(), n.Node, spaceName, shard.Config{}); !errors.Is(err, shard.ErrOpen) {
			w.Errorf("opened twice: %v", err)
		}
		w.Stop(0)
		for range 2 {
			if _, err := shard.Open(context.Background(), n.Node, spaceName, shard.Config{}); !errors.Is(err, shard.ErrClosed) {
				w.Errorf("opened: %v", err)
			}
			if err := sp.Drain(context.Background()); err != nil {
				w.Error(err)
			}
			if err := sp.Close(context.Background()); err != nil {
				w.Error(err)
			}
		}
		if _, _, err := sp.Owner(context.Background(), "k"); !errors.Is(err, shard.ErrClosed) {
			w.Errorf("its owner: %v", err)
		}
	})
}
