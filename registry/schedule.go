package registry

//conclave:pure

import "time"

// When reads are made: queues, back-off, checks, forgetting. Pure: see cache.go.

// request sees to it that e is read, not before a time and not before its
// back-off is over. A read under way is waited for first; settle then asks
// again if it was not enough.
func (c *cache) request(e *entry, l lane, notBefore, now time.Duration) {
	if !c.connected || e.loading != 0 || e.queue >= l {
		return
	}
	at := max(e.retryAt, notBefore)
	if at <= now {
		c.enqueue(e, l)
		return
	}
	if e.due == 0 || at < e.due {
		e.due = at
		c.alarm(alarmDue, e.key, at)
	}
}

func (c *cache) enqueue(e *entry, l lane) {
	if e.loading != 0 || e.queue >= l {
		return
	}
	e.queue = l // an item in the lesser lane is skipped when its turn comes
	if l == laneSoon {
		c.soon = append(c.soon, e.key)
	} else {
		c.later = append(c.later, e.key)
	}
}

// pump begins the reads that the bounds allow.
func (c *cache) pump(now time.Duration) {
	for c.connected {
		var key listKey
		var l lane
		switch {
		case len(c.soon) > 0 && c.inflight < c.cfg.reads:
			key, c.soon, l = c.soon[0], c.soon[1:], laneSoon
		case len(c.soon) == 0 && len(c.later) > 0 && c.inflight < c.cfg.reloads:
			key, c.later, l = c.later[0], c.later[1:], laneLater
		default:
			return
		}
		if e := c.entries[key]; e != nil && e.queue == l {
			c.start(e, now)
		}
	}
}

func (c *cache) start(e *entry, now time.Duration) {
	c.reads++
	c.inflight++
	c.stats.reads++
	e.queue, e.due, e.seen = laneNone, 0, true
	e.loading = c.reads
	e.loadingWatch = e.armed == 0
	e.loadingFresh = e.barrier
	for _, w := range e.waiters {
		if w.mode == modeFresh {
			e.loadingFresh = true
		}
	}
	e.calmAt = now + c.jitter(c.cfg.calm)
	c.do(startRead{e.key, c.session, e.loading, e.loadingWatch, e.loadingFresh, e.list})
}

// retryAll ends the waiting after failures: the connection is back.
func (c *cache) retryAll() {
	for _, e := range c.entries {
		e.retryAt = 0
	}
}

func (c *cache) backoff(failures int) time.Duration {
	d := c.cfg.backoff << min(failures-1, 16)
	return c.jitter(min(d, c.cfg.backoffMax))
}

// jitter spreads d over half of it either way, so that nodes do not act as one.
func (c *cache) jitter(d time.Duration) time.Duration {
	return d/2 + time.Duration(c.rnd.Int64N(int64(d)+1))
}

// planCheck sets the time at which a lost watch on e would be found out.
func (c *cache) planCheck(e *entry, now time.Duration) {
	e.checkAt = now + c.jitter(c.cfg.check)
	if !e.checkSet {
		e.checkSet = true
		c.alarm(alarmCheck, e.key, e.checkAt)
	}
}

func (c *cache) planSweep(now time.Duration) {
	if c.sweepAt != 0 {
		return
	}
	c.sweepAt = now + max(min(c.cfg.check, c.cfg.forget)/4, 1)
	c.alarm(alarmSweep, listKey{}, c.sweepAt)
}

// alarms acts on what is due.
func (c *cache) alarms(now time.Duration) {
	for {
		a, ok := c.agenda.due(now)
		if !ok {
			return
		}
		if a.what == alarmSweep {
			if a.at == c.sweepAt {
				c.sweepAt = 0
				c.do(startSweep{}) // used comes back and plans the next
			}
			continue
		}
		e := c.entries[a.key]
		switch {
		case e == nil:
		case a.what == alarmDue && e.due == a.at:
			e.due = 0
			c.settle(e, now)
			c.settleBlocked(e, now)
		case a.what == alarmCheck && e.checkSet:
			e.checkSet = false
			c.checkNow(e, now)
		}
	}
}

func (c *cache) checkNow(e *entry, now time.Duration) {
	switch {
	case e.list == nil || e.checking: // nothing to check, or planned again when it is done
	case now < e.checkAt: // published again since
		e.checkSet = true
		c.alarm(alarmCheck, e.key, e.checkAt)
	case !c.connected || !c.current(e) || e.loading != 0 || e.queue != laneNone ||
		now-e.usedAt > c.cfg.check && len(e.waiters) == 0 && !c.watchedBlind(e):
		c.planCheck(e, now)
	case c.checking >= c.cfg.reloads:
		e.checkAt, e.checkSet = now+c.jitter(c.cfg.calm), true
		c.alarm(alarmCheck, e.key, e.checkAt)
	default:
		e.checking = true
		c.checking++
		c.stats.checks++
		c.do(startCheck{e.key, c.session, e.list.read})
	}
}

// watchedBlind says whether e is the names list and somebody waits for a
// service that it does not have: then it is in use without being asked.
func (c *cache) watchedBlind(e *entry) bool {
	return e.key == namesKey && len(c.blocked) > 0
}

// sweep notes what is in use and forgets what has not been for a long time.
func (c *cache) sweep(ev used, now time.Duration) {
	for _, key := range ev.keys {
		if e := c.entries[key]; e != nil {
			e.usedAt = now
		}
	}
	for _, e := range c.sorted() {
		if e.key.kind == kindService && e.list != nil && len(e.waiters) == 0 && e.loading == 0 &&
			now-e.usedAt > c.cfg.forget {
			e.queue, e.barrier = laneNone, false
			c.stats.forgotten++
			c.hide(e)
			c.dropIfIdle(e)
		}
	}
	if len(c.entries) > 0 {
		c.planSweep(now)
	}
}

// deadline is when the machine wants its next tick.
func (c *cache) deadline() (at time.Duration, ok bool) { return c.agenda.deadline() }

// alarm says what to look at. One that no longer matches its entry is ignored.
type alarm struct {
	what alarmKind
	key  listKey
	at   time.Duration
}

type alarmKind uint8

const (
	alarmDue alarmKind = iota
	alarmCheck
	alarmSweep
)

func (c *cache) alarm(what alarmKind, key listKey, at time.Duration) {
	c.agenda.add(at, alarm{what, key, at})
}
