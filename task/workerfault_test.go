package task_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"conclave/conclavetest"
	"conclave/internal/keeper"
	"conclave/task"
)

// FAULTS 42, in virtual time.

// dig's first attempt goes on until it is told to stop, and then says that all was
// well. The others take no time.
func dig(ctx context.Context, t *task.Task, _ *try) error {
	if t.Attempt() == 1 {
		<-ctx.Done()
		return t.Return("first")
	}
	return t.Return("again")
}

func TestWorkerDiesInMidTask(t *testing.T) {
	for name, fault := range map[string]struct {
		strike func(s *scene, i int)
		limit  time.Duration // until another begins; a worker that can still say so says that it has lost its lease
		dead   bool          // the handler's process is gone
		forced bool          // ZooKeeper would not have done that
	}{
		"killed":                          {strike: func(s *scene, i int) { s.Kill(i) }, limit: expiry, dead: true},
		"stopped in order":                {strike: func(s *scene, i int) { s.Stop(i) }, limit: expiry, dead: true},
		"paused":                          {strike: func(s *scene, i int) { s.Pause(i) }, limit: expiry},
		"cut from ZooKeeper only":         {strike: func(s *scene, i int) { s.CutZooKeeper(i) }, limit: session / 2},
		"cut from ZooKeeper's answers":    {strike: func(s *scene, i int) { s.CutZooKeeperOneWay(i) }, limit: session / 2},
		"its session expires":             {strike: func(s *scene, i int) { s.ExpireSession(i) }, limit: time.Second, forced: true},
		"its znode is deleted":            {strike: (*scene).deleteWorker, limit: time.Second, forced: true},
		"cut from ZooKeeper and everyone": {strike: func(s *scene, i int) { s.CutZooKeeper(i); s.Partition(i, 0); s.Partition(i, 3-i) }, limit: expiry},
	} {
		t.Run(name, func(t *testing.T) {
			conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
				s := play(c, cast{dispatch: []int{0}, work: []int{1, 2}, kinds: map[string]handler{"dig": dig}})
				s.submit(task.Of("dig", "here", task.ID("x"), task.Key("garden")))
				first := s.begun("x", 1)
				time.Sleep(3 * time.Second) // its lease has its full length
				struck := c.Now()
				fault.strike(s, first.node.Index())
				second := s.begun("x", 2)
				if took := second.began.at - struck; took > fault.limit {
					c.Errorf("another began after %v, and %v is allowed", took, fault.limit)
				}
				r := s.wait("x")
				if r.Attempt != 2 || second.attempt != 2 || second.fence <= first.fence || second.node == first.node && !fault.forced {
					c.Errorf("%v, after %v, and in the record attempt %d", &second, &first, r.Attempt)
				}
				var by string
				if err := r.Decode(&by); err != nil || by != "again" {
					c.Errorf("the result is of the attempt %q (%v)", by, err)
				}
				c.AwaitWithin(session/2, "the first handler's end", func() bool { return s.tries("x")[0].ended.seq > 0 })
				first = s.tries("x")[0]
				if !fault.dead && !errors.Is(first.cause, task.ErrLost) {
					c.Errorf("the handler's context ended with %v", first.cause)
				}
				if !fault.forced {
					s.follow(neverTwo)
				}
				c.Mend()
				s.quiet()
				s.follow(risingFences)
				s.wellDone("x", 2)
			})
		})
	}
}

// deleteWorker is an administrator who deletes a worker's znode.
func (s *scene) deleteWorker(i int) {
	s.Helper()
	for _, w := range s.status().Workers {
		if w.Node == s.Node(i).Name() {
			s.delete(s.guest.Keeper().Paths().TaskWorker(shop, w.Worker))
		}
	}
}

// delete is an administrator who deletes a znode.
func (s *scene) delete(path string) {
	s.Helper()
	k, err := s.guest.Keeper().Session(s.Context())
	if err == nil {
		err = k.Delete(s.Context(), path, keeper.AnyVersion)
	}
	if err != nil {
		s.Fatalf("delete %s: %v", path, err)
	}
}

// A worker completes its task and nobody hears of it: what it says arrives when
// another is at work on the task.
func TestLateCompletionIsRefused(t *testing.T) {
	for name, isOver := range map[string]bool{"while another works": false, "when another has done it": true} {
		t.Run(name, func(t *testing.T) {
			conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
				s := play(c, cast{dispatch: []int{0}, work: []int{1, 2}, kinds: map[string]handler{
					"dig": func(ctx context.Context, t *task.Task, y *try) error {
						if t.Attempt() == 1 {
							t.Then(task.Of("plant", "by the first"))
							t.Return("first")
							return doze(ctx, 3700*time.Millisecond) // said by itself, not with a hello
						}
						t.Then(task.Of("plant", "by the second"))
						t.Return("again")
						return doze(ctx, time.Minute)
					},
				}})
				s.submit(task.Of("dig", nil, task.ID("x")))
				first := s.begun("x", 1)
				time.Sleep(3 * time.Second)
				c.Pause(first.node.Index()) // a second later it is done, and says so
				s.begun("x", 2)
				if y := s.tries("x")[0]; y.err != nil || y.over.seq > 0 {
					c.Fatalf("the first attempt was to end well: %v, its context with %v", y.err, y.cause)
				}
				if isOver {
					s.wait("x")
				}
				c.Resume(first.node.Index())
				s.Await("the late completion", func() bool { return s.status().Counts.Late > 0 })
				d := s.get("x")
				if live := d.State == task.Running; live == isOver || d.Attempt != 2 {
					c.Errorf("it is %s after attempt %d", d.State, d.Attempt)
				}
				r := s.wait("x")
				var by string
				if err := r.Decode(&by); err != nil || by != "again" || r.Attempt != 2 {
					c.Errorf("done by attempt %d with %q: %v", r.Attempt, by, err)
				}
				s.wellDone("x", 2)
				next := s.get("x/1")
				if string(next.Body) == "" || next.Parent != "x" || len(s.all()) != 2 {
					c.Errorf("what follows: %+v", next)
				}
				var who string
				if err := taskBody(next, &who); err != nil || who != "by the second" {
					c.Errorf("what follows is %q: %v", who, err)
				}
			}, longLinks())
		})
	}
}

// On slow links the worker says again how an attempt has ended, while the
// dispatcher has given it the next one already.
func TestOutcomeSaidAgainIsForItsOwnAttempt(t *testing.T) {
	conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
		const attempts = 6
		s := play(c, cast{dispatch: []int{0}, work: []int{1}, kinds: map[string]handler{
			"dig": func(ctx context.Context, t *task.Task, y *try) error {
				if err := doze(ctx, 4*time.Second); err != nil {
					return err
				}
				if t.Attempt() < attempts {
					return task.Retry(0)
				}
				return nil
			},
		}})
		s.AwaitHolder(dispatcher)
		s.Await("a worker", func() bool { return len(s.status().Workers) == 1 })
		c.Delay(0, 1, 3*time.Second)
		s.submit(task.Of("dig", nil, task.ID("x")))
		s.wait("x")
		s.wellDone("x", attempts)
		s.follow(neverTwo, risingFences)
		for _, y := range s.tries("x") {
			if y.over.seq > 0 {
				c.Errorf("%v was told to stop: %v", &y, y.cause)
			}
		}
	})
}

// A worker that hears its dispatcher and not ZooKeeper is given nothing that it
// could not keep.
func TestWorkerWithoutItsLeaseBeginsNothing(t *testing.T) {
	conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
		s := play(c, cast{dispatch: []int{0}, work: []int{1}, kinds: map[string]handler{
			"dig": func(context.Context, *task.Task, *try) error { return nil },
		}})
		s.submit(task.Of("dig", nil, task.ID("x")))
		s.wait("x")
		time.Sleep(3 * time.Second)
		c.CutZooKeeper(1)
		cut := c.Now()
		time.Sleep(session/2 + time.Second)
		// Its znode is there for some seconds yet.
		s.submit(task.Of("dig", nil, task.ID("y")))
		time.Sleep(expiry)
		for _, y := range s.tries("y") {
			c.Errorf("%v, %v after it was cut off from ZooKeeper", &y, y.began.at-cut)
		}
		c.Mend()
		s.wait("y")
		if n := len(s.tries("y")); n != 1 {
			c.Errorf("y was run %d times", n)
		}
		s.quiet()
	})
}

// A worker that has nothing to say loses nothing when it leaves in order.
func TestWorkerThatLeavesFinishesFirst(t *testing.T) {
	conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
		s := play(c, cast{dispatch: []int{0}, work: []int{1, 2}, kinds: map[string]handler{
			"dig": func(ctx context.Context, t *task.Task, y *try) error { return doze(ctx, 10*time.Second) },
		}})
		s.submit(task.Of("dig", nil, task.ID("x")))
		first := s.begun("x", 1)
		ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
		defer cancel()
		if err := s.queue(first.node.Index()).Close(ctx); err != nil {
			c.Errorf("close: %v", err)
		}
		if err := c.Stop(first.node.Index()); err != nil {
			c.Errorf("stop: %v", err)
		}
		s.wellDone("x", 1)
	})
}
