package task

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"conclave/actor"
)

func TestQueueIsBounded(t *testing.T) {
	d := newDesk(t, func(b *bounds) { b.live = 3 })
	for i := range 3 {
		d.must(d.submit(Of("dig", i, ID(fmt.Sprint(i)))))
	}
	if err := d.submit(Of("dig", 0, ID("x"))); codeOf(err) != ErrQueueFull {
		t.Errorf("%v", err)
	}
	d.must(d.submit(Of("dig", 1, ID("1")))) // it is there already
	w := d.worker("w", 1, "dig")
	w.ends(w.one(), howDone)
	d.must(d.submit(Of("dig", 0, ID("x"))))

	small := newDesk(t, func(b *bounds) { b.bytes = 1000 })
	small.must(small.submit(Of("dig", make([]byte, 500), ID("a"))))
	if err := small.submit(Of("dig", make([]byte, 500), ID("b"))); codeOf(err) != ErrQueueFull {
		t.Errorf("%v", err)
	}
}

func TestOldTasksAreForgottenAndLateRepetitionsAreNotRunAgain(t *testing.T) {
	d := newDesk(t, func(b *bounds) {
		b.keep = Keep{For: time.Hour, Most: 2, Dead: 2 * time.Hour, DeadMost: 10, Bytes: 1 << 30}
	})
	w := d.worker("w", 1, "dig")
	seen := func() uint64 { return d.ask(&submitCall{}).(*submitAnswer).Seen }
	before := seen()
	for i := range 4 {
		d.must(d.submit(Of("dig", i, ID(fmt.Sprint(i)))))
		w.ends(w.one(), howDone)
		d.pass(time.Second)
	}
	if d.table.entries["1"] != nil || d.table.entries["2"] == nil {
		t.Error("not the two oldest were forgotten")
	}
	again := func(id string, seen uint64) error {
		return d.ask(&submitCall{Specs: []Spec{Of("dig", id, ID(id))}, Again: true, Seen: seen}).(*submitAnswer).Problem.err()
	}
	if err := again("1", before); codeOf(err) != ErrUnknownOutcome {
		t.Errorf("a repetition of a task that was forgotten: %v", err)
	}
	d.begin(func(b *bounds) {
		b.keep = Keep{For: time.Hour, Most: 2, Dead: 2 * time.Hour, DeadMost: 10, Bytes: 1 << 30}
	})
	if err := again("1", before); codeOf(err) != ErrUnknownOutcome {
		t.Errorf("and after a fail-over: %v", err)
	}
	d.must(again("new", seen()))
	w.hello(1, nil, "dig")
	w.ends(w.one(), howDiscard)
	d.pass(61 * time.Minute)
	if d.table.entries["3"] != nil || d.table.entries["new"] == nil {
		t.Error("done tasks stay an hour, dead ones longer")
	}
	d.pass(time.Hour)
	if len(d.table.entries) != 0 || len(d.store) != 1 {
		t.Errorf("left: %v, %d records", d.table.entries, len(d.store))
	}
}

// A commit must fit into one transaction of the store, whatever comes together.
func TestCommitsStaySmall(t *testing.T) {
	const most = 640 << 10 // journal.MaxCommit, about
	d := newDesk(t, func(b *bounds) { b.body, b.keep.Bytes = 256<<10, 1<<30 })
	largest := 0
	look := func() {
		n := 0
		changes, _ := d.table.changes()
		for _, c := range changes {
			n += len(c.Key) + len(c.Value) + 6
		}
		largest = max(largest, n)
	}
	step := func(from actor.PID, body any) {
		d.table.step(&news{from: from, body: body}, d.now)
		for {
			look()
			d.table.settle(d.now)
			look()
			d.commit()
			if !d.table.pending() {
				return
			}
		}
	}
	w := d.worker("w", 1000, "dig")
	for i := range 1000 {
		d.must(d.submit(Of("dig", make([]byte, 5000), ID(fmt.Sprint(i)))))
	}
	all := w.given()
	big := make([]Spec, 60)
	for i := range big {
		big[i] = Of("fill", make([]byte, 5000))
	}
	o := &outcomes{Worker: "w"}
	for i, a := range all {
		one := outcome{ID: a.ID, Fence: a.Fence, How: howDone}
		if i%10 == 0 {
			one.Then = big
		} else {
			one.Result = make([]byte, 250<<10)
		}
		o.List = append(o.List, one)
		step(w.pid, &progressed{Worker: "w", ID: a.ID, Fence: a.Fence, Data: make([]byte, 200<<10)})
	}
	step(w.pid, o)
	for i := range 1000 {
		d.is(fmt.Sprint(i), Done)
	}
	d.is("999", Done)
	if d.table.live != 100*60 {
		t.Errorf("%d live", d.table.live)
	}
	if largest > most || largest < maxBatch {
		t.Errorf("the largest commit has %d bytes, at most %d", largest, most)
	}
}

func TestWhatIsKeptOfEndedTasksIsBoundedInBytes(t *testing.T) {
	small := func(b *bounds) { b.keep.Bytes = 50_000 }
	d := newDesk(t, small)
	w := d.worker("w", 1, "dig")
	d.must(d.submit(Of("dig", "dead", ID("dead"))))
	w.ends(w.one(), howDiscard)
	for i := range 20 {
		d.must(d.submit(Of("dig", i, ID(fmt.Sprint(i)))))
		a := w.one()
		d.hear(w.pid, &progressed{Worker: "w", ID: a.ID, Fence: a.Fence, Data: make([]byte, 8000)})
		if d.table.bytes < 8000 {
			t.Errorf("%d bytes live, with 8000 of progress", d.table.bytes)
		}
		d.hear(w.pid, &outcomes{Worker: "w", List: []outcome{{ID: a.ID, Fence: a.Fence, How: howDone, Result: make([]byte, 9000)}}})
	}
	check := func() {
		t.Helper()
		sum := 0
		for _, v := range d.store {
			sum += len(v)
		}
		if n := d.table.ended.len(); n != 5 && n != 4 || d.table.kept > 50_000 || sum > 50_000 || d.table.bytes != 0 {
			t.Errorf("%d ended tasks are kept, %d bytes counted, %d in the store; %d bytes live", n, d.table.kept, sum, d.table.bytes)
		}
		d.is("dead", Dead) // those go last
		d.is("19", Done)
	}
	check()
	kept := d.table.kept
	d.begin(small)
	check()
	if d.table.kept != kept {
		t.Errorf("%d bytes counted by the next dispatcher, %d by the last", d.table.kept, kept)
	}
	d.must(d.ask(&changeCall{verbRetry, "dead"}).(*changeAnswer).Problem.err())
	if d.table.bytes == 0 {
		t.Error("a retried task is not counted among the live")
	}
}

func TestFollowersAreBounded(t *testing.T) {
	d := newDesk(t, func(b *bounds) { b.live = 10 })
	w := d.worker("w", 1, "dig")
	d.must(d.submit(Of("dig", 1, ID("a"))))
	a := w.one()
	for !d.t.Failed() && d.table.live < 20 {
		if d.table.live > 18 {
			break
		}
		w.ends(a, howDone, Of("dig", 1), Of("dig", 2)) // it doubles itself
		a = w.one()
	}
	w.ends(a, howDone, Of("dig", 1), Of("dig", 2))
	if i := d.info(a.ID); i.State != Delayed || !strings.Contains(i.Error, "queue full") || d.table.live > 20 {
		t.Errorf("%+v; %d live", i, d.table.live)
	}
}
