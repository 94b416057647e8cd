package realtest

import (
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"conclave/task"
)

// Failures 43 to 46: dispatchers that die or stand still while tasks are submitted
// and done. The workers live, so each task has one run and one effect.

// dispatching is the player that dispatches now.
func (s *shopfloor) dispatching() *player {
	s.t.Helper()
	return s.called(s.status().Dispatcher)
}

// moment lets a while pass that nothing depends on: failures come at any time.
func moment(d time.Duration) <-chan time.Time { return time.After(d) }

// flow submits tasks from several goroutines until stop is called, and returns
// their ids.
func (s *shopfloor) flow() (stop func() []string) {
	var (
		mu   sync.Mutex
		ids  []string
		over = make(chan struct{})
		all  sync.WaitGroup
	)
	for line := range 6 {
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-over:
					return
				default:
				}
				id := number(number("line", line)+"-", n)
				opts := []task.Option{}
				if line%2 == 0 {
					opts = append(opts, task.Key(number("key", line)))
				}
				if err := s.submit(id, job{First: time.Duration(n%5) * 10 * time.Millisecond}, opts...); err != nil {
					s.t.Errorf("submit %s: %v", id, err)
					return
				}
				mu.Lock()
				ids = append(ids, id)
				mu.Unlock()
				<-moment(2 * time.Millisecond) // the others need the machine, too
			}
		})
	}
	return func() []string {
		close(over)
		all.Wait()
		return ids
	}
}

// Each dispatcher's process is killed in the midst of submissions, assignments and
// completions. The client repeats what it has no answer to.
func TestFault43DispatcherIsKilledUnderLoad(t *testing.T) {
	for name, guarded := range map[string]bool{"guarded": true, "without a guard": false} {
		t.Run(name, func(t *testing.T) {
			s := newShopfloor(t)
			kills := 5
			if !guarded {
				kills = 2 // each takes a session's time
			}
			for i := range kills + 1 {
				s.hire(number("d", i), "dispatch", guarded)
			}
			s.hire("a", "work", false)
			s.hire("b", "work", false)
			s.staffed(2)
			stop := s.flow()
			var terms []int64
			for range kills {
				status := s.status()
				terms = append(terms, status.Term)
				<-moment(200*time.Millisecond + rand.N(300*time.Millisecond))
				fault := clock()
				s.called(status.Dispatcher).kill(syscall.SIGKILL)
				if !s.awaitFor(expiry+slack, func() bool { return s.status().Term > status.Term }) {
					t.Fatalf("nobody follows %s", status.Dispatcher)
				}
				took := clock() - fault
				if guarded && took > s.session/2 {
					t.Errorf("%s was followed after %v, guarded", status.Dispatcher, took)
				}
				t.Logf("%s was followed after %v", status.Dispatcher, took)
			}
			<-moment(200 * time.Millisecond)
			ids := stop()
			if len(ids) < 100 {
				t.Logf("only %d tasks: the machine is busy", len(ids))
			}
			s.once(ids)
			s.recorded()
			t.Logf("%d tasks under terms %v", len(ids), terms)
		})
	}
}

// The dispatcher's process is stopped under load for longer than its session lasts,
// and goes on when another has taken over: it assigns and records nothing more.
func TestFault44DispatcherIsStoppedUnderLoad(t *testing.T) {
	s := newShopfloor(t)
	s.hire("d0", "dispatch", false, "-silence", "1m")
	s.hire("d1", "dispatch", false, "-silence", "1m")
	s.hire("a", "work", false, "-silence", "1m")
	s.hire("b", "work", false, "-silence", "1m")
	s.staffed(2)
	stop := s.flow()
	for range 2 {
		status := s.status()
		old, next := s.called("d0"), s.called("d1")
		if status.Dispatcher == "d1" {
			old, next = next, old
		}
		<-moment(200*time.Millisecond + rand.N(300*time.Millisecond))
		old.signal(syscall.SIGSTOP)
		old.awaitStopped()
		fault := clock()
		began := next.await(string(task.DispatcherBegan), fault)
		if took := began.At - fault; took > expiry+slack {
			t.Errorf("%s took over after %v", next.name, took)
		}
		<-moment(500 * time.Millisecond) // it is at work
		woken := clock()
		old.signal(syscall.SIGCONT)
		old.await(string(task.DispatcherEnded), woken)
		if now := s.status(); now.Dispatcher != next.name || now.Term <= status.Term {
			t.Errorf("%s dispatches under %d", now.Dispatcher, now.Term)
		}
	}
	ids := stop()
	s.once(ids)
	s.recorded()
	t.Logf("%d tasks", len(ids))
}

func TestFault45BacklogIsAssignedWithoutLeaderChange(t *testing.T) {
	s := newShopfloor(t)
	s.hire("d0", "dispatch", false)
	s.hire("d1", "dispatch", false)
	var ids []string
	for i := range 200 {
		ids = append(ids, number("t", i))
		s.ok(s.submit(ids[i], job{}))
	}
	before := s.status()
	if before.States[task.Waiting] != len(ids) {
		t.Errorf("it stands %v", before.States)
	}
	s.hire("a", "work", false)
	s.once(ids)
	if after := s.status(); after.Term != before.Term || after.Dispatcher != before.Dispatcher {
		t.Errorf("%s dispatched under %d, and %s does under %d", before.Dispatcher, before.Term, after.Dispatcher, after.Term)
	}
}

// The dispatcher's process is killed a moment after a task was submitted, before or
// after that is durable, known to the client, or done. Those of the client's tasks
// that were done meanwhile are not run again.
func TestFault46SubmitWhileItsDispatcherIsKilled(t *testing.T) {
	s := newShopfloor(t)
	const kills = 12
	for i := range 3 {
		s.hire(number("d", i), "dispatch", true)
	}
	s.hire("a", "work", false)
	s.staffed(1)
	var ids []string
	for i := range kills {
		d := s.dispatching()
		id := number("t", i)
		ids = append(ids, id)
		submitted := make(chan error, 1)
		go func() { submitted <- s.submit(id, job{}) }()
		<-moment(rand.N(6 * time.Millisecond))
		d.kill(syscall.SIGKILL)
		if err := <-submitted; err != nil {
			t.Errorf("%s: %v", id, err)
		}
		s.wait(id)
		s.ok(s.submit(id, job{})) // once more, to be sure
		s.hire(d.name, "dispatch", true)
	}
	s.once(ids)
	s.recorded()
}
