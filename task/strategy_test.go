package task_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"conclave/conclavetest"
	"conclave/task"
)

func TestStrategies(t *testing.T) {
	two := []task.WorkerStatus{{Worker: "a", Node: "a", Slots: 4, Running: 2, CPU: 0.1}, {Worker: "b", Node: "b", Slots: 8, Running: 2, CPU: 0.1}}
	if i := task.LeastLoaded().Begin()(task.Info{}, two); i != 1 {
		t.Error("least loaded by share of slots:", i)
	}
	two[1].CPU = 2
	if i := task.LeastLoaded().Begin()(task.Info{}, two); i != 0 {
		t.Error("least loaded by load:", i)
	}
	three := append(two, task.WorkerStatus{Worker: "c", Node: "c", Slots: 1})
	pick, count := task.RoundRobin().Begin(), make([]int, 3)
	for n := range 300 {
		i := pick(task.Info{Kind: "x"}, three)
		count[i]++
		if n < 3 && count[i] != 1 {
			t.Error("round robin is not in turn")
		}
	}
	if !slices.Equal(count, []int{100, 100, 100}) {
		t.Error("round robin:", count)
	}
	random := make([]int, 3)
	for range 3000 {
		random[task.Random().Begin()(task.Info{}, three)]++
	}
	if slices.Min(random) < 800 {
		t.Error("random:", random)
	}
	sticky, spread, moved := task.Sticky().Begin(), make([]int, 3), 0
	for n := range 3000 {
		key := task.Info{Key: fmt.Sprint("k", n)}
		i := sticky(key, three)
		spread[i]++
		if i != sticky(key, three) {
			t.Error("sticky is not")
		}
		if j := sticky(key, three[:2]); i < 2 && i != j {
			moved++
		}
	}
	if slices.Min(spread) < 800 || moved != 0 {
		t.Error("sticky: spread", spread, "and keys moved among those who stayed:", moved)
	}
}

func TestStrategyThatPanicsStopsNothing(t *testing.T) {
	var events atomic.Int32
	cfg := task.Config{
		Strategy: task.StrategyFunc(func(task.Info, []task.WorkerStatus) int { panic("no idea") }),
		OnEvent: func(e task.Event) {
			if e.Kind == task.StrategyFailed {
				events.Add(1)
			}
		},
	}
	scope(t, 2, cfg, func(w *world) {
		w.must(w.qs[1].Handle("x", func(context.Context, *task.Task) error { return nil }))
		_, err := w.qs[0].Wait(w.Context(), w.submit(w.qs[0], task.Of("x", 1)))
		if err != nil || events.Load() == 0 {
			w.Error(err, events.Load())
		}
	})
}

func TestRollingUpdateOfAKind(t *testing.T) {
	conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
		w := &world{Cluster: c}
		var did [3]atomic.Int32
		for i := range 3 {
			version := []string{"", "1", "2"}[i]
			q := w.open(c.Node(i), "s", task.Config{Attributes: map[string]string{"version": version}, Strategy: task.RoundRobin()})
			w.qs = append(w.qs, q)
			if i > 0 {
				w.must(q.Handle("x", func(_ context.Context, t *task.Task) error {
					did[i].Add(1)
					return t.Return(version)
				}))
			}
		}
		c.Await("both workers", func() bool {
			s, err := w.qs[0].Status(c.Context())
			w.must(err)
			return len(s.Workers) == 2 && s.Workers[0].Greeted && s.Workers[1].Greeted
		})
		for range 20 {
			_, err := w.qs[0].Wait(c.Context(), w.submit(w.qs[0], task.Of("x", 1)))
			w.must(err)
		}
		if a, b := did[1].Load(), did[2].Load(); a != 10 || b != 10 {
			c.Errorf("in turn: %d and %d of 20", a, b)
		}
		for range 5 {
			res, err := w.qs[0].Wait(c.Context(), w.submit(w.qs[0], task.Of("x", 1), task.Needs("version", "2")))
			w.must(err)
			var version string
			if w.must(res.Decode(&version)); version != "2" {
				c.Errorf("done by version %s", version)
			}
		}
		for _, q := range w.qs {
			w.must(q.Close(c.Context()))
		}
	})
}
