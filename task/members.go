//conclave:pure

package task

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"conclave/actor"
)

// member is a worker, as the dispatcher sees it.
type member struct {
	name string // of its znode
	pid  actor.PID
	node string

	known   bool // it has said hello
	greeted int64
	slots   int
	kinds   map[string]int // how many it runs at a time of each
	traits  map[string]string
	shown   WorkerStatus

	running map[*entry]struct{}
	ofKind  map[string]int
	gone    bool
}

// status is the worker for people, and for strategies.
func (m *member) status() WorkerStatus {
	s := m.shown
	if !m.known {
		s = WorkerStatus{Worker: m.name, Node: m.node}
	}
	s.Running = len(m.running)
	return s
}

// maxError bounds the reason that is kept of a failure.
const maxError = 2 << 10

// patience is how long after a greeting the next is due.
func (m *member) patience() int64 {
	if m.known {
		return greetAlways
	}
	return greetAgain
}

// due is when the worker is to be greeted again. If the clock was set back since
// the last time, that is now.
func (m *member) due(now int64) int64 {
	if m.greeted > now {
		return now
	}
	return m.greeted + m.patience()
}

// listing is all workers that have a znode now.
type listing []listedWorker

type listedWorker struct {
	name, node string
	pid        actor.PID
}

// unreachable says that a message to a worker may have been lost. jammed: there was
// no room for it, and soon there will be none either.
type unreachable struct {
	pid    actor.PID
	jammed bool
}

// workersAre takes in who is there: newcomers are greeted, and what those had who
// are gone is taken back.
func (t *table) workersAre(all listing) {
	there := make(map[string]bool, len(all))
	for _, w := range all {
		there[w.name] = true
		if t.members[w.name] == nil {
			t.meet(w)
		}
	}
	for _, name := range sortedKeys(t.members) {
		if m := t.members[name]; !there[name] {
			t.lose(m)
		}
	}
	if !t.listed {
		t.listed = true
		t.orphans()
	}
}

func (t *table) meet(w listedWorker) *member {
	m := &member{name: w.name, pid: w.pid, node: w.node, running: make(map[*entry]struct{}), ofKind: make(map[string]int)}
	t.members[w.name] = m
	for _, e := range t.adrift[w.name] { // what an earlier dispatcher gave it, it has
		m.take(e)
	}
	delete(t.adrift, w.name)
	t.enrol()
	t.greet(m)
	return m
}

// orphans takes back what is with workers that were gone before this dispatcher
// began.
func (t *table) orphans() {
	for _, name := range sortedKeys(t.adrift) {
		ghost := &member{name: name, node: t.adrift[name][0].Node, gone: true, running: make(map[*entry]struct{}), ofKind: make(map[string]int)}
		for _, e := range t.adrift[name] {
			ghost.take(e)
		}
		t.bereft = append(t.bereft, ghost)
	}
	t.adrift = nil
}

// enrol lists the workers in the order of their names.
func (t *table) enrol() {
	t.roll = t.roll[:0]
	for _, name := range sortedKeys(t.members) {
		t.roll = append(t.roll, t.members[name])
	}
}

func (t *table) greet(m *member) {
	m.greeted = t.now
	t.send(m, &greet{Scope: t.bounds.scope})
}

// lose takes note that a worker is gone.
func (t *table) lose(m *member) {
	delete(t.members, m.name)
	t.enrol()
	m.gone, m.known = true, false
	t.bereft = append(t.bereft, m)
}

// workerGone is told when a commit has failed because a worker is not there: what
// it was about to be given was not.
func (t *table) workerGone(name string) {
	m := t.members[name]
	if m == nil {
		return
	}
	t.takeBack(m)
	t.lose(m)
}

// takeBack takes from a worker what it was about to be given.
func (t *table) takeBack(m *member) {
	for _, e := range t.fresh {
		if e.fresh && e.member == m {
			t.ungive(e)
		}
	}
}

// ungive undoes an assignment that was not committed.
func (t *table) ungive(e *entry) {
	e.member.leave(e)
	e.fresh = false
	e.Phase, e.Attempt = queued, e.Attempt-1
	t.counts.Assigned--
	t.arrange(e)
}

func (m *member) take(e *entry) {
	e.member = m
	m.running[e] = struct{}{}
	m.ofKind[e.class.kind]++
}

func (m *member) leave(e *entry) {
	delete(m.running, e)
	if m.ofKind[e.class.kind]--; m.ofKind[e.class.kind] == 0 {
		delete(m.ofKind, e.class.kind)
	}
	e.member = nil
}

// recover takes tasks back from workers that are gone.
func (t *table) recover() {
	for n := 0; len(t.bereft) > 0; {
		m := t.bereft[0]
		for e := range m.running {
			if n++; n > maxRecovered || t.full() {
				return
			}
			t.counts.Recovered++
			t.finish(e, outcome{How: howFailed, Error: fmt.Sprintf("its worker %s on %s is gone", m.name, m.node)}, true)
		}
		t.bereft = t.bereft[1:]
	}
}

// hello takes in what a worker can do and what it has.
func (t *table) hello(from actor.PID, h *hello) {
	m := t.members[h.Worker]
	if m == nil { // it was greeted, so it was there, and is gone
		t.outcomes(from, &outcomes{Worker: h.Worker, List: h.Outcomes})
		return
	}
	if m.pid != from {
		return
	}
	m.known, m.greeted = true, t.now // a hello is as good as an answer
	m.slots, m.traits = h.Slots, h.Attributes
	m.kinds = make(map[string]int, len(h.Kinds))
	for _, o := range h.Kinds {
		m.kinds[o.Kind] = o.Slots
	}
	m.shown = WorkerStatus{Worker: m.name, Node: m.node, Kinds: sortedKeys(m.kinds), Slots: m.slots, CPU: h.CPU, Attributes: m.traits, Greeted: true}
	t.outcomes(from, &outcomes{Worker: h.Worker, List: h.Outcomes})
	leaves := len(h.Kinds) == 0
	if leaves {
		t.takeBack(m)
	}
	has := make(map[held]bool, len(h.Running)+len(h.Outcomes))
	for _, r := range h.Running {
		has[r] = true
	}
	for _, o := range h.Outcomes { // those that wait for the next commit
		has[held{o.ID, o.Fence}] = true
	}
	var again []assignment
	var stop []held
	for _, e := range t.tasksOf(m) {
		switch {
		case has[held{e.id, e.Fence}]:
			delete(has, held{e.id, e.Fence})
		case e.fresh: // it has not been told yet
			continue
		default: // it may be on its way, and begin: also one that is to stop
			again = append(again, e.assignment(t))
		}
		if e.Phase == stopping {
			stop = append(stop, held{e.id, e.Fence})
		}
	}
	t.assign(m, again)
	if len(stop) > 0 {
		t.send(m, &abandon{List: stop, Why: whyCancelled})
	}
	var not []held
	for _, r := range h.Running {
		if has[r] {
			not = append(not, r)
		}
	}
	if len(not) > 0 {
		t.send(m, &abandon{List: not, Why: whyNotYours})
	}
	if leaves { // it wants to know when it has heard of all that it was given
		t.send(m, &recorded{})
	}
}

// tasksOf is what a worker has, in the order of assignment.
func (t *table) tasksOf(m *member) []*entry {
	all := make([]*entry, 0, len(m.running))
	for e := range m.running {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *entry) int { return int(a.Fence) - int(b.Fence) })
	return all
}

// Reasons to abandon a task.
const (
	whyCancelled = "cancelled"
	whyNotYours  = "not yours"
)

// outcomes takes in how attempts have ended.
func (t *table) outcomes(from actor.PID, o *outcomes) {
	m := t.members[o.Worker]
	if len(o.List) == 0 || m != nil && m.pid != from {
		return
	}
	said := &recorded{List: make([]verdict, 0, len(o.List))}
	for i, one := range o.List {
		if i > 0 && t.full() { // the rest goes into the next commit
			t.rest = append(t.rest, &news{from: from, body: &outcomes{Worker: o.Worker, List: o.List[i:]}})
			break
		}
		e := t.entries[one.ID]
		v := verdict{ID: one.ID, Fence: one.Fence}
		switch {
		case e == nil || e.Fence != one.Fence || m == nil:
			v.Refused = true
		case e.member == m:
			t.finish(e, one, false)
		default: // said again, unless it was taken back
			v.Refused = e.By != one.How
		}
		if v.Refused {
			t.counts.Late++
		}
		said.List = append(said.List, v)
	}
	t.out = append(t.out, message{to: from, body: said})
}

// finish ends an attempt. lost: its worker did not say so, it is gone.
func (t *table) finish(e *entry, o outcome, lost bool) {
	e.member.leave(e)
	e.fresh = false
	if n := o.bytes(); n > maxTogetherBytes+maxTogetherBytes/8 || len(o.Then) > MaxTogether || len(o.Result) > t.bounds.body {
		o = outcome{How: howDiscard, Error: fmt.Sprintf("%v: a result of %d bytes, of at most %d, and %d to follow", ErrTooLarge, len(o.Result), t.bounds.body, len(o.Then))}
	}
	if err := t.follows(e, o.Then); err != nil {
		o = outcome{How: howDiscard, Error: fmt.Sprintf("the work is done, but what is to follow cannot: %v", err)}
	}
	if n := len(o.Then); n > 0 && t.live+n > 2*t.bounds.live {
		o = outcome{How: howFailed, Error: fmt.Sprintf("%v: %d live tasks, at most twice %d with what follows", ErrQueueFull, t.live, t.bounds.live)}
	}
	e.By, e.Error = o.How, o.Error[:min(len(o.Error), maxError)]
	if lost {
		e.By = 0
	}
	stopped := e.Phase == stopping
	switch {
	case o.How == howDone:
		e.Result, e.Type = o.Result, o.Type
		e.Error = ""
		t.end(e, done)
		t.follow(e, o.Then)
		return
	case stopped:
		e.Error = "cancelled"
		t.end(e, cancelled)
		return
	}
	e.Phase, e.Due = queued, 0
	switch o.How {
	case howAgain:
		e.Due = t.now + max(o.Delay, 0)
	case howReleased, howLost:
	default: // howFailed, howDiscard, and what a later version may say
		e.Failures++
		t.counts.Failed++
		if o.How == howDiscard || e.Failures >= e.attempts {
			t.end(e, dead)
			return
		}
		// The first loss of a worker is taken for the worker's fault.
		if !lost || e.Failures > 1 {
			e.Due = t.now + e.record(t).pause(e.id, e.Failures)
		}
	}
	t.touch(e)
	t.arrange(e)
}

// follows says what is wrong with what is to come after a task. Its worker has
// checked it, but by bounds of its own.
func (t *table) follows(e *entry, then []Spec) error {
	if t.bounds.parts > 1 {
		if err := followsIn(e.key, then); err != nil {
			return err
		}
	}
	for i := range then {
		if err := then[i].check(t.bounds.body); err != nil {
			return fmt.Errorf("number %d: %w", i+1, err)
		}
	}
	return nil
}

// followerID names a follower that has no name. Chains of followers can be long, and
// names cannot.
func followerID(parent string, number int) string {
	id := fmt.Sprintf("%s/%d", parent, number)
	if len(id) <= MaxName {
		return id
	}
	cut := MaxName - 30
	for !utf8.RuneStart(parent[cut]) {
		cut--
	}
	return fmt.Sprintf("%s~%016x/%d", parent[:cut], mix(digest(parent, nil)), number)
}

// follow submits what comes after a task that is done.
func (t *table) follow(e *entry, then []Spec) {
	for i, s := range then { // a copy: the worker's own may be sent again
		if s.ID == "" {
			s.ID = followerID(e.id, i+1)
		}
		if other := t.entries[s.ID]; other != nil {
			if other.digest != digest(s.Kind, s.Body) {
				t.happening = append(t.happening, Event{Kind: FollowerLeftOut, Scope: t.bounds.scope, Task: e.id, Err: fmt.Errorf("%w: %q", ErrConflict, s.ID)})
			}
			continue // there already
		}
		if s.Unique != "" && t.unique[s.Unique] != nil {
			continue
		}
		r := recordOf(&s, t.next(), t.now, e.id)
		t.add(s.ID, &r)
	}
}

// progressed saves what a handler has reached.
func (t *table) progressed(from actor.PID, p *progressed) {
	e, m := t.entries[p.ID], t.members[p.Worker]
	if e == nil || m == nil || m.pid != from || e.member != m || e.Fence != p.Fence || len(p.Data) > t.bounds.body {
		return
	}
	e.Progress = p.Data
	t.weigh(e)
	t.touch(e)
}
