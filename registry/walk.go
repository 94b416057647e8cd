package registry

//conclave:pure

import (
	"maps"
	"slices"
	"time"
)

// The transitions of the cache. Pure: see cache.go.

func (c *cache) sessionUp(ev sessionUp, now time.Duration) {
	if ev.session <= c.session {
		return
	}
	if c.session != 0 {
		c.sessionLost(now)
	}
	if c.cluster != "" && c.cluster != ev.cluster {
		// Another ensemble, or this one wiped: what we know is about things that
		// are gone for good.
		for _, e := range c.sorted() {
			c.hide(e)
		}
	}
	c.session, c.cluster, c.connected = ev.session, ev.cluster, true
	for _, e := range c.sorted() {
		e.armed = 0 // watches end with their session
		e.failures, e.retryAt = 0, 0
	}
	c.settleAll(now) // which queues everything that was read in an earlier session
}

// sessionLost forgets everything that was under way; what is published stays.
func (c *cache) sessionLost(now time.Duration) {
	c.session, c.connected = 0, false
	c.inflight, c.checking = 0, 0
	c.soon, c.later = nil, nil
	for _, e := range c.entries {
		e.loading, e.queue, e.barrier, e.checking = 0, laneNone, false, false
		e.armed = 0
	}
	c.settleAll(now)
}

func (c *cache) want(ev want, now time.Duration) {
	e := c.entry(ev.key, now)
	e.usedAt = now
	w := ev.waiter
	if w.mode == modeFresh {
		w.need = c.reads + 1 // a read that has not begun
	}
	e.waiters = append(e.waiters, w)
	c.settle(e, now)
}

func (c *cache) cancel(ev cancel) {
	e := c.entries[ev.key]
	if e == nil {
		return
	}
	e.waiters = slices.DeleteFunc(e.waiters, func(w waiter) bool { return w.id == ev.id })
	if len(e.waiters) == 0 {
		delete(c.blocked, e.key)
	}
	c.dropIfIdle(e)
}

func (c *cache) fired(ev fired, now time.Duration) {
	e := c.entries[ev.key]
	if e == nil {
		return
	}
	e.spent = max(e.spent, ev.armed)
	e.suspect = max(e.suspect, ev.upTo)
	if e.armed == ev.armed {
		// Nothing guards a read that is under way and sets no watch because this
		// one was there, even if the server saw it after the change.
		e.armed = 0
		if !e.loadingWatch {
			e.suspect = max(e.suspect, e.loading)
		}
		c.do(doubt{e.key, e.suspect})
	}
	c.settle(e, now)
	c.settleBlocked(e, now)
}

func (c *cache) ownWrite(ev ownWrite, now time.Duration) {
	// The watches say the same, if there are any and they are of this session. A
	// read under way may have passed the server before the write: it is doubtful
	// too.
	e := c.entries[ev.key]
	if e != nil {
		e.own = c.reads
		c.suspect(e, now)
		// Until it is read again look-ups would have to wait if the connection
		// went now.
		if e.list != nil {
			c.request(e, laneSoon, e.calmAt, now)
		}
	}
	if e != nil && e.list != nil || ev.key.kind != kindService {
		return
	}
	// A names list of an earlier session may not have the service yet.
	if n := c.entries[namesKey]; n != nil && (n.list == nil || !n.list.has(ev.key.name)) {
		n.own = c.reads
		c.suspect(n, now)
	}
}

// suspect makes all reads so far doubtful.
func (c *cache) suspect(e *entry, now time.Duration) {
	e.suspect = c.reads
	c.do(doubt{e.key, e.suspect})
	c.settle(e, now)
	c.settleBlocked(e, now)
}

func (c *cache) readDone(ev readDone, now time.Duration) {
	e := c.entries[ev.key]
	if e == nil || ev.session != c.session || e.loading != ev.read {
		return // of a session that is over
	}
	fresh := e.loadingFresh
	e.loading, c.inflight = 0, c.inflight-1
	if ev.outcome == found || ev.outcome == absent {
		e.failures, e.retryAt = 0, 0
		if c.wentBack(e, ev) {
			if !fresh {
				c.stats.backwards++
				// A follower that lags, which a new session's first write should
				// have excluded. A read behind another write tells for certain.
				if ev.outcome == found && e.loadingWatch && e.spent != ev.read {
					e.armed = ev.read
				}
				e.barrier = true
				c.settle(e, now)
				return
			}
			if ev.outcome == found && ev.list.pzxid != 0 { // else it was deleted, which may be
				c.do(report{Event{Kind: EventWentBack, Service: e.key.name}})
			}
		}
		if fresh {
			e.barrier = false
		}
	}
	switch ev.outcome {
	case found:
		if e.loadingWatch && e.spent != ev.read {
			e.armed = ev.read
		}
		e.list = ev.list
		c.do(publish{e.key, e.list})
		c.planCheck(e, now)
	case absent:
		// No watch can stand on a znode that is not there (one that was there
		// when it was set has fired); the names list tells when it is made.
		e.armed = 0
		c.hide(e)
		c.answerWhere(e, nil, nil, func(w waiter) bool {
			return w.need <= ev.read && (w.mode == modeCached || w.mode == modeFresh && fresh)
		})
		if n := c.entries[namesKey]; c.current(n) && n.list.has(e.key.name) {
			// The names list was read before and its watch has not fired: it is lost.
			c.watchLost(n, now)
		}
	case broken:
		e.failures++
		e.retryAt = now + c.backoff(e.failures)
	case refused:
		c.refuse(e, ev.err, now)
	}
	if fresh && ev.outcome == found {
		c.answerWhere(e, e.list, nil, func(w waiter) bool {
			return w.mode == modeFresh && w.need <= ev.read
		})
	}
	c.settle(e, now)
	c.settleBlocked(e, now)
}

// refuse tells those who wait for e that there is no way, and shows nothing
// that cannot be kept up to date.
func (c *cache) refuse(e *entry, err error, now time.Duration) {
	c.hide(e)
	e.barrier = false
	c.answerWhere(e, nil, err, func(waiter) bool { return true })
	if e.key != namesKey {
		return
	}
	for _, key := range slices.SortedFunc(maps.Keys(c.blocked), compareKeys) {
		if b := c.entries[key]; b != nil {
			c.answerWhere(b, nil, err, func(w waiter) bool { return c.judge(b, w, now) == verdictNames })
			c.dropIfIdle(b)
		}
	}
}

// wentBack says whether a reply is older than what is published. Within a
// session replies come in order, so there only the numbers can tell; a znode
// that is gone has none.
func (c *cache) wentBack(e *entry, ev readDone) bool {
	old := e.list
	if old == nil || old.cluster != c.cluster {
		return false
	}
	if ev.outcome == absent || ev.list.pzxid == 0 {
		return old.session != c.session && old.pzxid != 0
	}
	return ev.list.pzxid < old.pzxid
}

func (c *cache) checkDone(ev checkDone, now time.Duration) {
	e := c.entries[ev.key]
	if e == nil || ev.session != c.session || !e.checking {
		return
	}
	e.checking, c.checking = false, c.checking-1
	c.planCheck(e, now)
	if !c.current(e) || e.list.read != ev.read {
		return // it has been found out by itself
	}
	switch ev.outcome {
	case found:
		if ev.pzxid != e.list.pzxid {
			c.watchLost(e, now)
		}
	case absent:
		if e.list.pzxid != 0 {
			c.watchLost(e, now)
		}
	}
}

// watchLost repairs what a watch should have told: an event of the watch would
// have arrived before the reply that shows the change.
func (c *cache) watchLost(e *entry, now time.Duration) {
	c.stats.repaired++
	c.do(report{Event{Kind: EventWatchRepaired, Service: e.key.name}})
	e.armed = 0
	c.suspect(e, now)
	c.request(e, laneLater, 0, now) // it is in use
}

// settleAll looks at every entry with somebody waiting.
func (c *cache) settleAll(now time.Duration) {
	for _, e := range c.sorted() {
		c.settle(e, now)
	}
}

// settleBlocked looks again at those who wait for the names list, if e is it.
func (c *cache) settleBlocked(e *entry, now time.Duration) {
	if e.key != namesKey || len(c.blocked) == 0 {
		return
	}
	for _, key := range slices.SortedFunc(maps.Keys(c.blocked), compareKeys) {
		if b := c.entries[key]; b != nil {
			c.settle(b, now)
		}
	}
}

// settle answers who can be answered and sees to the reads that are needed.
func (c *cache) settle(e *entry, now time.Duration) {
	delete(c.blocked, e.key)
	keep := e.waiters[:0]
	for _, w := range e.waiters {
		v := c.judge(e, w, now)
		switch v {
		case verdictAnswer:
			c.do(answer{id: w.id, list: e.list})
			continue
		case verdictRead:
			c.requestFor(e, w, now)
		case verdictNames:
			c.blocked[e.key] = struct{}{}
			c.requestFor(c.entry(namesKey, now), w, now)
		case verdictNamesAsleep:
			c.blocked[e.key] = struct{}{}
		}
		keep = append(keep, w)
	}
	clear(e.waiters[len(keep):])
	e.waiters = keep
	switch {
	case e.barrier:
		c.request(e, laneSoon, 0, now)
	case e.list != nil && e.list.session != c.session:
		c.request(e, laneLater, 0, now) // of an earlier session: nothing guards it
	}
	c.dropIfIdle(e)
}

func (c *cache) requestFor(e *entry, w waiter, now time.Duration) {
	var notBefore time.Duration
	if w.waits() {
		notBefore = e.calmAt
	}
	c.request(e, laneSoon, notBefore, now)
}

// verdict says what a waiter needs.
type verdict uint8

const (
	verdictAnswer      verdict = iota // the published list, or none, will do
	verdictAsleep                     // a watch will tell
	verdictRead                       // the list must be read
	verdictNamesAsleep                // the watch on the names list will tell
	verdictNames                      // the names list must be read
)

func (c *cache) judge(e *entry, w waiter, now time.Duration) verdict {
	if w.mode == modeFresh {
		return verdictRead // answered by readDone alone
	}
	if e.list != nil {
		if c.serves(e, w.need, now) && w.content(e.list) {
			return verdictAnswer
		}
		if w.waits() && c.current(e) && e.list.read >= w.need {
			return verdictAsleep
		}
		return verdictRead
	}
	if e.key.kind != kindService {
		return verdictRead
	}
	names := c.entries[namesKey]
	switch {
	case names == nil || names.list == nil || !c.serves(names, w.needNames, now):
		return verdictNames
	case w.waits() && !c.current(names):
		return verdictNames // else nobody would read it again
	case names.list.has(e.key.name):
		return verdictRead
	case w.waits() && !w.content(nil):
		return verdictNamesAsleep
	default:
		return verdictAnswer
	}
}

// serves says whether the published list may answer a caller who needs that
// read. While ZooKeeper cannot be asked an older one may, unless it lacks a
// write of our own.
func (c *cache) serves(e *entry, need uint64, now time.Duration) bool {
	return e.list.read >= need || (!c.connected || now < e.retryAt) && e.list.read > e.own
}

func (c *cache) answerWhere(e *entry, l *list, err error, which func(waiter) bool) {
	e.waiters = slices.DeleteFunc(e.waiters, func(w waiter) bool {
		if !which(w) {
			return false
		}
		c.do(answer{w.id, l, err})
		return true
	})
}

// sorted returns the entries in an order that does not change from run to run.
func (c *cache) sorted() []*entry {
	return slices.SortedFunc(maps.Values(c.entries), func(a, b *entry) int {
		return compareKeys(a.key, b.key)
	})
}

// dropIfIdle forgets an entry of which there is nothing to remember. One whose
// watch still stands is kept: asked for again, it is read without a second one.
func (c *cache) dropIfIdle(e *entry) {
	if e.list == nil && len(e.waiters) == 0 && e.loading == 0 && e.queue == laneNone &&
		e.armed == 0 && !e.checking && e.key.kind == kindService && c.entries[e.key] == e {
		delete(c.entries, e.key)
		delete(c.blocked, e.key)
		c.hide(e)
	}
}

// hide takes away what look-ups see of e.
func (c *cache) hide(e *entry) {
	e.list = nil
	if e.seen {
		e.seen = false
		c.do(hide{e.key})
	}
}
