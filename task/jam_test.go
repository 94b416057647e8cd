package task_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"conclave/conclavetest"
	"conclave/node"
	"conclave/task"
)

// A worker's host stands still, with more on its way to it than links hold.
func TestWorkerThatStandsStillHoldsUpNobodyElse(t *testing.T) {
	scope(t, 3, task.Config{Slots: 1}, func(w *world) {
		ctx := w.Context()
		much := w.open(w.Node(2), "much", task.Config{Slots: 400, NoDispatch: true})
		q := w.open(w.Node(0), "much", task.Config{})
		w.AwaitHolder("task:much")
		w.must(much.Handle("x", func(ctx context.Context, t *task.Task) error { return nil }))
		w.Await("the worker", func() bool {
			s, err := q.Status(ctx)
			w.must(err)
			return len(s.Workers) == 1 && s.Workers[0].Greeted
		})
		w.Pause(2)
		var ids []string
		for range 300 {
			began := w.Now()
			ids = append(ids, w.submit(q, task.Of("x", make([]byte, 9000))))
			if took := w.Now() - began; took > time.Second {
				w.Fatalf("a submission took %v", took)
			}
		}
		w.Resume(2)
		for _, id := range ids {
			_, err := q.Wait(ctx, id)
			w.must(err)
		}
		w.must(much.Close(ctx))
		w.must(q.Close(ctx))
	})
}

// So does that of somebody to whom there is much to say.
func TestClientThatStandsStillHoldsUpNobodyElse(t *testing.T) {
	scope(t, 3, task.Config{}, func(w *world) {
		ctx, cancel := context.WithCancel(w.Context())
		defer cancel()
		w.must(w.qs[1].Handle("x", func(_ context.Context, t *task.Task) error {
			time.Sleep(time.Second)
			return t.Return(make([]byte, 9000))
		}))
		id := w.submit(w.qs[0], task.Of("x", 1))
		for range 400 {
			go w.qs[2].Wait(ctx, id)
		}
		time.Sleep(500 * time.Millisecond)
		w.Pause(2)
		_, err := w.qs[1].Wait(ctx, id)
		w.must(err)
		w.submit(w.qs[1], task.Of("y", 1))
		if took := w.Now(); took > 2*time.Second {
			w.Errorf("it is %v", took)
		}
		w.Resume(2)
		time.Sleep(time.Minute)
	})
}

func TestLargeBodiesAreDone(t *testing.T) {
	scope(t, 2, task.Config{MaxBody: 256 << 10, Slots: 100}, func(w *world) {
		var ids []string
		for range 80 {
			ids = append(ids, w.submit(w.qs[0], task.Of("x", make([]byte, 250<<10))))
		}
		w.must(w.qs[1].Handle("x", func(context.Context, *task.Task) error { return nil }))
		ctx, cancel := context.WithTimeout(w.Context(), 10*time.Minute)
		defer cancel()
		for _, id := range ids {
			if _, err := w.qs[0].Wait(ctx, id); err != nil {
				w.Fatal(err)
			}
		}
	})
}

func TestWhatIsReadIsTheReadersOwn(t *testing.T) {
	scope(t, 1, task.Config{}, func(w *world) {
		q := w.qs[0]
		w.must(q.Handle("x", func(_ context.Context, t *task.Task) error { return t.Return(make([]byte, 100)) }))
		id := w.submit(q, task.Of("x", make([]byte, 1000)))
		for range 2 {
			r, err := q.Wait(w.Context(), id)
			w.must(err)
			d, err := q.Get(w.Context(), id)
			w.must(err)
			if r.Data[50] != 0 || d.Result[60] != 0 {
				w.Error("who reads a result changes the record")
			}
			r.Data[50], d.Result[60] = 1, 1
		}
	})
}

type question struct{ Of string }

func TestCallThatTheDispatcherDoesNotKnowIsAnswered(t *testing.T) {
	scope(t, 2, task.Config{}, func(w *world) {
		for i := range 2 {
			ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
			if _, err := w.Node(i).CallGlobal(ctx, "task:s", &question{"a later version"}); err == nil || ctx.Err() != nil {
				w.Errorf("asked from node %d: %v", i, err)
			}
			cancel()
		}
	})
}

// The candidacy is the node's, under the scope's name: it is withdrawn before
// another can be made.
func TestScopeCanBeOpenedAgainOnlyWhenItIsClosed(t *testing.T) {
	scope(t, 2, task.Config{}, func(w *world) {
		ctx := w.Context()
		q := w.open(w.Node(1), "again", task.Config{})
		w.must(q.Handle("x", func(context.Context, *task.Task) error { time.Sleep(time.Minute); return nil }))
		id := w.submit(q, task.Of("x", 1))
		w.Await("it to run", func() bool { d, err := q.Get(ctx, id); w.must(err); return d.State == task.Running })
		done := make(chan error, 1)
		go func() { done <- q.Close(ctx) }()
		time.Sleep(time.Second)
		if _, err := task.Open(w.Node(1).Node, "again", task.Config{}); err == nil {
			w.Fatal("opened while it is being closed")
		}
		w.must(<-done)
		q = w.open(w.Node(1), "again", task.Config{})
		w.submit(q, task.Of("y", 1))
		w.must(q.Close(ctx))
	})
}

// Links take less than the dispatcher thinks: what does not fit goes in parts, or
// its asker is told.
func TestNothingWaitsForAMessageThatIsTooLarge(t *testing.T) {
	small := conclavetest.Configure(func(_ string, cfg *node.Config) { cfg.Limits.MaxMessage = 100 << 10 })
	conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
		w := &world{Cluster: c}
		for i := range 2 {
			w.qs = append(w.qs, w.open(c.Node(i), "s", task.Config{Slots: 100}))
			c.AwaitHolder("task:s")
		}
		ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
		defer cancel()
		var ids []string
		for n := range 50 {
			ids = append(ids, w.submit(w.qs[1], task.Of("x", make([]byte, 9000))))
			for k := range 40 {
				w.submit(w.qs[1], task.Of(fmt.Sprintf("%s%d", strings.Repeat("k", 100), 100*n+k), 1))
			}
		}
		if _, err := w.qs[1].Status(ctx); err == nil || ctx.Err() != nil {
			w.Errorf("status of 2,000 kinds: %v", err)
		}
		w.must(w.qs[1].Handle("x", func(context.Context, *task.Task) error { return nil }))
		for _, id := range ids {
			if _, err := w.qs[1].Wait(ctx, id); err != nil {
				w.Fatal(err)
			}
		}
		for _, q := range w.qs {
			w.must(q.Close(c.Context()))
		}
	}, small)
}

func TestWhoOnlyReadsIsNotToldOfUnknownOutcomes(t *testing.T) {
	scope(t, 2, task.Config{}, func(w *world) {
		id := w.submit(w.qs[1], task.Of("x", 1))
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		if _, err := w.qs[1].Wait(ctx, id); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, task.ErrUnknownOutcome) {
			w.Error(err)
		}
	})
}
