package task_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"conclave/shard"
	"conclave/task"
)

// keyOf is a key, or an id, of a part, of eight.
func keyOf(part int, prefix string) string {
	for n := 0; ; n++ {
		if key := fmt.Sprint(prefix, n); shard.PartOf(key, 8) == part {
			return key
		}
	}
}

// What would need a transaction of two parts is refused, says why, and has done
// nothing.
func TestWhatWouldNeedTwoPartsIsRefused(t *testing.T) {
	divided(t, 2, task.Config{}, func(w *world) {
		ctx, q := w.Context(), w.qs[0]
		a, b := keyOf(1, "a"), keyOf(2, "b")
		for what, bad := range map[string]struct {
			specs []task.Spec
			want  error
		}{
			"keys of two parts": {[]task.Spec{task.Of("x", 1, task.Key(a)), task.Of("x", 1, task.Key(b))}, task.ErrOtherPart},
			"ids of two parts":  {[]task.Spec{task.Of("x", 1), task.Of("x", 1, task.ID(a)), task.Of("x", 1, task.ID(b))}, task.ErrOtherPart},
			"two keys":          {[]task.Spec{task.Of("x", 1, task.Key(a), task.Unique(b))}, task.ErrBadTask},
			"too many":          {make([]task.Spec, task.MaxTogether+1), task.ErrBadTask},
		} {
			if ids, err := q.SubmitAll(ctx, bad.specs...); !errors.Is(err, bad.want) || ids != nil {
				w.Errorf("%s: %v, %v, want %v", what, ids, err, bad.want)
			}
		}
		for what, s := range map[string]task.Spec{"a key": task.Of("x", 1, task.Key(a)), "a unique key": task.Of("x", 1, task.Unique(a))} {
			if err := q.Schedule(ctx, "tick", "@every 1s", s); !errors.Is(err, task.ErrBadSchedule) {
				w.Errorf("a schedule's task with %s: %v", what, err)
			}
		}
		if s, err := q.Status(ctx); err != nil || s.Live != 0 || s.Schedules != 0 {
			w.Errorf("something was done: %+v, %v", s, err)
		}
		// Those of one part, and those that can be anywhere, go together.
		many := []task.Spec{task.Of("y", 1, task.Key(a)), task.Of("y", 2), task.Of("y", 3, task.ID(keyOf(1, "c"))), task.Of("y", 4, task.Key(a))}
		ids, err := q.SubmitAll(ctx, many...)
		w.must(err)
		for _, id := range ids[1:3] {
			if shard.PartOf(id, 8) != 1 {
				w.Errorf("%s does not belong to part 1", id)
			}
		}
		anywhere := make([]task.Spec, task.MaxTogether)
		for i := range anywhere {
			anywhere[i] = task.Of("y", nil)
		}
		_, err = q.SubmitAll(ctx, anywhere...)
		w.must(err)
		if s, err := q.Status(ctx); err != nil || s.Live != 4+task.MaxTogether {
			w.Errorf("%d live, %v", s.Live, err)
		}
	})
}

func TestWhatFollowsStaysInThePart(t *testing.T) {
	divided(t, 2, task.Config{}, func(w *world) {
		var problems [3]error
		w.must(w.qs[1].Handle("x", func(_ context.Context, t *task.Task) error {
			if t.Key() != "k" {
				return nil
			}
			problems[0] = t.Then(task.Of("y", nil, task.Key("another")))
			problems[1] = t.Then(task.Of("y", nil, task.ID("id")))
			problems[2] = t.Then(task.Of("y", nil, task.Unique("u")))
			return t.Then(task.Of("y", nil), task.Of("y", nil, task.Key("k")), task.Of("y", nil, task.Key("k"), task.ID("named")))
		}))
		w.must(w.qs[0].Handle("y", func(_ context.Context, t *task.Task) error { return t.Return(t.ID()) }))
		id := w.submit(w.qs[0], task.Of("x", nil, task.Key("k")))
		_, err := w.qs[0].Wait(w.Context(), id)
		w.must(err)
		for i, err := range problems {
			if !errors.Is(err, task.ErrOtherPart) {
				w.Errorf("follower %d: %v", i, err)
			}
		}
		for _, next := range []string{id + "/1", id + "/2", "named"} {
			r, err := w.qs[0].Wait(w.Context(), next)
			if err != nil || r.Parent != id {
				w.Errorf("%s: %+v, %v", next, r.Info, err)
			}
		}
		// An id that is given with keys of two parts is two tasks: none is meant.
		for _, key := range []string{keyOf(3, "k"), keyOf(4, "k")} {
			w.submit(w.qs[0], task.Of("z", nil, task.Key(key), task.ID(keyOf(5, "same"))))
		}
		if _, err := w.qs[0].Cancel(w.Context(), keyOf(5, "same")); !errors.Is(err, task.ErrConflict) {
			w.Error(err)
		}
		for _, err := range []error{
			func() error { _, err := w.qs[0].Get(w.Context(), "nobody"); return err }(),
			func() error { _, err := w.qs[0].Wait(w.Context(), "nobody"); return err }(),
			func() error { _, err := w.qs[0].Delete(w.Context(), "nobody"); return err }(),
		} {
			if !errors.Is(err, task.ErrNotFound) {
				w.Error(err)
			}
		}
	})
}

// The same id is the same task, and a unique key is unique, as in an undivided scope.
func TestIDsAndUniqueKeysOfADividedScope(t *testing.T) {
	divided(t, 3, task.Config{}, func(w *world) {
		ctx := w.Context()
		for i := range 20 {
			id, unique := fmt.Sprint("id", i), fmt.Sprint("u", i)
			for _, q := range w.qs {
				if got := w.submit(q, task.Of("x", i, task.ID(id))); got != id {
					w.Error(got)
				}
			}
			if _, err := w.qs[1].Submit(ctx, task.Of("x", -1, task.ID(id))); !errors.Is(err, task.ErrConflict) {
				w.Error(err)
			}
			first := w.submit(w.qs[0], task.Of("x", i, task.Unique(unique)))
			_, err := w.qs[1].Submit(ctx, task.Of("x", i, task.Unique(unique)))
			var dup *task.DuplicateError
			if !errors.As(err, &dup) || dup.ID != first {
				w.Error(err)
			}
			if i%2 == 0 { // wherever it is
				info, err := w.qs[2].Cancel(ctx, first)
				if err != nil || info.State != task.Cancelled {
					w.Error(info, err)
				}
				_, err = w.qs[2].Retry(ctx, first)
				w.must(err)
				_, err = w.qs[2].Cancel(ctx, first)
				w.must(err)
				_, err = w.qs[2].Delete(ctx, first)
				w.must(err)
			}
		}
		if s, err := w.qs[0].Status(ctx); err != nil || s.Live != 20+10 {
			w.Errorf("%d live, %v", s.Live, err)
		}
	})
}

func TestListOfADividedScopeIsInOrderOfSubmission(t *testing.T) {
	divided(t, 3, task.Config{}, func(w *world) {
		ctx, q := w.Context(), w.qs[0]
		var want []string
		for n := range 250 {
			opts := []task.Option{task.Meta("odd", fmt.Sprint(n%2))}
			if n%3 == 0 {
				opts = append(opts, task.Key(fmt.Sprint("k", n%7)))
			}
			want = append(want, w.submit(w.qs[n%3], task.Of("x", n), opts...))
			time.Sleep(time.Millisecond)
		}
		read := func(f task.Filter) (seen []string) {
			for {
				page, err := q.List(ctx, f)
				w.must(err)
				if len(page) == 0 {
					return seen
				}
				for _, i := range page {
					seen = append(seen, i.ID)
				}
				f.After = page[len(page)-1].ID
			}
		}
		if seen := read(task.Filter{Limit: 7}); !slices.Equal(seen, want) {
			w.Errorf("%d listed:\n%v\nwant\n%v", len(seen), seen, want)
		}
		if seen := read(task.Filter{Limit: 7, Meta: map[string]string{"odd": "1"}}); len(seen) != 125 {
			w.Errorf("%d odd ones", len(seen))
		}
		if _, err := q.List(ctx, task.Filter{After: "gone"}); !errors.Is(err, task.ErrNotFound) {
			w.Error(err)
		}
		// All of one moment: none is left out, and none comes twice.
		specs := make([]task.Spec, 40)
		for i := range specs {
			specs[i] = task.Of("y", i)
		}
		for range 8 {
			_, err := q.SubmitAll(ctx, specs...)
			w.must(err)
		}
		seen := read(task.Filter{Kind: "y", Limit: 9})
		slices.Sort(seen)
		if n := len(slices.Compact(slices.Clone(seen))); n != 320 || len(seen) != 320 {
			w.Errorf("%d listed, %d of them different", len(seen), n)
		}
	})
}

func TestSchedulesOfADividedScope(t *testing.T) {
	divided(t, 3, task.Config{}, func(w *world) {
		ctx := w.Context()
		var done atomic.Int32
		w.must(w.qs[2].Handle("x", func(context.Context, *task.Task) error { done.Add(1); return nil }))
		var names []string
		for i := range 20 {
			name := fmt.Sprintf("tick%02d", i)
			names = append(names, name)
			w.must(w.qs[i%3].Schedule(ctx, name, "@every 10s", task.Of("x", i), task.Overlapping(task.OverlapQueue)))
		}
		w.must(w.qs[0].Schedule(ctx, names[0], "@every 5s", task.Of("x", 0))) // in place of the first
		time.Sleep(time.Minute + time.Second)
		all, err := w.qs[1].Schedules(ctx)
		w.must(err)
		var listed []string
		fired := 0
		for _, s := range all {
			listed, fired = append(listed, s.Name), fired+int(s.Fired)
			if d, err := w.qs[0].Get(ctx, s.LastID); err != nil || d.State != task.Done {
				w.Errorf("%s: %+v, %v", s.LastID, d.Info, err)
			}
		}
		if !slices.Equal(listed, names) || fired != 12+19*6 || done.Load() != int32(fired) {
			w.Errorf("%v have fired %d times, and %d were done", listed, fired, done.Load())
		}
		for _, name := range names {
			w.must(w.qs[2].Unschedule(ctx, name))
		}
		if err := w.qs[0].Unschedule(ctx, names[0]); !errors.Is(err, task.ErrNotFound) {
			w.Error(err)
		}
	})
}

// A node runs no more tasks at a time than it has slots, be these fewer than parts.
func TestNodeRunsNoMoreThanItsSlotsWhateverThePartsGiveIt(t *testing.T) {
	for _, slots := range []int{1, 3, 8, 20} {
		divided(t, 2, task.Config{Slots: slots}, func(w *world) {
			var now, most, two atomic.Int32
			run := func(of *atomic.Int32, d time.Duration) task.Handler {
				return func(context.Context, *task.Task) error {
					if n := now.Add(1); n > most.Load() {
						most.Store(n)
					}
					if of != nil && of.Add(1) > 2 {
						w.Error("three of a kind that has two slots")
					}
					time.Sleep(d)
					if of != nil {
						of.Add(-1)
					}
					now.Add(-1)
					return nil
				}
			}
			w.must(w.qs[1].Handle("x", run(nil, time.Second)))
			w.must(w.qs[1].Handle("two", run(&two, 100*time.Millisecond), 2))
			var ids []string
			for n := range 200 {
				kind := "x"
				if n%4 == 0 {
					kind = "two"
				}
				ids = append(ids, w.submit(w.qs[0], task.Of(kind, n)))
			}
			begin := w.Now()
			for _, id := range ids {
				res, err := w.qs[0].Wait(w.Context(), id)
				w.must(err)
				if res.Failures != 0 || res.Attempt > 1 && slots >= 8 {
					w.Errorf("%s: %+v", id, res.Info)
				}
			}
			if most.Load() != int32(slots) {
				w.Errorf("%d slots: at most %d ran at a time", slots, most.Load())
			}
			took := w.Now() - begin
			if least := 155 * time.Second / time.Duration(slots); took < least*9/10 || took > 3*least+5*time.Second {
				w.Errorf("%d slots: all took %v, at best %v", slots, took, least)
			}
			// The node offers what it has, whatever its workers in the parts do.
			s, err := w.qs[0].Status(w.Context())
			w.must(err)
			if len(s.Workers) != 1 || s.Workers[0].Slots != max(slots, 8) || s.Workers[0].Running != 0 {
				w.Errorf("%d slots: %+v", slots, s.Workers)
			}
			if all, err := w.qs[0].List(w.Context(), task.Filter{Worker: s.Workers[0].Worker, Limit: 1000}); err != nil || len(all) != 200 {
				w.Errorf("%d tasks of worker %s, %v", len(all), s.Workers[0].Worker, err)
			}
		})
	}
}

func TestTakersOfADividedScope(t *testing.T) {
	divided(t, 2, task.Config{}, func(w *world) {
		ctx, q := w.Context(), w.qs[1]
		var ids []string
		for n := range 100 {
			ids = append(ids, w.submit(w.qs[0], task.Of("x", n)))
		}
		done := make(map[string]int)
		for range 100 {
			l, err := q.Take(ctx, "x", "y")
			w.must(err)
			done[l.ID()]++
			w.must(l.Complete(ctx, nil))
		}
		for _, id := range ids {
			res, err := w.qs[0].Wait(ctx, id)
			w.must(err)
			if done[id] != 1 || res.Failures != 0 {
				w.Errorf("%s was taken %d times: %+v", id, done[id], res.Info)
			}
		}
		// Nothing is there: it waits, for any part.
		for range 20 {
			got := make(chan *task.Lease)
			go func() {
				l, err := q.Take(ctx, "x")
				if err != nil {
					w.Error(err)
				}
				got <- l
			}()
			time.Sleep(time.Second)
			id := w.submit(w.qs[0], task.Of("x", nil))
			l := <-got
			if l.ID() != id {
				w.Errorf("%s, not %s", l.ID(), id)
			}
			w.must(l.Complete(ctx, nil))
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if l, err := q.Take(short, "x"); !errors.Is(err, context.DeadlineExceeded) {
			w.Error(l, err)
		}
		if _, err := q.Take(ctx); !errors.Is(err, task.ErrBadTask) {
			w.Error(err)
		}
		s, err := q.Status(ctx)
		w.must(err)
		if s.Live != 0 || s.Counts.Assigned > 120*4 { // a part whose offer comes to nothing gives one for nothing
			w.Errorf("%d live, and 120 tasks were given out %d times", s.Live, s.Counts.Assigned)
		}
	})
}

// The parts are spread over all nodes that may dispatch, and follow them.
func TestPartsAreDispatchedByAllNodesThatMay(t *testing.T) {
	divided(t, 4, task.Config{}, func(w *world) {
		ctx := w.Context()
		shares := func(nodes int) bool {
			s, err := w.qs[3].Status(ctx)
			w.must(err)
			by := make(map[string]int)
			for _, p := range s.Parts {
				by[p.Dispatcher]++
			}
			for _, n := range by {
				if n != 8/nodes {
					return false
				}
			}
			return len(by) == nodes
		}
		w.Await("two parts each", func() bool { return shares(4) })
		id := w.submit(w.qs[3], task.Of("x", 1))
		w.must(w.qs[0].Close(ctx))
		w.must(w.qs[1].Close(ctx))
		w.Await("four parts each", func() bool { return shares(2) })
		all, err := w.qs[2].Candidates(ctx)
		if err != nil || len(all) != 2 {
			w.Error(all, err)
		}
		w.must(w.qs[2].Close(ctx))
		w.Await("all parts at the last", func() bool { return shares(1) })
		if d, err := w.qs[3].Get(ctx, id); err != nil || d.State != task.Waiting {
			w.Error(d, err)
		}
		w.qs = w.qs[3:]
	})
}
