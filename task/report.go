package task

import (
	"errors"
	"maps"
	"math"
	"slices"
	"time"

	"conclave/actor"
	"conclave/node"
)

// reports is what the loop tells the dispatcher, and has told it. Nothing here is
// reliable by itself: what matters is said again until it is acknowledged.
type reports struct {
	dispatcher actor.PID // who greeted last
	term       actor.Term
	monitor    actor.Ref // on it; 0: none
	clogged    bool      // there was no room for what we said last

	asked   bool // a hello is wanted now
	changed bool // what we offer has changed
	urgent  bool // and what we say next must not come before that
	last    time.Time
	unsent  []*attempt // whose outcome is to be said
	saves   []*attempt // whose progress is

	load   func() float64
	cpu    float64 // at the last hello
	looked time.Time
}

const (
	// helloPause is between two hellos that only changes are the reason for.
	helloPause = 10 * time.Millisecond
	// helloEvery is how often a worker says hello that has something; what was not
	// acknowledged for so long is said again.
	helloEvery = 2 * time.Second
	// idleLook is how often a worker that has nothing looks at its load.
	idleLook = 10 * time.Second
	// loadStep is by how much the load must have changed to be told by itself.
	loadStep = 0.1
	// maxHelloOutcomes is how many bytes of outcomes go into one message.
	maxHelloOutcomes = 128 << 10
	// sendWait is how long a message may wait for room on its way out.
	sendWait = time.Second
)

// heed says whether to listen to a dispatcher: not to one that another, whom we
// have heard of, has followed.
func (w *worker) heed(m actor.Message) bool {
	s := &w.reports
	switch {
	case m.Term.IsZero():
	case m.Term.Cluster() == s.term.Cluster() && m.Term.Number() < s.term.Number():
		return false
	default:
		s.term = m.Term
	}
	return true
}

// greeted takes note of who the dispatcher is, which wants to hear from us.
func (w *worker) greeted(from actor.PID) {
	s := &w.reports
	if s.dispatcher != from {
		w.p.Demonitor(s.monitor)
		s.dispatcher, s.monitor = from, 0
		for r := range w.live { // it may not know what the last one was told
			if r.saveAgain() {
				s.saves = append(s.saves, r)
			}
		}
	}
	s.asked = true
}

// unreached is told that the dispatcher has ended, or that what was sent to it may
// be lost.
func (w *worker) unreached(down actor.Down) {
	s := &w.reports
	if down.Ref != s.monitor {
		return
	}
	s.monitor = 0
	if !errors.Is(down.Reason, actor.LinkLost) {
		s.dispatcher = actor.PID{}
		return
	}
	s.changed = true
	s.last = time.Now().Add(helloEvery / 4) // not before the link can be there again
	for _, r := range w.tasks {
		r.sent = time.Time{}
	}
}

// again has an outcome said.
func (s *reports) again(r *attempt) {
	if !r.unsent {
		r.unsent = true
		s.unsent = append(s.unsent, r)
	}
}

// due is when the loop should look after its reports at the latest.
func (s *reports) due(w *worker, now time.Time) time.Time {
	due := s.looked.Add(idleLook)
	switch {
	case s.dispatcher.IsZero() || w.permit == nil:
		due = now.Add(idleLook)
	case s.changed:
		due = s.last.Add(helloPause)
	case len(w.tasks) > 0:
		due = s.last.Add(helloEvery)
	}
	if soon := now.Add(time.Millisecond); due.Before(soon) {
		due = soon
	}
	return due
}

// report says what there is to say.
func (w *worker) report(now time.Time) {
	s := &w.reports
	if s.dispatcher.IsZero() || w.permit == nil {
		return
	}
	s.clogged = false
	if now.Sub(s.looked) >= idleLook {
		s.looked = now
		s.changed = s.changed || math.Abs(s.load()-s.cpu) >= loadStep
	}
	for _, r := range s.saves {
		if data := r.takeSaved(); data != nil && w.tasks[r.a.ID] == r {
			w.say(&progressed{Worker: w.permit.guid, ID: r.a.ID, Fence: r.a.Fence, Data: data})
		}
	}
	s.saves = nil
	since := now.Sub(s.last)
	hello := s.asked || s.changed && (s.urgent || since >= helloPause) || len(w.tasks) > 0 && since >= helloEvery
	if hello {
		for _, r := range w.tasks {
			if r.out != nil && (s.asked || now.Sub(r.sent) >= helloEvery) {
				s.again(r)
			}
		}
	}
	unsent := s.unsent
	s.unsent = nil
	var list []outcome
	size := 0
	for _, r := range unsent {
		r.unsent = false
		if w.tasks[r.a.ID] != r {
			continue // settled meanwhile, or given to us again
		}
		r.sent = now
		n := r.out.size()
		if size+n > maxHelloOutcomes && len(list) > 0 {
			w.sayOutcomes(list)
			list, size = nil, 0
		}
		list, size = append(list, *r.out), size+n
	}
	switch {
	case !hello:
	case size <= maxHelloOutcomes:
		w.say(w.hello(list))
		list = nil
	default: // a single large one
		w.sayOutcomes(list)
		w.say(w.hello(nil))
		list = nil
	}
	w.sayOutcomes(list)
	if hello {
		s.asked, s.changed, s.urgent, s.last = false, false, false, now
	}
}

// size is about what an outcome takes in a message.
func (o *outcome) size() int {
	n := 64 + len(o.ID) + len(o.Error) + len(o.Result) + len(o.Type)
	for i := range o.Then {
		n += o.Then[i].bytes()
	}
	return n
}

func (w *worker) sayOutcomes(list []outcome) {
	if len(list) == 0 {
		return
	}
	err := w.say(&outcomes{Worker: w.permit.guid, List: list})
	if !errors.Is(err, node.ErrTooLarge) {
		return // what is lost is said again
	}
	if len(list) > 1 {
		for i := range list {
			w.sayOutcomes(list[i : i+1 : i+1])
		}
		return
	}
	if r := w.tasks[list[0].ID]; r != nil && list[0].How == howDone {
		w.ends(r, outcome{How: howFailed, Error: reason(err, nil)})
		w.sayOutcomes([]outcome{*r.out})
	}
}

// say sends the dispatcher something.
func (w *worker) say(body any) error {
	s := &w.reports
	if s.monitor == 0 {
		s.monitor = w.p.Monitor(s.dispatcher)
	}
	if s.clogged {
		return actor.ErrTimeout
	}
	err := w.p.Within(sendWait).Send(s.dispatcher, body)
	if err != nil {
		s.clogged = errors.Is(err, actor.ErrTimeout)
		w.cfg.Logger.Debug("the dispatcher could not be told", "scope", w.scope, "error", err)
	}
	return err
}

// hello is what we can do and what we have.
func (w *worker) hello(list []outcome) *hello {
	s := &w.reports
	s.cpu = s.load()
	h := &hello{Worker: w.permit.guid, Attributes: maps.Clone(w.cfg.Attributes), CPU: s.cpu, Outcomes: list}
	for _, r := range w.tasks {
		if r.out == nil {
			h.Running = append(h.Running, held{r.a.ID, r.a.Fence})
		}
	}
	if w.leaving != nil || w.permit.lost {
		return h
	}
	handles := false
	slots := make(map[string]int)
	for name, k := range w.kinds {
		if k.handler != nil {
			handles = true
			slots[name] = max(0, k.limit(w.cfg.Slots)-k.stuck)
			if k.crowded {
				slots[name] = k.used - k.stuck
			}
		}
		slots[name] += k.leases
	}
	for _, t := range w.takers {
		for _, name := range t.kinds {
			slots[name]++
		}
	}
	for name, n := range slots {
		if n > 0 {
			h.Kinds = append(h.Kinds, offer{name, n})
		}
	}
	slices.SortFunc(h.Kinds, func(a, b offer) int {
		if a.Kind < b.Kind {
			return -1
		}
		return 1
	})
	h.Slots = w.used - w.stuck
	if handles {
		h.Slots = max(h.Slots, w.cfg.Slots-w.stuck)
	}
	h.Slots += w.leases + len(w.takers)
	return h
}
