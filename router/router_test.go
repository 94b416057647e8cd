package router_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"conclave/actor"
	"conclave/router"
)

// place is a System without a cluster, and what its members have got.
type place struct {
	*testing.T
	*actor.System
	sender actor.Sender // a process of it
	mu     sync.Mutex
	got    map[actor.PID][]any
}

// inPlace runs f in virtual time, on a process's goroutine.
func inPlace(t *testing.T, f func(p *place)) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{
			T:      t,
			System: actor.NewSystem(actor.SystemConfig{Node: actor.NodeID{Name: "here", Incarnation: 7}}),
			got:    make(map[actor.PID][]any),
		}
		defer func() {
			if err := p.Stop(context.Background(), actor.Shutdown); err != nil {
				t.Error(err)
			}
		}()
		end := make(chan error, 1)
		p.Spawn(func(q *actor.Process) error { p.sender = q; f(p); return nil },
			actor.OnExit(func(_ actor.PID, reason error) { end <- reason }))
		if err := <-end; err != actor.Normal {
			t.Error(err)
		}
	})
}

// member is a process that notes what it gets and answers with its own PID.
func (p *place) member() actor.PID {
	return p.SpawnHandler(taker(func(q *actor.Process, m actor.Message) error {
		p.mu.Lock()
		p.got[q.Self()] = append(p.got[q.Self()], m.Body())
		p.mu.Unlock()
		if err := q.Reply(m, q.Self()); err != nil && !errors.Is(err, actor.ErrNoReplyWanted) {
			return err
		}
		return nil
	}))
}

func (p *place) members(n int) (all []actor.PID) {
	for range n {
		all = append(all, p.member())
	}
	return all
}

func (p *place) counts(pids []actor.PID) (counts []int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pid := range pids {
		counts = append(counts, len(p.got[pid]))
	}
	return counts
}

type taker func(*actor.Process, actor.Message) error

func (f taker) Receive(p *actor.Process, m actor.Message) error { return f(p, m) }

func TestRoundRobinGivesEachItsTurn(t *testing.T) {
	inPlace(t, func(p *place) {
		pids := p.members(5)
		r := router.RoundRobin(router.Fixed(pids...))
		var senders sync.WaitGroup
		for range 4 { // as one: the turn is the router's
			senders.Go(func() {
				for i := range 250 {
					if err := r.Send(p.sender, i); err != nil {
						t.Error(err)
					}
				}
			})
		}
		senders.Wait()
		synctest.Wait()
		if got := p.counts(pids); !slices.Equal(got, []int{200, 200, 200, 200, 200}) {
			t.Errorf("they got %v", got)
		}
	})
}

func TestRandomIsEven(t *testing.T) {
	inPlace(t, func(p *place) {
		pids := p.members(8)
		r := router.Random(router.Fixed(pids...))
		for i := range 8000 {
			if err := r.Send(p.sender, i); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		for _, n := range p.counts(pids) {
			if n < 800 || n > 1200 { // six standard deviations
				t.Errorf("they got %v", p.counts(pids))
			}
		}
	})
}

func TestLeastLoadedLeavesOutWhoHasMailWaiting(t *testing.T) {
	inPlace(t, func(p *place) {
		gate := make(chan struct{})
		busy := p.Spawn(func(q *actor.Process) error { <-gate; return nil })
		for range 10 {
			if err := p.sender.Send(busy, "work"); err != nil {
				t.Fatal(err)
			}
		}
		if n, here := p.sender.Backlog(busy); n != 10 || !here {
			t.Errorf("a backlog of %d, here: %v", n, here)
		}
		idle := p.member()
		r := router.LeastLoaded(router.Fixed(busy, idle))
		for i := range 200 {
			if err := r.Send(p.sender, i); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if got := p.counts([]actor.PID{idle}); got[0] != 200 {
			t.Errorf("the idle one got %d of 200", got[0])
		}
		close(gate)
	})
}

func TestLeastLoadedCountsItsOpenCalls(t *testing.T) {
	inPlace(t, func(p *place) {
		var mu sync.Mutex
		calls := make(map[time.Duration]int)
		member := func(takes time.Duration) actor.PID { // it answers several at once: its mailbox is empty
			return p.SpawnHandler(taker(func(q *actor.Process, m actor.Message) error {
				mu.Lock()
				calls[takes]++
				mu.Unlock()
				q.Spawn(func(w *actor.Process) error { time.Sleep(takes); return w.Reply(m, takes) })
				return nil
			}))
		}
		quick, slow := time.Millisecond, 100*time.Millisecond
		r := router.LeastLoaded(router.Fixed(member(quick), member(slow)))
		var callers sync.WaitGroup
		for range 8 {
			callers.Add(1)
			p.Spawn(func(q *actor.Process) error {
				defer callers.Done()
				for range 100 {
					if _, err := router.Call[time.Duration](r, q, "work"); err != nil {
						return err
					}
				}
				return nil
			})
		}
		callers.Wait()
		if calls[quick] < 5*calls[slow] || calls[quick]+calls[slow] != 800 {
			t.Errorf("the quick one got %d, the slow one %d", calls[quick], calls[slow])
		}
	})
}

func TestBroadcastReachesAllMembers(t *testing.T) {
	inPlace(t, func(p *place) {
		pids := p.members(5)
		full := p.Spawn(func(q *actor.Process) error { <-q.Done(); return nil }, actor.WithMailbox(actor.Mailbox{Limit: 1}))
		if err := p.sender.Send(full, "it is full now"); err != nil {
			t.Fatal(err)
		}
		n, err := router.Broadcast(p.sender, router.Fixed(append([]actor.PID{full}, pids...)...), "all")
		if n != 5 || !errors.Is(err, actor.ErrMailboxFull) {
			t.Errorf("%d: %v", n, err)
		}
		synctest.Wait()
		if got := p.counts(pids); !slices.Equal(got, []int{1, 1, 1, 1, 1}) {
			t.Errorf("they got %v", got)
		}
	})
}

func everyPolicy(m router.Members) map[string]*router.Router {
	return map[string]*router.Router{
		"RoundRobin":     router.RoundRobin(m),
		"Random":         router.Random(m),
		"LeastLoaded":    router.LeastLoaded(m),
		"ConsistentHash": router.ConsistentHash(m, owner),
	}
}

func TestNobodyIsAnError(t *testing.T) {
	inPlace(t, func(p *place) {
		for name, r := range everyPolicy(router.Fixed()) {
			if err := r.Send(p.sender, "x"); !errors.Is(err, actor.ErrNoCapable) {
				t.Errorf("%s: Send: %v", name, err)
			}
			if _, err := router.Call[string](r, p.sender, "x"); !errors.Is(err, actor.ErrNoCapable) {
				t.Errorf("%s: Call: %v", name, err)
			}
		}
		if n, err := router.Broadcast(p.sender, router.Fixed(), "x"); n != 0 || !errors.Is(err, actor.ErrNoCapable) {
			t.Errorf("Broadcast: %d, %v", n, err)
		}
		if err := router.Random(router.Service("worker")).Send(p.sender, "x"); !errors.Is(err, actor.ErrNoDirectory) {
			t.Errorf("without a cluster: %v", err)
		}
		if err := router.ConsistentHash(router.Fixed(p.member()), nil).Send(p.sender, "x"); err == nil {
			t.Error("a hash of nothing")
		}
	})
}

// A call that a member that is gone certainly did not take up goes to another.
func TestCallPassesOverMembersThatAreGone(t *testing.T) {
	inPlace(t, func(p *place) {
		alive, dead := p.member(), p.members(2)
		for _, pid := range dead {
			p.Exit(pid, actor.Killed)
		}
		synctest.Wait()
		for name, r := range everyPolicy(router.Fixed(dead[0], alive, dead[1])) {
			for i := range 50 {
				by, err := router.Call[actor.PID](r, p.sender, fmt.Sprint(i))
				if err != nil || by != alive {
					t.Fatalf("%s: %s: %v", name, by, err)
				}
			}
		}
		if got := p.counts([]actor.PID{alive}); got[0] != 200 {
			t.Errorf("%d calls were carried out, not 200", got[0])
		}
		var ended *actor.EndedError
		if _, err := router.Call[actor.PID](router.Random(router.Fixed(dead...)), p.sender, "x"); !errors.As(err, &ended) {
			t.Errorf("when all are gone: %v", err)
		}
	})
}

// full is a process whose mailbox refuses everything.
func (p *place) full() actor.PID {
	pid := p.Spawn(func(q *actor.Process) error { <-q.Done(); return nil }, actor.WithMailbox(actor.Mailbox{Limit: 1}))
	if err := p.sender.Send(pid, "it is full now"); err != nil {
		p.Fatal(err)
	}
	return pid
}

func TestMailPassesOverMembersThatAreFull(t *testing.T) {
	inPlace(t, func(p *place) {
		idle := p.member()
		set := router.Fixed(p.full(), p.full(), idle, p.full(), p.full(), p.full())
		for name, r := range everyPolicy(set) {
			for i := range 50 {
				sent := r.Send(p.sender, fmt.Sprint(i))
				by, err := router.Call[actor.PID](r, p.sender, fmt.Sprint(i))
				if name == "ConsistentHash" {
					owner, _ := r.Pick(p.sender, fmt.Sprint(i))
					if full := owner != idle; full != errors.Is(sent, actor.ErrMailboxFull) || full != errors.Is(err, actor.ErrMailboxFull) {
						t.Errorf("%s: full %v: %v, %v", name, full, sent, err)
					}
				} else if sent != nil || err != nil || by != idle {
					t.Fatalf("%s: %v; %s: %v", name, sent, by, err)
				}
			}
		}
		if r := router.RoundRobin(router.Fixed(p.full(), p.full())); !errors.Is(r.Send(p.sender, ""), actor.ErrMailboxFull) {
			t.Error("all are full, and nobody is told")
		} else if _, err := router.Call[string](r, p.sender, ""); !errors.Is(err, actor.ErrMailboxFull) {
			t.Errorf("all are full: %v", err)
		}
	})
}

// One that was taken up is not made again, and neither is one whose answer only
// looks as if it had not been.
func TestCallIsNotRepeatedOnceTakenUp(t *testing.T) {
	inPlace(t, func(p *place) {
		ghost := p.member()
		p.Exit(ghost, actor.Killed)
		synctest.Wait()
		for name, end := range map[string]func(q *actor.Process, m actor.Message) error{
			"it ends":                    func(*actor.Process, actor.Message) error { return errors.New("broken") },
			"its own call was not taken": func(q *actor.Process, m actor.Message) error { return q.Reply(m, second(q.Request(ghost, ""))) },
			"its own call was refused": func(q *actor.Process, m actor.Message) error {
				return q.Reply(m, fmt.Errorf("%w: %s", actor.ErrMailboxFull, ghost))
			},
			"its own node was not there": func(q *actor.Process, m actor.Message) error { return q.Reply(m, actor.NotSent) },
		} {
			calls := 0
			var pids []actor.PID
			for range 3 {
				pids = append(pids, p.Spawn(func(q *actor.Process) error {
					m, err := q.Receive()
					if err != nil {
						return err
					}
					calls++
					return end(q, m)
				}))
			}
			if _, err := router.Call[string](router.RoundRobin(router.Fixed(pids...)), p.sender, ""); err == nil || calls != 1 {
				t.Errorf("%s: %d were called: %v", name, calls, err)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestRouterAllocatesNothing(t *testing.T) {
	inPlace(t, func(p *place) {
		var body any = "key"
		for name, r := range everyPolicy(router.Fixed(p.members(10)...)) {
			if n := testing.AllocsPerRun(100, func() {
				if _, err := r.Pick(p.sender, body); err != nil {
					t.Error(err)
				}
			}); n > 0 {
				t.Errorf("%s: %v allocations", name, n)
			}
		}
	})
}

func BenchmarkPick(b *testing.B) {
	s := actor.NewSystem(actor.SystemConfig{Node: actor.NodeID{Name: "here", Incarnation: 7}})
	for _, members := range []int{10, 100, 1000} {
		var pids []actor.PID
		for range members {
			pids = append(pids, s.Spawn(func(p *actor.Process) error { <-p.Done(); return nil }))
		}
		for name, r := range everyPolicy(router.Fixed(pids...)) {
			b.Run(fmt.Sprintf("%s/%d", name, members), func(b *testing.B) {
				var body any = "customer-17"
				done := make(chan struct{})
				s.Spawn(func(p *actor.Process) error {
					defer close(done)
					for b.Loop() {
						if _, err := r.Pick(p, body); err != nil {
							return err
						}
					}
					return nil
				})
				<-done
			})
		}
	}
	_ = s.Stop(context.Background(), actor.Shutdown)
}
