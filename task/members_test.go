package task

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"conclave/actor"
)

func TestWorkerThatDiesGivesItsTaskToExactlyOneOther(t *testing.T) {
	d := newDesk(t)
	w, v := d.worker("w", 1, "dig"), d.worker("v", 1, "dig")
	d.must(d.submit(Of("dig", 1, ID("a"))))
	first, holder, other := w.given(), w, v
	if len(first) == 0 {
		first, holder, other = v.given(), v, w
	}
	holder.dies()
	again := other.one()
	if again.Attempt != 2 || again.Fence <= first[0].Fence {
		t.Errorf("after %+v came %+v", first[0], again)
	}
	if !holder.ends(first[0], howDone) {
		t.Error("the dead worker's late completion was accepted")
	}
	d.is("a", Running)
	if other.ends(again, howDone) {
		t.Error("the second worker's completion was refused")
	}
	d.is("a", Done)
}

func TestWorkerGoneWhenItsAssignmentIsCommittedWasGivenNothing(t *testing.T) {
	d := newDesk(t)
	w := d.worker("w", 1, "dig")
	w.leave()
	d.must(d.submit(Of("dig", 1, ID("a"))))
	if got := w.given(); len(got) != 0 {
		t.Errorf("a worker that is gone was given %v", got)
	}
	if i := d.info("a"); i.State != Waiting || i.Attempt != 0 || i.Failures != 0 {
		t.Errorf("%+v: an assignment that was never committed counts", i)
	}
	if a := d.worker("v", 1, "dig").one(); a.Attempt != 1 {
		t.Errorf("%+v", a)
	}
}

func TestWorkerThatIsGoneIsToldThatItsOutcomesAreRefused(t *testing.T) {
	d := newDesk(t)
	w := d.worker("w", 1, "dig")
	d.must(d.submit(Of("dig", 0, ID("a"))))
	a := w.one()
	w.dies()
	d.said = nil
	d.hear(w.pid, &hello{Worker: "w", Outcomes: []outcome{{ID: "a", Fence: a.Fence, How: howLost}}})
	if len(d.said) != 1 || d.said[0].to != w.pid || !d.said[0].body.(*recorded).List[0].Refused {
		t.Errorf("it was told %v", d.said)
	}
}

// A hello that crossed an assignment says nothing of it: the worker may begin yet.
func TestCancelledTaskIsWithItsWorkerUntilThatHasSaidHowItEnded(t *testing.T) {
	d := newDesk(t)
	w, v := d.worker("w", 1, "dig"), d.worker("v", 1, "dig")
	d.must(d.submit(Of("dig", 0, ID("a"), Key("k"))))
	d.must(d.submit(Of("dig", 0, ID("b"), Key("k"))))
	got, holder, other := w.given(), w, v
	if len(got) == 0 {
		got, holder, other = v.given(), v, w
	}
	d.must(d.ask(&changeCall{verbCancel, "a"}).(*changeAnswer).Problem.err())
	d.said = nil
	holder.hello(1, nil, "dig")
	d.is("a", Stopping)
	if len(other.given()) != 0 {
		t.Error("the next of its key began while it may begin")
	}
	var order []string
	for _, m := range d.said {
		switch b := m.body.(type) {
		case *assign:
			order = append(order, "assign "+b.Tasks[0].ID)
		case *abandon:
			order = append(order, "abandon "+b.List[0].ID)
		}
	}
	if fmt.Sprint(order) != "[assign a abandon a]" {
		t.Error(order)
	}
	d.said = nil
	holder.ends(got[0], howDiscard)
	d.is("a", Cancelled)
	d.is("b", Running)
}

func TestAssignmentThatWasLostIsSentAgain(t *testing.T) {
	d := newDesk(t)
	w := d.worker("w", 2, "dig")
	d.must(d.submit(Of("dig", 0, ID("a"))))
	a := w.one()
	w.hello(2, nil, "dig") // it never came
	if b := w.one(); b.ID != a.ID || b.Fence != a.Fence || b.Attempt != a.Attempt {
		t.Errorf("%+v, then %+v", a, b)
	}
	w.hello(2, []held{{a.ID, a.Fence}}, "dig")
	if got := w.given(); len(got) != 0 {
		t.Errorf("what it has was sent again: %v", got)
	}
	d.said = nil
	w.hello(2, []held{{a.ID, a.Fence}, {"other", 7}}, "dig")
	if len(d.said) == 0 {
		t.Fatal("it was not told of what is not its own")
	}
	for _, m := range d.said {
		if ab, is := m.body.(*abandon); !is || len(ab.List) != 1 || ab.List[0].ID != "other" || ab.Why != whyNotYours {
			t.Errorf("said %+v", m.body)
		}
	}
}

func TestWorkerIsGreetedAgainThoughTheClockWasSetBack(t *testing.T) {
	d := newDesk(t)
	d.here = append(d.here, listedWorker{name: "w", node: "n1"})
	d.hear(actor.PID{}, d.here) // and that is lost
	greeted := func() (n int) {
		for _, m := range d.said {
			if _, is := m.body.(*greet); is {
				n++
			}
		}
		return n
	}
	if n := greeted(); n != 1 {
		t.Fatalf("it was greeted %d times", n)
	}
	d.now -= time.Hour.Milliseconds()
	d.commit()
	d.pass(greetAgain * time.Millisecond)
	if n := greeted(); n != 3 {
		t.Errorf("after that and %d ms it was greeted %d times in all", greetAgain, n)
	}
}

func TestNewDispatcherTakesBackWhatIsWithWorkersThatAreGone(t *testing.T) {
	d := newDesk(t)
	w, v := d.worker("w", 1, "dig"), d.worker("v", 1, "dig")
	d.must(d.submit(Of("dig", 0, ID("a"))))
	d.must(d.submit(Of("dig", 0, ID("b"))))
	w.given()
	mine := v.one()
	w.leave()
	d.begin()
	v.hello(1, []held{{mine.ID, mine.Fence}}, "dig")
	d.is(mine.ID, Running)
	v.ends(mine, howDone)
	if a := v.one(); a.Attempt != 2 {
		t.Errorf("%+v", a)
	}
}

// A worker that leaves was given a task in the commit that takes in that it does. What
// it is told that it has heard everything by comes behind all that it was given; and the
// task, which it would give back, goes to another at once.
func TestWorkerThatLeavesHearsOfEverythingItWasGiven(t *testing.T) {
	d := newDesk(t)
	w := d.worker("w", 1, "dig")
	d.table.step(&news{call: 1_000, body: &submitCall{Specs: []Spec{Of("dig", 1, ID("a"), Attempts(1))}}}, d.now)
	d.table.prepare(d.now) // it is given, and that is not committed yet
	d.said = nil
	d.hear(w.pid, &hello{Worker: "w"})
	known := false
	for _, m := range d.said {
		switch b := m.body.(type) {
		case *assign:
			if m.to == w.pid && known {
				t.Errorf("it was given %v after it had been told that this is all", b.Tasks)
			}
		case *recorded:
			known = known || m.to == w.pid && len(b.List) == 0
		}
	}
	if !known {
		t.Error("it was not told that it has heard everything")
	}
	w.dies()
	if i := d.info("a"); i.State != Waiting || i.Attempt != 0 || i.Failures != 0 {
		t.Errorf("%+v: an attempt was used up that never began", i)
	}
	if a := d.worker("v", 1, "dig").one(); a.Attempt != 1 {
		t.Errorf("%+v", a)
	}
}

// The same of what was given by another dispatcher, or was lost on its way.
func TestWorkerThatLeavesIsGivenAgainWhatItHasNotHeardOfFirst(t *testing.T) {
	d := newDesk(t)
	w := d.worker("w", 1, "dig")
	d.must(d.submit(Of("dig", 1, ID("a"))))
	d.begin()
	d.said = nil
	w.hello(0, nil)
	var said []string
	for _, m := range d.said {
		if m.to == w.pid {
			said = append(said, fmt.Sprintf("%T", m.body))
		}
	}
	if want := []string{"*task.assign", "*task.recorded"}; !slices.Equal(said, want) {
		t.Errorf("it was told %v, want %v", said, want)
	}
}
