package task_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/conclavetest"
	"conclave/internal/keeper"
	"conclave/node"
	"conclave/task"
	"conclave/zkdev"
)

// FAULTS 43 to 45, in virtual time.

// staged are scenes with two dispatchers, of which the first holds, and two workers
// that live through everything.
func staged(c *conclavetest.Cluster, work time.Duration) *scene {
	c.Helper()
	s := play(c, cast{dispatch: []int{0, 1}, work: []int{2, 3}, kinds: map[string]handler{
		"dig": func(ctx context.Context, t *task.Task, y *try) error { return doze(ctx, work) },
	}})
	s.AwaitHolder(dispatcher)
	s.Await("both workers", func() bool {
		return len(s.status().Workers) == 2 && !slices.ContainsFunc(s.status().Workers, func(w task.WorkerStatus) bool { return !w.Greeted })
	})
	return s
}

// holder is the index of the node that dispatches.
func (s *scene) holder() int {
	s.Helper()
	return s.AwaitHolder(dispatcher).Index()
}

// The dispatcher's node dies at each of its commits: before it was done, when it was
// done and nothing of what follows was said, and when it was done and said. The
// workers live: each task is run exactly once.
func TestDispatcherDiesBetweenReadingAndAssigning(t *testing.T) {
	const tasks, commits = 4, 8
	for name, fault := range map[string]zkdev.Fault{
		"before the commit":            zkdev.LoseRequest,
		"between commit and saying so": zkdev.HoldReply,
		"when its answer is lost":      zkdev.LoseReply,
		"when all is said":             zkdev.NoFault,
	} {
		t.Run(name, func(t *testing.T) {
			for at := 1; at <= commits; at++ {
				conclavetest.Run(t, 0, 4, func(c *conclavetest.Cluster) {
					s := staged(c, 200*time.Millisecond)
					old := s.holder()
					struck := make(chan struct{})
					var owner int64
					remove := s.commits(func(n int, session int64) zkdev.Fault {
						switch {
						case n == at:
							owner = session
							close(struck)
							return fault
						case n > at && session == owner && fault == zkdev.LoseRequest: // it tries again
							return fault
						}
						return zkdev.NoFault
					})
					over := make(chan struct{})
					go func() {
						defer close(over)
						select {
						case <-struck:
						case <-time.After(time.Minute):
							c.Errorf("there were less than %d commits", at)
							return
						}
						if fault != zkdev.LoseReply { // that, it would ask for again
							c.Settle() // whatever is said now arrives
						}
						c.Kill(old)
					}()
					var ids []string
					for i := range tasks {
						ids = append(ids, s.submit(task.Of("dig", i, task.ID(fmt.Sprint("t", i)), task.Key(fmt.Sprint("k", i%2))))...)
						time.Sleep(70 * time.Millisecond) // some run while others are submitted
					}
					<-over
					remove()
					for _, id := range ids {
						s.wait(id)
						s.wellDone(id, 1)
					}
					s.follow(risingFences, neverTwo)
					if terms := c.Terms(dispatcher); len(terms) != 2 {
						c.Errorf("%d terms", len(terms))
					}
					c.Mend()
					s.quiet()
					s.doneOnce(ids...)
				})
				if t.Failed() {
					t.Fatalf("at commit %d", at)
				}
			}
		})
	}
}

// A worker and the dispatcher die together, or the dispatcher before it could take
// back what the worker had: the next one does.
func TestWorkerAndDispatcherDieTogether(t *testing.T) {
	for _, apart := range []time.Duration{0, 5 * time.Second, expiry - tick/2, expiry} {
		t.Run(apart.String(), func(t *testing.T) {
			conclavetest.Run(t, 0, 4, func(c *conclavetest.Cluster) {
				s := staged(c, 20*time.Second)
				s.submit(task.Of("dig", nil, task.ID("x")))
				first := s.begun("x", 1)
				time.Sleep(time.Second)
				c.Kill(first.node.Index())
				time.Sleep(apart)
				c.Kill(s.holder())
				r := s.wait("x")
				if tries := s.tries("x"); r.Attempt != 2 || len(tries) != 2 || tries[1].node == first.node {
					c.Errorf("done by attempt %d of %v", r.Attempt, tries)
				}
				c.Mend()
				s.quiet()
				s.follow(risingFences, neverTwo)
			})
		})
	}
}

// The dispatcher's node fails at any moment, however it may, while tasks are
// submitted over slow links. The workers live, so each task is run once.
func TestDispatcherFailsAtAnyMoment(t *testing.T) {
	faults := map[string]func(s *scene, i int){
		"killed":              func(s *scene, i int) { s.Kill(i) },
		"paused":              func(s *scene, i int) { s.Pause(i) },
		"cut from ZooKeeper":  func(s *scene, i int) { s.CutZooKeeper(i) },
		"replies are lost":    func(s *scene, i int) { s.CutZooKeeperOneWay(i) },
		"a reply is lost":     func(s *scene, i int) { s.LoseReply(i) },
		"its session expires": func(s *scene, i int) { s.ExpireSession(i) },
		"stopped":             func(s *scene, i int) { go s.Stop(i) },
		"its term is deleted": (*scene).depose,
		"isolated": func(s *scene, i int) {
			for j := range 5 { // the client too
				if j != i {
					s.Partition(i, j)
				}
			}
		},
	}
	times := 6
	if testing.Short() {
		times = 1
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			for range times {
				conclavetest.Run(t, 0, 4, func(c *conclavetest.Cluster) {
					s := staged(c, 50*time.Millisecond)
					old := s.holder()
					for i := range 5 {
						for j := range i {
							c.Delay(i, j, time.Duration(1+c.Rand.IntN(20))*time.Millisecond)
						}
					}
					done := make(chan []string)
					go func() {
						var ids []string
						for i := range 12 {
							ctx, cancel := s.within()
							id, err := s.client.Submit(ctx, task.Of("dig", i, task.ID(fmt.Sprint("t", i)), task.Key(fmt.Sprint("k", i%3))))
							cancel()
							if err != nil {
								c.Errorf("submit: %v", err)
							}
							ids = append(ids, id)
						}
						done <- ids
					}()
					time.Sleep(time.Duration(c.Rand.Int64N(int64(700 * time.Millisecond))))
					fault(s, old)
					time.Sleep(time.Duration(c.Rand.Int64N(int64(20 * time.Second))))
					c.Mend()
					c.Start(old)
					ids := <-done
					for _, id := range ids {
						s.wait(id)
						s.wellDone(id, 1)
					}
					s.follow(risingFences, neverTwo)
					s.quiet()
					s.doneOnce(ids...)
				})
				if t.Failed() {
					return
				}
			}
		})
	}
}

// depose is an administrator who deletes the znode of the dispatcher's term.
func (s *scene) depose(i int) {
	s.Helper()
	s.delete(s.termOf(i))
}

// termOf is the znode by which a node is the dispatcher.
func (s *scene) termOf(i int) string {
	s.Helper()
	dir, owner := s.guest.Keeper().Paths().Global(dispatcher)+"/", s.sessionOf(i)
	for _, n := range s.ZooKeeper().Dump() {
		if n.EphemeralOwner == owner && strings.HasPrefix(n.Path, dir) {
			return n.Path
		}
	}
	s.Fatalf("%s does not stand for dispatcher", s.Node(i))
	return ""
}

// sessionOf is the id of a node's session.
func (s *scene) sessionOf(i int) int64 {
	s.Helper()
	k, err := s.Node(i).Keeper().Session(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	return k.ID()
}

// The dispatcher has been deposed and does not know: its own session lives, its
// lease has not lapsed, and the news that its znode is gone are late. A client that
// knows of no other hands it a task.
func TestDeposedDispatcherAssignsNothing(t *testing.T) {
	conclavetest.Run(t, 0, 4, func(c *conclavetest.Cluster) {
		s := staged(c, 10*time.Second)
		old := s.holder()
		c.Kill(1 - old)
		s.submit(task.Of("dig", nil, task.ID("before")))
		time.Sleep(expiry)
		// The client knows the old one only, and nobody can tell either of another.
		c.CutZooKeeper(s.guest.Index())
		for _, i := range []int{1 - old, 2, 3} {
			c.Partition(s.guest.Index(), i)
			c.Partition(old, i)
		}
		term := s.termOf(old)
		c.ZooKeeper().LoseWatch(term)
		k, err := c.Guest("administrator").Keeper().Session(c.Context())
		if err == nil {
			err = k.Delete(c.Context(), term, keeper.AnyVersion)
		}
		if err != nil {
			c.Fatal(err)
		}
		next := c.Start(1 - old)
		s.AwaitWithin(session/8, "another dispatcher", func() bool {
			_, held := next.Holding(dispatcher)
			return held
		})
		if _, held := c.Node(old).Holding(dispatcher); !held {
			c.Fatal("the old dispatcher knows already")
		}
		submitted := make(chan error, 1)
		go func() {
			ctx, cancel := s.within()
			defer cancel()
			_, err := s.client.Submit(ctx, task.Of("dig", nil, task.ID("late")))
			submitted <- err
		}()
		ended := func() []happening { // the other one was killed
			return slices.DeleteFunc(s.told(task.DispatcherEnded), func(e happening) bool { return e.node.Index() != old })
		}
		s.AwaitWithin(session/8, "the old dispatcher's failure", func() bool { return len(ended()) > 0 })
		if e := ended()[0]; e.node.Index() != old || !errors.Is(e.Err, task.ErrDeposed) {
			c.Errorf("the dispatcher on %s ended with %v", e.node, e.Err)
		}
		if d, err := s.queue(1-old).Get(c.Context(), "late"); !errors.Is(err, task.ErrNotFound) {
			c.Errorf("the task that the old dispatcher was given: %s, %v", d.State, err)
		}
		c.Mend()
		if err := <-submitted; err != nil {
			c.Error(err)
		}
		s.wait("before")
		s.wait("late")
		s.wellDone("before", 1)
		s.wellDone("late", 1)
		s.quiet()
	}, longLinks())
}

// What a deposed dispatcher has said to a worker arrives when its successor has said
// the same again, and the task is done.
func TestAssignmentOfADeposedDispatcherIsTurnedAwayByItsTerm(t *testing.T) {
	conclavetest.Run(t, 0, 4, func(c *conclavetest.Cluster) {
		s := staged(c, time.Second)
		old := s.holder()
		c.CutOneWay(old, 2)
		c.CutOneWay(old, 3)
		s.submit(task.Of("dig", nil, task.ID("x")))
		time.Sleep(time.Second) // it was assigned, and that is under way
		if d := s.get("x"); d.State != task.Running || len(s.tries("x")) != 0 {
			c.Fatalf("it is %s, and was run %d times", d.State, len(s.tries("x")))
		}
		s.depose(old)
		s.wait("x")
		time.Sleep(time.Second) // the worker has forgotten it
		c.Heal(old, 2)
		c.Heal(old, 3)
		refused := func(i int) int { return len(c.Node(i).Told(node.Refused)) }
		s.Await("the old assignment is turned away", func() bool { return refused(2)+refused(3) > 0 })
		s.quiet()
		s.wellDone("x", 1)
	}, longLinks())
}

// Nobody can do a kind: its tasks wait, for all to see. The first who comes is
// given them, by the dispatcher that is there.
func TestBacklogIsAssignedWithoutLeaderChange(t *testing.T) {
	conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
		s := play(c, cast{dispatch: []int{0}, work: []int{}})
		var ids []string
		for i := range 50 {
			ids = append(ids, s.submit(task.Of("dig", i, task.ID(fmt.Sprint("t", i))))...)
		}
		time.Sleep(time.Hour)
		status := s.status()
		if status.States[task.Waiting] != len(ids) || len(status.Workers) != 0 || status.OldestWaiting < 59*time.Minute {
			c.Errorf("without a worker: %+v", status)
		}
		if k := status.Kinds; len(k) != 1 || k[0].Kind != "dig" || k[0].Workers != 0 || k[0].States[task.Waiting] != len(ids) {
			c.Errorf("the kinds: %+v", k)
		}
		joined := c.Now()
		s.handle(c.Node(1), "dig", func(context.Context, *task.Task, *try) error { return nil })
		for _, id := range ids {
			s.wait(id)
		}
		if took := c.Now() - joined; took > 10*time.Second {
			c.Errorf("it took %v", took)
		}
		s.doneOnce(ids...)
		if terms := c.Terms(dispatcher); len(terms) != 1 {
			c.Errorf("%d terms", len(terms))
		}
	})
}
