package registry

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"conclave/actor"
)

// What look-ups cost: requests, watches, allocations.

// spent counts the requests and watches that f makes.
func (m *member) spent(f func()) (requests uint64, watches int) {
	m.s.settle()
	before := m.k.Stats()
	f()
	m.s.settle()
	after := m.k.Stats()
	return after.Total() - before.Total(), after.WatchesOutstanding - before.WatchesOutstanding
}

func TestKnownServiceCostsNoRequestAndNoAllocation(t *testing.T) {
	everywhere(t, func(s *site) {
		n := s.node()
		pid := n.offer("worker")
		n.await("worker", exactly(pid))
		ctx := s.brief()
		requests, watches := n.spent(func() {
			if allocs := testing.AllocsPerRun(1000, func() { n.GetCapable(ctx, "worker") }); allocs != 0 {
				s.Errorf("%v allocations a look-up", allocs)
			}
			if allocs := testing.AllocsPerRun(1000, func() { n.Lookup(ctx, "worker") }); allocs != 0 {
				s.Errorf("%v allocations for a view", allocs)
			}
		})
		if requests != 0 || watches != 0 {
			s.Errorf("%d requests, %d watches", requests, watches)
		}
	})
}

func TestTenThousandUnknownNamesSetOneWatch_Fault30(t *testing.T) {
	everywhere(t, func(s *site) {
		n, other := s.node(), s.node()
		other.offer("worker")
		look := func() {
			for i := range 10000 {
				if pids := n.capable(fmt.Sprint("nobody", i)); len(pids) != 0 {
					s.Fatal(pids)
				}
			}
		}
		if requests, watches := n.spent(look); requests != 1 || watches != 1 {
			s.Errorf("first: %d requests, %d watches; one of each is enough", requests, watches)
		}
		if requests, watches := n.spent(look); requests != 0 || watches != 0 {
			s.Errorf("again: %d requests, %d watches", requests, watches)
		}
		other.offer("another")
		n.await("another", func(pids []actor.PID) bool { return len(pids) == 1 })
		if requests, watches := n.spent(look); requests > 1 || watches != 0 {
			s.Errorf("after a change: %d requests, %d more watches", requests, watches)
		}
		if cached := n.Stats().Cached; cached > 3 {
			s.Errorf("%d lists kept", cached)
		}
	})
}

func TestUnknownNameCostsNoAllocation(t *testing.T) {
	inBubble(t, func(s *site) {
		n := s.node()
		ctx := s.brief()
		n.GetCapable(ctx, "nobody")
		if allocs := testing.AllocsPerRun(1000, func() { n.GetCapable(ctx, "nobody") }); allocs != 0 {
			s.Errorf("%v allocations a look-up", allocs)
		}
	})
}

func TestLookupsAtOnceShareOneRead(t *testing.T) {
	inBubble(t, func(s *site) {
		n, other := s.node(), s.node()
		other.offer("worker")
		requests, _ := n.spent(func() {
			var group sync.WaitGroup
			for range 1000 {
				group.Go(func() {
					if pids, err := n.GetCapable(s.brief(), "worker"); err != nil || len(pids) != 1 {
						s.Error(pids, err)
					}
				})
			}
			group.Wait()
		})
		if requests > 4 {
			s.Errorf("%d requests: the names and the service should be read once, or twice if a caller came in between", requests)
		}
	})
}

func TestServiceThatChangesConstantlyIsReadNowAndThenForWaiters(t *testing.T) {
	inBubble(t, func(s *site) {
		n, other := s.node(), s.node()
		ctx, cancel := context.WithCancel(s.brief())
		var group sync.WaitGroup
		for range 10 {
			group.Go(func() { n.WaitCapable(ctx, "worker", 1000) })
		}
		pid := other.offer("worker")
		s.settle()
		before := n.k.Stats()
		begin := time.Now()
		for range 500 { // once every 10 ms
			other.Unregister(ctx, "worker", pid)
			other.register("worker", pid)
			time.Sleep(10 * time.Millisecond)
		}
		s.settle()
		took := time.Since(begin)
		reads := n.k.Stats().Children - before.Children
		if most := uint64(took/(50*time.Millisecond)) + 2; reads > most {
			s.Errorf("%d reads in %v, more than %d", reads, took, most)
		}
		if least := uint64(took / (200 * time.Millisecond)); reads < least {
			s.Errorf("%d reads in %v, fewer than %d", reads, took, least)
		}
		// Who does not wait for members is answered at once all the same.
		for range 20 {
			other.Unregister(ctx, "worker", pid)
			time.Sleep(time.Millisecond)
			at := time.Now()
			if pids := n.capable("worker"); contains(pids, pid) {
				s.Errorf("%v is gone", pid)
			}
			if waited := time.Since(at); waited > 0 {
				s.Errorf("a plain look-up waited %v", waited)
			}
			other.register("worker", pid)
		}
		cancel()
		group.Wait()
	})
}

func TestWaitersAreToldTheMomentAQuietServiceChanges(t *testing.T) {
	inBubble(t, func(s *site) {
		n, other := s.node(), s.node()
		// A service that is new shows twice in short order, as a name and then
		// with its first member. This one is old, and quiet.
		other.Unregister(s.brief(), "worker", other.offer("worker"))
		var group sync.WaitGroup
		group.Go(func() { n.WaitCapable(s.brief(), "worker", 1) })
		time.Sleep(time.Second)
		at := time.Now()
		other.offer("worker")
		group.Wait()
		if waited := time.Since(at); waited > 0 {
			s.Errorf("told after %v", waited)
		}
	})
}

func TestWaitingCostsNothing(t *testing.T) {
	inBubble(t, func(s *site) {
		n := s.node(func(c *Config) { c.Check = 10 * time.Minute })
		ctx, cancel := context.WithCancel(s.brief())
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() { n.WaitCapable(ctx, "worker", 1) })
			group.Go(func() { n.WaitCapable(ctx, "cook", 1) })
		}
		s.settle()
		if requests, watches := n.spent(func() { time.Sleep(50 * time.Second) }); requests != 0 || watches != 0 {
			s.Errorf("%d requests, %d watches", requests, watches)
		}
		cancel()
		group.Wait()
	})
}

func TestServiceNobodyAsksForIsForgotten(t *testing.T) {
	inBubble(t, func(s *site) {
		n, other := s.node(), s.node()
		for i := range 100 {
			pid := other.offer(fmt.Sprint("worker", i))
			n.await(fmt.Sprint("worker", i), exactly(pid))
		}
		s.settle()
		if cached := n.Stats().Cached; cached != 101 {
			s.Errorf("%d lists kept, not 101", cached)
		}
		for range 30 {
			time.Sleep(time.Minute)
			n.capable("worker7")
		}
		if st := n.Stats(); st.Forgotten != 99 {
			s.Errorf("%d forgotten, not 99: %+v", st.Forgotten, st)
		}
		// Their watches still stand; one that fires does nothing.
		requests, watches := n.spent(func() {
			for i := range 50 {
				other.offer(fmt.Sprint("worker", i))
			}
		})
		if requests != 0 || watches != -50 {
			s.Errorf("%d requests, %d watches more", requests, watches)
		}
		if cached := n.Stats().Cached; cached > 52 {
			s.Errorf("%d lists kept", cached)
		}
		// Asked for again, none is watched twice.
		if _, watches = n.spent(func() {
			for i := range 100 {
				if pids := n.capable(fmt.Sprint("worker", i)); len(pids) != 1+btoi(i < 50) {
					s.Errorf("worker%d: %v", i, pids)
				}
			}
		}); watches != 50 {
			s.Errorf("%d more watches, not 50", watches)
		}
	})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestIdleRegistryOnlyChecks(t *testing.T) {
	inBubble(t, func(s *site) {
		n, other := s.node(), s.node()
		other.offer("worker")
		n.capable("worker")
		// In use: checked about once a minute.
		requests, _ := n.spent(func() {
			for range 60 {
				time.Sleep(time.Minute)
				n.capable("worker")
			}
		})
		if requests < 40 || requests > 100 {
			s.Errorf("%d requests in an hour of use", requests)
		}
		time.Sleep(time.Hour)
		if requests, _ := n.spent(func() { time.Sleep(2 * time.Hour) }); requests != 0 {
			s.Errorf("%d requests in two idle hours", requests)
		}
	})
}
