package task_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/conclavetest"
	"conclave/shard"
	"conclave/task"
)

// Nodes close the scope in order and open it again, one after the other, under load. So
// workers leave and dispatchers move all the time, and nothing has failed: tasks that may
// be tried once only are done, each run once.
func TestNodesThatComeAndGoInOrderUseUpNoAttempt(t *testing.T) {
	for _, parts := range []int{1, 8} {
		conclavetest.Run(t, 0, 4, func(c *conclavetest.Cluster) {
			w := &world{Cluster: c}
			var runs sync.Map // id -> *atomic.Int32
			dig := func(ctx context.Context, t *task.Task) error {
				n, _ := runs.LoadOrStore(t.ID(), new(atomic.Int32))
				n.(*atomic.Int32).Add(1)
				return doze(ctx, 50*time.Millisecond)
			}
			client := w.open(w.Guest("client"), "s", task.Config{NoDispatch: true})
			stop := make(chan struct{})
			var going sync.WaitGroup
			opens := new(atomic.Int32)
			for i := range 4 {
				chance := c.Chance(fmt.Sprint("node ", i))
				going.Go(func() {
					for {
						q, err := task.Open(c.Node(i).Node, "s", task.Config{Parts: parts, Slots: 2, Logger: slog.New(slog.DiscardHandler)})
						if err != nil {
							c.Error("Open:", err)
							return
						}
						opens.Add(1)
						w.must(q.Handle("dig", dig))
						over := false
						select {
						case <-stop:
							over = true
						case <-time.After(time.Duration(500+chance.IntN(2000)) * time.Millisecond):
						}
						ctx, cancel := context.WithTimeout(c.Context(), time.Hour)
						if err := q.Close(ctx); err != nil {
							c.Error("Close:", err)
						}
						cancel()
						if over {
							return
						}
						time.Sleep(time.Duration(chance.IntN(100)) * time.Millisecond)
					}
				})
			}
			var ids []string
			for n := range 720 {
				if n%120 == 0 { // so many wait at a time, more than they can do at once
					time.Sleep(time.Second)
				}
				ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
				id, err := client.Submit(ctx, task.Of("dig", n, task.Attempts(1)))
				cancel()
				if err != nil {
					c.Fatal(err)
				}
				ids = append(ids, id)
			}
			for _, id := range ids {
				ctx, cancel := context.WithTimeout(c.Context(), 5*time.Minute)
				res, err := client.Wait(ctx, id)
				cancel()
				if err != nil || res.Failures != 0 {
					c.Errorf("%+v, %v", res.Info, err)
				}
				if n, ran := runs.Load(id); ran && n.(*atomic.Int32).Load() != 1 {
					c.Errorf("%s was run %d times", id, n.(*atomic.Int32).Load())
				}
			}
			close(stop)
			going.Wait()
			if opens.Load() < 10 {
				c.Errorf("opened %d times", opens.Load())
			}
			w.must(client.Close(c.Context()))
		})
	}
}

// The parts that schedules live in move, at the moments of their ticks and between, and
// nodes die meanwhile: each tick is fired once, and none is missing.
func TestTicksAreFiredOnceWhileTheirPartsMove(t *testing.T) {
	conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
		const parts, schedules = 4, 8
		s := play(c, cast{cfg: task.Config{Parts: parts}, kinds: map[string]handler{
			"tick": func(ctx context.Context, _ *task.Task, _ *try) error { return doze(ctx, 300*time.Millisecond) },
		}})
		ctx, cancel := context.WithTimeout(c.Context(), time.Hour)
		defer cancel()
		for i := range schedules {
			opts := []task.ScheduleOption{task.MissedAll(1000)}
			if i%2 == 1 {
				opts = append(opts, task.Overlapping(task.OverlapQueue))
			}
			if err := s.client.Schedule(ctx, fmt.Sprint("s", i), "@every 1s", task.Of("tick", i), opts...); err != nil {
				c.Fatal(err)
			}
		}
		began, moves := time.Now(), 0
		for i := range 60 {
			if i == 20 || i == 40 {
				c.Restart(i / 20)
			}
			time.Sleep(time.Second - time.Duration(i%5)*time.Millisecond)
			err := shard.Move(ctx, s.guest.Node, dispatcher, i%parts, c.Node((i/parts)%3).ID())
			if err == nil {
				moves++
			} else if !errors.Is(err, shard.ErrHasPart) {
				c.Logf("move %d: %v", i, err)
			}
		}
		time.Sleep(time.Minute)
		all, err := s.client.Schedules(ctx)
		if err != nil || len(all) != schedules {
			c.Fatal(all, err)
		}
		due := uint64(time.Since(began) / time.Second)
		for _, one := range all {
			if one.Left != 0 || one.Fired < due-1 || one.Fired > due+1 {
				c.Errorf("%s has fired %d times and left %d out, in %d s", one.Name, one.Fired, one.Left, due)
			}
			if err := s.client.Unschedule(ctx, one.Name); err != nil {
				c.Error(err)
			}
		}
		s.quiet()
		ticks := make(map[string]int)
		for id, i := range s.all() {
			name, _, _ := strings.Cut(id, "@")
			if i.State != task.Done {
				c.Errorf("%s is %s: %s", id, i.State, i.Error)
			}
			ticks[name]++
		}
		for _, one := range all {
			if uint64(ticks[one.Name]) < one.Fired {
				c.Errorf("%s has fired %d times, and %d of its tasks are there", one.Name, one.Fired, ticks[one.Name])
			}
		}
		s.follow(neverTwo, risingFences)
		if moves < 20 {
			c.Errorf("%d moves", moves)
		}
	})
}

// While parts move, whoever asks is told what is so: what was submitted, cancelled,
// retried or deleted is, once, and a list or a count has everything, once.
func TestWhatIsAskedOfPartsThatMoveIsSo(t *testing.T) {
	conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
		const parts = 8
		s := play(c, cast{cfg: task.Config{Parts: parts}, work: []int{}, kinds: nil})
		ctx, cancel := context.WithTimeout(c.Context(), time.Hour)
		defer cancel()
		s.status()
		stop, moves := make(chan struct{}), 0
		var moving sync.WaitGroup
		moving.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
				}
				switch err := shard.Move(ctx, s.guest.Node, dispatcher, i%parts, c.Node((i/parts)%3).ID()); {
				case err == nil:
					moves++
				case !errors.Is(err, shard.ErrHasPart):
					c.Errorf("move %d: %v", i, err)
				}
			}
		})
		live, deleted := make(map[string]bool), []string(nil)
		said := func(what, id string, want task.State) func(task.Info, error) {
			return func(i task.Info, err error) {
				if err != nil || i.ID != id || want != "" && i.State != want {
					c.Errorf("%s %s: %s %s, %v", what, id, i.ID, i.State, err)
				}
			}
		}
		for n := range 40 {
			var ids []string
			for k := range 5 {
				spec := task.Of("dig", n, task.ID(fmt.Sprintf("%d-%d", n, k)))
				switch k {
				case 1, 2:
					spec.Key = fmt.Sprint("key", n, k)
				case 3:
					spec.Unique = fmt.Sprint("unique", n)
				}
				ids = append(ids, s.submit(spec)...)
				live[ids[k]] = true
			}
			if _, err := s.client.Submit(ctx, task.Of("dig", n, task.Unique(fmt.Sprint("unique", n)))); !errors.Is(err, task.ErrDuplicate) {
				c.Errorf("a second one with the unique key %d: %v", n, err)
			}
			for _, id := range ids[:4] {
				said("cancel", id, task.Cancelled)(s.client.Cancel(ctx, id))
			}
			for _, id := range []string{ids[0], ids[1], ids[3]} {
				said("retry", id, task.Waiting)(s.client.Retry(ctx, id))
			}
			said("delete", ids[2], "")(s.client.Delete(ctx, ids[2]))
			delete(live, ids[2])
			deleted = append(deleted, ids[2])
			if status := s.status(); status.Live != len(live) || status.States[task.Waiting] != len(live) || status.States[task.Cancelled] != 0 {
				c.Errorf("round %d: %v live, want %d", n, status.States, len(live))
			}
			listed := s.all()
			for id := range live {
				if listed[id].State != task.Waiting {
					c.Errorf("round %d: %s is listed as %q", n, id, listed[id].State)
				}
			}
			if len(listed) != len(live) {
				c.Errorf("round %d: %d are listed of %d", n, len(listed), len(live))
			}
			time.Sleep(30 * time.Millisecond)
		}
		s.handle(c.Node(0), "dig", func(context.Context, *task.Task, *try) error { return nil })
		for id := range live {
			s.wait(id)
		}
		close(stop)
		moving.Wait()
		for id := range live {
			s.wellDone(id, 1)
		}
		for _, id := range deleted {
			if n := len(s.tries(id)); n > 0 {
				c.Errorf("%s was deleted, and run %d times", id, n)
			}
		}
		if moves < 2*parts {
			c.Errorf("%d moves", moves)
		}
	})
}
