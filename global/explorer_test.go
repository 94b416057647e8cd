package global

import (
	"conclave/internal/explore"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The explorer makes up stories: several candidates, each running the program's
// own step, over a model of ZooKeeper with lagging followers, lost requests and
// replies, watches that fire late, expiring and abandoned sessions, and holders
// that end as they like. At every moment it checks what must never be.

// Among what happens here are the failures 3, 6, 9 to 13 and 16 of
// docs/guarantees.md.
func TestExplorerNeverTwoHolders(t *testing.T) { exploreElections(t, powers{}) }

// With an administrator who deletes candidates' znodes, two may act for a moment
// (failure 14), but the terms still rise.
func TestExplorerTermsRiseWhateverIsDeleted(t *testing.T) { exploreElections(t, powers{admin: true}) }

func TestExplorerStuckHolders(t *testing.T) { exploreElections(t, powers{stuck: true}) }

// powers are what else may happen.
type powers struct {
	admin bool // somebody deletes candidates' znodes
	stuck bool // holders take longer to return than they may
}

func exploreElections(t *testing.T, p powers) {
	var terms atomic.Int64
	n := explore.Schedules(t, 15_000, func(s *explore.Story) {
		w := newWorld(s.Seed, p)
		w.verbose = s.Tell
		err := w.run()
		s.Logf("%s", strings.Join(w.story, "\n"))
		if err != nil {
			s.Errorf("%v\nthe end of the story:\n%s", err, strings.Join(w.story[max(0, len(w.story)-60):], "\n"))
		}
		terms.Add(int64(w.terms))
	})
	t.Logf("%d terms", terms.Load())
	if n > 20 && terms.Load() < 2*int64(n) {
		t.Errorf("only %d terms in %d schedules: they are too dull to show anything", terms.Load(), n)
	}
}

const modelT = 8 * time.Second

// world is the model of ZooKeeper and the nodes around it.
type world struct {
	rand    *rand.Rand
	powers  powers
	now     time.Duration
	history []tree // by transaction; the last is the truth, followers lag behind
	seq     int32
	touched map[int64]time.Duration // when the leader last heard of a session
	nodes   []*modelNode
	highest int64 // term begun
	terms   int
	calm    bool // no more faults
	verbose bool
	story   []string
	err     error
}

// tree is an immutable state of ZooKeeper.
type tree struct {
	nodes    map[string]znode
	sessions map[int64]bool
}

type znode struct {
	owner, czxid int64
	version      int
}

type modelNode struct {
	w     *world
	id    int
	state election

	session   int64 // as the client believes
	connected bool
	view      int // the transaction up to which its follower is
	seen      int // what the client has seen: it accepts no older follower
	requests  []action
	zombies   []action // lost on the way, perhaps not quite
	inbox     []event
	watches   map[string]znode // armed: path and what it was like (zero: not there)

	lease   uint64
	until   time.Duration // of the lease
	renewed bool
	leased  string
	running bool // the holder's process, or one that it spawned
	ended   bool
	returns time.Duration // when a process that was told to will have returned
	passes  time.Duration // when what is left of its term will have been passed on; 0: nothing is
	over    int64         // the number of the term that was told to end
	deposed bool          // its znode was deleted by hand: the exception
	offered bool
	barred  bool
}

func newWorld(seed uint64, p powers) *world {
	w := &world{
		rand: rand.New(rand.NewPCG(seed, 1)), powers: p,
		history: []tree{{nodes: map[string]znode{}, sessions: map[int64]bool{}}},
		touched: map[int64]time.Duration{},
	}
	for i := range 2 + w.rand.IntN(3) {
		w.nodes = append(w.nodes, &modelNode{
			w: w, id: i, watches: map[string]znode{}, state: newElection(fmt.Sprintf("%c.", 'a'+i)),
		})
	}
	if w.rand.IntN(4) == 0 {
		w.seq = 1<<31 - 3 // about to overflow
	}
	return w
}

func (w *world) tell(format string, args ...any) {
	w.story = append(w.story, fmt.Sprintf("%8s ", w.now)+fmt.Sprintf(format, args...))
	if len(w.story) > 400 && !w.verbose {
		w.story = w.story[300:]
	}
}

func (w *world) wrong(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

func (w *world) truth() tree { return w.history[len(w.history)-1] }
func (w *world) chance(percent int) bool {
	return !w.calm && w.rand.IntN(100) < percent
}

// change makes a transaction.
func (w *world) change(f func(t *tree, zxid int64)) {
	t := tree{nodes: maps.Clone(w.truth().nodes), sessions: maps.Clone(w.truth().sessions)}
	f(&t, int64(len(w.history)))
	w.history = append(w.history, t)
}

func (w *world) run() error {
	for _, n := range w.nodes {
		n.offered = true
		n.feed(registered{})
	}
	for range 300 + w.rand.IntN(300) {
		w.moment()
		if w.err != nil {
			return w.err
		}
	}
	// The faults end, and everything must come right by itself.
	w.calm = true
	w.tell("--- calm")
	for range 4000 {
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
		is = append(is, fmt.Sprintf("%d is %s (wanted %v, barred %v)", n.id, n.state.phase, n.state.wanted, n.barred))
	}
	return fmt.Errorf("it did not come right: %s; znodes %v", strings.Join(is, ", "), slices.Sorted(maps.Keys(w.truth().nodes)))
}

// settled: everybody who wants to stands once, and the first holds.
func (w *world) settled() bool {
	wanting, holders := 0, 0
	for _, n := range w.nodes {
		if n.state.wanted {
			wanting++
		}
		if n.state.phase == holding && n.state.published {
			holders++
		}
		if len(n.requests)+len(n.inbox) > 0 {
			return false
		}
	}
	return holders == min(wanting, 1) && len(w.truth().nodes) == wanting
}

// moment is one thing that happens somewhere, and what follows by itself.
func (w *world) moment() {
	if w.rand.IntN(3) == 0 {
		w.pass(time.Duration(w.rand.IntN(400)) * time.Millisecond)
	}
	if w.chance(1) {
		w.pass(time.Duration(w.rand.Int64N(int64(modelT))))
	}
	n := w.nodes[w.rand.IntN(len(w.nodes))]
	switch {
	case w.chance(3) && n.connected:
		n.disconnect()
	case w.chance(2) && n.session != 0:
		n.abandon()
	case w.chance(2) && n.running && !n.ended:
		well := w.rand.IntN(4) == 0
		w.tell("%d: the holder returns, well: %v", n.id, well)
		if well {
			n.offered = false
		}
		n.feed(holderExited{number: n.state.czxid, well: well})
	case w.chance(2) && n.running && !n.ended:
		w.tell("%d: hands its term over", n.id)
		n.feed(transfer{number: n.state.czxid})
	case w.chance(2) && n.state.mine != "":
		w.tell("%d: is asked to step back", n.id)
		n.feed(stepBack{name: n.state.mine})
	case w.chance(2) && n.offered:
		n.offered = false
		w.tell("%d: withdraws", n.id)
		n.feed(withdraw{})
	case w.chance(4) && !n.offered, w.calm && !n.offered && w.rand.IntN(20) == 0:
		n.offered = true
		w.tell("%d: registers", n.id)
		n.feed(registered{})
	case w.powers.admin && w.chance(2):
		w.deleteByHand()
	case !n.connected:
		n.connect()
	case len(n.requests) > 0 && w.rand.IntN(2) == 0:
		n.serve()
	case len(n.inbox) > 0 && w.rand.IntN(2) == 0:
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
func (w *world) pass(d time.Duration) {
	end := w.now + d
	for w.err == nil {
		next := end
		for _, n := range w.nodes {
			for _, at := range n.due() {
				if at > w.now {
					next = min(next, at)
				}
			}
			if n.connected && w.truth().sessions[n.session] && w.now+modelT/3 < next {
				next = w.now + modelT/3 // pings go on
			}
		}
		w.now = next
		for _, n := range w.nodes {
			if n.connected && w.truth().sessions[n.session] {
				w.touched[n.session] = w.now // a ping
			}
			n.lapse()
		}
		for _, n := range w.nodes {
			n.punctual()
		}
		w.expire()
		w.check()
		if w.now >= end {
			return
		}
	}
}

func (n *modelNode) due() []time.Duration {
	due := []time.Duration{n.state.alarm(n.w.now)}
	if n.lease != 0 {
		due = append(due, n.until)
	}
	if n.ended {
		due = append(due, n.returns)
	}
	if n.passes != 0 {
		due = append(due, n.passes)
	}
	return due
}

// lapse ends a lease that ran out.
func (n *modelNode) lapse() {
	if n.lease != 0 && n.w.now >= n.until {
		n.w.tell("%d: lease lapses", n.id)
		n.endLease(lapsed)
	}
}

func (n *modelNode) endLease(why why) {
	n.lease = 0
	if n.running && !n.ended {
		n.feed(leaseEnded{number: n.state.czxid, why: why})
	}
}

func (n *modelNode) punctual() {
	if n.ended && n.w.now >= n.returns {
		n.ended, n.running = false, false
		n.w.tell("%d: all returned", n.id)
		n.feed(tenureEnded{number: n.over})
	}
	if n.passes != 0 && n.w.now >= n.passes {
		n.passes = 0
		n.w.tell("%d: all passed on", n.id)
		n.feed(passed{number: n.over})
	}
	if at := n.state.alarm(n.w.now - 1); at != 0 && at <= n.w.now {
		n.feed(timer{})
	}
}

// expire ends the sessions that the leader has not heard of for long enough.
func (w *world) expire() {
	for _, id := range slices.Sorted(maps.Keys(w.truth().sessions)) {
		if w.now >= w.touched[id]+modelT {
			w.tell("session %d expires", id)
			w.endSession(id)
		}
	}
}

func (w *world) endSession(id int64) {
	w.change(func(t *tree, _ int64) {
		delete(t.sessions, id)
		maps.DeleteFunc(t.nodes, func(_ string, z znode) bool { return z.owner == id })
	})
}

func (w *world) deleteByHand() {
	names := slices.Sorted(maps.Keys(w.truth().nodes))
	if len(names) == 0 {
		return
	}
	name := names[w.rand.IntN(len(names))]
	w.tell("somebody deletes %s", name)
	for _, n := range w.nodes {
		if n.lease != 0 && n.leased == name {
			n.deposed = true
		}
	}
	w.change(func(t *tree, _ int64) { delete(t.nodes, name) })
}

// check is what must never be.
func (w *world) check() {
	acting, running := 0, 0
	for _, n := range w.nodes {
		if n.deposed {
			continue
		}
		if n.running && !n.ended && n.lease != 0 && w.now < n.until {
			acting++
		}
		if n.running {
			running++
		}
	}
	if acting > 1 {
		w.wrong("two may act")
	}
	if running > 1 && !w.powers.stuck && !w.powers.admin {
		w.wrong("two run")
	}
}
