package router

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"conclave/actor"
)

// RoundRobin gives each member its turn, beginning with any.
func RoundRobin(m Members) *Router {
	p := new(roundRobin)
	p.turn.Store(uint64(rand.Uint32())) // so that many senders do not begin with the same
	return &Router{m, p}
}

type roundRobin struct{ turn atomic.Uint64 }

func (p *roundRobin) pick(_ actor.Sender, pids []actor.PID, _ any, tried []actor.PID) (actor.PID, error) {
	return from(pids, int(p.turn.Add(1)%uint64(len(pids))), tried), nil
}

// Random takes any member.
func Random(m Members) *Router { return &Router{m, random{}} }

type random struct{}

func (random) pick(_ actor.Sender, pids []actor.PID, _ any, tried []actor.PID) (actor.PID, error) {
	return from(pids, rand.IntN(len(pids)), tried), nil
}

// from is the member at i or, if that was tried, the next that was not.
func from(pids []actor.PID, i int, tried []actor.PID) actor.PID {
	if len(tried) > 0 {
		for range pids {
			if !slices.Contains(tried, pids[i]) {
				break
			}
			i = (i + 1) % len(pids)
		}
	}
	return pids[i]
}

// LeastLoaded takes two members at random and of these the one with less to do:
// nearly as even as asking all, and it does not have every sender run to the
// same idle one (M. Mitzenmacher, The Power of Two Choices in Randomized Load
// Balancing, 2001).
//
// The load of a process of this node is the mail in its mailbox. Of other nodes'
// it is the calls made through this Router that have not been answered: it knows
// its own, not what others send. So it is for calls; plain sends to other nodes
// go to any.
func LeastLoaded(m Members) *Router {
	return &Router{m, &leastLoaded{open: make(map[actor.PID]int)}}
}

type leastLoaded struct {
	mu   sync.Mutex
	open map[actor.PID]int // calls under way
}

func (p *leastLoaded) pick(s actor.Sender, pids []actor.PID, _ any, tried []actor.PID) (actor.PID, error) {
	i := rand.IntN(len(pids))
	if len(pids) == 1 {
		return pids[i], nil
	}
	a := from(pids, i, tried)
	b := from(pids, (i+1+rand.IntN(len(pids)-1))%len(pids), tried)
	if a != b && p.load(s, b) < p.load(s, a) {
		return b, nil
	}
	return a, nil
}

func (p *leastLoaded) load(s actor.Sender, pid actor.PID) int {
	waiting, _ := s.Backlog(pid)
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(waiting, p.open[pid])
}

func (p *leastLoaded) begin(pid actor.PID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[pid]++
}

func (p *leastLoaded) end(pid actor.PID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[pid]--; p.open[pid] == 0 {
		delete(p.open, pid)
	}
}
