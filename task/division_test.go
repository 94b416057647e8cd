package task_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"conclave/conclavetest"
	"conclave/internal/keeper"
	"conclave/node"
	"conclave/task"
)

// Whoever opens a scope first has decided how it is divided, for ever.
func TestScopeIsDividedOnce(t *testing.T) {
	for name, c := range map[string]struct {
		first, then int
		says        string // nothing: it is no mismatch
	}{
		"another number":        {8, 4, "has 8 parts, not 4"},
		"undivided at first":    {1, 4, "in use undivided"},
		"undivided by default":  {0, 4, "in use undivided"},
		"undivided afterwards":  {8, 1, "has 8 parts, not 1"},
		"takes what is there":   {8, 0, ""},
		"the same":              {8, 8, ""},
		"undivided, both times": {0, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			conclavetest.Run(t, 0, 2, func(cl *conclavetest.Cluster) {
				w := &world{Cluster: cl}
				first := w.open(w.Node(0), "s", task.Config{Parts: c.first})
				id := w.submit(first, task.Of("x", 1))
				w.must(first.Close(w.Context()))

				// Also when nobody is there any more who knows.
				second, err := task.Open(w.Node(1).Node, "s", task.Config{Parts: c.then})
				if err == nil {
					_, err = second.Get(w.Context(), id)
				}
				switch {
				case c.says == "" && err != nil:
					w.Error(err)
				case c.says != "" && (!errors.Is(err, task.ErrMismatch) || !strings.Contains(err.Error(), c.says)):
					w.Errorf("%v, want ErrMismatch that says %q", err, c.says)
				}
				if (c.then > 1) != (second == nil) && c.says != "" {
					w.Errorf("Open with %d parts returned %v", c.then, second)
				}
				if second != nil {
					if err := second.Handle("x", func(context.Context, *task.Task) error { return nil }); (err == nil) != (c.says == "") {
						w.Errorf("Handle: %v", err)
					}
					w.must(second.Close(w.Context()))
				}
				// The node can open it as it is.
				third := w.open(w.Node(1), "s", task.Config{Parts: c.first})
				d, err := third.Get(w.Context(), id)
				if err != nil || d.ID != id {
					w.Error(d, err)
				}
				w.must(third.Close(w.Context()))
			})
		})
	}
}

// A node that only submits or works does not decide: it waits for somebody who does.
func TestWhoDoesNotDispatchTakesWhateverComes(t *testing.T) {
	for _, parts := range []int{0, 8} {
		conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
			w := &world{Cluster: c}
			guest := w.open(w.Guest("early"), "s", task.Config{})
			worker := w.open(w.Node(0), "s", task.Config{NoDispatch: true})
			w.must(worker.Handle("x", func(_ context.Context, t *task.Task) error { return t.Return(t.Meta()["n"]) }))
			ctx, cancel := context.WithTimeout(w.Context(), time.Second)
			_, err := guest.Submit(ctx, task.Of("x", 1))
			if !errors.Is(err, node.ErrNoHolder) || errors.Is(err, task.ErrUnknownOutcome) {
				w.Errorf("when nobody has opened it: %v", err)
			}
			if guest.Dispatching() || worker.Dispatching() {
				w.Error("it is dispatched")
			}
			cancel()
			done := make(chan error, 1)
			go func() {
				id, err := guest.Submit(w.Context(), task.Of("x", 1, task.Meta("n", "7")))
				if err == nil {
					_, err = guest.Wait(w.Context(), id)
				}
				done <- err
			}()
			time.Sleep(time.Minute)
			d := w.open(w.Node(1), "s", task.Config{Parts: parts})
			w.must(<-done)
			s, err := guest.Status(w.Context())
			if err != nil || len(s.Parts) != parts || s.Dispatcher != w.Node(1).Name() || !d.Dispatching() {
				w.Errorf("%d parts: %+v, %v", parts, s, err)
			}
			all, err := guest.Candidates(w.Context())
			if err != nil || len(all) != 1 || all[0] != w.Node(1).ID() {
				w.Error(all, err)
			}
			for _, q := range []*task.Queue{guest, worker, d} {
				w.must(q.Close(w.Context()))
			}
		})
	}
}

// While ZooKeeper is away Open comes back all the same, and what is asked waits.
func TestOpenInPartsWithoutZooKeeperGoesOn(t *testing.T) {
	conclavetest.Run(t, 0, 1, func(c *conclavetest.Cluster) {
		w := &world{Cluster: c}
		c.CutZooKeeper(0)
		time.Sleep(time.Minute)
		q := w.open(w.Node(0), "s", task.Config{Parts: 4})
		w.must(q.Handle("x", func(context.Context, *task.Task) error { return nil }))
		ctx, cancel := context.WithTimeout(c.Context(), time.Second)
		defer cancel()
		if _, err := q.Submit(ctx, task.Of("x", 1)); !errors.Is(err, node.ErrNoHolder) {
			c.Error(err)
		}
		done := make(chan error, 1)
		go func() {
			id, err := q.Submit(c.Context(), task.Of("x", 1))
			if err == nil {
				_, err = q.Wait(c.Context(), id)
			}
			done <- err
		}()
		time.Sleep(time.Minute)
		c.Mend()
		w.must(<-done)
		w.must(q.Close(c.Context()))
		// Closed before anything is known, too.
		c.CutZooKeeper(0)
		time.Sleep(time.Minute)
		q = w.open(w.Node(0), "other", task.Config{})
		w.must(q.Handle("x", func(context.Context, *task.Task) error { return nil }))
		w.must(q.Close(c.Context()))
		if err := q.Handle("y", func(context.Context, *task.Task) error { return nil }); !errors.Is(err, task.ErrClosed) {
			c.Error(err)
		}
		if _, err := q.Take(c.Context(), "x"); !errors.Is(err, task.ErrClosed) {
			c.Error(err)
		}
		c.Mend()
	})
}

// What a scope's znode says is lost: nobody takes the scope for an undivided one.
func TestScopeThatDoesNotSayAnyMoreHowItIsDividedIsLeftAlone(t *testing.T) {
	conclavetest.Run(t, 0, 1, func(c *conclavetest.Cluster) {
		w := &world{Cluster: c}
		q := w.open(w.Node(0), "s", task.Config{Parts: 4})
		w.submit(q, task.Of("x", 1))
		w.must(q.Close(c.Context()))
		k, err := w.Node(0).Keeper().Session(c.Context())
		w.must(err)
		path := w.Node(0).Keeper().Paths().TaskScope("s")
		for _, data := range []string{"garbage", "\x82\xa1v\x02\xa1p\x04"} { // the other: of a later version
			_, err = k.Set(c.Context(), path, []byte(data), keeper.AnyVersion)
			w.must(err)
			q = w.open(w.Node(0), "s", task.Config{})
			if _, err := q.Status(c.Context()); !errors.Is(err, task.ErrMismatch) {
				c.Errorf("%q: %v", data, err)
			}
			w.must(q.Close(c.Context()))
		}
	})
}

func TestPartsThatCannotBe(t *testing.T) {
	scope(t, 1, task.Config{}, func(w *world) {
		for says, cfg := range map[string]task.Config{
			"-1 parts":  {Parts: -1},
			"257 parts": {Parts: task.MaxParts + 1},
			"a Store":   {Parts: 2, Store: task.Memory()},
		} {
			if q, err := task.Open(w.Node(0).Node, "other", cfg); err == nil || q != nil || !strings.Contains(err.Error(), says) {
				w.Errorf("%s: %v", says, err)
			}
		}
		// A store of one's own, where there are parts.
		w.must(w.open(w.Node(0), "parts", task.Config{Parts: 2}).Close(w.Context()))
		q := w.open(w.Node(0), "parts", task.Config{Store: task.Memory()})
		if _, err := q.Submit(w.Context(), task.Of("x", 1)); !errors.Is(err, task.ErrMismatch) || !strings.Contains(err.Error(), "Store") {
			w.Error(err)
		}
		w.must(q.Close(w.Context()))
	})
}
