package actor

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestStopEndsEverything(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		var reasons logOf
		note := OnExit(func(_ PID, reason error) { reasons.add("%v;", reason) })
		s.Spawn(untilDone, note)
		s.SpawnHandler(&Mux{}, note)
		s.Spawn(func(p *Process) error { p.TrapExit(true); <-p.Done(); return p.Err() }, note)
		synctest.Wait()
		if err := s.Stop(t.Context(), Shutdown); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(reasons.String(), Shutdown.Error()); n != 3 {
			t.Errorf("%d ended because of it: %s", n, &reasons)
		}
		if s.Count() != 0 {
			t.Errorf("%d are left", s.Count())
		}
		if err := s.Stop(t.Context(), Shutdown); err != nil {
			t.Errorf("again: %v", err)
		}
	})
}

func TestStopWaitsForStragglersAsLongAsItsContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t)
		s.Spawn(func(*Process) error { time.Sleep(time.Minute); return nil })
		s.Spawn(untilDone)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errTest)
		defer cancel()
		start := time.Now()
		err := s.Stop(ctx, Shutdown)
		wantErr(t, err, errTest)
		if !strings.HasPrefix(err.Error(), "1 processes") || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				if err := s.Stop(context.Background(), Shutdown); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if time.Since(start) != time.Minute {
			t.Errorf("all had ended after %v", time.Since(start))
		}
	})
}

func TestSpawnAfterStop(t *testing.T) {
	s := newSystem(t)
	gate, done := make(chan struct{}), make(chan struct{})
	s.Spawn(func(p *Process) error { // it lives on through Stop
		defer close(done)
		p.TrapExit(true)
		<-gate
		child := p.Spawn(func(*Process) error { t.Error("it ran"); return nil }, Linked(), Monitored(nil))
		p.mu.Lock()
		defer p.mu.Unlock()
		if _, linked := p.ties.links[child]; linked {
			t.Error("the parent was not told of the end of its child")
		}
		if n := len(p.box.in); p.box.in[n-1].body != (Exited{child, ErrStopped}) || p.box.in[n-2].body != (Down{Ref(p.lastRef), child, ErrStopped}) {
			t.Errorf("the parent was told %v", p.box.in)
		}
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s.Stop(ctx, Shutdown) == nil {
		t.Error("stopped with a process that runs")
	}
	close(gate)
	<-done
	seen := make(map[PID]bool)
	for range 3 {
		var told PID
		var reason error
		pid := s.SpawnHandler(&Mux{}, OnExit(func(p PID, r error) { told, reason = p, r }))
		if told != pid || reason != ErrStopped || pid.IsZero() || seen[pid] || s.Alive(pid) {
			t.Errorf("%s: OnExit was told that %s ended: %v", pid, told, reason)
		}
		seen[pid] = true
		_ = s.Send(t.Context(), pid, 1)
	}
	if n := s.DeadLetters(DeadNoProcess); n < 3 {
		t.Errorf("%d dead letters, want 3", n)
	}
}

func TestStopAgainstSpawn(t *testing.T) {
	for range 100 {
		s := newSystem(t)
		var begun, left atomic.Int64
		onExit := OnExit(func(PID, error) { left.Add(1) })
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				for range 30 {
					begun.Add(2)
					s.Spawn(untilDone, onExit)
					s.SpawnHandler(&Mux{}, onExit)
				}
			})
		}
		wg.Go(func() {
			runtime.Gosched()
			if err := s.Stop(t.Context(), Shutdown); err != nil {
				t.Error(err)
			}
			if s.Count() != 0 {
				t.Errorf("%d processes live after Stop", s.Count())
			}
		})
		wg.Wait()
		if left.Load() != begun.Load() {
			t.Fatalf("%d began, %d left", begun.Load(), left.Load())
		}
	}
}

func TestNewsOfTheEndComesInOrder(t *testing.T) {
	s := newSystem(t)
	var log logOf
	end := make(chan struct{})
	gate := make(chan struct{})
	pid := s.Spawn(func(*Process) error { <-gate; return errTest },
		OnExit(func(_ PID, reason error) { log.add("OnExit:%v", reason) }))
	for range 2 {
		if !s.AtEnd(pid, func(p PID, reason error) { log.add("AtEnd:%v:%v", p == pid, reason) }) {
			t.Error("AtEnd says it is not alive")
		}
	}
	s.AtEnd(pid, func(PID, error) { close(end) })
	close(gate)
	<-end
	if got := log.String(); got != "OnExit:as tested AtEnd:true:as tested AtEnd:true:as tested" {
		t.Error(got)
	}
	never := func(PID, error) { t.Error("called") }
	if s.AtEnd(pid, never) || s.AtEnd(MakePID(testNode("elsewhere"), 1), never) || s.AtEnd(PID{}, never) {
		t.Error("AtEnd of what is not alive")
	}
}

func TestSystemKnowsItself(t *testing.T) {
	s := newSystem(t)
	pid := s.Spawn(untilDone)
	if s.Node() != testNode("here") || pid.Node() != s.Node() || s.Count() != 1 || !s.Alive(pid) {
		t.Errorf("%v, %v, %d", s.Node(), pid, s.Count())
	}
	if s.Alive(MakePID(testNode("elsewhere"), pid.Serial())) {
		t.Error("another node's process is alive here")
	}
	wantErr(t, errors.Unwrap(s.Send(t.Context(), PID{}, 1)), NoProcess)
}
