//conclave:pure

package task

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"conclave/actor"
)

// news is something that a dispatcher has heard: mail, or a listing of workers.
// call is what an answer goes to, nil if none is wanted.
type news struct {
	from actor.PID
	call any
	body any
}

// step takes news in (nil: time has passed) and does what follows from it.
func (t *table) step(n *news, now int64) {
	t.now = now
	for len(t.rest) > 0 && !t.full() {
		first := t.rest[0]
		t.rest = t.rest[1:]
		t.hear(first)
	}
	switch {
	case n == nil:
	case len(t.rest) > 0:
		t.rest = append(t.rest, n)
	default:
		t.hear(n)
	}
}

// prepare does what is due before any news are heard, with half of the room of a
// commit. Whoever fills every commit with news would keep it from being done at all.
func (t *table) prepare(now int64) {
	t.room = maxBatch / 2
	t.settle(now)
	t.room = maxBatch
}

// settle does what is due, and gives tasks to workers. It is called once after
// all the news that are to be committed together.
func (t *table) settle(now int64) {
	t.now = now
	t.recover()
	t.step(nil, now)
	for e, ok := t.later.first(); ok && e.Due <= now; e, ok = t.later.first() {
		t.arrange(e)
	}
	t.tick()
	for _, m := range t.roll {
		if m.due(now) <= now {
			t.greet(m)
		}
	}
	t.forget()
	t.putOff()
	t.give()
}

func (t *table) hear(n *news) {
	switch b := n.body.(type) {
	case listing:
		t.workersAre(b)
	case unreachable:
		for _, m := range t.roll {
			if m.pid == b.pid {
				m.known, m.greeted = false, t.now-greetAgain+500
				if b.jammed {
					m.greeted = t.now
				}
			}
		}
	case *hello:
		t.hello(n.from, b)
	case *outcomes:
		t.outcomes(n.from, b)
	case *progressed:
		t.progressed(n.from, b)
	case *submitCall:
		ids, err := t.submitted(b)
		t.answer(n.call, &submitAnswer{IDs: ids, Seen: t.serial, Problem: problemOf(err)})
	case *awaitCall:
		t.await(n.call, b.ID)
	case *changeCall:
		info, err := t.change(b.Verb, b.ID)
		t.answer(n.call, &changeAnswer{Info: info, Problem: problemOf(err)})
	case *showCall:
		d, err := t.show(b.ID)
		t.answer(n.call, &showAnswer{Details: d, Problem: problemOf(err)})
	case *listCall:
		tasks, err := t.list(b.Filter, b.From)
		t.answer(n.call, &listAnswer{Tasks: tasks, Problem: problemOf(err)})
	case *statusCall:
		t.answer(n.call, &statusAnswer{Status: t.status()})
	case *scheduleCall:
		t.answer(n.call, &scheduleAnswer{Problem: problemOf(t.reschedule(b))})
	case *schedulesCall:
		t.answer(n.call, &schedulesAnswer{Schedules: t.scheduleInfos()})
	}
}

// submitted takes all tasks of a client's call in, or none.
func (t *table) submitted(c *submitCall) (ids []string, err error) {
	if t.bounds.parts > 1 && len(c.Specs) > 0 {
		part, err := partOf(c.Specs, t.bounds.parts)
		if err == nil && part >= 0 && part != t.bounds.part {
			err = fmt.Errorf("%w: to part %d, and this is part %d of %q", ErrOtherPart, part, t.bounds.part, t.bounds.scope)
		}
		if err != nil {
			return nil, err
		}
	}
	return t.submit(c)
}

// submit takes all tasks of a call in, or none.
func (t *table) submit(c *submitCall) (ids []string, err error) {
	fresh, total := make(map[string]uint64), 0
	unique := make(map[string]string)
	for i := range c.Specs {
		s := &c.Specs[i]
		if s.ID == "" {
			return nil, fmt.Errorf("%w: it has no id", ErrBadTask)
		}
		if err := s.check(t.bounds.body); err != nil {
			return nil, err
		}
		ids = append(ids, s.ID)
		is := digest(s.Kind, s.Body)
		was, known := fresh[s.ID]
		if e := t.entries[s.ID]; e != nil {
			was, known = e.digest, true
		}
		switch {
		case known && was != is:
			return nil, fmt.Errorf("%w: %q", ErrConflict, s.ID)
		case known:
			continue
		case c.Again && c.Seen < t.counters.Forgotten:
			return nil, fmt.Errorf("%w: %q was first sent so long ago that tasks have been forgotten since; see Config.Keep", ErrUnknownOutcome, s.ID)
		}
		fresh[s.ID] = is
		if s.Unique != "" {
			if e := t.unique[s.Unique]; e != nil {
				return nil, &DuplicateError{ID: e.id, Unique: s.Unique}
			}
			if other, taken := unique[s.Unique]; taken {
				return nil, &DuplicateError{ID: other, Unique: s.Unique}
			}
			unique[s.Unique] = s.ID
		}
		total += s.bytes()
	}
	switch {
	case len(fresh) == 0:
		return ids, nil
	case t.live+len(fresh) > t.bounds.live:
		return nil, fmt.Errorf("%w: %d live tasks in %q, at most %d", ErrQueueFull, t.live, t.bounds.scope, t.bounds.live)
	case t.bytes+total > t.bounds.bytes:
		return nil, fmt.Errorf("%w: %d bytes of live tasks in %q, at most %d", ErrQueueFull, t.bytes, t.bounds.scope, t.bounds.bytes)
	case len(c.Specs) > MaxTogether || total > maxTogetherBytes+maxTogetherBytes/8:
		return nil, fmt.Errorf("%w: %d tasks of %d bytes at once, at most %d of %d", ErrTooLarge, len(c.Specs), total, MaxTogether, maxTogetherBytes)
	}
	for i := range c.Specs {
		if s := &c.Specs[i]; t.entries[s.ID] == nil {
			r := recordOf(s, t.next(), t.now, "")
			t.add(s.ID, &r)
		}
	}
	return ids, nil
}

// await answers when the task has ended.
func (t *table) await(call any, id string) {
	e := t.entries[id]
	switch {
	case e == nil:
		t.answer(call, &awaitAnswer{Problem: problemOf(fmt.Errorf("%w: task %q", ErrNotFound, id))})
	case !e.Phase.live():
		t.answer(call, t.result(e))
	default:
		t.waiters[id] = append(t.waiters[id], waiter{call, t.now + longPoll})
	}
}

func (t *table) result(e *entry) *awaitAnswer {
	return &awaitAnswer{Info: t.info(e), Result: e.Result, Type: e.Type}
}

// dismiss tells everybody who waits to ask again: another dispatcher will know.
func (t *table) dismiss() {
	for id, all := range t.waiters {
		for _, w := range all {
			t.answer(w.call, &awaitAnswer{Later: true})
		}
		delete(t.waiters, id)
	}
}

// putOff tells clients that have waited for long to ask again: some have gone.
func (t *table) putOff() {
	if t.now < t.putOffAt {
		return
	}
	t.putOffAt = t.now + longPoll/3
	for id, all := range t.waiters {
		left := slices.DeleteFunc(all, func(w waiter) bool {
			if w.until > t.now {
				return false
			}
			t.answer(w.call, &awaitAnswer{Later: true})
			return true
		})
		if len(left) == 0 {
			delete(t.waiters, id)
			continue
		}
		t.waiters[id] = left
	}
}

// change does one of the verbs.
func (t *table) change(verb, id string) (Info, error) {
	e := t.entries[id]
	if e == nil {
		return Info{}, fmt.Errorf("%w: task %q", ErrNotFound, id)
	}
	bad := fmt.Errorf("%w: %q is %s: it cannot be %sed", ErrState, id, e.state(), map[string]string{verbCancel: "cancell", verbRetry: "retri", verbDelete: "delet"}[verb])
	switch {
	case verb == verbCancel && e.Phase == queued:
		e.Error = "cancelled"
		t.end(e, cancelled)
	case verb == verbCancel && e.Phase == running:
		if e.fresh { // nobody has heard of it yet
			e.member.leave(e)
			e.fresh = false
			e.Error = "cancelled"
			t.end(e, cancelled)
			break
		}
		e.Phase = stopping
		t.touch(e)
		if !e.member.gone {
			t.send(e.member, &abandon{List: []held{{e.id, e.Fence}}, Why: whyCancelled})
		}
	case verb == verbCancel && (e.Phase == stopping || e.Phase == cancelled):
	case verb == verbRetry && e.Phase == queued:
		e.Due, e.moved = 0, true
		t.touch(e)
		t.arrange(e)
	case verb == verbRetry && (e.Phase == dead || e.Phase == cancelled):
		switch {
		case t.live >= t.bounds.live:
			return Info{}, fmt.Errorf("%w: %d live tasks in %q, at most %d", ErrQueueFull, t.live, t.bounds.scope, t.bounds.live)
		case e.unique != "" && t.unique[e.unique] != nil:
			return Info{}, &DuplicateError{ID: t.unique[e.unique].id, Unique: e.unique}
		}
		t.unplace(e)
		e.Phase, e.Failures, e.Due, e.Ended, e.moved = queued, 0, 0, 0, true
		t.revive(e)
		t.touch(e)
		t.arrange(e)
	case verb == verbDelete && !e.Phase.live():
		info := t.info(e)
		t.drop(e)
		return info, nil
	default:
		return t.info(e), bad
	}
	return t.info(e), nil
}

// info is what there is to know of a task.
func (t *table) info(e *entry) Info {
	r := e.record(t)
	return Info{
		ID: e.id, Kind: r.Kind, State: e.state(), Meta: r.Meta, Key: r.Key, Unique: r.Unique, Priority: r.Priority,
		Attempt: e.Attempt, Failures: e.Failures, Attempts: r.Attempts, Error: e.Error, Worker: e.Node, Fence: e.Fence,
		Submitted: moment(r.Submitted), Due: moment(e.Due), Started: moment(e.Started), Ended: moment(e.Ended), Parent: r.Parent,
	}
}

func (t *table) show(id string) (Details, error) {
	e := t.entries[id]
	if e == nil {
		return Details{}, fmt.Errorf("%w: task %q", ErrNotFound, id)
	}
	r := e.record(t)
	return Details{
		Info: t.info(e), Needs: r.Needs, Type: r.Type, Body: r.Body, Progress: e.Progress, ResultType: e.Type, Result: e.Result,
		Timeout: time.Duration(r.Timeout) * time.Millisecond, Beat: time.Duration(r.Beat) * time.Millisecond,
	}, nil
}

// status counts the tasks.
func (t *table) status() Status {
	s := Status{
		Scope: t.bounds.scope, Dispatcher: t.bounds.node, Term: t.bounds.term, Live: t.live, MaxLive: t.bounds.live, Bytes: t.bytes,
		States: make(map[State]int), Kinds: []KindStatus{}, Workers: []WorkerStatus{}, Schedules: len(t.schedules), Counts: t.counts,
	}
	kinds := make(map[string]*KindStatus)
	for _, e := range t.entries {
		k := kinds[e.class.kind]
		if k == nil {
			k = &KindStatus{Kind: e.class.kind, States: make(map[State]int)}
			kinds[k.Kind] = k
		}
		state := e.state()
		s.States[state]++
		k.States[state]++
		if state == Waiting {
			since := e.submitted
			if e.Due > since {
				since = e.Due
			}
			waited := time.Duration(max(t.now-since, 0)) * time.Millisecond
			k.OldestWaiting = max(k.OldestWaiting, waited)
			s.OldestWaiting = max(s.OldestWaiting, waited)
		}
	}
	for _, m := range t.roll {
		s.Workers = append(s.Workers, m.status())
		for kind := range m.kinds {
			if kinds[kind] == nil {
				kinds[kind] = &KindStatus{Kind: kind, States: make(map[State]int)}
			}
			kinds[kind].Workers++
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		s.Kinds = append(s.Kinds, *kinds[kind])
	}
	return s
}

// panicError is what a panic said, as an error.
func panicError(r any) error {
	if err, is := r.(error); is {
		return fmt.Errorf("panic: %w", err)
	}
	return errors.New(fmt.Sprint("panic: ", r))
}
