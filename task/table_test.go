package task

import (
	"fmt"
	"testing"
	"time"

	"conclave/actor"
)

func TestSubmittedTaskIsDoneOnce(t *testing.T) {
	d := newDesk(t)
	d.must(d.submit(Of("dig", 1, ID("a"))))
	d.is("a", Waiting)
	w := d.worker("w", 2, "dig")
	a := w.one()
	if a.Attempt != 1 || a.Fence == 0 || a.ID != "a" {
		t.Errorf("%+v", a)
	}
	d.is("a", Running)
	if w.ends(a, howDone) {
		t.Error("its completion was refused")
	}
	d.is("a", Done)
	if w.ends(a, howDone) {
		t.Error("said again, it was refused: the worker would take it for lost")
	}
	d.begin()
	d.is("a", Done)
	if len(w.given()) != 0 {
		t.Error("it was given out again")
	}
	d.must(d.submit(Of("dig", 1, ID("a"))))
	d.is("a", Done)
}

func TestBacklogGoesToTheFirstWorkerThatComes(t *testing.T) {
	d := newDesk(t)
	for i := range 10 {
		d.must(d.submit(Of("dig", i, ID(fmt.Sprint(i)))))
	}
	d.pass(time.Hour)
	d.worker("cook", 10, "cook")
	if got := d.worker("w", 10, "dig").given(); len(got) != 10 || got[0].ID != "0" || got[9].ID != "9" {
		t.Errorf("given %v", got)
	}
}

func TestSameIDIsTheSameTask(t *testing.T) {
	d := newDesk(t)
	d.must(d.submit(Of("dig", 1, ID("a"))))
	d.must(d.submit(Of("dig", 1, ID("a"))))
	if err := d.submit(Of("dig", 2, ID("a"))); err == nil || codeOf(err) != ErrConflict {
		t.Errorf("another task of the same id: %v", err)
	}
	if d.table.live != 1 {
		t.Errorf("%d live tasks", d.table.live)
	}
}

func TestUniqueKeyIsFreeAgainWhenItsTaskHasEnded(t *testing.T) {
	d := newDesk(t)
	w := d.worker("w", 1, "dig")
	d.must(d.submit(Of("dig", 1, ID("a"), Unique("u"))))
	err := d.submit(Of("dig", 1, ID("b"), Unique("u")))
	if dup, is := err.(*DuplicateError); !is || dup.ID != "a" || dup.Unique != "u" {
		t.Errorf("%v", err)
	}
	w.ends(w.one(), howDone)
	d.must(d.submit(Of("dig", 1, ID("b"), Unique("u"))))
}

func TestTasksOfOneKeyRunOneAtATimeInOrder(t *testing.T) {
	d := newDesk(t)
	for i := range 3 {
		d.must(d.submit(Of("dig", i, ID(fmt.Sprint(i)), Key("k"))))
	}
	w := d.worker("w", 10, "dig")
	a := w.one()
	d.is("1", Held)
	w.ends(a, howFailed)
	if a.ID != "0" || len(w.given()) != 0 {
		t.Error("one behind a failed task of its key ran before that was tried again")
	}
	d.begin() // the order survives the dispatcher
	w.hello(10, nil, "dig")
	d.pass(2 * time.Second)
	a = w.one()
	if a.ID != "0" {
		t.Fatalf("given %v", a)
	}
	w.ends(a, howDiscard)
	for _, want := range []string{"1", "2"} {
		if a = w.one(); a.ID != want {
			t.Fatalf("given %v, want %s", a, want)
		}
		w.ends(a, howDone)
	}
}

func TestRetriedTaskOfAKeyDoesNotJumpItsLine(t *testing.T) {
	d := newDesk(t)
	w := d.worker("w", 10, "dig")
	d.must(d.submit(Of("dig", 0, ID("a"), Key("k"))))
	w.ends(w.one(), howDiscard)
	d.must(d.submit(Of("dig", 0, ID("b"), Key("k"))))
	b := w.one()
	d.must(d.ask(&changeCall{verbRetry, "a"}).(*changeAnswer).Problem.err())
	d.is("a", Held)
	d.begin()
	w.hello(10, []held{{b.ID, b.Fence}}, "dig")
	if got := w.given(); len(got) != 0 {
		t.Errorf("%v was given beside another of its key", got)
	}
	w.ends(b, howDone)
	if a := w.one(); a.ID != "a" {
		t.Errorf("%v", a)
	}
}

func TestPoisonIsDeadAfterItsAttempts(t *testing.T) {
	d := newDesk(t)
	w := d.worker("w", 10, "dig")
	d.must(d.submit(Of("dig", 0, ID("a"), Attempts(3), BackOff(time.Second, time.Minute))))
	d.must(d.submit(Of("dig", 0, ID("b"))))
	var poison assignment
	for _, a := range w.given() {
		if a.ID == "a" {
			poison = a
			continue
		}
		w.ends(a, howDone)
	}
	w.ends(poison, howFailed)
	d.is("a", Delayed)
	d.pass(500 * time.Millisecond)
	d.is("a", Delayed)
	d.pass(time.Second)
	w.ends(w.one(), howFailed)
	d.pass(1500 * time.Millisecond)
	d.is("a", Delayed)
	d.pass(time.Second)
	w.ends(w.one(), howFailed)
	if i := d.info("a"); i.State != Dead || i.Failures != 3 || i.Error != "why" {
		t.Errorf("%+v", i)
	}
	d.is("b", Done)
	d.begin()
	d.is("a", Dead)
	d.must(d.ask(&changeCall{verbRetry, "a"}).(*changeAnswer).Problem.err())
	w.hello(10, nil, "dig")
	if a := w.one(); a.Attempt != 4 || len(a.Body) == 0 {
		t.Errorf("%+v", a)
	}
}

func TestPoisonThatKillsItsWorkersIsDead(t *testing.T) {
	d := newDesk(t)
	d.must(d.submit(Of("dig", 0, ID("a"), Attempts(3))))
	for i := range 3 {
		w := d.worker(fmt.Sprint("w", i), 1, "dig")
		d.pass(time.Minute)
		w.one()
		w.dies()
	}
	d.is("a", Dead)
}

func TestAskingAgainUsesNoAttempt(t *testing.T) {
	d := newDesk(t)
	w := d.worker("w", 1, "dig")
	d.must(d.submit(Of("dig", 0, ID("a"), Attempts(1))))
	for range 5 {
		a := w.one()
		d.hear(w.pid, &outcomes{Worker: "w", List: []outcome{{ID: "a", Fence: a.Fence, How: howAgain, Delay: 1000}}})
		d.is("a", Delayed)
		d.pass(time.Second)
	}
	w.ends(w.one(), howReleased)
	w.ends(w.one(), howLost)
	d.is("a", Running)
}

func TestSubmitIsAllOrNothing(t *testing.T) {
	d := newDesk(t)
	d.must(d.submit(Of("dig", 0, ID("taken"))))
	for what, bad := range map[string]Spec{
		"conflict":  Of("dig", 1, ID("taken")),
		"unique":    Of("dig", 1, ID("c"), Unique("u")),
		"too large": Of("dig", make([]byte, DefaultMaxBody+1), ID("c")),
		"no kind":   Of("", 1, ID("c")),
		"no id":     Of("dig", 1),
	} {
		a := d.ask(&submitCall{Specs: []Spec{Of("dig", 0, ID("a")), Of("dig", 0, ID("b"), Unique("u")), bad}}).(*submitAnswer)
		if a.Problem.err() == nil || d.table.entries["a"] != nil || d.table.live != 1 {
			t.Errorf("%s: %v, %d live", what, a.Problem.err(), d.table.live)
		}
	}
}

func TestCancel(t *testing.T) {
	d := newDesk(t)
	cancel := func(id string) error { return d.ask(&changeCall{verbCancel, id}).(*changeAnswer).Problem.err() }
	d.must(d.submit(Of("dig", 0, ID("a"))))
	d.must(cancel("a"))
	d.is("a", Cancelled)
	d.must(cancel("a"))
	w := d.worker("w", 1, "dig")
	for id, how := range map[string]how{"f": howFailed, "d": howDone} {
		d.must(d.submit(Of("dig", 0, ID(id))))
		a := w.one()
		d.must(cancel(id))
		d.is(id, Stopping)
		told := false
		for _, m := range d.said {
			ab, is := m.body.(*abandon)
			told = told || is && m.to == w.pid && ab.List[0].ID == id && ab.Why == whyCancelled
		}
		if !told {
			t.Error("the worker was not told")
		}
		w.ends(a, how)
	}
	d.is("f", Cancelled)
	d.is("d", Done)
	if codeOf(cancel("d")) != ErrState || codeOf(cancel("?")) != ErrNotFound {
		t.Error(cancel("d"), cancel("?"))
	}
	d.must(d.submit(Of("dig", 0, ID("g"))))
	w.one()
	d.must(cancel("g"))
	w.dies()
	d.is("g", Cancelled)
}

func TestFencesRiseThoughTheRecordsAreLost(t *testing.T) {
	d := newDesk(t)
	w := d.worker("w", 1, "dig")
	d.must(d.submit(Of("dig", 1, ID("a"))))
	before := w.one().Fence
	clear(d.store)
	d.now += 1000
	d.begin()
	w.hello(1, nil, "dig")
	d.must(d.submit(Of("dig", 1, ID("a"))))
	if after := w.one().Fence; after <= before {
		t.Errorf("fence %d after %d", after, before)
	}
}

// One commit can forget a task and take in another of its name.
func TestTaskThatTakesAForgottenOnesNameIsKept(t *testing.T) {
	for range 20 { // the order of a map is by chance
		d := newDesk(t)
		w := d.worker("w", 1, "dig")
		d.must(d.submit(Of("dig", 1, ID("a"))))
		w.ends(w.one(), howDone)
		d.table.step(&news{body: &changeCall{verbDelete, "a"}}, d.now)
		d.table.step(&news{body: &submitCall{Specs: []Spec{Of("dig", 2, ID("a"))}}}, d.now)
		d.commit()
		a := w.one()
		d.begin()
		w.hello(1, []held{{a.ID, a.Fence}}, "dig")
		d.is("a", Running)
	}
	// And of one whose task was lost, but not how that stood.
	d := newDesk(t)
	w := d.worker("w", 1, "dig")
	d.store[stateKey+"a"] = encode(&stateRecord{Attempt: 1})
	d.load() // notes that this is to be deleted
	d.table.step(&news{body: d.here}, d.now)
	d.table.step(&news{from: w.pid, body: &hello{Worker: "w", Slots: 1, Kinds: []offer{{"dig", 1}}}}, d.now)
	d.table.step(&news{body: &submitCall{Specs: []Spec{Of("dig", 2, ID("a"))}}}, d.now)
	d.commit()
	a := w.one()
	d.begin()
	w.hello(1, []held{{a.ID, a.Fence}}, "dig")
	if i := d.info("a"); i.State != Running || i.Fence != a.Fence {
		t.Errorf("%+v after it was given with fence %d", i, a.Fence)
	}
}

func TestFencesRiseThoughAllTasksAreForgotten(t *testing.T) {
	d := newDesk(t)
	w := d.worker("w", 1, "dig")
	var last uint64
	for i := range 3 {
		d.must(d.submit(Of("dig", i, ID("a"))))
		a := w.one()
		if a.Fence <= last {
			t.Errorf("fence %d after %d", a.Fence, last)
		}
		last = a.Fence
		w.ends(a, howDone)
		d.must(d.ask(&changeCall{verbDelete, "a"}).(*changeAnswer).Problem.err())
		d.begin()
		w.hello(1, nil, "dig")
	}
}

func TestPriorityGoesFirstAndNeedsAreMet(t *testing.T) {
	d := newDesk(t)
	d.must(d.submit(Of("dig", 0, ID("low"), Priority(-1))))
	d.must(d.submit(Of("dig", 0, ID("gpu"), Priority(9), Needs("gpu", "yes"))))
	d.must(d.submit(Of("dig", 0, ID("normal"))))
	d.must(d.submit(Of("dig", 0, ID("high"), Priority(5))))
	w := d.worker("w", 1, "dig")
	for _, want := range []string{"high", "normal", "low"} {
		a := w.one()
		if a.ID != want {
			t.Fatalf("given %s, want %s", a.ID, want)
		}
		w.ends(a, howDone)
	}
	d.is("gpu", Waiting)
	g := &hand{d: d, name: "g", pid: actor.MakePID(actor.NodeID{Name: "g", Address: "x:1", Incarnation: 9}, 9)}
	d.here = append(d.here, listedWorker{name: "g", node: "g", pid: g.pid})
	d.hear(actor.PID{}, d.here)
	d.hear(g.pid, &hello{Worker: "g", Slots: 1, Kinds: []offer{{"dig", 1}}, Attributes: map[string]string{"gpu": "yes"}})
	if a := g.one(); a.ID != "gpu" {
		t.Error(a)
	}
}

func TestWaitersAreAnsweredAtTheEndAndPutOffBefore(t *testing.T) {
	d := newDesk(t)
	w := d.worker("w", 1, "dig")
	d.must(d.submit(Of("dig", 0, ID("a"))))
	a := w.one()
	if d.ask(&awaitCall{"a"}) != nil {
		t.Fatal("answered before the end")
	}
	first := d.calls
	d.pass(31 * time.Second)
	d.pass(11 * time.Second)
	if b, is := d.answer(first).(*awaitAnswer); !is || !b.Later {
		t.Fatal("not put off")
	}
	d.ask(&awaitCall{"a"})
	second := d.calls
	d.hear(w.pid, &outcomes{Worker: "w", List: []outcome{{ID: "a", Fence: a.Fence, How: howDone, Result: []byte{1}, Type: "int"}}})
	if b, is := d.answer(second).(*awaitAnswer); !is || b.Info.State != Done || b.Result[0] != 1 {
		t.Fatal("not answered at the end")
	}
	if b := d.ask(&awaitCall{"a"}).(*awaitAnswer); b.Info.State != Done {
		t.Error(b)
	}
	if b := d.ask(&awaitCall{"?"}).(*awaitAnswer); codeOf(b.Problem.err()) != ErrNotFound {
		t.Error(b)
	}
}

func TestRecordsThatCannotBeReadAreDeadTasks(t *testing.T) {
	d := newDesk(t)
	d.must(d.submit(Of("dig", 0, ID("a"))))
	d.must(d.submit(Of("dig", 0, ID("b"))))
	d.store[taskKey+"a"] = []byte("garbage")
	d.store[stateKey+"b"] = []byte{0xc1}
	d.store[stateKey+"orphan"] = encode(&stateRecord{})
	d.store["foreign"] = []byte("?")
	d.store[scheduleKey+"s"] = []byte("?")
	d.begin()
	d.is("a", Dead)
	d.is("b", Dead)
	d.must(d.submit(Of("dig", 0, ID("c"))))
	if a := d.worker("w", 9, "dig").one(); a.ID != "c" {
		t.Error(a)
	}
}
