package task_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/task"
)

// A handler that does not return takes the only slot of its node, or of its kind there.
// What the workers of the other parts were given waits for that slot: another node does
// it, sooner or later, and the first is given no more until there is room.
func TestWhatFindsNoRoomOnItsNodeIsDoneByAnother(t *testing.T) {
	for name, c := range map[string]struct{ node, kind int }{"of the node": {1, 0}, "of the kind": {16, 1}} {
		t.Run(name, func(t *testing.T) {
			divided(t, 3, task.Config{Slots: c.node}, func(w *world) {
				ctx := w.Context()
				release := make(chan struct{})
				free := sync.OnceFunc(func() { close(release) })
				defer free()
				var here, there atomic.Int32
				w.must(w.qs[1].Handle("x", func(context.Context, *task.Task) error {
					if here.Add(1) == 1 {
						<-release // it does not care for its context
					}
					return nil
				}, c.kind))
				first := w.submit(w.qs[0], task.Of("x", "first", task.Timeout(time.Minute)))
				w.Await("the first to run", func() bool { return here.Load() == 1 })
				var ids []string
				for n := range 40 { // there is nobody else yet
					ids = append(ids, w.submit(w.qs[0], task.Of("x", n)))
				}
				time.Sleep(time.Minute)
				w.must(w.qs[2].Handle("x", func(context.Context, *task.Task) error { there.Add(1); return nil }))
				begin := w.Now()
				for _, id := range ids {
					short, cancel := context.WithTimeout(ctx, 3*time.Minute)
					res, err := w.qs[0].Wait(short, id)
					cancel()
					if err != nil || res.Failures != 0 {
						w.Fatalf("%+v, %v, after %v", res.Info, err, w.Now()-begin)
					}
				}
				s, err := w.qs[0].Status(ctx)
				w.must(err)
				if s.Counts.Assigned > 200 {
					w.Errorf("41 tasks were given out %d times", s.Counts.Assigned)
				}
				// When there is room the node is given tasks again.
				free()
				w.must(w.qs[2].Close(ctx))
				ran := here.Load()
				for n := range 40 {
					if _, err := w.qs[0].Wait(ctx, w.submit(w.qs[0], task.Of("x", n))); err != nil {
						w.Fatal(err)
					}
				}
				if _, err := w.qs[0].Wait(ctx, first); err != nil {
					w.Error(err)
				}
				if here.Load()-ran < 40 {
					w.Errorf("%d of 40 were done by the node that has room again", here.Load()-ran)
				}
				w.qs = w.qs[:2]
			})
		})
	}
}
