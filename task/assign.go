//conclave:pure

package task

import "slices"

// maxDeclined is how many tasks a strategy can decline before those behind them have
// to wait, too.
const maxDeclined = 100

// give hands tasks that wait to workers that can do them: those of the highest
// priority first, and of these the oldest.
func (t *table) give() {
	t.cut = false
	c := choice{t: t}
	for _, m := range t.roll {
		if m.known && len(m.running) < m.slots {
			c.spare = append(c.spare, m)
		}
	}
	if len(c.spare) == 0 {
		return
	}
	heads := ordered[*class]{place: func(*class, int) {}, less: func(a, b *class) bool { return before(a.ready.all[0], b.ready.all[0]) }}
	for _, of := range t.classes {
		if of.ready.len() > 0 {
			heads.push(of)
		}
	}
	var declined []*entry
	for n := 0; ; {
		of, ok := heads.first()
		if !ok {
			break
		}
		if n >= maxAssigned || t.full() {
			t.cut = true
			break
		}
		heads.remove(0)
		e, _ := of.ready.first()
		switch i := c.choose(e); {
		case i >= 0:
			t.hand(e, c.able[i])
			c.chosen(i)
			n++
		case len(c.able) == 0 || len(declined) == maxDeclined:
			continue // nobody can take more of these
		default:
			t.unplace(e)
			declined = append(declined, e)
		}
		if of.ready.len() > 0 {
			heads.push(of)
		}
	}
	for _, e := range declined {
		t.arrange(e)
	}
}

// hand gives a worker a task.
func (t *table) hand(e *entry, m *member) {
	t.unplace(e)
	e.Phase, e.Attempt, e.Fence, e.By = running, e.Attempt+1, t.next(), 0
	e.Worker, e.Node, e.Started, e.Due = m.name, m.node, t.now, 0
	e.fresh = true
	m.take(e)
	t.fresh = append(t.fresh, e)
	t.counts.Assigned++
	t.touch(e)
}

func before(a, b *entry) bool {
	return a.priority > b.priority || a.priority == b.priority && a.serial < b.serial
}

// choice picks workers, one after the other.
type choice struct {
	t     *table
	spare []*member // those with a slot free

	class *class // that the two below are for
	able  []*member
	shown []WorkerStatus
}

// choose picks the worker for a task, of those that are able; below 0: it has to
// wait.
func (c *choice) choose(e *entry) int {
	if c.class != e.class {
		c.class, c.able, c.shown = e.class, c.able[:0], c.shown[:0]
		for _, m := range c.spare {
			if m.can(e.class) && m.free(e.class.kind) {
				c.able = append(c.able, m)
				c.shown = append(c.shown, m.status())
			}
		}
	}
	if len(c.able) == 0 {
		return -1
	}
	if i := c.t.picked(e, c.shown); i < len(c.able) {
		return i
	}
	return -1
}

// chosen takes note that one of those that are able has been given a task.
func (c *choice) chosen(i int) {
	m := c.able[i]
	c.shown[i].Running++
	if m.free(c.class.kind) {
		return
	}
	c.able, c.shown = slices.Delete(c.able, i, i+1), slices.Delete(c.shown, i, i+1)
	if len(m.running) >= m.slots {
		j := slices.Index(c.spare, m)
		c.spare = slices.Delete(c.spare, j, j+1)
	}
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
