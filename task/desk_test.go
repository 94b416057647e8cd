package task

import (
	"errors"
	"testing"
	"time"

	"conclave/actor"
)

// desk is a table with a store in memory and a clock of its own.
type desk struct {
	t     *testing.T
	table *table
	store map[string][]byte
	now   int64
	said  []message // since the last look
	calls int
	here  listing // the workers that have a znode
	term  int64
}

func newDesk(t *testing.T, change ...func(*bounds)) *desk {
	d := &desk{t: t, store: make(map[string][]byte), now: 1_800_000_000_000}
	d.begin(change...)
	return d
}

// begin has a new dispatcher take over.
func (d *desk) begin(change ...func(*bounds)) {
	d.load(change...)
	d.hear(actor.PID{}, d.here)
}

// load is what it does first.
func (d *desk) load(change ...func(*bounds)) {
	d.term++
	c, _ := Config{}.withDefaults()
	b := bounds{live: c.MaxLive, bytes: c.MaxBytes, body: c.MaxBody, keep: c.Keep, scope: "s", node: "n", term: d.term}
	for _, f := range change {
		f(&b)
	}
	d.table = newTable(b, RoundRobin().Begin())
	l := d.table.loading()
	for k, v := range d.store {
		if err := l.take(k, v); err != nil {
			d.t.Fatal(err)
		}
	}
	l.finish(d.now)
}

// hear gives the table news and commits what follows.
func (d *desk) hear(from actor.PID, body any) {
	d.table.step(&news{from: from, body: body}, d.now)
	d.commit()
}

func (d *desk) commit() {
	d.t.Helper()
	for {
		d.table.settle(d.now)
		changes, workers := d.table.changes()
		gone := ""
		for _, w := range workers {
			if !d.isHere(w) {
				gone = w
			}
		}
		if gone != "" {
			d.table.workerGone(gone)
			continue
		}
		for _, c := range changes {
			if c.Value == nil {
				delete(d.store, c.Key)
				continue
			}
			d.store[c.Key] = c.Value
		}
		out, _ := d.table.committed()
		d.said = append(d.said, out...)
		if !d.table.pending() {
			return
		}
	}
}

func (d *desk) isHere(name string) bool {
	for _, w := range d.here {
		if w.name == name {
			return true
		}
	}
	return false
}

// ask calls and returns the answer.
func (d *desk) ask(body any) any {
	d.t.Helper()
	d.calls++
	call := d.calls
	d.table.step(&news{call: call, body: body}, d.now)
	d.commit()
	return d.answer(call)
}

// answer is what was said to a call; nil: nothing yet.
func (d *desk) answer(call int) any {
	for i, m := range d.said {
		if m.call == call {
			d.said = append(d.said[:i], d.said[i+1:]...)
			return m.body
		}
	}
	return nil
}

func (d *desk) submit(s Spec, opts ...Option) error {
	d.t.Helper()
	for _, o := range opts {
		o(&s)
	}
	return d.ask(&submitCall{Specs: []Spec{s}}).(*submitAnswer).Problem.err()
}

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) info(id string) Info {
	d.t.Helper()
	a := d.ask(&showCall{ID: id}).(*showAnswer)
	d.must(a.Problem.err())
	return a.Details.Info
}

func (d *desk) is(id string, want State) {
	d.t.Helper()
	if i := d.info(id); i.State != want {
		d.t.Fatalf("%s is %s (attempt %d, %q), want %s", id, i.State, i.Attempt, i.Error, want)
	}
}

func (d *desk) pass(by time.Duration) {
	d.now += ms(by)
	d.commit()
}

// hand is a worker in a test.
type hand struct {
	d    *desk
	name string
	pid  actor.PID
}

func (d *desk) worker(name string, slots int, kinds ...string) *hand {
	d.t.Helper()
	h := &hand{d: d, name: name, pid: actor.MakePID(actor.NodeID{Name: name, Address: "127.0.0.1:1", Incarnation: uint64(len(d.here) + 1)}, uint64(len(name)))}
	d.here = append(d.here, listedWorker{name: name, node: name, pid: h.pid})
	d.hear(actor.PID{}, d.here)
	h.hello(slots, nil, kinds...)
	return h
}

func (h *hand) hello(slots int, running []held, kinds ...string) {
	b := &hello{Worker: h.name, Slots: slots, Running: running}
	for _, k := range kinds {
		b.Kinds = append(b.Kinds, offer{k, slots})
	}
	h.d.hear(h.pid, b)
}

// leave takes the worker's znode away; nobody is told yet.
func (h *hand) leave() {
	for i, w := range h.d.here {
		if w.name == h.name {
			h.d.here = append(h.d.here[:i:i], h.d.here[i+1:]...)
			return
		}
	}
}

func (h *hand) dies() {
	h.leave()
	h.d.hear(actor.PID{}, h.d.here)
}

// given takes what the worker was assigned since the last look.
func (h *hand) given() (all []assignment) {
	left := h.d.said[:0]
	for _, m := range h.d.said {
		if a, is := m.body.(*assign); is && m.to == h.pid {
			all = append(all, a.Tasks...)
			continue
		}
		left = append(left, m)
	}
	h.d.said = left
	return all
}

// one is the only task the worker was given.
func (h *hand) one() assignment {
	h.d.t.Helper()
	all := h.given()
	if len(all) != 1 {
		h.d.t.Fatalf("%s was given %d tasks, want 1: %v", h.name, len(all), all)
	}
	return all[0]
}

// ends says how an attempt has ended, and returns whether that was refused.
func (h *hand) ends(a assignment, how how, then ...Spec) (refused bool) {
	h.d.t.Helper()
	h.d.said = nil
	h.d.hear(h.pid, &outcomes{Worker: h.name, List: []outcome{{ID: a.ID, Fence: a.Fence, How: how, Error: "why", Then: then}}})
	for _, m := range h.d.said {
		if r, is := m.body.(*recorded); is && m.to == h.pid {
			return r.List[0].Refused
		}
	}
	h.d.t.Fatal("nothing was recorded")
	return false
}

// codeOf is the sentinel that a client is told.
func codeOf(err error) error {
	if err == nil {
		return nil
	}
	return errors.Unwrap(problemOf(err).err())
}
