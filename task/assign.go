//conclave:pure

package task

// give hands tasks that wait to workers that can do them: those of the highest
// priority first, and of these the oldest.
func (t *table) give() {
	if len(t.members) == 0 {
		return
	}
	barren := make(map[*class]bool) // nobody can take more of these
	for n := 0; n < maxAssigned && !t.full(); n++ {
		var best *entry
		for _, c := range t.classes {
			if e, ok := c.ready.first(); ok && !barren[c] && (best == nil || before(e, best)) {
				best = e
			}
		}
		if best == nil {
			return
		}
		m := t.choose(best)
		if m == nil {
			barren[best.class] = true
			continue
		}
		t.unplace(best)
		best.Phase, best.Attempt, best.Fence, best.By = running, best.Attempt+1, t.next(), 0
		best.Worker, best.Node, best.Started, best.Due = m.name, m.node, t.now, 0
		best.fresh = true
		m.take(best)
		t.fresh = append(t.fresh, best)
		t.counts.Assigned++
		t.touch(best)
	}
}

func before(a, b *entry) bool {
	return a.priority > b.priority || a.priority == b.priority && a.serial < b.serial
}

// choose picks the worker for a task; nil: it has to wait.
func (t *table) choose(e *entry) *member {
	var able []*member
	var shown []WorkerStatus
	for _, m := range t.roll {
		if m.can(e.class) && m.free(e.class.kind) {
			able = append(able, m)
			shown = append(shown, m.status())
		}
	}
	if len(able) == 0 {
		return nil
	}
	if i := t.picked(e, shown); i >= 0 && i < len(able) {
		return able[i]
	}
	return nil
}

// picked asks the strategy. One that panics has no say in this.
func (t *table) picked(e *entry, shown []WorkerStatus) (i int) {
	defer func() {
		if r := recover(); r != nil {
			i = int(e.serial % uint64(len(shown)))
			t.happening = append(t.happening, Event{Kind: StrategyFailed, Scope: t.bounds.scope, Task: e.id, Err: panicError(r)})
		}
	}()
	return t.pick(t.info(e), shown)
}

// can says whether a worker does such tasks at all.
func (m *member) can(c *class) bool {
	if !m.known || m.kinds[c.kind] == 0 {
		return false
	}
	for k, v := range c.needs {
		if m.traits[k] != v {
			return false
		}
	}
	return true
}

func (m *member) free(kind string) bool {
	return len(m.running) < m.slots && m.ofKind[kind] < m.kinds[kind]
}
