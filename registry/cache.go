package registry

import (
	"math/rand/v2"
	"time"
)

// The cache walks every list through its life:
//
//	unknown -> queued -> loading -> current -> doubtful -> queued -> ...
//
// current: a watch stands guard and has not fired. doubtful: it has, or the
// session it belonged to is over. This file has the state and what goes in and
// out; walk.go has the transitions, schedule.go when reads are made. None of
// them reads a clock or does any I/O: the registry's loop feeds events in and
// carries actions out, and so does the explorer in the tests.

// cacheConfig holds the machine's bounds; all are positive.
type cacheConfig struct {
	reads      int           // reads under way at once, for callers who wait
	reloads    int           // the same, for lists that nobody waits for
	calm       time.Duration // a list that changes constantly is read this often for those who wait for members
	check      time.Duration // how often a list in use is compared with ZooKeeper
	forget     time.Duration // a list nobody asked for this long is forgotten
	backoff    time.Duration // after a failed read; doubles
	backoffMax time.Duration
}

// mode says what a caller waits for.
type mode uint8

const (
	modeCached  mode = iota // what the cache has, or a read in its place
	modeFresh               // a read behind a write of our own, begun after the call
	modeMembers             // at least want.members members
	modeChange              // another list than want.seen
)

// waiter is a caller who waits for an answer.
type waiter struct {
	id        uint64
	mode      mode
	members   int
	seen      Token
	need      uint64 // the lowest read that may answer
	needNames uint64 // the lowest read of the names list that may answer "unknown"
}

// content says whether that list, which is new enough, is what w waits for.
func (w *waiter) content(l *list) bool {
	switch w.mode {
	case modeMembers:
		return w.members <= l.size()
	case modeChange:
		return w.seen != l.token()
	default:
		return true
	}
}

// waits says whether w sleeps until there is what it waits for.
func (w *waiter) waits() bool { return w.mode == modeMembers || w.mode == modeChange }

// entry is one list's place in the walk.
type entry struct {
	key     listKey
	list    *list  // the newest one published; nil: none
	seen    bool   // there is a cell for it, filled or not
	suspect uint64 // reads up to this one may be out of date
	own     uint64 // reads up to this one may lack a write of our own
	armed   uint64 // the read whose watch stands; 0: none
	spent   uint64 // the newest read whose watch has fired

	loading      uint64 // the read under way; 0: none
	loadingWatch bool   // it sets a watch
	loadingFresh bool   // it comes behind a write of our own

	queue    lane
	barrier  bool          // the last reply went back in time: read behind a write
	calmAt   time.Duration // not read again before, for those who wait for members or a change
	failures int           // in a row
	retryAt  time.Duration
	due      time.Duration // when to look at the entry again; 0: not set
	checkAt  time.Duration
	checkSet bool // an alarm for checkAt is in the agenda
	checking bool
	usedAt   time.Duration

	waiters []waiter // in order of arrival
}

// lane is a queue of reads to be made.
type lane uint8

const (
	laneNone  lane = iota
	laneLater      // nobody waits: bounded by reloads
	laneSoon       // bounded by reads
)

// cache is the machine. Its zero value is not usable; newCache makes one.
type cache struct {
	cfg cacheConfig
	rnd *rand.Rand

	session   uint64 // our session, counted from 1; 0: none
	connected bool
	cluster   string // of the latest session

	entries map[listKey]*entry
	blocked map[listKey]struct{} // services whose waiters wait for the names list
	soon    []listKey
	later   []listKey
	agenda  agenda[alarm]
	sweepAt time.Duration

	reads    uint64 // numbers given to reads so far
	inflight int
	checking int

	stats   cacheStats
	actions []action
}

// cacheStats counts what the machine has met.
type cacheStats struct {
	reads, checks, repaired, backwards, forgotten uint64
}

func newCache(cfg cacheConfig, seed uint64) *cache {
	c := &cache{
		cfg:     cfg,
		rnd:     rand.New(rand.NewPCG(seed, seed^0x9e3779b97f4a7c15)),
		entries: make(map[listKey]*entry),
		blocked: make(map[listKey]struct{}),
	}
	return c
}

// event is something that happened: one of the types below.
type event any

type (
	// sessionUp: a session that has made its own first write. Number rises.
	sessionUp struct {
		session uint64
		cluster string
	}
	// sessionLost: it is over; nothing under way in it will be believed.
	sessionLost struct{ session uint64 }
	// suspended and resumed: its connection went and came back.
	suspended struct{ session uint64 }
	resumed   struct{ session uint64 }

	// want: a caller asks. But for modeFresh need and needNames
	// are one above the reads known to be doubtful when the call began.
	want struct {
		waiter
		key listKey
	}
	// cancel: the caller has gone.
	cancel struct {
		key listKey
		id  uint64
	}
	// fired: the watch set by the read armed has fired; reads up to upTo, which
	// had been started by then, are doubtful.
	fired struct {
		key         listKey
		armed, upTo uint64
	}
	// ownWrite: this node has changed the list's znode, and whoever asks from
	// now on must see that.
	ownWrite struct{ key listKey }

	// readDone answers startRead.
	readDone struct {
		key     listKey
		session uint64
		read    uint64
		outcome outcome
		list    *list // when found
		err     error // when refused
	}
	// checkDone answers startCheck.
	checkDone struct {
		key     listKey
		session uint64
		read    uint64
		outcome outcome
		pzxid   int64 // when found
	}
	// used answers startSweep: the lists asked for since the last one.
	used struct{ keys []listKey }
	// tick: time has passed.
	tick struct{}
)

// outcome is how an operation in ZooKeeper ended.
type outcome uint8

const (
	found   outcome = iota
	absent          // there is no such znode
	broken          // no answer, or none that can be believed: try again
	refused         // an answer that trying again will not change
)

// action is something to be done: one of the types below.
type action any

type (
	// startRead: read the list, with or without a watch, and behind a write of
	// our own if fresh. Before the request goes out, the cell's started number
	// must be read. It is answered by readDone.
	startRead struct {
		key          listKey
		session      uint64
		read         uint64
		watch, fresh bool
		old          *list // the one it may replace: what is known from it need not be parsed
	}
	// startCheck: compare the znode's pzxid. Answered by checkDone.
	startCheck struct {
		key     listKey
		session uint64
		read    uint64
	}
	// startSweep: say which lists were asked for. Answered by used.
	startSweep struct{}
	// publish: show this list to look-ups.
	publish struct {
		key  listKey
		list *list
	}
	// doubt: reads up to upTo no longer answer look-ups.
	doubt struct {
		key  listKey
		upTo uint64
	}
	// hide: there is nothing to show any more, and nothing under way.
	hide struct{ key listKey }
	// answer: wake the caller. list nil with err nil: nobody offers it.
	answer struct {
		id   uint64
		list *list
		err  error
	}
	// report: tell the program.
	report struct{ event Event }
)

// step takes one event at a time on the registry's clock and returns what is to
// be done, in order. The returned slice is valid until the next step.
func (c *cache) step(ev event, now time.Duration) []action {
	clear(c.actions)
	c.actions = c.actions[:0]
	switch ev := ev.(type) {
	case sessionUp:
		c.sessionUp(ev, now)
	case sessionLost:
		if ev.session == c.session {
			c.sessionLost(now)
		}
	case suspended:
		if ev.session == c.session {
			c.connected = false
			c.settleAll(now)
		}
	case resumed:
		if ev.session == c.session {
			c.connected = true
			c.retryAll()
			c.settleAll(now)
		}
	case want:
		c.want(ev, now)
	case cancel:
		c.cancel(ev)
	case fired:
		c.fired(ev, now)
	case ownWrite:
		c.ownWrite(ev, now)
	case readDone:
		c.readDone(ev, now)
	case checkDone:
		c.checkDone(ev, now)
	case used:
		c.sweep(ev, now)
	case tick:
	default:
		panic("registry: event of an unknown type") // a mistake in this package
	}
	c.alarms(now)
	c.pump(now)
	return c.actions
}

func (c *cache) do(a action) { c.actions = append(c.actions, a) }

// entry returns the list's entry, which it makes if there is none.
func (c *cache) entry(key listKey, now time.Duration) *entry {
	e := c.entries[key]
	if e == nil {
		e = &entry{key: key, usedAt: now}
		c.entries[key] = e
		c.planSweep(now)
	}
	return e
}

// current says whether a watch stands guard over what is published.
func (c *cache) current(e *entry) bool {
	return e != nil && e.list != nil && c.session != 0 &&
		e.list.session == c.session && e.list.read > e.suspect
}
