//conclave:pure

package task

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"conclave/codec"
)

// loading is a table that is being filled from a store. Records come in any order.
type loading struct {
	t      *table
	tasks  map[string][]byte
	states map[string]stateRecord
	broken map[string]error // tasks with records that cannot be read
}

func (t *table) loading() *loading {
	return &loading{t: t, tasks: make(map[string][]byte), states: make(map[string]stateRecord), broken: make(map[string]error)}
}

// take takes one record.
func (l *loading) take(key string, value []byte) error {
	if id, is := strings.CutPrefix(key, taskKey); is {
		l.tasks[id] = value
		return nil
	}
	if id, is := strings.CutPrefix(key, stateKey); is {
		var s stateRecord
		if err := codec.Decode("task.stateRecord", value, &s); err != nil {
			l.broken[id] = err
			return nil
		}
		l.states[id] = s
		return nil
	}
	if name, is := strings.CutPrefix(key, scheduleKey); is {
		s := &scheduled{at: -1}
		if err := codec.Decode("task.scheduleRecord", value, &s.rec); err != nil || s.rec.Spec.Name != name {
			l.skip(key, fmt.Errorf("it is no schedule: %v", err))
			return nil
		}
		l.t.plan(s)
		l.t.schedules[name] = s
		l.t.replan(s)
		return nil
	}
	if key != counterKey {
		l.skip(key, fmt.Errorf("nothing of ours is called that"))
		return nil
	}
	if err := codec.Decode("task.counterRecord", value, &l.t.counters); err != nil {
		l.skip(key, err)
	}
	return nil
}

// first orders tasks that are with a worker before the others.
func first(e *entry) int {
	if e.Phase == running || e.Phase == stopping {
		return 0
	}
	return 1
}

// skip reports a record that is left alone.
func (l *loading) skip(key string, err error) {
	l.t.happening = append(l.t.happening, Event{Kind: Skipped, Scope: l.t.bounds.scope, Err: fmt.Errorf("record %q: %w", key, err)})
}

// finish puts the tasks into the table, in the order of their submission. What
// cannot be read is a dead task, with the reason.
func (l *loading) finish(now int64) {
	t := l.t
	t.now = now
	all := make([]*entry, 0, len(l.tasks))
	for id, raw := range l.tasks {
		e := &entry{id: id, raw: raw, hasTask: true}
		r, err := decodeTask(raw)
		if err == nil {
			err = l.broken[id]
		}
		if s, has := l.states[id]; has {
			e.stateRecord, e.hasState = s, true
		} else {
			e.Due = r.Due
		}
		if err == nil && e.Phase > cancelled {
			err = fmt.Errorf("its phase is %d, which a later version knows", e.Phase)
		}
		if err != nil {
			e.Phase, e.Ended, e.moved = dead, max(e.Ended, now), true
			e.Error = fmt.Sprintf("its record cannot be read: %v", err)
			if r.Kind == "" {
				r.Kind = "?"
			}
		}
		delete(l.states, id)
		e.decoded = &r
		t.serial = max(t.serial, r.Serial, e.Fence)
		all = append(all, e)
	}
	// One that runs is the first of its key, be it one that was retried and so is
	// older than those behind it, or younger.
	slices.SortFunc(all, func(a, b *entry) int {
		return cmp.Or(first(a)-first(b), cmp.Compare(a.decoded.Serial, b.decoded.Serial))
	})
	t.adrift = make(map[string][]*entry)
	for _, e := range all {
		r := e.decoded
		e.decoded = nil
		t.enter(e, r)
		if e.moved {
			t.touch(e)
		}
		switch {
		case e.Phase == running || e.Phase == stopping:
			t.adrift[e.Worker] = append(t.adrift[e.Worker], e)
		case !e.Phase.live():
			t.bury(e)
		}
	}
	for _, e := range all {
		if e.Phase == queued {
			t.arrange(e)
		}
	}
	for _, id := range sortedKeys(l.states) {
		l.skip(stateKey+id, fmt.Errorf("its task is not there"))
		t.dropped = append(t.dropped, stateKey+id)
	}
	if t.counters.Serial == 0 {
		// A new scope, or one whose records were lost: outside stores may remember
		// fences of the last one, which counted on from an earlier moment.
		t.serial = max(t.serial, uint64(max(now, 0))*1000)
	}
	// Numbers that were given and not committed are not given again.
	t.serial = max(t.serial, t.counters.Serial)
}
