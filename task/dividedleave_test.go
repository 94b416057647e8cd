package task_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"conclave/conclavetest"
	"conclave/node"
	"conclave/task"
)

// A node that drains finishes what it runs, its parts go to the others, and those
// record it; be there no others, it dispatches until all is recorded.
func TestDrainOfADividedScopeLetsTasksFinish(t *testing.T) {
	for _, nodes := range []int{1, 3} {
		divided(t, nodes, task.Config{}, func(w *world) {
			ctx := w.Context()
			var began, ended [3]atomic.Int32
			for i := range nodes {
				w.must(w.qs[i].Handle("x", func(ctx context.Context, t *task.Task) error {
					began[i].Add(1)
					select {
					case <-time.After(10 * time.Second):
					case <-ctx.Done():
						return context.Cause(ctx)
					}
					ended[i].Add(1)
					return nil
				}))
			}
			client := w.open(w.Guest("client"), "s", task.Config{})
			var ids []string
			for n := range 24 {
				ids = append(ids, w.submit(client, task.Of("x", n)))
			}
			w.Await("the first to work", func() bool { return began[0].Load() > 0 })
			w.must(w.Node(0).Drain(ctx))
			if b, e := began[0].Load(), ended[0].Load(); b != e || b == 0 {
				w.Errorf("of %d nodes, the one that drained began %d and finished %d", nodes, b, e)
			}
			if nodes > 1 { // its parts are with others
				s, err := client.Status(ctx)
				w.must(err)
				for _, p := range s.Parts {
					if p.Dispatcher == w.Node(0).Name() {
						w.Errorf("part %d is dispatched by the node that has drained", p.Part)
					}
				}
			}
			w.must(w.Stop(0))
			if nodes == 1 {
				w.Start(0)
				again := w.open(w.Node(0), "s", task.Config{})
				w.must(again.Handle("x", func(context.Context, *task.Task) error { return nil }))
				defer again.Close(ctx)
			}
			for _, id := range ids {
				if res, err := client.Wait(ctx, id); err != nil || res.Failures != 0 || res.Attempt > 2 {
					w.Error(res.Info, err)
				}
			}
			if nodes > 1 {
				if n := began[0].Load() + began[1].Load() + began[2].Load(); n != 24 {
					w.Errorf("24 tasks were begun %d times", n)
				}
			}
			w.must(client.Close(ctx))
			w.qs = w.qs[1:]
		})
	}
}

// A node that only waits for somebody to open the scope can drain.
func TestDrainDoesNotWaitForAScopeThatNobodyHasOpened(t *testing.T) {
	conclavetest.Run(t, 0, 1, func(c *conclavetest.Cluster) {
		w := &world{Cluster: c}
		q := w.open(w.Node(0), "s", task.Config{NoDispatch: true})
		w.must(q.Handle("x", func(context.Context, *task.Task) error { return nil }))
		ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
		defer cancel()
		w.must(w.Node(0).Drain(ctx))
		w.must(q.Close(ctx))
	})
}

// A node is told to drain before it is known how the scope is divided. It takes no task
// and no part then.
func TestNodeThatDrainsBeforeTheScopeIsKnownTakesNothing(t *testing.T) {
	for _, parts := range []int{1, 8} {
		conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
			w := &world{Cluster: c}
			ctx, cancel := context.WithTimeout(c.Context(), time.Hour)
			defer cancel()
			client := w.open(w.Node(0), "s", task.Config{Parts: parts})
			_, err := client.Status(ctx)
			w.must(err)
			id := w.submit(client, task.Of("x", 1))
			var ran atomic.Int32
			w.CutZooKeeper(1)
			q := w.open(w.Node(1), "s", task.Config{})
			w.must(q.Handle("x", func(context.Context, *task.Task) error { ran.Add(1); return nil }))
			drained := make(chan error, 1)
			go func() { drained <- w.Node(1).Drain(ctx) }()
			time.Sleep(time.Second)
			w.MendZooKeeper(1)
			w.must(<-drained)
			time.Sleep(time.Minute)
			if d, err := client.Get(ctx, id); err != nil || d.State != task.Waiting || ran.Load() != 0 {
				w.Errorf("%d parts: the node that drains took a task: %+v, %v", parts, d.Info, err)
			}
			s, err := client.Status(ctx)
			w.must(err)
			for _, p := range s.Parts {
				if p.Dispatcher == w.Node(1).Name() {
					w.Errorf("it dispatches part %d", p.Part)
				}
			}
			w.must(q.Close(ctx))
			w.must(client.Close(ctx))
		})
	}
}

// Who asks when the node has stopped is told that, not that somebody has closed the Queue.
func TestWhoAsksANodeThatHasStoppedIsToldSo(t *testing.T) {
	for _, parts := range []int{1, 8} {
		conclavetest.Run(t, 0, 1, func(c *conclavetest.Cluster) {
			w := &world{Cluster: c}
			q := w.open(w.Node(0), "s", task.Config{Parts: parts})
			w.submit(q, task.Of("x", 1))
			w.must(w.Stop(0))
			_, err := q.Submit(c.Context(), task.Of("x", 1))
			if _, other := q.Status(c.Context()); !errors.Is(err, node.ErrStopped) || !errors.Is(other, node.ErrStopped) {
				w.Errorf("%d parts: %v; %v", parts, err, other)
			}
			w.must(q.Close(c.Context()))
		})
	}
}

// Close that was given too little time is not over when it returns. Who opens the scope
// again is told so, or has a Queue that works; not one that never will.
func TestScopeThatIsNotQuiteClosedIsOpenedAgainOrRefused(t *testing.T) {
	for _, parts := range []int{1, 8} {
		conclavetest.Run(t, 0, 1, func(c *conclavetest.Cluster) {
			w := &world{Cluster: c}
			ctx := c.Context()
			q := w.open(w.Node(0), "s", task.Config{Parts: parts})
			w.submit(q, task.Of("x", 1))
			over, cancel := context.WithCancel(ctx)
			cancel()
			_ = q.Close(over)
			refused := 0
			for {
				again, err := task.Open(w.Node(0).Node, "s", task.Config{})
				if err != nil {
					if refused++; refused > 1000 {
						w.Fatal(err)
					}
					time.Sleep(10 * time.Millisecond)
					continue
				}
				short, cancel := context.WithTimeout(ctx, time.Minute)
				if _, err := again.Submit(short, task.Of("x", 2)); err != nil {
					w.Errorf("%d parts, opened after %d tries: %v", parts, refused, err)
				}
				cancel()
				w.must(again.Close(ctx))
				return
			}
		})
	}
}
