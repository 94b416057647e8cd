package router_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"conclave/actor"
	"conclave/conclavetest"
	"conclave/router"
)

// answering replies with its PID.
func answering(p *actor.Process) error {
	for {
		m, err := p.Receive()
		if err != nil {
			return err
		}
		if err := p.Reply(m, p.Self()); err != nil {
			return err
		}
	}
}

// reached is who answers so many calls, each member once.
func reached(c *conclavetest.Cluster, s actor.Sender, r *router.Router, calls int) (all []actor.PID) {
	for i := range calls {
		by, err := router.Call[actor.PID](r, s, fmt.Sprint("key ", i))
		if err != nil {
			c.Fatalf("call %d: %v", i, err)
		}
		if !slices.Contains(all, by) {
			all = append(all, by)
		}
	}
	return all
}

func TestServiceWithoutANameIsNotAnEmptySet(t *testing.T) {
	conclavetest.Run(t, 0, 1, func(c *conclavetest.Cluster) {
		err := router.RoundRobin(router.Service("")).Send(c.Node(0).Within(time.Minute), "x")
		if err == nil || errors.Is(err, actor.ErrNoCapable) || !strings.Contains(err.Error(), "name") {
			c.Error(err)
		}
	})
}

func TestMembersOfAServiceComeAndGoUnasked(t *testing.T) {
	conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
		for name, r := range everyPolicy(router.Service("worker")) {
			s := c.Node(0).Within(time.Minute)
			if err := r.Send(s, "x"); !errors.Is(err, actor.ErrNoCapable) {
				c.Errorf("%s: nobody there: %v", name, err)
			}
			var pids []actor.PID
			for i := range 3 {
				pids = append(pids, c.Node(i).Offer("worker", answering))
				c.AwaitWithin(time.Second, "the others to be seen", func() bool {
					got := reached(c, s, r, 100)
					return len(got) == i+1
				})
			}
			for i, pid := range pids[:2] {
				c.Node(i).Exit(pid, actor.Killed)
				c.AwaitWithin(time.Second, "its end to be seen", func() bool {
					return !slices.Contains(reached(c, s, r, 100), pid)
				})
			}
			c.Node(2).Exit(pids[2], actor.Killed)
			c.AwaitWithin(time.Second, "the end of the last to be seen", func() bool {
				return errors.Is(r.Send(s, "x"), actor.ErrNoCapable)
			})
		}
	})
}

func TestSendersOnAllNodesAgreeWhoseAKeyIs(t *testing.T) {
	conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
		for range 3 {
			for i := range 3 {
				c.Node(i).Offer("worker", answering)
			}
		}
		r := make([]map[string]actor.PID, 3)
		c.Await("the same nine on all nodes", func() bool {
			for i := range r {
				if pids, err := c.Node(i).GetCapable(c.Context(), "worker"); err != nil || len(pids) != 9 {
					return false
				}
			}
			return true
		})
		for i := range r { // a router of its own on each node
			r[i] = owners(c.T, c.Node(i).Within(time.Minute), router.ConsistentHash(router.Service("worker"), owner), 500)
		}
		for key, pid := range r[0] {
			if r[1][key] != pid || r[2][key] != pid {
				c.Fatalf("%s is %s's, %s's and %s's", key, pid, r[1][key], r[2][key])
			}
		}
	})
}

// A node that dies without a word is listed until its session ends. Calls go on.
func TestCallsGoOnWhileADeadNodeIsStillListed(t *testing.T) {
	conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
		for i := range 3 {
			c.Node(i).Offer("worker", answering)
		}
		s, r := c.Node(0).Within(10*time.Second), router.RoundRobin(router.Service("worker"))
		c.Await("all", func() bool { return len(reached(c, s, r, 10)) == 3 })
		c.Kill(2)
		failed, answered := 0, 0
		for range 100 {
			if _, err := router.Call[actor.PID](r, s, "x"); err != nil {
				failed++
				if !errors.Is(err, actor.LinkLost) && !errors.Is(err, actor.ErrTimeout) {
					c.Errorf("unexpected: %v", err)
				}
				continue
			}
			answered++
			time.Sleep(10 * time.Millisecond)
		}
		// What was under way when the link broke may have been carried out; no other
		// call fails.
		if failed > 1 || answered < 99 {
			c.Errorf("%d calls failed, %d were answered", failed, answered)
		}
	})
}

// Of processes on other nodes only the calls made from here tell.
func TestLeastLoadedFindsTheQuickNode(t *testing.T) {
	conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
		var mu sync.Mutex
		calls := make(map[int]int)
		for i := 1; i < 3; i++ {
			c.Node(i).Offer("worker", func(p *actor.Process) error {
				for {
					m, err := p.Receive()
					if err != nil {
						return err
					}
					mu.Lock()
					calls[i]++
					mu.Unlock()
					time.Sleep(time.Duration(i*i*i*i) * time.Millisecond) // 1 and 16
					if err := p.Reply(m, i); err != nil {
						return err
					}
				}
			})
		}
		r := router.LeastLoaded(router.Service("worker"))
		if _, err := c.Node(0).WaitCapable(c.Context(), "worker", 2); err != nil {
			c.Fatal(err)
		}
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				for range 100 {
					if _, err := router.Call[int](r, c.Node(0).With(c.Context()), "work"); err != nil {
						c.Error(err)
						return
					}
				}
			})
		}
		callers.Wait()
		if calls[1] < 5*calls[2] {
			c.Errorf("the quick one got %d, the slow one %d", calls[1], calls[2])
		}
	})
}
