package task_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"conclave/conclavetest"
	"conclave/shard"
	"conclave/task"
)

// divided runs f in a cluster whose nodes have all opened "s" in so many parts.
func divided(t *testing.T, nodes int, cfg task.Config, f func(w *world)) {
	t.Helper()
	if cfg.Parts == 0 {
		cfg.Parts = 8
	}
	conclavetest.Run(t, 0, nodes, func(c *conclavetest.Cluster) {
		w := &world{Cluster: c}
		for i := range nodes {
			w.qs = append(w.qs, w.open(c.Node(i), "s", cfg))
		}
		f(w)
		for _, q := range w.qs {
			ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
			if err := q.Close(ctx); err != nil {
				c.Error("Close:", err)
			}
			cancel()
		}
	})
}

func TestTasksOfADividedScopeAreDoneWhereverTheyWereSubmitted(t *testing.T) {
	for _, nodes := range []int{1, 3} {
		divided(t, nodes, task.Config{}, func(w *world) {
			last := w.qs[nodes-1]
			w.must(task.Handle(last, "double", func(_ context.Context, t *task.Task, j job) error {
				return t.Return(job{2 * j.N, t.ID()})
			}))
			guest := w.open(w.Guest("visitor"), "s", task.Config{}) // it takes what is there
			for i, opts := range [][]task.Option{
				{}, {task.ID("mine")}, {task.Key("k")}, {task.Key("k"), task.ID("other")}, {task.Unique("u")}, {task.Unique("u2"), task.ID("third")},
			} {
				for _, q := range append(slices.Clone(w.qs[:1]), guest) {
					id := w.submit(q, task.Of("double", job{N: i}), opts...)
					for _, q := range append(slices.Clone(w.qs), guest) {
						res, err := q.Wait(w.Context(), id)
						w.must(err)
						var j job
						w.must(res.Decode(&j))
						if j != (job{2 * i, id}) || res.State != task.Done {
							w.Errorf("%+v, %+v", j, res.Info)
						}
						d, err := q.Get(w.Context(), id)
						w.must(err)
						if d.ID != id || d.State != task.Done {
							w.Errorf("%+v", d)
						}
					}
				}
			}
			s, err := guest.Status(w.Context())
			w.must(err)
			if len(s.Parts) != 8 || s.Live != 0 || s.States[task.Done] != 9 || s.Counts.Done != 9 || len(s.Workers) != 1 || s.Workers[0].Slots < 16 || !s.Workers[0].Greeted {
				w.Errorf("%+v", s)
			}
			for _, p := range s.Parts {
				if p.Dispatcher == "" || p.Term == 0 {
					w.Errorf("%+v", p)
				}
			}
			w.must(guest.Close(w.Context()))
		})
	}
}

func TestScopeOfAsManyPartsAsCanBe(t *testing.T) {
	divided(t, 3, task.Config{Parts: task.MaxParts, Slots: task.MaxParts}, func(w *world) {
		w.must(w.qs[2].Handle("x", func(_ context.Context, t *task.Task) error { return t.Return(t.ID()) }))
		var ids []string
		for n := range 1000 {
			ids = append(ids, w.submit(w.qs[n%3], task.Of("x", n)))
		}
		parts := make(map[int]bool)
		for _, id := range ids {
			res, err := w.qs[0].Wait(w.Context(), id)
			if err != nil || res.Attempt != 1 {
				w.Errorf("%s: %+v, %v", id, res.Info, err)
			}
			parts[shard.PartOf(id, task.MaxParts)] = true
		}
		if len(parts) < task.MaxParts*3/4 {
			w.Errorf("a thousand tasks are in %d parts only", len(parts))
		}
	})
}
