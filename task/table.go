//conclave:pure

package task

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"conclave/actor"
)

// table is all that a dispatcher knows and decides. It does nothing itself: step is
// told what has happened and changes the table; changes is what has to be
// committed for that, and committed, once that was done, what there is to say to
// whom. Nothing is said before it is durable. Times are milliseconds since 1970.
type table struct {
	bounds bounds
	pick   Picker
	now    int64

	entries map[string]*entry
	classes map[string]*class
	later   ordered[*entry]     // until they are due
	ended   ordered[*entry]     // done and cancelled, by when
	dead    ordered[*entry]     // by when
	lines   map[string][]*entry // live tasks of each key, in order; the first may run
	unique  map[string]*entry
	live    int
	bytes   int
	kept    int // bytes of those that have ended

	members map[string]*member  // workers, by the names of their znodes
	roll    []*member           // the same, in order
	adrift  map[string][]*entry // loaded as running, with workers that were not met yet
	bereft  []*member           // gone, and not all of their tasks are taken back yet
	listed  bool                // the workers have been listed

	schedules map[string]*scheduled
	ticks     ordered[*scheduled]

	serial    uint64 // the last one that was given
	counters  counterRecord
	unsaved   bool // the counters
	waiters   map[string][]waiter
	putOffAt  int64
	counts    Counts
	changed   map[*entry]struct{}
	retimed   map[*scheduled]struct{}
	dropped   []string // keys of records
	fresh     []*entry // assigned since the last commit
	rest      []*news  // what did not go into this commit any more
	decoded   []*entry // those with a decoded taskRecord
	out       []message
	size      int  // of what is changed, about
	room      int  // and how large that may become
	cut       bool // there was no room to give all that could be given
	happening []Event
}

// bounds are the table's part of a Config.
type bounds struct {
	live, bytes, body int
	keep              Keep
	scope             string
	node              string
	term              int64
	part, parts       int // of a scope that is divided; parts below 2: it is not
}

// boundsOf are those of a dispatcher: of a divided scope each part has its share.
func boundsOf(c Config, a area, node string, term int64) bounds {
	b := bounds{live: c.MaxLive, bytes: c.MaxBytes, body: c.MaxBody, keep: c.Keep, scope: a.scope, node: node, term: term}
	if !a.divided() {
		return b
	}
	b.part, b.parts = a.part, a.parts
	for _, n := range []*int{&b.live, &b.bytes, &b.keep.Most, &b.keep.DeadMost, &b.keep.Bytes} {
		*n = share(*n, a.part, a.parts)
	}
	return b
}

// class is all tasks that the same workers can do.
type class struct {
	name  string
	kind  string
	needs map[string]string
	ready ordered[*entry]
	tasks int
}

// waiter is a client that waits for a task to end.
type waiter struct {
	call  any
	until int64
}

// message is what is to be said once all that has changed is committed: the
// answer to a call, or mail to a process.
type message struct {
	call any
	to   actor.PID
	body any
}

// How long things take, in milliseconds.
const (
	longPoll    = 30_000 // a waiting client is told to ask again
	greetAgain  = 5_000  // a worker that has not answered
	greetAlways = 30_000 // any worker
)

// What one step may do at most, so that a commit stays small.
const (
	maxRecovered = 1_000
	maxForgotten = 500
	maxAssigned  = 1_000
	// maxBatch is the bytes of changes, as estimated, after which no further step is
	// made. ZooKeeper's servers keep their last 500 transactions in memory: they
	// should be of tens of kilobytes.
	maxBatch   = 100 << 10
	maxMessage = 256 << 10 // bytes of tasks given in one message, if it is not one large task
)

func newTable(b bounds, pick Picker) *table {
	t := &table{
		bounds: b, pick: pick, room: maxBatch,
		entries: make(map[string]*entry), classes: make(map[string]*class),
		lines: make(map[string][]*entry), unique: make(map[string]*entry),
		members: make(map[string]*member), schedules: make(map[string]*scheduled),
		waiters: make(map[string][]waiter), changed: make(map[*entry]struct{}), retimed: make(map[*scheduled]struct{}),
	}
	place := func(e *entry, i int) { e.at = i }
	t.later = ordered[*entry]{place: place, less: func(a, b *entry) bool {
		return cmp.Or(cmp.Compare(a.Due, b.Due), cmp.Compare(a.serial, b.serial)) < 0
	}}
	byEnd := func(a, b *entry) bool {
		return cmp.Or(cmp.Compare(a.Ended, b.Ended), cmp.Compare(a.serial, b.serial)) < 0
	}
	t.ended = ordered[*entry]{place: place, less: byEnd}
	t.dead = ordered[*entry]{place: place, less: byEnd}
	t.ticks = ordered[*scheduled]{place: func(s *scheduled, i int) { s.at = i }, less: func(a, b *scheduled) bool {
		return cmp.Or(cmp.Compare(a.next, b.next), cmp.Compare(a.rec.Spec.Name, b.rec.Spec.Name)) < 0
	}}
	return t
}

// next gives a number above all that were given before, by any dispatcher: the
// counters in the store are ahead by up to reserve.
func (t *table) next() uint64 {
	const reserve = 10_000
	t.serial++
	if n := uint64(t.bounds.parts); n > 1 { // no two parts give the same
		t.serial += (uint64(t.bounds.part) + n - t.serial%n) % n
	}
	if t.serial >= t.counters.Serial {
		t.counters.Serial = t.serial + reserve
		t.unsaved = true
	}
	return t.serial
}

// add takes a new task in.
func (t *table) add(id string, r *taskRecord) *entry {
	e := &entry{id: id, raw: encode(r), decoded: r, rewrite: true}
	t.decoded = append(t.decoded, e)
	t.enter(e, r)
	e.Due = r.Due
	t.touch(e)
	t.counts.Submitted++
	t.arrange(e)
	return e
}

// enter puts the task into the table.
func (t *table) enter(e *entry, r *taskRecord) {
	e.serial, e.submitted, e.digest, e.priority, e.attempts = r.Serial, r.Submitted, r.Digest, r.Priority, r.Attempts
	e.key, e.unique = r.Key, r.Unique
	name := r.class()
	c := t.classes[name]
	if c == nil {
		c = &class{name: name, kind: r.Kind, needs: maps.Clone(r.Needs)}
		c.ready = ordered[*entry]{place: t.later.place, less: func(a, b *entry) bool {
			return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(a.serial, b.serial)) < 0
		}}
		t.classes[name] = c
	}
	e.class = c
	c.tasks++
	t.entries[e.id] = e
	t.revive(e)
}

// revive counts a live task, and gives it its keys.
func (t *table) revive(e *entry) {
	if !e.Phase.live() {
		return
	}
	t.live++
	t.weigh(e)
	if e.key != "" {
		t.lines[e.key] = append(t.lines[e.key], e)
	}
	if e.unique != "" {
		t.unique[e.unique] = e
	}
}

// arrange puts a task that waits where it belongs.
func (t *table) arrange(e *entry) {
	t.unplace(e)
	if e.Phase != queued {
		return
	}
	switch {
	case e.key != "" && t.lines[e.key][0] != e:
		e.in = inLine
	case e.Due > t.now:
		e.in = inLater
		t.later.push(e)
	default:
		e.in = inReady
		e.class.ready.push(e)
	}
}

func (t *table) unplace(e *entry) {
	switch e.in {
	case inReady:
		e.class.ready.remove(e.at)
	case inLater:
		t.later.remove(e.at)
	case inEnded:
		t.ended.remove(e.at)
	case inDead:
		t.dead.remove(e.at)
	}
	e.in = nowhere
}

// end is the end of a live task.
func (t *table) end(e *entry, p phase) {
	t.unplace(e)
	t.live--
	e.Phase, e.Ended, e.Due = p, t.now, 0
	if e.unique != "" && t.unique[e.unique] == e {
		delete(t.unique, e.unique)
	}
	switch p {
	case done:
		t.counts.Done++
		t.strip(e)
		e.Progress = nil
	case dead:
		t.counts.Dead++
		t.happening = append(t.happening, Event{Kind: TaskDead, Scope: t.bounds.scope, Task: e.id, Err: fmt.Errorf("%s", e.Error)})
	case cancelled:
		t.counts.Cancelled++
	}
	t.bury(e)
	t.touch(e)
	for _, w := range t.waiters[e.id] {
		t.answer(w.call, t.result(e))
	}
	delete(t.waiters, e.id)
	if e.key == "" {
		return
	}
	line := t.lines[e.key]
	if i := slices.Index(line, e); i >= 0 {
		line = slices.Delete(line, i, i+1)
	}
	if len(line) == 0 {
		delete(t.lines, e.key)
		return
	}
	t.lines[e.key] = line
	t.arrange(line[0])
}

// bury puts a task that has ended among those that will be forgotten.
func (t *table) bury(e *entry) {
	t.weigh(e)
	if e.Phase == dead {
		e.in = inDead
		t.dead.push(e)
		return
	}
	e.in = inEnded
	t.ended.push(e)
}

// forget drops tasks that ended long ago, or too many.
func (t *table) forget() {
	n := 0
	for _, of := range []struct {
		heap *ordered[*entry]
		age  int64
		most int
	}{{&t.ended, ms(t.bounds.keep.For), t.bounds.keep.Most}, {&t.dead, ms(t.bounds.keep.Dead), t.bounds.keep.DeadMost}} {
		for ; n < maxForgotten && !t.full(); n++ {
			e, ok := of.heap.first()
			if !ok || of.heap.len() <= of.most && t.kept <= t.bounds.keep.Bytes && e.Ended+of.age > t.now {
				break
			}
			t.drop(e)
		}
	}
}

// drop forgets a task that has ended.
func (t *table) drop(e *entry) {
	t.unplace(e)
	delete(t.entries, e.id)
	if e.class.tasks--; e.class.tasks == 0 {
		delete(t.classes, e.class.name)
	}
	t.unweigh(e)
	e.gone = true
	t.touch(e)
	if e.serial > t.counters.Forgotten {
		t.counters.Forgotten = e.serial
		t.unsaved = true
	}
}

func (t *table) answer(call any, body any) {
	t.out = append(t.out, message{call: call, body: body})
}

func (t *table) send(m *member, body any) {
	t.out = append(t.out, message{to: m.pid, body: body})
}

// due is when something has to be done though nothing happens; 0: never.
func (t *table) due() int64 {
	at := int64(0)
	earlier := func(d int64) {
		if d > 0 && (at == 0 || d < at) {
			at = d
		}
	}
	if e, ok := t.later.first(); ok {
		earlier(max(e.Due, 1))
	}
	if s, ok := t.ticks.first(); ok {
		earlier(s.next)
	}
	if e, ok := t.ended.first(); ok {
		earlier(e.Ended + ms(t.bounds.keep.For))
	}
	if e, ok := t.dead.first(); ok {
		earlier(e.Ended + ms(t.bounds.keep.Dead))
	}
	for _, m := range t.members {
		earlier(m.due(t.now))
	}
	if len(t.waiters) > 0 {
		earlier(t.now + longPoll/3)
	}
	if t.pending() {
		earlier(t.now)
	}
	return at
}

// pending says whether a step without news would go on with something.
func (t *table) pending() bool {
	return t.cut || len(t.rest) > 0 || len(t.bereft) > 0 || t.ended.len() > t.bounds.keep.Most || t.dead.len() > t.bounds.keep.DeadMost ||
		t.kept > t.bounds.keep.Bytes && t.ended.len()+t.dead.len() > 0
}

// full says that what has changed should be committed before more is.
func (t *table) full() bool { return t.size >= t.room }

// idle says that there is nothing to commit and nothing to say.
func (t *table) idle() bool {
	return len(t.changed)+len(t.retimed)+len(t.dropped)+len(t.out)+len(t.happening) == 0 && !t.unsaved
}
