package task_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/conclavetest"
	"conclave/node"
	"conclave/task"
)

// world is a cluster whose nodes have opened a scope.
type world struct {
	*conclavetest.Cluster
	qs []*task.Queue
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// scope runs f in a cluster whose nodes have all opened "s". The first one
// dispatches.
func scope(t *testing.T, nodes int, cfg task.Config, f func(w *world)) {
	t.Helper()
	conclavetest.Run(t, 0, nodes, func(c *conclavetest.Cluster) {
		w := &world{Cluster: c}
		for i := range nodes {
			w.qs = append(w.qs, w.open(c.Node(i), "s", cfg))
			c.AwaitHolder("task:s")
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

func (w *world) open(n *conclavetest.Node, scope string, cfg task.Config) *task.Queue {
	w.Helper()
	q, err := task.Open(n.Node, scope, cfg)
	w.must(err)
	return q
}

func (w *world) submit(q *task.Queue, s task.Spec, opts ...task.Option) string {
	w.Helper()
	id, err := q.Submit(w.Context(), s, opts...)
	w.must(err)
	return id
}

func (w *world) is(id string, want task.State) {
	w.Helper()
	w.Await(fmt.Sprintf("task %s to be %s", id, want), func() bool {
		d, err := w.qs[0].Get(w.Context(), id)
		w.must(err)
		return d.State == want
	})
}

type job struct {
	N    int
	Text string
}

// Every pair of nodes: submitted here, done there, waited for by a third; on one
// node, all of it is local.
func TestTaskIsDoneWhereverItWasSubmitted(t *testing.T) {
	for _, nodes := range []int{1, 2, 3} {
		scope(t, nodes, task.Config{}, func(w *world) {
			last := w.qs[nodes-1]
			w.must(task.Handle(last, "double", func(_ context.Context, t *task.Task, j job) error {
				if m := t.Meta(); m["who"] != "me" {
					return fmt.Errorf("metadata %v", m)
				}
				return t.Return(job{2 * j.N, j.Text})
			}))
			for _, q := range w.qs {
				id := w.submit(q, task.Of("double", job{21, "x"}, task.Meta("who", "me")))
				for _, q := range w.qs {
					res, err := q.Wait(w.Context(), id)
					w.must(err)
					var j job
					w.must(res.Decode(&j))
					if j != (job{42, "x"}) || res.State != task.Done || res.Attempt != 1 || res.Worker == "" {
						w.Errorf("%+v, %+v", j, res.Info)
					}
				}
			}
		})
	}
}

func TestOutcomesOfAHandler(t *testing.T) {
	scope(t, 2, task.Config{}, func(w *world) {
		var tries atomic.Int32
		w.must(w.qs[1].Handle("work", func(ctx context.Context, t *task.Task) error {
			var what string
			if err := t.Decode(&what); err != nil {
				return err
			}
			tries.Add(1)
			switch {
			case what == "fails twice" && t.Attempt() < 3:
				return errors.New("not yet")
			case what == "later" && t.Attempt() == 1:
				return task.Retry(time.Hour)
			case what == "never":
				return task.Discard(errors.New("no such card"))
			case what == "panics":
				panic("oh")
			case what == "hangs":
				<-ctx.Done()
				return context.Cause(ctx)
			}
			return nil
		}))
		begin := w.Now()
		wait := func(id string) (task.Result, error) { return w.qs[0].Wait(w.Context(), id) }
		res, err := wait(w.submit(w.qs[0], task.Of("work", "fails twice")))
		if err != nil || res.Attempt != 3 || res.Failures != 2 || w.Now()-begin < 2500*time.Millisecond || w.Now()-begin > 4*time.Second {
			w.Errorf("fails twice: %+v, %v, after %v", res.Info, err, w.Now()-begin)
		}
		begin = w.Now()
		res, err = wait(w.submit(w.qs[0], task.Of("work", "later"), task.Attempts(1)))
		if err != nil || res.Attempt != 2 || res.Failures != 0 || w.Now()-begin < time.Hour {
			w.Errorf("later: %+v, %v", res.Info, err)
		}
		tries.Store(0)
		_, err = wait(w.submit(w.qs[0], task.Of("work", "never")))
		var dead *task.DeadError
		if !errors.As(err, &dead) || !errors.Is(err, task.ErrDead) || dead.Reason != "no such card" || dead.Attempts != 1 || tries.Load() != 1 {
			w.Errorf("never: %v, %d tries", err, tries.Load())
		}
		id := w.submit(w.qs[0], task.Of("work", "panics"), task.Attempts(2))
		if _, err = wait(id); !errors.As(err, &dead) || !strings.Contains(dead.Reason, "panic: oh") || dead.Attempts != 2 {
			w.Errorf("panics: %v", err)
		}
		id = w.submit(w.qs[0], task.Of("work", "hangs"), task.Attempts(1), task.Timeout(time.Minute))
		if _, err = wait(id); !errors.As(err, &dead) || !strings.Contains(dead.Reason, "timeout") {
			w.Errorf("hangs: %v", err)
		}
		id = w.submit(w.qs[0], task.Of("work", "hangs"), task.Attempts(1), task.Beat(time.Minute))
		if _, err = wait(id); !errors.As(err, &dead) || !strings.Contains(dead.Reason, "heartbeat") {
			w.Errorf("shows no life: %v", err)
		}
		id = w.submit(w.qs[0], task.Of("work", "hangs"))
		w.is(id, task.Running)
		_, err = w.qs[0].Cancel(w.Context(), id)
		w.must(err)
		if _, err = wait(id); !errors.Is(err, task.ErrCancelled) {
			w.Errorf("cancelled: %v", err)
		}
		if _, err = wait("nobody"); !errors.Is(err, task.ErrNotFound) {
			w.Errorf("no such task: %v", err)
		}
	})
}

func TestProgressSurvivesTheAttempt(t *testing.T) {
	scope(t, 2, task.Config{}, func(w *world) {
		w.must(w.qs[1].Handle("count", func(ctx context.Context, t *task.Task) error {
			var n int
			had, err := t.Saved(&n)
			if err != nil || had != (t.Attempt() > 1) {
				return task.Discard(fmt.Errorf("attempt %d found progress: %t, %v", t.Attempt(), had, err))
			}
			for n < 10*t.Attempt() {
				n++
				if err := t.Progress(ctx, n); err != nil {
					return err
				}
				time.Sleep(10 * time.Millisecond)
			}
			if n < 30 {
				return errors.New("tired")
			}
			return t.Return(n)
		}))
		res, err := w.qs[0].Wait(w.Context(), w.submit(w.qs[0], task.Of("count", nil)))
		w.must(err)
		var n int
		if err := res.Decode(&n); err != nil || n != 30 || res.Attempt != 3 {
			w.Errorf("%d, %+v, %v", n, res.Info, err)
		}
	})
}

func TestUniqueIDsAndKeysThroughTheAPI(t *testing.T) {
	scope(t, 2, task.Config{}, func(w *world) {
		ctx := w.Context()
		a := w.submit(w.qs[0], task.Of("x", 1), task.ID("a"), task.Unique("u"))
		if b := w.submit(w.qs[1], task.Of("x", 1), task.ID("a"), task.Unique("u")); a != "a" || b != "a" {
			w.Error(a, b)
		}
		_, err := w.qs[1].Submit(ctx, task.Of("x", 1, task.ID("b"), task.Unique("u")))
		var dup *task.DuplicateError
		if !errors.As(err, &dup) || !errors.Is(err, task.ErrDuplicate) || dup.ID != "a" {
			w.Error(err)
		}
		if _, err = w.qs[1].Submit(ctx, task.Of("x", 2, task.ID("a"))); !errors.Is(err, task.ErrConflict) {
			w.Error(err)
		}
		var mu sync.Mutex
		var order []int
		at := 0
		w.must(task.Handle(w.qs[1], "seq", func(_ context.Context, t *task.Task, n int) error {
			mu.Lock()
			at++
			if at > 1 {
				w.Error("two of one key at a time")
			}
			order = append(order, n)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			at--
			mu.Unlock()
			if t.Attempt() == 1 && n%3 == 0 {
				return errors.New("again")
			}
			return nil
		}))
		last := ""
		for n := range 9 {
			last = w.submit(w.qs[n%2], task.Of("seq", n), task.Key("k"))
		}
		_, err = w.qs[0].Wait(ctx, last)
		w.must(err)
		if want := []int{0, 0, 1, 2, 3, 3, 4, 5, 6, 6, 7, 8}; !slices.Equal(order, want) {
			w.Errorf("%v, want %v", order, want)
		}
	})
}

func TestListStatusAndScopes(t *testing.T) {
	scope(t, 2, task.Config{Attributes: map[string]string{"zone": "a"}}, func(w *world) {
		ctx := w.Context()
		q := w.qs[0]
		for n := range 250 {
			w.submit(q, task.Of("x", n), task.Meta("odd", fmt.Sprint(n%2)), task.ID(fmt.Sprint("t", n)))
		}
		w.submit(q, task.Of("y", 1), task.In(time.Hour))
		var seen []string
		for after := ""; ; {
			page, err := q.List(ctx, task.Filter{Kind: "x", Meta: map[string]string{"odd": "1"}, After: after, Limit: 50})
			w.must(err)
			if len(page) == 0 {
				break
			}
			for _, i := range page {
				seen = append(seen, i.ID)
			}
			after = page[len(page)-1].ID
		}
		if len(seen) != 125 || seen[0] != "t1" || seen[124] != "t249" {
			w.Errorf("%d listed: %v", len(seen), seen)
		}
		if _, err := q.List(ctx, task.Filter{After: "gone"}); !errors.Is(err, task.ErrNotFound) {
			w.Error(err)
		}
		time.Sleep(time.Minute)
		w.must(w.qs[1].Handle("z", func(context.Context, *task.Task) error { return nil }, 3))
		w.Await("the worker", func() bool {
			s, err := q.Status(ctx)
			w.must(err)
			return len(s.Workers) == 1 && s.Workers[0].Greeted
		})
		s, err := q.Status(ctx)
		w.must(err)
		if s.Live != 251 || s.States[task.Waiting] != 250 || s.States[task.Delayed] != 1 || len(s.Kinds) != 3 ||
			s.OldestWaiting < time.Minute || s.Kinds[0].Kind != "x" || s.Kinds[0].Workers != 0 || s.Kinds[2].Workers != 1 || s.Counts.Submitted != 251 {
			w.Errorf("%+v", s)
		}
		if v := s.Workers[0]; v.Node != w.Node(1).Name() || v.Attributes["zone"] != "a" || !slices.Equal(v.Kinds, []string{"z"}) {
			w.Errorf("%+v", v)
		}
		if s.Dispatcher != w.AwaitHolder("task:s").Name() {
			w.Error(s.Dispatcher)
		}
		line, err := q.Candidates(ctx)
		w.must(err)
		if len(line) != 2 || line[0].Name != s.Dispatcher || !q.Dispatching() || w.qs[1].Dispatching() {
			w.Errorf("candidates %v; dispatching: %t, %t", line, q.Dispatching(), w.qs[1].Dispatching())
		}
		other := w.open(w.Node(0), "other", task.Config{})
		w.submit(other, task.Of("x", 1))
		if s, err := other.Status(ctx); err != nil || s.Live != 1 {
			w.Errorf("another scope: %+v, %v", s, err)
		}
		if all, err := task.Scopes(ctx, w.Node(1).Node); err != nil || !slices.Equal(all, []string{"other", "s"}) {
			w.Error(all, err)
		}
		w.must(other.Close(ctx))
	})
}

func TestGuestSubmitsAndIsGone(t *testing.T) {
	scope(t, 2, task.Config{}, func(w *world) {
		w.must(w.qs[1].Handle("x", func(_ context.Context, t *task.Task) error { return t.Return("done") }))
		g := w.Guest("visitor")
		q := w.open(g, "s", task.Config{})
		id := w.submit(q, task.Of("x", 1))
		w.must(q.Close(w.Context()))
		w.must(g.Stop(w.Context()))
		res, err := w.qs[0].Wait(w.Context(), id)
		if err != nil || res.State != task.Done {
			w.Error(res, err)
		}
	})
}

func TestCloseFinishesWhatRunsAndGivesTheRestBack(t *testing.T) {
	scope(t, 2, task.Config{Slots: 2}, func(w *world) {
		ctx := w.Context()
		q := w.open(w.Node(1), "leaving", task.Config{Slots: 2})
		keep := w.open(w.Node(0), "leaving", task.Config{NoDispatch: true})
		w.must(q.Handle("x", func(ctx context.Context, t *task.Task) error {
			select {
			case <-time.After(time.Minute):
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}))
		a := w.submit(keep, task.Of("x", 1))
		w.Await("it to run", func() bool { d, err := keep.Get(ctx, a); return err == nil && d.State == task.Running })
		done := make(chan error, 1)
		go func() { _, err := keep.Wait(ctx, a); done <- err }()
		w.must(q.Close(ctx))
		if _, err := q.Submit(ctx, task.Of("x", 1)); !errors.Is(err, task.ErrClosed) {
			w.Error(err)
		}
		// There is no dispatcher now. The next one finds it done.
		q = w.open(w.Node(1), "leaving", task.Config{})
		if err := <-done; err != nil {
			w.Error(err)
		}
		w.must(q.Close(ctx))
		w.must(keep.Close(ctx))
	})
}

func TestDrainLetsTasksFinishAndTakesNoMore(t *testing.T) {
	scope(t, 3, task.Config{}, func(w *world) {
		ctx := w.Context()
		var began, ended [3]atomic.Int32
		for i := range 3 {
			w.must(w.qs[i].Handle("x", func(ctx context.Context, t *task.Task) error {
				began[i].Add(1)
				select {
				case <-time.After(10 * time.Second):
				case <-ctx.Done():
					return context.Cause(ctx)
				}
				ended[i].Add(1)
				return nil
			}, 1))
		}
		var ids []string
		for n := range 12 {
			ids = append(ids, w.submit(w.qs[2], task.Of("x", n)))
		}
		w.Await("all to work", func() bool { return began[0].Load() > 0 && began[1].Load() > 0 && began[2].Load() > 0 })
		w.must(w.Node(0).Drain(ctx)) // the dispatcher's node
		if b, e := began[0].Load(), ended[0].Load(); b != e || b != 1 {
			w.Errorf("the node that drained began %d and finished %d", b, e)
		}
		w.must(w.Node(0).Stop(ctx))
		for _, id := range ids {
			if res, err := w.qs[1].Wait(ctx, id); err != nil || res.Failures != 0 { // what came as a worker left went back
				w.Error(res.Info, err)
			}
		}
		if n := began[0].Load() + began[1].Load() + began[2].Load(); n != 12 {
			w.Errorf("12 tasks were begun %d times", n)
		}
		w.qs = w.qs[1:]
	})
}

func TestBadInputIsNamed(t *testing.T) {
	scope(t, 1, task.Config{}, func(w *world) {
		ctx, q := w.Context(), w.qs[0]
		for what, bad := range map[string]struct {
			s    task.Spec
			want error
		}{
			"no kind":        {task.Of("", 1), task.ErrBadTask},
			"kind":           {task.Of("a\nb", 1), task.ErrBadTask},
			"long id":        {task.Of("x", 1, task.ID(strings.Repeat("i", 300))), task.ErrTooLarge},
			"body":           {task.Of("x", make(chan int)), task.ErrBadTask},
			"large":          {task.Of("x", make([]byte, 11<<10)), task.ErrTooLarge},
			"metadata":       {task.Of("x", 1, task.Meta("k", strings.Repeat("v", 2000))), task.ErrTooLarge},
			"priority":       {task.Of("x", 1, task.Priority(1000)), task.ErrBadTask},
			"attempts":       {task.Of("x", 1, task.Attempts(-1)), task.ErrBadTask},
			"back-off":       {task.Of("x", 1, task.BackOff(time.Hour, time.Second)), task.ErrBadTask},
			"delay and time": {task.Of("x", 1, task.In(time.Second), task.At(time.Now())), task.ErrBadTask},
			"negative beat":  {task.Of("x", 1, task.Beat(-1)), task.ErrBadTask},
			"not UTF-8":      {task.Of("x", 1, task.Key("\xff")), task.ErrBadTask},
		} {
			if _, err := q.Submit(ctx, bad.s); !errors.Is(err, bad.want) {
				w.Errorf("%s: %v, want %v", what, err, bad.want)
			}
		}
		if _, err := task.Open(w.Node(0).Node, "s", task.Config{}); err == nil {
			w.Error("opened twice")
		}
		for _, name := range []string{"", "a/b", "\x00"} {
			if _, err := task.Open(w.Node(0).Node, name, task.Config{}); err == nil {
				w.Errorf("scope %q opened", name)
			}
		}
		for _, cfg := range []task.Config{{MaxLive: -1}, {MaxBody: 1 << 20}, {Slots: -1}} {
			if _, err := task.Open(w.Node(0).Node, "other", cfg); err == nil {
				w.Errorf("%+v accepted", cfg)
			}
		}
		if err := q.Handle("", nil); !errors.Is(err, task.ErrBadTask) {
			w.Error(err)
		}
		many := make([]task.Spec, task.MaxTogether+1)
		for i := range many {
			many[i] = task.Of("x", 1)
		}
		if _, err := q.SubmitAll(ctx, many...); !errors.Is(err, task.ErrTooLarge) {
			w.Error(err)
		}
		if s, err := q.Status(ctx); err != nil || s.Live != 0 {
			w.Errorf("something was submitted: %+v, %v", s, err)
		}
		if ids, err := q.SubmitAll(ctx, many[:task.MaxTogether]...); err != nil || len(ids) != task.MaxTogether {
			w.Error(len(ids), err)
		}
	})
}

func TestSubmitWithoutDispatcherWaitsForOne(t *testing.T) {
	conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
		q, err := task.Open(c.Node(0).Node, "s", task.Config{NoDispatch: true})
		if err != nil {
			c.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(c.Context(), time.Second)
		defer cancel()
		if _, err := q.Submit(ctx, task.Of("x", 1)); !errors.Is(err, node.ErrNoHolder) || errors.Is(err, task.ErrUnknownOutcome) {
			c.Errorf("with nobody there: %v", err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := q.Submit(c.Context(), task.Of("x", 1))
			done <- err
		}()
		time.Sleep(time.Minute)
		d, err := task.Open(c.Node(1).Node, "s", task.Config{})
		if err != nil {
			c.Fatal(err)
		}
		if err := <-done; err != nil {
			c.Error(err)
		}
		for _, q := range []*task.Queue{q, d} {
			if err := q.Close(c.Context()); err != nil {
				c.Error(err)
			}
		}
	})
}
