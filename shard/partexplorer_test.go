package shard

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"conclave/internal/explore"
)

// The explorer makes up stories of one part: several nodes, each running the
// program's own step, over a model of ZooKeeper with lagging followers, requests
// and answers that are lost or late, watches that fire late or never, expiring and
// abandoned sessions; with a plan that changes at random and that the nodes hear
// of one after the other, nodes that leave and come back, and processes that take
// their time to return. At every moment it checks what must never be, and at the
// end that the node that the plan wants owns the part.

func TestExplorerNeverTwoOwners(t *testing.T) { exploreParts(t, partPowers{}) }

// Failure 50: with processes that do not return, when they drain and when their
// term is over. They hold the part up, and are reported; but the leases of two
// never overlap.
func TestExplorerDrainsThatDoNotEnd(t *testing.T) { exploreParts(t, partPowers{hang: true}) }

// With an administrator who deletes owner znodes, two may act for a moment (failure
// 14), but the terms still rise, and all comes right.
func TestExplorerPartTermsRiseWhateverIsDeleted(t *testing.T) {
	exploreParts(t, partPowers{admin: true})
}

// partPowers are what else may happen.
type partPowers struct {
	admin bool // somebody deletes owner znodes
	hang  bool // processes take longer to return than they may
}

func exploreParts(t *testing.T, p partPowers) {
	var terms, drains atomic.Int64
	n := explore.Schedules(t, 5_000, func(s *explore.Story) {
		w := newPartWorld(s.Seed, p)
		w.verbose = s.Tell
		err := w.run()
		s.Logf("%s", strings.Join(w.story, "\n"))
		if err != nil {
			s.Errorf("%v\nthe end of the story:\n%s", err, strings.Join(w.story[max(0, len(w.story)-60):], "\n"))
		}
		terms.Add(int64(w.terms))
		drains.Add(int64(w.drains))
	})
	t.Logf("%d terms, %d drains", terms.Load(), drains.Load())
	if n > 20 && (terms.Load() < 3*int64(n) || drains.Load() < int64(n)) {
		t.Errorf("only %d terms and %d drains in %d schedules: they are too dull to show anything", terms.Load(), drains.Load(), n)
	}
}

const (
	partT      = 8 * time.Second
	partDrains = 5 * time.Second // a drain that takes longer raises an alarm
)

// partWorld is the model of ZooKeeper and the nodes around it.
type partWorld struct {
	rand    *rand.Rand
	powers  partPowers
	now     time.Duration
	history []partTree // by transaction; the last is the truth, followers lag behind
	touched map[int64]time.Duration
	nodes   []*partNode
	mild    int   // how mild the story is
	wish    int   // whom the plan gives the part; -1: nobody
	highest int64 // term begun
	terms   int
	drains  int  // that have come to their end in order
	calm    bool // no more faults
	verbose bool
	story   []string
	err     error
}

// partTree is an immutable state of ZooKeeper, as far as the part goes.
type partTree struct {
	owner    ownerZnode // the zero one: there is none
	sessions map[int64]bool
}

type ownerZnode struct {
	session, czxid int64
	version        int
}

func newPartWorld(seed uint64, p partPowers) *partWorld {
	w := &partWorld{
		rand: rand.New(rand.NewPCG(seed, 2)), powers: p,
		history: []partTree{{sessions: map[int64]bool{}}},
		touched: map[int64]time.Duration{},
		wish:    -1,
	}
	w.mild = 1 + w.rand.IntN(6)
	for i := range 2 + w.rand.IntN(3) {
		w.nodes = append(w.nodes, &partNode{w: w, id: i, state: newPart(partDrains), alarms: map[trouble]bool{}})
	}
	return w
}

func (w *partWorld) tell(format string, args ...any) {
	w.story = append(w.story, fmt.Sprintf("%8s ", w.now)+fmt.Sprintf(format, args...))
	if len(w.story) > 400 && !w.verbose {
		w.story = w.story[300:]
	}
}

func (w *partWorld) wrong(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

func (w *partWorld) truth() partTree { return w.history[len(w.history)-1] }

// chance is of faults: up to that in percent, as the story is rough or mild. In the
// calm there are none.
func (w *partWorld) chance(percent int) bool { return !w.calm && w.rand.IntN(100*w.mild) < percent }

func (w *partWorld) span(most time.Duration) time.Duration {
	return time.Duration(w.rand.Int64N(int64(most)))
}

// change makes a transaction.
func (w *partWorld) change(f func(t *partTree, zxid int64)) {
	t := partTree{owner: w.truth().owner, sessions: maps.Clone(w.truth().sessions)}
	f(&t, int64(len(w.history)))
	w.history = append(w.history, t)
}

func (w *partWorld) run() error {
	for range 500 + w.rand.IntN(500) {
		w.moment()
		if w.err != nil {
			return w.err
		}
	}
	// The faults end, and everything must come right by itself.
	w.calm = true
	w.wish = w.rand.IntN(len(w.nodes))
	w.tell("--- calm; the plan wants %d", w.wish)
	for _, n := range w.nodes {
		n.returns = min(n.returns, w.now+partT) // those that hang do not for ever
	}
	for range 6000 {
		w.moment()
		if w.err != nil {
			return w.err
		}
		if w.settled() {
			return nil
		}
	}
	var is []string
	for _, n := range w.nodes {
		is = append(is, fmt.Sprintf("%d is %s, %s (wanted %v)", n.id, n.state.phase, n.stage, n.state.wanted))
	}
	return fmt.Errorf("it did not come right: the plan wants %d; %s; owner %+v", w.wish, strings.Join(is, ", "), w.truth().owner)
}

// settled: the node that the plan wants owns the part and serves it; the others
// have nothing of it; and nobody is told to look any more.
func (w *partWorld) settled() bool {
	for _, n := range w.nodes {
		if len(n.requests)+len(n.inbox)+len(n.late)+len(n.zombies) > 0 || n.alarms[troubleSlow] || n.alarms[troubleStuck] {
			return false
		}
		if n.id != w.wish {
			if n.state.phase != idle || n.stage != nothing {
				return false
			}
			continue
		}
		z := w.truth().owner
		if n.state.phase != owned || n.stage != serving || n.lease == 0 || z.czxid != n.term || z.session != n.session {
			return false
		}
	}
	return true
}

// moment is one thing that happens somewhere, and what follows by itself.
func (w *partWorld) moment() {
	if w.rand.IntN(3) == 0 {
		w.pass(w.span(400 * time.Millisecond))
	}
	if w.chance(1) {
		w.pass(w.span(partT))
	}
	if !w.calm && w.rand.IntN(40) == 0 {
		w.wish = w.rand.IntN(len(w.nodes)+1) - 1
		w.tell("the plan wants %d", w.wish)
	}
	n := w.nodes[w.rand.IntN(len(w.nodes))]
	switch {
	case w.chance(2) && n.connected:
		w.tell("%d: loses its connection", n.id)
		if w.rand.IntN(3) == 0 {
			n.away = w.now + w.span(2*partT)
		}
		n.drop()
	case w.chance(1) && n.connected:
		w.tell("%d: its follower is cut off", n.id)
		n.cut = true
	case n.cut && w.rand.IntN(20) == 0:
		w.tell("%d: its follower is back", n.id)
		n.cut = false
	case w.chance(2) && len(n.requests) > 0:
		w.tell("%d: waits no longer for %s", n.id, tellAction(n.requests[0]))
		a := n.requests[0]
		n.requests = n.requests[1:]
		n.lose(a)
	case w.chance(1) && n.session != 0:
		n.abandon()
	case w.chance(1) && n.stage == serving:
		w.tell("%d: its code fails", n.id)
		n.feed(broken{number: n.term})
	case w.chance(1) && n.watch != nil:
		n.watch = nil // it is lost
	case w.chance(1):
		w.tell("%d: leaves", n.id)
		n.feed(closing{})
	case n.state.finished():
		n.restart()
	case w.powers.admin && w.chance(2):
		w.byHand()
	case n.plan() != n.state.wanted && !n.state.closing && w.rand.IntN(3) == 0:
		w.tell("%d: hears that it is wanted: %v", n.id, n.plan())
		if n.plan() {
			n.feed(wanted{})
		} else {
			n.feed(unwanted{})
		}
	case n.state.mayDrain() && w.rand.IntN(4) == 0, w.chance(1):
		n.feed(drainNow{})
	case !n.connected && w.now >= n.away:
		n.connect()
	case len(n.late) > 0 && w.rand.IntN(4) == 0:
		i := w.rand.IntN(len(n.late))
		e := n.late[i]
		n.late = slices.Delete(n.late, i, i+1)
		n.feed(e)
	case len(n.requests) > 0 && w.rand.IntN(2) == 0:
		n.serve()
	case len(n.inbox) > 0 && w.rand.IntN(3) > 0:
		e := n.inbox[0]
		n.inbox = n.inbox[1:]
		n.feed(e)
	default:
		n.catchUp()
		n.renew()
	}
	w.check()
}

// pass lets time pass, stopping wherever something is due.
func (w *partWorld) pass(d time.Duration) {
	end := w.now + d
	for w.err == nil {
		next := end
		for _, n := range w.nodes {
			for _, at := range n.due() {
				if at > w.now {
					next = min(next, at)
				}
			}
			if n.touches() && w.now+partT/3 < next {
				next = w.now + partT/3 // pings go on
			}
		}
		w.now = next
		for _, n := range w.nodes {
			if n.touches() {
				w.touched[n.session] = w.now // a ping
			}
			n.lapse()
		}
		for _, n := range w.nodes {
			n.punctual()
		}
		for _, id := range slices.Sorted(maps.Keys(w.truth().sessions)) {
			// The leader has not heard of it for long enough.
			if w.now >= w.touched[id]+partT {
				w.tell("session %d expires", id)
				w.endSession(id)
			}
		}
		w.check()
		if w.now >= end {
			return
		}
	}
}

func (w *partWorld) endSession(id int64) {
	w.change(func(t *partTree, _ int64) {
		delete(t.sessions, id)
		if t.owner.session == id {
			t.owner = ownerZnode{}
		}
	})
}

// byHand is an administrator, who deletes the owner's znode or writes into it.
func (w *partWorld) byHand() {
	if w.truth().owner.czxid == 0 {
		return
	}
	if w.rand.IntN(3) == 0 {
		w.tell("somebody writes into the owner's znode")
		w.change(func(t *partTree, _ int64) { t.owner.version++ })
		return
	}
	w.tell("somebody deletes the owner's znode")
	w.depose()
	w.change(func(t *partTree, _ int64) { t.owner = ownerZnode{} })
}

// depose: the znode that some node's lease is on goes, and not by that node.
func (w *partWorld) depose() {
	for _, n := range w.nodes {
		if n.lease != 0 && n.leased == w.truth().owner.czxid {
			n.deposed = true
		}
	}
}

// check is what must never be.
func (w *partWorld) check() {
	acting, running := 0, 0
	for _, n := range w.nodes {
		n.checkAlarms()
		if n.deposed || n.stage == nothing {
			continue
		}
		running++
		if n.lease != 0 && w.now < n.until {
			acting++
		}
	}
	if acting > 1 {
		w.wrong("two may act")
	}
	if running > 1 && !w.powers.hang && !w.powers.admin {
		w.wrong("two run")
	}
}
