package task

import (
	"bytes"
	"fmt"
	"time"

	"conclave/actor"
)

// What a worker was given: from the assignment to the dispatcher's word that the
// outcome is recorded. All of this is the loop's.

// assigned takes in what the dispatcher gives. What is known already is not begun
// twice; what was given to an earlier permit goes back with its znode.
func (w *worker) assigned(m actor.Message, a *assign) {
	pm := w.permit
	if pm == nil || a.Worker != pm.guid {
		return
	}
	shared := m.From.SameNode(w.p.Self())
	for _, t := range a.Tasks {
		if shared { // it is the dispatcher's own memory
			t.Body, t.Progress = bytes.Clone(t.Body), bytes.Clone(t.Progress)
		}
		w.given(pm, t)
	}
}

func (w *worker) given(pm *permit, a assignment) {
	r := &attempt{w: w, a: a, permit: pm}
	if old := w.tasks[a.ID]; old != nil {
		switch {
		case a.Fence < old.a.Fence:
			return
		case a.Fence == old.a.Fence:
			if old.out != nil && !old.unsent { // it was lost on the way, or both have crossed
				w.reports.again(old)
			}
			return
		}
		w.supersede(old)
		if r.before = old; !old.started {
			r.before = old.before
		}
	}
	w.tasks[a.ID] = r
	if pm.lost || w.leaving != nil {
		w.ends(r, outcome{How: howReleased})
		return
	}
	w.queue = append(w.queue, r)
}

// supersede lets go of an attempt, as the same task was given to us anew.
func (w *worker) supersede(r *attempt) {
	r.dropped = true
	r.settled(ErrLost)
	if r.started && !r.returned {
		r.stop(fmt.Errorf("%w: the task was given to this worker again", ErrLost))
	}
}

// schedule begins what can be begun, in order.
func (w *worker) schedule() {
	if len(w.queue) == 0 {
		return
	}
	if pm := w.permit; pm == nil || pm.lost || pm.lease.Check() != nil {
		return // it is being lost, and what waits goes back
	}
	var wait []*attempt // those that are passed over
	all := w.review || !w.crowdedAt.IsZero() && !time.Now().Before(w.crowdedAt)
	if all {
		w.review, w.crowdedAt = false, time.Time{} // it is found anew
	}
	i := 0
	for ; i < len(w.queue) && (all || w.used < w.cfg.Slots || len(w.takers) > 0); i++ {
		r := w.queue[i]
		k := w.kinds[r.a.Kind]
		switch {
		case r.dropped:
		case r.before != nil && r.before.busy():
			wait = append(wait, r)
		case w.hand(r):
		case k == nil || k.handler == nil:
			w.ends(r, outcome{How: howReleased})
			w.reports.changed, w.reports.urgent = true, true // or it is given to us again
		case w.used >= w.cfg.Slots || k.used >= k.limit(w.cfg.Slots):
			wait = append(wait, r)
		case w.room.enter(w, r.a.Kind):
			r.handler = k.handler
			w.launch(r)
		case w.crowded(r, k):
		default:
			wait = append(wait, r)
		}
	}
	switch {
	case i == 0:
	case len(wait) > 0:
		w.queue = append(wait, w.queue[i:]...)
	case i == len(w.queue):
		w.queue = nil
	default:
		w.queue = w.queue[i:]
	}
}

// crowdPatience is how long a task waits for room on its node before others may have
// it: what takes the node's slots may take them for long, or for ever.
const crowdPatience = 10 * time.Second

// crowded gives a task back that has found no room on the node for long. No more of its
// kind are offered to be done until there may be some.
func (w *worker) crowded(r *attempt, k *kind) bool {
	now := time.Now()
	if r.crowded.IsZero() {
		r.crowded = now
	}
	if due := r.crowded.Add(crowdPatience); now.Before(due) {
		if w.crowdedAt.IsZero() || due.Before(w.crowdedAt) {
			w.crowdedAt = due
		}
		return false
	}
	k.crowded = true
	w.ends(r, outcome{How: howReleased})
	w.reports.changed, w.reports.urgent = true, true // or it is given to us again
	return true
}

// roomy takes note that there may be room again.
func (w *worker) roomy() {
	w.review = true
	for _, k := range w.kinds {
		if k.crowded {
			k.crowded, w.reports.changed = false, true
		}
	}
}

// limit is how many of the kind the worker runs at a time.
func (k *kind) limit(slots int) int {
	if k.slots == 0 {
		return slots
	}
	return min(k.slots, slots)
}

// launch starts the attempt.
func (w *worker) launch(r *attempt) {
	r.before = nil
	r.task = &Task{a: r.a, maxBody: w.cfg.MaxBody, divided: w.area.divided(), run: r}
	w.p.Spawn(r.run, actor.OnExit(func(actor.PID, error) { w.post(returned{r}) }))
	r.started = true
	w.live[r] = struct{}{}
	w.occupy(r, +1)
}

// occupy counts the slot that an attempt takes.
func (w *worker) occupy(r *attempt, n int) {
	k := w.kind(r.a.Kind)
	if r.lease != nil {
		w.leases += n
		k.leases += n
		w.reports.changed = w.reports.changed || n < 0
		return
	}
	w.used += n
	k.used += n
	if r.stuck {
		w.stuck += n
		k.stuck += n
		w.reports.changed = true
	}
}

// returned takes note that an attempt's code has.
func (w *worker) returned(r *attempt) {
	if r.returned {
		return
	}
	w.occupy(r, -1)
	if r.returned = true; r.lease == nil {
		w.room.leave(r.a.Kind)
	}
	delete(w.live, r)
	w.tidy(r.a.Kind)
	if r.out == nil && !r.dropped {
		w.ends(r, r.end)
	}
}

// overdue takes note that a handler does not return although its context has ended.
func (w *worker) overdue(r *attempt) {
	if r.returned || r.stuck {
		return
	}
	w.occupy(r, -1)
	r.stuck = true
	w.occupy(r, +1)
	r.over.Store(true)
	w.cfg.tell(Event{Kind: TaskStuck, Scope: w.scope, Part: w.area.part, Task: r.a.ID, Err: r.cause()})
	if r.dropped || r.out != nil {
		return
	}
	if out := r.overdueOutcome(); out.How != 0 {
		w.ends(r, out)
		return
	}
	r.dropped = true
	delete(w.tasks, r.a.ID)
}

// ends notes an outcome, to be told to the dispatcher.
func (w *worker) ends(r *attempt, out outcome) {
	out.ID, out.Fence = r.a.ID, r.a.Fence
	if out.How == 0 { // its code was never run
		out.How = howReleased
	}
	r.out = &out
	w.reports.again(r)
}

// recorded settles a task: the dispatcher knows how the attempt has ended.
func (w *worker) recorded(v verdict) {
	r := w.tasks[v.ID]
	if r == nil || r.a.Fence != v.Fence || r.out == nil {
		return
	}
	delete(w.tasks, v.ID)
	if v.Refused {
		r.settled(ErrLost)
	} else {
		r.settled(nil)
	}
}

// abandoned stops what is not ours, or was cancelled.
func (w *worker) abandoned(h held, why string) {
	r := w.tasks[h.ID]
	if r == nil || r.a.Fence != h.Fence {
		return
	}
	cancelled := why == whyCancelled
	switch {
	case cancelled && r.out != nil:
	case cancelled && !r.started:
		r.dropped = true
		w.ends(r, outcome{How: howDiscard, Error: ErrCancelled.Error()})
	case cancelled:
		r.stop(ErrCancelled)
	case r.out != nil || !r.started:
		r.dropped = true
		delete(w.tasks, h.ID)
		r.settled(ErrLost)
	default:
		r.stop(fmt.Errorf("%w: %s", ErrLost, why))
	}
}

// releaseQueue gives back what was not begun.
func (w *worker) releaseQueue() {
	for _, r := range w.queue {
		if !r.dropped {
			w.ends(r, outcome{How: howReleased})
		}
	}
	w.queue = nil
}

// lapse is why the lease of a permit does not last, or nil.
func (pm *permit) lapse() error {
	if err := pm.lease.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	return nil
}
