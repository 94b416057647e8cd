package task

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"conclave/actor"
)

var (
	exploreSeed  = flag.Uint64("task.seed", 0, "of TestRandomLives: only this schedule")
	exploreLives = flag.Int("task.lives", 0, "of TestRandomLives: how many schedules (0: 150)")
)

// life is one random schedule of a scope: workers come, run, lose messages and die,
// dispatchers are replaced between what they commit and what they say, clocks jump,
// and what must never happen is looked for after every step.
type life struct {
	*desk
	rnd   *rand.Rand
	hands []*liver
	next  int

	asked     map[string]bool     // submitted, and told so or not
	durable   map[string]bool     // told so
	keys      map[string][]string // ids by key, in the order in which they were submitted
	keyOf     map[string]string
	fences    map[string]uint64 // the highest that a worker was given
	completed map[string]int    // completions that were accepted
}

// liver is a worker in a life.
type liver struct {
	*hand
	running map[string]assignment
	unsaid  []outcome
	slots   int
	alive   bool
}

func TestRandomLives(t *testing.T) {
	n := *exploreLives
	if n == 0 {
		n = 150
	}
	if *exploreSeed != 0 {
		explore(t, *exploreSeed)
		return
	}
	for range n {
		explore(t, rand.Uint64())
		if t.Failed() {
			return
		}
	}
}

func explore(t *testing.T, seed uint64) {
	defer func() {
		if r := recover(); r != nil {
			t.Fatalf("seed %d: panic: %v", seed, r)
		}
		if t.Failed() {
			t.Logf("replay: go test ./task -run TestRandomLives -task.seed=%d", seed)
		}
	}()
	l := &life{
		desk: newDesk(t), rnd: rand.New(rand.NewPCG(seed, 1)),
		asked: make(map[string]bool), durable: make(map[string]bool), keys: make(map[string][]string), keyOf: make(map[string]string),
		fences: make(map[string]uint64), completed: make(map[string]int),
	}
	for step := 0; step < 300 && !t.Failed(); step++ {
		l.any()
		l.check()
	}
	l.finish()
}

// any does something.
func (l *life) any() {
	switch p := l.rnd.IntN(100); {
	case p < 25:
		l.submitOne()
	case p < 30 && len(l.hands) < 6:
		l.join()
	case p < 34:
		l.kill()
	case p < 55:
		l.deliver(l.rnd.IntN(4) == 0)
	case p < 80:
		l.work()
	case p < 86:
		l.greetBack()
	case p < 90:
		l.crash()
	case p < 92:
		l.cancelOne()
	default:
		l.pass(time.Duration(l.rnd.IntN(3000)) * time.Millisecond)
	}
}

func (l *life) submitOne() {
	l.next++
	id := fmt.Sprint("t", l.next)
	if l.rnd.IntN(6) == 0 && len(l.asked) > 0 {
		id = fmt.Sprint("t", 1+l.rnd.IntN(l.next)) // the same again, or one whose submission was lost
	}
	s := Of("dig", id, ID(id), Attempts(4), BackOff(time.Second, 4*time.Second))
	known, is := l.keyOf[id]
	if !is && l.rnd.IntN(3) == 0 {
		known = fmt.Sprint("k", l.rnd.IntN(3))
	}
	s.Key = known
	before := l.table.entries[id] != nil
	l.table.step(&news{call: -1, body: &submitCall{Specs: []Spec{s}}}, l.now)
	if l.rnd.IntN(12) == 0 { // the dispatcher dies before it commits
		l.said = nil
		l.renew()
		return
	}
	l.commit()
	l.answer(-1)
	l.asked[id], l.durable[id] = true, true
	if !before && !is {
		l.keyOf[id] = known
		if known != "" {
			l.keys[known] = append(l.keys[known], id)
		}
	}
}

func (l *life) join() {
	l.next++
	w := &liver{hand: l.worker(fmt.Sprint("w", l.next), 1+l.rnd.IntN(3), "dig"), running: make(map[string]assignment), alive: true}
	w.slots = l.table.members[w.name].slots
	l.hands = append(l.hands, w)
}

func (l *life) some() *liver {
	if len(l.hands) == 0 {
		return nil
	}
	return l.hands[l.rnd.IntN(len(l.hands))]
}

// kill takes a worker's znode away; the dispatcher hears of it now or later.
func (l *life) kill() {
	w := l.some()
	if w == nil || !w.alive {
		return
	}
	w.alive = false
	w.leave()
	if l.rnd.IntN(2) == 0 {
		l.hear(actor.PID{}, l.here)
	}
}

// deliver gives workers what was said to them, or loses it.
func (l *life) deliver(lose bool) {
	said := l.said
	l.said = nil
	for _, m := range said {
		i := slices.IndexFunc(l.hands, func(w *liver) bool { return w.pid == m.to })
		if i < 0 || lose {
			continue
		}
		w := l.hands[i]
		switch b := m.body.(type) {
		case *assign:
			for _, a := range b.Tasks {
				l.given(w, a)
			}
		case *recorded:
			for _, v := range b.List {
				l.recordedFor(w, v)
			}
		case *abandon:
			for _, h := range b.List {
				if a, has := w.running[h.ID]; has && a.Fence == h.Fence {
					delete(w.running, h.ID)
					w.unsaid = append(w.unsaid, outcome{ID: h.ID, Fence: h.Fence, How: howDiscard})
				}
			}
		case *greet:
			l.greet(w)
		}
	}
}

func (l *life) given(w *liver, a assignment) {
	if old, has := w.running[a.ID]; has && old.Fence >= a.Fence {
		return
	}
	if slices.ContainsFunc(w.unsaid, func(o outcome) bool { return o.ID == a.ID && o.Fence >= a.Fence }) {
		return
	}
	if !w.alive {
		return
	}
	for _, v := range l.hands {
		for id, other := range v.running {
			if v.alive && id == a.ID && (v != w || other.Fence != a.Fence) && l.current(id) == a.Fence && l.current(id) == other.Fence {
				l.t.Errorf("%s runs on %s and on %s", id, v.name, w.name)
			}
		}
	}
	if l.current(a.ID) == a.Fence { // not an assignment that was taken back since
		if key := l.keyOf[a.ID]; key != "" {
			for _, v := range l.hands {
				for id := range v.running {
					if v.alive && id != a.ID && l.keyOf[id] == key && l.current(id) == v.running[id].Fence && l.table.entries[id].Phase == running {
						l.t.Errorf("%s and %s of key %s run at the same time", id, a.ID, key)
					}
				}
			}
		}
		if a.Fence < l.fences[a.ID] {
			l.t.Errorf("%s was given with fence %d after %d", a.ID, a.Fence, l.fences[a.ID])
		}
		l.fences[a.ID] = a.Fence
	}
	if l.completed[a.ID] > 0 && l.current(a.ID) == a.Fence && l.table.entries[a.ID].Phase == running {
		l.t.Errorf("%s is done and was given out again", a.ID)
	}
	w.running[a.ID] = a
}

// current is the fence of a task's latest assignment.
func (l *life) current(id string) uint64 {
	if e := l.table.entries[id]; e != nil {
		return e.Fence
	}
	return 0
}

func (l *life) recordedFor(w *liver, v verdict) {
	w.unsaid = slices.DeleteFunc(w.unsaid, func(o outcome) bool { return o.ID == v.ID && o.Fence == v.Fence })
}

// work lets a worker finish something and say so.
func (l *life) work() {
	w := l.some()
	if w == nil || len(w.running) == 0 {
		return
	}
	ids := sortedKeys(w.running)
	a := w.running[ids[l.rnd.IntN(len(ids))]]
	delete(w.running, a.ID)
	o := outcome{ID: a.ID, Fence: a.Fence, How: []how{howDone, howDone, howDone, howFailed, howAgain, howReleased, howLost}[l.rnd.IntN(7)], Delay: 500}
	w.unsaid = append(w.unsaid, o)
	if l.rnd.IntN(5) > 0 {
		l.tell(w, o)
	}
}

// tell lets the dispatcher hear of an outcome, and counts the completions that
// it accepts.
func (l *life) tell(w *liver, all ...outcome) {
	body := &outcomes{Worker: w.name, List: all}
	if l.rnd.IntN(15) == 0 { // the dispatcher dies with it
		l.table.step(&news{from: w.pid, body: body}, l.now)
		l.renew()
		return
	}
	l.counting(w.pid, body, all)
}

// counting gives the table body, in which all outcomes are.
func (l *life) counting(from actor.PID, body any, all []outcome) {
	was, others := make(map[string]bool), make(map[string]uint64)
	for _, o := range all {
		e := l.table.entries[o.ID]
		was[o.ID] = e != nil && e.Phase == done
		if e != nil && e.Phase == running && e.Fence != o.Fence {
			others[o.ID] = e.Fence
		}
	}
	for _, o := range all {
		if others[o.ID] == o.Fence {
			delete(others, o.ID) // both attempts are spoken of
		}
	}
	l.table.step(&news{from: from, body: body}, l.now)
	for id, fence := range others {
		if e := l.table.entries[id]; e.Fence != fence || e.Phase != running {
			l.t.Errorf("the end of an attempt at %s ended another, with fence %d", id, fence)
		}
	}
	l.commit()
	for _, o := range all {
		if e := l.table.entries[o.ID]; o.How == howDone && e != nil && e.Phase == done && !was[o.ID] {
			was[o.ID] = true
			if l.completed[o.ID]++; l.completed[o.ID] > 1 {
				l.t.Errorf("%s was completed twice", o.ID)
			}
		}
	}
}

// greet is a worker's answer to a greeting.
func (l *life) greet(w *liver) {
	if !w.alive && l.rnd.IntN(3) > 0 {
		return
	}
	h := &hello{Worker: w.name, Slots: w.slots, Kinds: []offer{{"dig", w.slots}}, Outcomes: slices.Clone(w.unsaid)}
	for _, id := range sortedKeys(w.running) {
		h.Running = append(h.Running, held{id, w.running[id].Fence})
	}
	l.counting(w.pid, h, h.Outcomes)
}

func (l *life) greetBack() {
	if w := l.some(); w != nil {
		l.greet(w)
	}
}

// crash replaces the dispatcher. What it had committed and not said is never said.
func (l *life) crash() {
	if l.rnd.IntN(2) == 0 {
		l.said = nil
	}
	l.renew()
}

func (l *life) renew() {
	l.begin()
	for _, e := range l.table.entries {
		if e.Phase == done && l.completed[e.id] == 0 {
			l.completed[e.id] = 1 // its commit was done, its dispatcher died
		}
	}
}

func (l *life) cancelOne() {
	if len(l.asked) > 0 {
		l.ask(&changeCall{[]string{verbCancel, verbRetry}[l.rnd.IntN(2)], fmt.Sprint("t", 1+l.rnd.IntN(l.next))})
	}
}

// check looks for what must never be.
func (l *life) check() {
	l.t.Helper()
	live, lines := 0, 0
	for id := range l.durable {
		if l.table.entries[id] == nil {
			l.t.Errorf("%s is lost", id)
		}
	}
	of := make(map[string]int)
	for _, e := range l.table.entries {
		if e.Phase.live() {
			live++
			if e.key != "" {
				lines++
			}
		}
		with := e.Phase == running || e.Phase == stopping
		if with != (e.member != nil) {
			l.t.Errorf("%s is %s, with a worker: %t", e.id, e.state(), e.member != nil)
		}
		if with && e.key != "" {
			if of[e.key]++; of[e.key] > 1 {
				l.t.Errorf("two of key %s are with workers", e.key)
			}
			if l.table.lines[e.key][0] != e {
				l.t.Errorf("%s runs, and is not the first of its key", e.id)
			}
		}
		if e.Phase == queued && e.in == nowhere {
			l.t.Errorf("%s waits for nothing", e.id)
		}
	}
	for _, line := range l.table.lines {
		lines -= len(line)
	}
	if live != l.table.live || lines != 0 {
		l.t.Errorf("%d tasks live, %d counted; %d of keys too many", live, l.table.live, lines)
	}
}

// finish lets everything come to its end: then all that was submitted has.
func (l *life) finish() {
	l.join()
	for i := 0; i < 400 && l.table.live > 0 && !l.t.Failed(); i++ {
		l.hear(actor.PID{}, l.here)
		l.deliver(false)
		for _, w := range l.hands {
			for _, id := range sortedKeys(w.running) {
				a := w.running[id]
				delete(w.running, id)
				w.unsaid = append(w.unsaid, outcome{ID: id, Fence: a.Fence, How: howDone})
			}
			if w.alive {
				l.greet(w)
			}
		}
		l.pass(5 * time.Second)
		l.check()
	}
	for _, e := range l.table.entries {
		if e.Phase.live() {
			l.t.Errorf("%s is %s for ever (attempt %d, worker %s)", e.id, e.state(), e.Attempt, e.Worker)
		}
	}
}
