package task

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"conclave/internal/journal"
)

// Whoever submits all the time fills every commit; the rest is done all the same.
func TestSubmittersWithoutPauseStarveNothing(t *testing.T) {
	d := newDesk(t, func(b *bounds) { b.keep.Most = 10 })
	w := d.worker("w", 64, "x")
	gone := d.worker("gone", 64, "x")
	d.must(d.ask(&scheduleCall{Schedule: ScheduleSpec{Name: "s", Line: "* * * * * *", Task: Of("tick", 1)}}).(*scheduleAnswer).Problem.err())
	for n := range 200 {
		d.must(d.submit(Of("x", 1, ID(fmt.Sprint("early", n)))))
	}
	first := w.given()
	gone.leave()
	var ends []outcome
	for _, a := range first {
		ends = append(ends, outcome{ID: a.ID, Fence: a.Fence, How: howDone})
	}
	d.table.step(&news{from: w.pid, body: &outcomes{Worker: w.name, List: ends}}, d.now)
	d.table.step(&news{body: d.here}, d.now)
	assigned := d.table.counts.Assigned
	body := make([]byte, 5000)
	for n := 0; n < 3000; { // so many are always there before the dispatcher has looked
		d.table.prepare(d.now)
		for ; !d.table.full(); n++ {
			d.table.step(&news{call: n, body: &submitCall{Specs: []Spec{Of("x", body, ID(fmt.Sprint(n)))}}}, d.now)
		}
		d.table.settle(d.now)
		d.table.changes()
		d.table.committed()
		d.now += 20
	}
	if c := d.table.counts; c.Assigned == assigned || c.Recovered != 64 || c.Ticks == 0 || d.table.ended.len() > 10 {
		t.Errorf("%d assigned of 64 slots, %d of 64 taken back, %d ticks, %d remembered of at most 10", c.Assigned-assigned, c.Recovered, c.Ticks, d.table.ended.len())
	}
}

// A worker with many slots is given all that it can take at once, in messages that
// links take, at first and after a hello.
func TestManyLargeTasksGoInManyMessages(t *testing.T) {
	d := newDesk(t, func(b *bounds) { b.body = 256 << 10 })
	body := make([]byte, 200<<10)
	for n := range 200 {
		d.must(d.submit(Of("x", body, ID(fmt.Sprint(n)))))
	}
	w := d.worker("w", 200, "x")
	for _, when := range []string{"at first", "after a hello"} {
		n := 0
		for _, m := range d.said {
			if a, is := m.body.(*assign); is {
				n += len(a.Tasks)
				if size := len(encode(a)); size > 1<<20 {
					t.Errorf("%s: a message of %d bytes", when, size)
				}
			}
		}
		if n != 200 {
			t.Errorf("%s: %d of 200 given", when, n)
		}
		d.said = nil
		w.hello(200, nil, "x")
	}
}

func TestChainsOfFollowersDoNotEndWhenNamesGetLong(t *testing.T) {
	d := newDesk(t)
	w := d.worker("w", 4, "x")
	d.must(d.submit(Of("x", 1, ID(strings.Repeat("ä", 40)))))
	for n := range 200 {
		g := w.given()
		if len(g) != 2-n%2 && n > 0 && len(g) == 0 {
			t.Fatalf("the chain ends after %d", n)
		}
		for i, a := range g {
			o := outcome{ID: a.ID, Fence: a.Fence, How: howDone}
			if i == 0 {
				o.Then = []Spec{Of("x", 2), Of("x", 3)}
			}
			d.hear(w.pid, &outcomes{Worker: w.name, List: []outcome{o}})
		}
	}
	if c := d.table.counts; c.Submitted != 1+2*200 {
		t.Errorf("%d submitted", c.Submitted)
	}
	for id := range d.table.entries {
		if err := checkName("id", id); err != nil {
			t.Error(err)
		}
	}
}

// The dispatcher's bounds are others than the worker's.
func TestFollowerThatCannotBeSubmittedIsNotLostInSilence(t *testing.T) {
	d := newDesk(t, func(b *bounds) { b.body = 100 })
	w := d.worker("w", 4, "x")
	d.must(d.submit(Of("x", 1, ID("p"))))
	d.hear(w.pid, &outcomes{Worker: w.name, List: []outcome{{ID: "p", Fence: w.given()[0].Fence, How: howDone, Then: []Spec{Of("y", make([]byte, 200))}}}})
	if i := d.info("p"); i.State != Dead || !strings.Contains(i.Error, "to follow") {
		t.Errorf("%+v", i)
	}
}

func changesSize(all []Change) (n int) {
	for _, c := range all {
		n += len(c.Key) + len(c.Value) + 6
	}
	return n
}

// What can be submitted and returned fits into a commit: one that did not would end
// every dispatcher that it is sent to.
func TestNothingThatIsAcceptedIsTooLargeForACommit(t *testing.T) {
	many := make(map[string]string)
	for i := 0; len(many) < 256+384; i++ {
		if i < 256 {
			many[string([]byte{byte(i)})] = ""
		}
		many[string([]byte{byte(i), byte(i >> 8)})] = ""
	}
	for size(many) > MaxMeta {
		for k := range many {
			delete(many, k)
			break
		}
	}
	for name, one := range map[string]Spec{
		"tiny metadata": {Kind: "x", Meta: many, Needs: many},
		"nothing":       {Kind: "x"},
		"bodies":        Of("x", make([]byte, 10_000)),
		"types":         {Kind: "x", Type: strings.Repeat("t", 1000)},
		"names":         {Kind: strings.Repeat("k", MaxName), Key: strings.Repeat("y", MaxName), Unique: strings.Repeat("u", MaxName-4)},
	} {
		d := newDesk(t)
		for d.table.step(nil, d.now); !d.table.full(); { // as much as there can be before
			d.table.step(&news{call: 1, body: &submitCall{Specs: []Spec{Of("z", make([]byte, 5000), ID(fmt.Sprint(d.table.live)))}}}, d.now)
			if d.table.size > maxBatch-6000 {
				break
			}
		}
		var specs []Spec
		for n := 0; len(specs) < MaxTogether; {
			one.ID = fmt.Sprint("s", len(specs))
			if one.Unique != "" {
				one.Unique = fmt.Sprintf("%04d", len(specs)) + one.Unique[4:]
			}
			if n += one.bytes(); n > maxTogetherBytes {
				break
			}
			specs = append(specs, one)
		}
		d.table.step(&news{call: 1, body: &submitCall{Specs: specs}}, d.now)
		if d.table.entries["s0"] == nil {
			t.Errorf("%s: refused", name)
		}
		d.table.settle(d.now)
		if all, _ := d.table.changes(); changesSize(all) > journal.MaxCommit {
			t.Errorf("%s: a commit of %d bytes, at most %d", name, changesSize(all), journal.MaxCommit)
		}
	}
	d := newDesk(t)
	w := d.worker("w", 4, "x")
	d.must(d.submit(Of("x", 1, ID("p"))))
	d.table.step(&news{from: w.pid, body: &outcomes{Worker: w.name, List: []outcome{{ID: "p", Fence: w.given()[0].Fence, How: howDone, Type: strings.Repeat("T", 700<<10)}}}}, d.now)
	if all, _ := d.table.changes(); changesSize(all) > journal.MaxCommit {
		t.Errorf("the type of a result: a commit of %d bytes, at most %d", changesSize(all), journal.MaxCommit)
	}
}

// An older version takes over again.
func TestPhaseOfALaterVersionIsADeadTaskWithItsReason(t *testing.T) {
	d := newDesk(t)
	d.must(d.submit(Of("x", 1, ID("p"))))
	d.store[stateKey+"p"] = encode(&stateRecord{Phase: cancelled + 1, Attempt: 1, Fence: 3})
	d.begin()
	if i := d.info("p"); i.State != Dead || !strings.Contains(i.Error, "later version") {
		t.Errorf("%+v", i)
	}
	d.pass(2 * time.Hour)
	d.is("p", Dead)
}

func TestTicksLeftOutAreCountedOnceWhileTheQueueIsFull(t *testing.T) {
	d := newDesk(t, func(b *bounds) { b.live = 1 })
	d.must(d.submit(Of("x", 1, ID("p"))))
	d.must(d.ask(&scheduleCall{Schedule: ScheduleSpec{Name: "s", Line: "* * * * *", Task: Of("tick", 1)}}).(*scheduleAnswer).Problem.err())
	for range 600 {
		d.pass(time.Second)
	}
	d.ask(&changeCall{verbCancel, "p"})
	d.pass(time.Second)
	if r := d.table.schedules["s"].rec; r.Fired != 1 || r.Left != 9 {
		t.Errorf("of 10 ticks %d were fired and %d left out", r.Fired, r.Left)
	}
}

func TestTaskThatTheStrategyDeclinesHoldsUpNobody(t *testing.T) {
	d := newDesk(t)
	d.table.pick = func(i Info, c []WorkerStatus) int {
		if i.Meta["tenant"] == "paused" {
			return -1
		}
		return 0
	}
	w := d.worker("w", 64, "x")
	d.must(d.submit(Of("x", 1, ID("p"), Meta("tenant", "paused"))))
	d.must(d.submit(Of("x", 1, ID("q"))))
	if g := w.given(); len(g) != 1 || g[0].ID != "q" {
		t.Errorf("given: %v", g)
	}
	d.is("p", Waiting)
}

// Kinds that nobody does are passed over, however many there are, and cost nothing
// while nothing happens.
func TestThousandsOfKindsThatNobodyDoesHoldUpNobody(t *testing.T) {
	d := newDesk(t)
	for n := range 1500 {
		d.must(d.submit(Of(fmt.Sprint("other", n), 1, ID(fmt.Sprint(n)))))
	}
	w := d.worker("w", 1, "x")
	d.must(d.submit(Of("x", 1, ID("p"))))
	if g := w.given(); len(g) != 1 {
		t.Errorf("given: %v", g)
	}
	if d.table.pending() {
		t.Error("the dispatcher never rests")
	}
}
