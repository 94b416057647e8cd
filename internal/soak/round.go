package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"conclave/actor"
)

// round is one piece of the load.
type round struct {
	*world
	number int
	until  time.Time     // the load ends; what was asked is settled after that
	alone  chan struct{} // closed when the last visitor has left
	works  []work

	mu       sync.Mutex
	visitors []*member // who are here now
}

// work is one kind of load and its accounts.
type work interface {
	// run does the homes' part and returns when all is accounted for and its
	// processes have ended.
	run()
	// visit begins a visitor's part, which ends with the visitor.
	visit(v *visitor)
}

func (w *world) newRound(number int) *round {
	r := &round{world: w, number: number, until: time.Now().Add(w.o.round), alone: make(chan struct{})}
	r.works = []work{
		newMail(r), newCalls(r), newKin(r), newAlarms(r), newCrew(r), w.office.open(r), w.clerk.open(r), newFamilies(r), newLetters(r), newGuestbook(r),
	}
	return r
}

// run is the whole round. It says false if it does not end.
func (r *round) run() bool {
	var all sync.WaitGroup
	var mu sync.Mutex
	late := map[string]bool{}
	start := func(name string, do func()) {
		late[name] = true
		all.Go(func() {
			do()
			mu.Lock()
			defer mu.Unlock()
			delete(late, name)
		})
	}
	mu.Lock()
	for _, k := range r.works {
		start(strings.TrimPrefix(fmt.Sprintf("%T", k), "*main."), k.run)
	}
	start("visitors", func() { r.receive(); close(r.alone) })
	start("weather", r.blow)
	if r.o.mischief != nil {
		start("mischief", func() { r.o.mischief(r) })
	}
	mu.Unlock()
	over := make(chan struct{})
	go func() { all.Wait(); close(over) }()
	select {
	case <-over:
		return true
	case <-time.After(time.Until(r.until) + 6*patience):
	}
	mu.Lock()
	defer mu.Unlock()
	for name := range late {
		r.tally.blame("round %d: %s did not come to an end %v after the load", r.number, name, 6*patience)
	}
	return false
}

// over says whether the load is to end.
func (r *round) over() bool { return r.ctx.Err() != nil || !time.Now().Before(r.until) }

// sleep waits; not beyond the end of the load, of which it says false.
func (r *round) sleep(d time.Duration) bool {
	d = min(d, time.Until(r.until))
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.ctx.Done():
		}
	}
	return !r.over()
}

// someone is one of those who are here.
func (r *round) someone(i int) *member {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i %= len(r.homes) + len(r.visitors); i >= len(r.homes) {
		return r.visitors[i-len(r.homes)]
	}
	return r.homes[i]
}

func (r *round) came(m *member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.visitors = append(r.visitors, m)
}

func (r *round) went(m *member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.visitors = slices.DeleteFunc(r.visitors, func(o *member) bool { return o == m })
}

// staff is processes that one work has spawned.
type staff struct {
	mu      sync.Mutex
	members []employee
	running sync.WaitGroup
}

type employee struct {
	at  *member
	pid actor.PID
}

func (s *staff) spawn(at *member, f actor.Func, opts ...actor.SpawnOption) actor.PID {
	s.running.Add(1)
	return s.hired(at, at.Spawn(f, append(opts, s.leaves())...))
}

func (s *staff) spawnHandler(at *member, h actor.Handler, opts ...actor.SpawnOption) actor.PID {
	s.running.Add(1)
	return s.hired(at, at.SpawnHandler(h, append(opts, s.leaves())...))
}

func (s *staff) leaves() actor.SpawnOption {
	return actor.OnExit(func(actor.PID, error) { s.running.Done() })
}

func (s *staff) hired(at *member, pid actor.PID) actor.PID {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.members = append(s.members, employee{at, pid})
	return pid
}

// dismiss tells all to end, and waits until they have.
func (s *staff) dismiss() {
	s.mu.Lock()
	members := s.members
	s.mu.Unlock()
	for _, e := range members {
		e.at.Exit(e.pid, actor.Shutdown)
	}
	s.running.Wait()
}
