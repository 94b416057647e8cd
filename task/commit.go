//conclave:pure

package task

import "slices"

// touch takes note that a task's records have to be stored.
func (t *table) touch(e *entry) {
	t.changed[e] = struct{}{}
	size := 500 + len(e.Result) + len(e.Type) + len(e.Progress) + len(e.Error)
	if e.rewrite {
		size += len(e.raw)
	}
	t.size += size - e.size
	e.size = size
}

// changes is what has to be committed, and the workers that have to be there for
// it. It can be asked again: it is about all that has changed since committed.
func (t *table) changes() (all []Change, workers []string) {
	// Deletions first: a task, or a schedule, of the same name may be there anew.
	for _, key := range t.dropped {
		all = append(all, Change{Key: key})
	}
	for e := range t.changed {
		if e.gone && e.hasTask {
			all = append(all, Change{Key: taskKey + e.id})
		}
		if e.gone && e.hasState {
			all = append(all, Change{Key: stateKey + e.id})
		}
	}
	for e := range t.changed {
		if e.gone {
			continue
		}
		if e.rewrite {
			all = append(all, Change{taskKey + e.id, e.raw})
		}
		if e.hasStateToTell() {
			all = append(all, Change{stateKey + e.id, encode(&e.stateRecord)})
		}
	}
	for s := range t.retimed {
		all = append(all, Change{scheduleKey + s.rec.Spec.Name, encode(&s.rec)})
	}
	if t.unsaved {
		all = append(all, Change{counterKey, encode(&t.counters)})
	}
	for _, e := range t.fresh {
		if e.fresh && !slices.Contains(workers, e.Worker) {
			workers = append(workers, e.Worker)
		}
	}
	return all, workers
}

// hasStateToTell says whether the task stands otherwise than its taskRecord says.
func (e *entry) hasStateToTell() bool {
	return e.hasState || e.moved || e.Attempt > 0 || e.Phase != queued
}

// committed is told that all changes were, and says what there is to say.
func (t *table) committed() (out []message, events []Event) {
	for e := range t.changed {
		e.hasState = e.hasStateToTell()
		e.hasTask, e.rewrite, e.size = true, false, 0
	}
	t.assignments()
	out, events = t.out, t.happening
	for _, e := range t.decoded {
		e.decoded = nil
	}
	clear(t.changed)
	clear(t.retimed)
	t.dropped, t.fresh, t.decoded, t.out, t.happening, t.unsaved, t.size = nil, nil, nil, nil, nil, false, 0
	return out, events
}

// assignments tells the workers what they were given.
func (t *table) assignments() {
	var to []*member
	given := make(map[*member][]assignment)
	for _, e := range t.fresh {
		if !e.fresh {
			continue
		}
		e.fresh = false
		if given[e.member] == nil {
			to = append(to, e.member)
		}
		given[e.member] = append(given[e.member], e.assignment(t))
	}
	for _, m := range to {
		t.assign(m, given[m])
	}
}

// assign tells a worker of its tasks, in messages that links take.
func (t *table) assign(m *member, all []assignment) {
	for len(all) > 0 {
		n, size := 0, 0
		for n < len(all) && (n == 0 || size+all[n].bytes() <= maxMessage) {
			size += all[n].bytes()
			n++
		}
		t.send(m, &assign{Worker: m.name, Tasks: all[:n:n]})
		all = all[n:]
	}
}
