package registry

import (
	"hash/maphash"
	"maps"
	"sync/atomic"
	"time"
)

// cell is where look-ups read a list, without a lock. The registry's loop
// writes list and started; watch callbacks write fired.
type cell struct {
	list    atomic.Pointer[list]
	fired   atomic.Uint64 // reads up to this one are doubtful
	started atomic.Uint64 // the newest read begun
	until   atomic.Int64  // when what is shown ceased to be known to be so, on the registry's clock; 0: it is known
	used    atomic.Uint64 // the sweep during which it was last asked for
}

// current returns the list if nothing speaks against it.
func (c *cell) current() *list {
	if l := c.list.Load(); l != nil && l.read > c.fired.Load() {
		return l
	}
	return nil
}

// show makes l what look-ups find.
func (c *cell) show(l *list, now time.Duration) {
	c.until.Store(0)
	c.list.Store(l)
	if c.fired.Load() >= l.read {
		c.until.CompareAndSwap(0, int64(now)) // its watch was faster
	}
}

// touch notes that the cell is in use, writing only once a sweep: a name that
// everybody looks up must not be fought over by processors.
func (c *cell) touch(sweep uint64) {
	if c.used.Load() != sweep {
		c.used.Store(sweep)
	}
}

// doubtful says which reads are doubtful when the watch fires that armed set:
// every one begun so far. Those begun later reach the server after the change
// that the watch tells of.
func (c *cell) doubtful(armed uint64) uint64 { return max(armed, c.started.Load()) }

// raise makes all reads up to upTo doubtful.
func (c *cell) raise(upTo uint64, now time.Duration) {
	for {
		old := c.fired.Load()
		if old >= upTo {
			return
		}
		if l := c.list.Load(); l != nil && l.read > old {
			c.until.CompareAndSwap(0, int64(now))
		}
		if c.fired.CompareAndSwap(old, upTo) {
			return
		}
	}
}

// table finds the cells of services. Look-ups take no lock; one goroutine at a
// time changes it, and copies the small part it changes.
type table struct {
	seed  maphash.Seed
	parts [tableParts]atomic.Pointer[map[string]*cell]
}

const tableParts = 256

func newTable() *table { return &table{seed: maphash.MakeSeed()} }

func (t *table) part(name string) *atomic.Pointer[map[string]*cell] {
	return &t.parts[maphash.String(t.seed, name)%tableParts]
}

func (t *table) get(name string) *cell {
	if m := t.part(name).Load(); m != nil {
		return (*m)[name]
	}
	return nil
}

// add returns the cell of name, which it makes if there is none.
func (t *table) add(name string) *cell {
	if c := t.get(name); c != nil {
		return c
	}
	c := new(cell)
	t.change(name, func(m map[string]*cell) { m[name] = c })
	return c
}

func (t *table) remove(name string) {
	if t.get(name) != nil {
		t.change(name, func(m map[string]*cell) { delete(m, name) })
	}
}

func (t *table) change(name string, f func(map[string]*cell)) {
	p := t.part(name)
	m := make(map[string]*cell)
	if old := p.Load(); old != nil {
		m = maps.Clone(*old)
	}
	f(m)
	p.Store(&m)
}

// all calls f for every cell.
func (t *table) all(f func(name string, c *cell)) {
	for i := range t.parts {
		if m := t.parts[i].Load(); m != nil {
			for name, c := range *m {
				f(name, c)
			}
		}
	}
}
