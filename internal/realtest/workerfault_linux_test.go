package realtest

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"conclave/task"
)

// Failures 42 and 47: workers that die or stand still in mid-task.

// long is a job that outlasts everything at its first attempt, and takes no time
// later.
var long = job{First: 10 * time.Minute}

func TestFault42WorkerIsKilledInMidTask(t *testing.T) {
	for name, guarded := range map[string]bool{"guarded": true, "without a guard": false} {
		t.Run(name, func(t *testing.T) {
			s := newShopfloor(t)
			s.hire("d", "dispatch", false)
			s.hire("a", "work", guarded)
			s.hire("b", "work", guarded)
			s.staffed(2)
			s.ok(s.submit("x", long, task.Key("k")))
			s.ok(s.submit("behind", job{}, task.Key("k")))
			first := s.begun("x", 1)
			fault := clock()
			s.called(first.player).kill(syscall.SIGKILL)
			second := s.begun("x", 2)
			took := second.at - fault
			switch {
			case second.player == first.player:
				t.Errorf("%s ran it again", second.player)
			case !guarded && took < s.session/2:
				t.Errorf("another began after %v: somebody ended the session", took)
			case !guarded && took > expiry+slack:
				t.Errorf("another began after %v", took)
			case guarded && took > s.session/2:
				t.Errorf("another began after %v, guarded", took)
			}
			t.Logf("another began after %v", took)
			if r := s.wait("x"); r.Attempt != 2 || second.Attempt != 2 || second.Fence <= first.Fence {
				t.Errorf("done by attempt %d; %+v, after %+v", r.Attempt, second, first)
			}
			s.wait("behind")
			if n := len(s.runs(runBegan, "x")); n != 2 {
				t.Errorf("it was run %d times", n)
			}
			if after := s.begun("behind", 1); after.at < second.at || after.Fence <= second.Fence {
				t.Errorf("%+v of the same key, and %+v", after, second)
			}
			if c := s.status().Counts; c.Recovered != 1 {
				t.Errorf("%d tasks were recovered", c.Recovered)
			}
		})
	}
}

// The worker's process is stopped for longer than its session lasts, while a handler
// is at work that looks at nothing. When it goes on the handler finishes, with an
// effect: it carries the lower fence, and its completion counts no more.
func TestFault42WorkerIsStoppedForLongerThanItsSession(t *testing.T) {
	s := newShopfloor(t)
	s.hire("d", "dispatch", false, "-silence", "1m")
	s.hire("a", "work", false, "-silence", "1m")
	s.hire("b", "work", false, "-silence", "1m")
	s.staffed(2)
	s.ok(s.submit("x", job{First: s.session / 4, Stubborn: true}))
	s.ok(s.submit("y", long)) // both are of one worker, or each of another
	first := s.begun("x", 1)
	old := s.called(first.player)
	old.signal(syscall.SIGSTOP)
	old.awaitStopped()
	if len(s.runs(runEffect, "x")) > 0 {
		t.Skip("the machine is too busy: it was done before it could be stopped")
	}
	fault := clock()
	second := s.begun("x", 2)
	if took := second.at - fault; second.player == first.player || took > expiry+slack {
		t.Errorf("%s began after %v", second.player, took)
	}
	r := s.wait("x")
	woken := clock()
	old.signal(syscall.SIGCONT)
	ended := old.await(runEnded, woken)
	if !strings.Contains(ended.Text, `"ID":"x"`) && !strings.Contains(ended.Text, `"ID":"y"`) {
		t.Errorf("it says %s", ended.Text)
	}
	if !s.awaitFor(soon, func() bool { return len(s.runs(runEffect, "x")) == 2 }) {
		t.Fatalf("effects: %+v", s.runs(runEffect, "x"))
	}
	late := s.runs(runEffect, "x")[1]
	if late.player != first.player || late.at < woken || late.Fence != first.Fence || late.Fence >= second.Fence || late.Attempt >= second.Attempt {
		t.Errorf("the late effect is %+v; the other attempt was %+v", late, second)
	}
	// It stands for work again, and nothing has changed.
	s.staffed(2)
	if again := s.wait("x"); again.Attempt != 2 || r.Attempt != 2 || again.Ended != r.Ended || string(again.Data) != string(r.Data) {
		t.Errorf("it was %+v, and is %+v", r, again)
	}
	if n := len(s.runs(runBegan, "x")); n != 2 {
		t.Errorf("it was run %d times", n)
	}
	s.fencesRise(runBegan, "x")
	s.fencesRise(runBegan, "y")
}

// No handler that heeds its context is at work when another begins: the one that was
// stopped finds out as soon as it goes on, before it does anything.
func TestFault42WorkerIsStoppedAndItsHandlerHeedsItsContext(t *testing.T) {
	s := newShopfloor(t)
	s.hire("d", "dispatch", false, "-silence", "1m")
	s.hire("a", "work", false, "-silence", "1m")
	s.hire("b", "work", false, "-silence", "1m")
	s.staffed(2)
	s.ok(s.submit("x", long))
	first := s.begun("x", 1)
	old := s.called(first.player)
	old.signal(syscall.SIGSTOP)
	old.awaitStopped()
	second := s.begun("x", 2)
	s.wait("x")
	woken := clock()
	old.signal(syscall.SIGCONT)
	if l := old.await(runTold, woken); !strings.Contains(l.Text, task.ErrLost.Error()) {
		t.Errorf("its context ended with %s", l.Text)
	}
	old.await(runEnded, woken)
	if effects := s.runs(runEffect, "x"); len(effects) != 1 || effects[0].Fence != second.Fence {
		t.Errorf("effects: %+v", effects)
	}
	old.await(string(task.WorkerBegan), woken)
}

// A task ends the process that runs it, whichever it is.
func TestFault47TaskThatEndsItsProcess(t *testing.T) {
	s := newShopfloor(t)
	s.hire("d", "dispatch", false)
	const attempts, others = 3, 40
	for i := range attempts + 1 {
		s.hire(number("w", i), "work", true)
	}
	s.staffed(attempts + 1)
	s.ok(s.submit("poison", job{Deadly: true}, task.Attempts(attempts), task.BackOff(200*time.Millisecond, time.Second)))
	for i := range others {
		s.ok(s.submit(number("t", i), job{First: 50 * time.Millisecond}))
	}
	ctx, cancel := s.within()
	defer cancel()
	r, err := s.client.Wait(ctx, "poison")
	if r.State != task.Dead || r.Failures != attempts || !strings.Contains(r.Error, "is gone") {
		t.Errorf("it is %s after %d failures: %v", r.State, r.Failures, err)
	}
	for i := range others {
		s.wait(number("t", i))
	}
	if n := len(s.runs(runBegan, "poison")); n != attempts {
		t.Errorf("it was run %d times", n)
	}
	s.fencesRise(runBegan, "poison")
	for i := range others {
		s.fencesRise(runBegan, number("t", i))
	}
	s.staffed(1)
	if status := s.status(); status.Live != 0 || status.States[task.Done] != others {
		t.Errorf("it stands %v", status.States)
	}
}
