package keeper

import "sync"

// The watch table of one session. The server knows watches by path and kind; we
// keep at most one of its for each and any number of functions of ours behind it.
//
// What the table takes for set ("armed") is what the link sets again after a
// reconnect: a read counts as having armed its watch only if no disconnect came
// between its start and its end. Everything here runs under one short mutex; the
// functions are called outside it.

type watchKind uint8

const (
	watchData  watchKind = iota // set by Get, and by Exists of what is there
	watchExist                  // set by Exists of what is not there
	watchChild                  // set by Children
	watchKinds
)

func (k watchKind) bit() watchMask { return 1 << k }

type watchMask uint8

const (
	maskData  = watchMask(1 << watchData)
	maskExist = watchMask(1 << watchExist)
	maskChild = watchMask(1 << watchChild)
)

// watchCause is what a watch function of our own is told.
type watchCause uint8

const (
	causeEvent   watchCause = iota // the server said that something changed
	causeDeleted                   // the server said that the znode was deleted
	causeRepair                    // a read showed that an event was missed
)

// fingerprint is what a watch of one kind would have fired about.
type fingerprint struct {
	exists    bool
	made, was int64 // zxid of creation, zxid of the last change of that kind
}

func fingerprintOf(kind watchKind, exists bool, st Stat) fingerprint {
	switch {
	case !exists:
		return fingerprint{}
	case kind == watchChild:
		return fingerprint{true, st.Czxid, st.Pzxid}
	}
	return fingerprint{true, st.Czxid, st.Mzxid}
}

type watchTable struct {
	mu    sync.Mutex
	epoch uint64 // counts disconnects
	turns uint64 // counts armings
	paths map[string]*watchedPath
	armed int
}

type watchedPath struct {
	kinds   [watchKinds]armedWatch
	waiters []*waiter
}

type armedWatch struct {
	armed bool
	turn  uint64 // tells this arming from every other
	print fingerprint
}

// waiter is one function waiting for one path.
type waiter struct {
	path  string
	mask  watchMask // kinds that concern it: all possible ones while its read is under way
	fn    func(watchCause)
	epoch uint64 // when its read began
	fired bool
}

// verdict is what became of a waiter when its read came back.
type verdict uint8

const (
	watchSet   verdict = iota // it will be called when the path changes
	watchFired                // it has been called already
	watchAgain                // no watch stands behind it: read again, setting one
	watchLost                 // the connection changed: the read counts as failed
)

// begin registers fn for path before the read is sent, so that no event can
// slip in between. plain says that the read need not set a watch: one that
// might serve is set already.
func (t *watchTable) begin(path string, mask watchMask, fn func(watchCause)) (w *waiter, plain bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.paths[path]
	if p == nil {
		if t.paths == nil {
			t.paths = make(map[string]*watchedPath)
		}
		p = new(watchedPath)
		t.paths[path] = p
	}
	w = &waiter{path: path, mask: mask, fn: fn, epoch: t.epoch}
	p.waiters = append(p.waiters, w)
	for k := range watchKinds {
		if mask&k.bit() != 0 && p.kinds[k].armed {
			plain = true
		}
	}
	return w, plain
}

// restart is begin for a waiter that was told watchAgain.
func (t *watchTable) restart(w *waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w.epoch = t.epoch
}

// cancel forgets a waiter whose read failed.
func (t *watchTable) cancel(w *waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(w)
}

// commit is told what the read of w showed: which kind of watch serves it and
// what that kind looks like. setting says whether the read set a watch. The
// functions returned are to be called: a read without a watch has shown that
// the standing one missed a change.
func (t *watchTable) commit(w *waiter, kind watchKind, print fingerprint, setting bool) (verdict, []func(watchCause)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w.fired {
		return watchFired, nil
	}
	a := &t.paths[w.path].kinds[kind]
	switch {
	case setting && w.epoch != t.epoch:
		t.forget(w)
		return watchLost, nil
	case !setting && !a.armed:
		return watchAgain, nil
	case !a.armed:
		t.turns++
		t.armed++
		*a = armedWatch{true, t.turns, print}
	case a.print != print:
		// Had the watch worked, its event would have come before this reply.
		w.mask = kind.bit()
		return watchFired, t.fire(w.path, kind.bit())
	}
	w.mask = kind.bit()
	return watchSet, nil
}

// event takes the watches of these kinds off path and returns their functions.
func (t *watchTable) event(path string, mask watchMask) []func(watchCause) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.fire(path, mask)
}

// disconnected begins a new epoch. What is armed stays: the link sets it again.
func (t *watchTable) disconnected() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.epoch++
}

func (t *watchTable) outstanding() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.armed
}

// standing lists the paths with an armed watch, by kind.
func (t *watchTable) standing() (paths [watchKinds][]string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for path, p := range t.paths {
		for k := range watchKinds {
			if p.kinds[k].armed {
				paths[k] = append(paths[k], path)
			}
		}
	}
	return paths
}

// suspect is an armed watch that may have missed something.
type suspect struct {
	path string
	turn [watchKinds]uint64
}

// suspects lists every path with an armed watch.
func (t *watchTable) suspects() []suspect {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]suspect, 0, len(t.paths))
	for path, p := range t.paths {
		s := suspect{path: path}
		any := false
		for k := range watchKinds {
			s.turn[k] = p.kinds[k].turn
			any = any || p.kinds[k].armed
		}
		if any {
			all = append(all, s)
		}
	}
	return all
}

// inspect compares what a read shows now with what it showed when the watches
// of s.path were set, and takes off those that should have fired: how many,
// and their functions. Watches that fired since suspects are left alone.
func (t *watchTable) inspect(s suspect, exists bool, st Stat) (missed int, fns []func(watchCause)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.paths[s.path]
	if p == nil {
		return 0, nil
	}
	var mask watchMask
	for k := range watchKinds {
		a := p.kinds[k]
		if a.armed && a.turn == s.turn[k] && a.print != fingerprintOf(k, exists, st) {
			mask |= k.bit()
			missed++
		}
	}
	return missed, t.fire(s.path, mask)
}

// fire and forget want the mutex held.

func (t *watchTable) fire(path string, mask watchMask) []func(watchCause) {
	p := t.paths[path]
	if p == nil || mask == 0 {
		return nil
	}
	for k := range watchKinds {
		if mask&k.bit() == 0 {
			continue
		}
		if p.kinds[k].armed {
			t.armed--
		}
		p.kinds[k] = armedWatch{}
	}
	var fns []func(watchCause)
	rest := p.waiters[:0]
	for _, w := range p.waiters {
		if w.mask&mask == 0 {
			rest = append(rest, w)
			continue
		}
		w.fired = true
		fns = append(fns, w.fn)
	}
	clear(p.waiters[len(rest):])
	p.waiters = rest
	t.tidy(path, p)
	return fns
}

func (t *watchTable) forget(w *waiter) {
	p := t.paths[w.path]
	if w.fired || p == nil {
		return
	}
	for i, other := range p.waiters {
		if other == w {
			p.waiters = append(p.waiters[:i], p.waiters[i+1:]...)
			break
		}
	}
	t.tidy(w.path, p)
}

// tidy removes an entry that nothing stands behind.
func (t *watchTable) tidy(path string, p *watchedPath) {
	if len(p.waiters) > 0 {
		return
	}
	for k := range watchKinds {
		if p.kinds[k].armed {
			return
		}
	}
	delete(t.paths, path)
}
