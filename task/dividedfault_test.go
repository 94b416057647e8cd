package task_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"conclave/conclavetest"
	"conclave/shard"
	"conclave/task"
	"conclave/zkdev"
)

// Parts go from node to node while tasks of a few keys are submitted and done: those of
// each key go on one at a time, in order, and no node leaves one undone.
func TestTasksOfOneKeyStayInOrderWhileTheirPartMoves(t *testing.T) {
	conclavetest.Run(t, 0, 4, func(c *conclavetest.Cluster) {
		const parts, keys, each = 8, 5, 40
		s := play(c, cast{cfg: task.Config{Parts: parts}, work: []int{2, 3}, kinds: map[string]handler{
			"dig": func(ctx context.Context, t *task.Task, y *try) error {
				if err := doze(ctx, 30*time.Millisecond); err != nil {
					return err
				}
				if t.Attempt()%4 == 1 && t.Fence()%5 == 0 {
					return errors.New("not yet")
				}
				return nil
			},
		}})
		order, ids := make(map[string][]string), []string(nil)
		var mu sync.Mutex
		var submitting sync.WaitGroup
		for k := range keys {
			key := fmt.Sprint("key", k)
			submitting.Go(func() {
				for n := range each {
					id := s.submit(task.Of("dig", n, task.ID(fmt.Sprint(key, "-", n)), task.Key(key), task.BackOff(50*time.Millisecond, time.Second)))[0]
					mu.Lock()
					order[key] = append(order[key], id)
					ids = append(ids, id)
					mu.Unlock()
					time.Sleep(20 * time.Millisecond)
				}
			})
		}
		stop, moves := make(chan struct{}), 0
		var moving sync.WaitGroup
		moving.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(50 * time.Millisecond):
				}
				ctx, cancel := s.within()
				err := shard.Move(ctx, s.guest.Node, dispatcher, i%parts, c.Node((i/parts)%4).ID())
				cancel()
				switch {
				case err == nil:
					moves++
				case !errors.Is(err, shard.ErrHasPart):
					c.Errorf("move %d: %v", i, err)
				}
			}
		})
		submitting.Wait()
		for _, id := range ids {
			s.wait(id)
		}
		close(stop)
		moving.Wait()
		s.quiet()
		s.doneOnce(ids...)
		s.follow(neverTwo, risingFences, inOrder(order))
		if moves < 2*parts {
			c.Errorf("parts moved %d times", moves)
		}
		c.Check(conclavetest.NobodyStuck(), conclavetest.SoundHistory())
		// In order, nobody lost anything: no task was taken back from a worker.
		if n := s.status().Counts.Recovered; n > 0 {
			c.Errorf("%d tasks were taken back", n)
		}
	})
}

// The nodes that dispatch die one after the other, at any commit of theirs, under load.
// The workers live: each task is run exactly once, and recorded as done.
func TestDispatchersOfPartsDieUnderLoad(t *testing.T) {
	for name, fault := range map[string]zkdev.Fault{
		"before a commit":               zkdev.LoseRequest,
		"between commit and saying so":  zkdev.HoldReply,
		"when a commit's answer is out": zkdev.NoFault,
	} {
		t.Run(name, func(t *testing.T) {
			conclavetest.Run(t, 0, 5, func(c *conclavetest.Cluster) {
				s := play(c, cast{cfg: task.Config{Parts: 8}, dispatch: []int{0, 1, 2}, work: []int{3, 4}, kinds: map[string]handler{
					"dig": func(ctx context.Context, _ *task.Task, _ *try) error { return doze(ctx, 100*time.Millisecond) },
				}})
				s.status()
				var ids []string
				var submitting sync.WaitGroup
				submitting.Go(func() {
					for n := range 600 {
						id := s.submit(task.Of("dig", n, task.ID(fmt.Sprint("t", n))))[0]
						ids = append(ids, id)
						time.Sleep(50 * time.Millisecond)
					}
				})
				for victim := range 3 {
					time.Sleep(time.Second)
					session, err := c.Node(victim).Keeper().Session(c.Context())
					if err != nil {
						c.Fatal(err)
					}
					id, struck := session.ID(), make(chan struct{})
					left := 3 + victim
					remove := s.ZooKeeper().Inject(func(r zkdev.Request) zkdev.Fault {
						if r.Session != id || r.Op != "multi" || !slices.ContainsFunc(r.Paths, func(p string) bool { return strings.Contains(p, "/journal/") }) {
							return zkdev.NoFault
						}
						if left--; left == 0 {
							close(struck)
						}
						if left > 0 {
							return zkdev.NoFault
						}
						return fault
					})
					<-struck
					c.Kill(victim)
					remove()
					time.Sleep(2 * expiry)
					c.Start(victim)
				}
				submitting.Wait()
				for _, id := range ids {
					s.wait(id)
				}
				s.quiet()
				s.doneOnce(ids...)
				s.follow(neverTwo, risingFences)
				for _, id := range ids {
					s.wellDone(id, 1)
				}
				c.Check(conclavetest.NobodyStuck(), conclavetest.SoundHistory())
			})
		})
	}
}
