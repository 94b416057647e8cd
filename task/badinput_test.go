package task_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/actor"
	"conclave/conclavetest"
	"conclave/internal/keeper"
	"conclave/task"
)

// What others put into the queue and into its znodes.

type (
	cardV1 struct {
		Number string
		Amount int
	}
	cardV2 struct {
		Number []int
		Amount int
	}
	cardV3 struct { // V1 and more
		Number string
		Amount int
		Shop   string
	}
)

// Two versions of a program are there at a time. What the one cannot read is for the
// other, and dead, with the reason, if there is no other.
func TestBodyWhoseTypeChanged(t *testing.T) {
	conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
		s := play(c, cast{dispatch: []int{0}, work: []int{}})
		var sum int
		err := errors.Join(
			task.Handle(s.queue(1), "charge", func(_ context.Context, _ *task.Task, v2 cardV2) error { sum += v2.Amount; return nil }),
			task.Handle(s.queue(1), "count", func(_ context.Context, _ *task.Task, v3 cardV3) error { sum += v3.Amount; return nil }),
		)
		if err != nil {
			c.Fatal(err)
		}
		few := []task.Option{task.Attempts(3), task.BackOff(time.Second, time.Second)}
		s.submit(task.Of("charge", cardV1{"4000", 1}, append(few, task.ID("old"))...))
		s.submit(task.Of("charge", cardV2{[]int{4000}, 10}, append(few, task.ID("new"))...))
		s.submit(task.Of("count", cardV1{"4000", 100}, append(few, task.ID("grown"))...))
		bytes := task.Of("charge", nil, append(few, task.ID("bytes"))...)
		bytes.Type, bytes.Body = "main.Card", []byte{0xc1, 0xff, 0x00}
		long := task.Of("charge", nil, append(few, task.ID("long"))...)
		long.Type, long.Body = "main.Card", []byte{0xdd, 0xff, 0xff, 0xff, 0xff} // says that it has 4 Gi elements
		s.submit(bytes, long)
		for _, id := range []string{"old", "bytes", "long"} {
			r, err := s.outcome(id)
			if !errors.Is(err, task.ErrDead) || !strings.Contains(err.Error(), task.ErrBody.Error()) || r.Attempt != 3 {
				c.Errorf("%s: after attempt %d: %v", id, r.Attempt, err)
			}
			if d := s.get(id); len(d.Body) == 0 {
				c.Errorf("%s has lost its body", id)
			}
		}
		s.wait("new")
		s.wait("grown")
		if sum != 110 {
			c.Errorf("%d was charged", sum)
		}
		// The old version comes back, and somebody retries what is dead.
		if err := task.Handle(s.queue(2), "charge", func(_ context.Context, _ *task.Task, v1 cardV1) error { sum += v1.Amount; return nil }); err != nil {
			c.Fatal(err)
		}
		s.Await("both", func() bool { return len(s.status().Workers) == 2 })
		s.queue(1).Unhandle("charge")
		if _, err := s.client.Retry(c.Context(), "old"); err != nil {
			c.Error(err)
		}
		s.wait("old")
		if sum != 111 {
			c.Errorf("%d was charged", sum)
		}
	})
}

func TestUnknownKindWaitsInSight(t *testing.T) {
	conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
		s := play(c, cast{dispatch: []int{0}, work: []int{1}, kinds: map[string]handler{
			"known": func(context.Context, *task.Task, *try) error { return nil },
		}})
		s.submit(task.Of("unknown", 1, task.ID("u"), task.Key("k")), task.Of("known", 1, task.ID("behind"), task.Key("k")),
			task.Of("known", 1, task.ID("needs"), task.Needs("gpu", "yes")))
		for i := range 100 {
			s.wait(s.submit(task.Of("known", i))[0])
		}
		time.Sleep(time.Hour)
		for id, state := range map[string]task.State{"u": task.Waiting, "behind": task.Held, "needs": task.Waiting} {
			if d := s.get(id); d.State != state || d.Error != "" || d.Attempt != 0 {
				c.Errorf("%s is %s: %q", id, d.State, d.Error)
			}
		}
		for _, k := range s.status().Kinds {
			if k.Kind == "unknown" && (k.Workers != 0 || k.OldestWaiting < 59*time.Minute) || k.Kind == "known" && k.Workers != 1 {
				c.Errorf("%+v", k)
			}
		}
		if _, err := s.client.Cancel(c.Context(), "u"); err != nil {
			c.Error(err)
		}
		s.wait("behind")
	})
}

// put makes a znode, or writes to it.
func (s *scene) put(path, data string, mode keeper.Mode) {
	s.Helper()
	k, err := s.guest.Keeper().Session(s.Context())
	if err == nil {
		_, err = k.Create(s.Context(), path, []byte(data), mode)
	}
	if errors.Is(err, keeper.ErrNodeExists) {
		_, err = k.Set(s.Context(), path, []byte(data), keeper.AnyVersion)
	}
	if err != nil {
		s.Fatalf("%s: %v", path, err)
	}
}

// Somebody puts znodes of his own wherever there are some of ours: before anybody
// has opened the scope, while it is at work, and when another dispatcher takes
// over. They are reported and passed over; no task is lost or stuck.
func TestForeignZnodesArePassedOver(t *testing.T) {
	conclavetest.Run(t, 0, 4, func(c *conclavetest.Cluster) {
		s := &scene{Cluster: c, guest: c.Guest("vandal")}
		paths := s.guest.Keeper().Paths()
		dir, journal, workers := paths.TaskScope(shop), paths.TaskJournal(shop), paths.TaskWorkers(shop)
		for _, p := range []string{paths.Tasks(), dir, journal, workers, paths.Tasks() + "/%zz", paths.Tasks() + "/other", dir + "/lock"} {
			s.put(p, "garbage", keeper.Persistent)
		}
		// litter is what is put below, in the n-th round.
		litter := func(n int) {
			stranger := s.guest.Spawn(func(p *actor.Process) error { <-p.Done(); return nil }).String()
			for i, data := range []string{"", "garbage", "\x00\xff\x00\xff", stranger} {
				s.put(fmt.Sprintf("%s/foreign-%d-%d", journal, n, i), data, keeper.Persistent)
				s.put(fmt.Sprintf("%s/persistent-%d-%d", workers, n, i), data, keeper.Persistent)
				s.put(fmt.Sprintf("%s/ephemeral-%d-%d", workers, n, i), data, keeper.Ephemeral)
			}
			s.put(fmt.Sprintf("%s/persistent-%d-0/child", workers, n), "garbage", keeper.Persistent)
			s.put(fmt.Sprintf("%s/foreign-%d-0/child", journal, n), "garbage", keeper.Persistent)
		}
		litter(0)
		s.put(journal+"/0000000000", "garbage", keeper.Persistent)
		s.put(journal+"/0000000003", "", keeper.Persistent)

		s = play(c, cast{dispatch: []int{0, 1}, work: []int{2, 3}, kinds: map[string]handler{
			"dig": func(ctx context.Context, _ *task.Task, _ *try) error { return doze(ctx, time.Second) },
		}})
		var ids []string
		work := func() {
			for range 5 {
				ids = append(ids, s.submit(task.Of("dig", len(ids), task.ID(fmt.Sprint("t", len(ids)))))...)
			}
			for _, id := range ids {
				s.wait(id)
			}
		}
		work()
		litter(1)
		time.Sleep(time.Minute)
		work()
		// What runs when the dispatcher goes is found again, too.
		ids = append(ids, s.submit(task.Of("dig", nil, task.ID("meanwhile")))...)
		litter(2)
		s.put(journal+"/9999999999", "garbage", keeper.Persistent)
		c.Kill(s.holder())
		time.Sleep(expiry)
		work()
		// An administrator deletes what is not his, the newest segments, and a worker.
		for _, n := range c.ZooKeeper().Dump() {
			if strings.HasPrefix(n.Path, journal+"/0") {
				s.delete(n.Path)
			}
		}
		work()
		c.Mend()
		c.Start(0)
		c.Start(1)
		s.quiet()
		s.doneOnce(ids...)
		s.follow(risingFences)
		var told []string
		for _, e := range s.told(task.Skipped) {
			told = append(told, e.Err.Error())
		}
		for _, what := range []string{"persistent-0-0", "persistent-0-3", "ephemeral-0-1", "ephemeral-1-2", "foreign-0-1", "foreign-1-0", "0000000000", "9999999999"} {
			if !slices.ContainsFunc(told, func(text string) bool { return strings.Contains(text, what) }) {
				c.Errorf("nobody was told of %s, but of\n%s", what, strings.Join(told, "\n"))
				break
			}
		}
		if len(told) > 100 {
			c.Errorf("there were %d reports", len(told))
		}
		names, err := task.Scopes(c.Context(), c.Node(0).Node)
		if err != nil || !slices.Contains(names, shop) {
			c.Errorf("scopes: %q, %v", names, err)
		}
	})
}
