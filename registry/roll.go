package registry

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"conclave/actor"
)

// The roll is what this node offers: every registration on its way from being
// wanted to being made, under each session anew, and back to being gone. It is
// a pure machine like the cache: no clock, no I/O.

// rollConfig holds the roll's bounds; all are positive.
type rollConfig struct {
	writes     int           // registrations being made or removed at once
	pause      time.Duration // before one that somebody deleted is made again
	backoff    time.Duration // after a failure; doubles
	backoffMax time.Duration
}

// offerKey names one registration.
type offerKey struct {
	service string
	pid     actor.PID
}

func compareOffers(a, b offerKey) int {
	return cmp.Or(strings.Compare(a.service, b.service), cmp.Compare(a.pid.Serial(), b.pid.Serial()),
		strings.Compare(a.pid.String(), b.pid.String()))
}

// offer is one registration's place in its walk.
type offer struct {
	key    offerKey
	wanted bool
	kept   bool   // it has been made once: a refusal no longer ends it
	maybe  bool   // a znode of ours may exist, from this session or another
	before bool   // what maybe was when the attempt under way began
	made   uint64 // the session in which it exists; 0: none
	shown  bool   // look-ups have been told that it exists
	token  Token

	busy     writeKind // what is under way
	attempt  uint64    // its number
	watching uint64    // the attempt whose watch guards the znode
	spent    uint64    // the newest attempt whose watch has fired
	queued   bool
	failures int
	retryAt  time.Duration
	alarmAt  time.Duration // in the agenda; 0: none
	waiters  []uint64      // callers who wait for what is wanted now
}

type writeKind uint8

const (
	writeNone writeKind = iota
	writeMake
	writeRemove
)

type (
	// register: a caller wants the registration to exist.
	register struct {
		id  uint64
		key offerKey
	}
	// unregister: a caller wants it gone. id 0: nobody waits.
	unregister struct {
		id  uint64
		key offerKey
	}
	// drop: the process has ended; everything of it goes.
	drop struct{ pid actor.PID }
	// dropAll: everything goes. Answered, for id, when all is gone.
	dropAll struct{ id uint64 }
	// leave: the caller of register or unregister no longer waits.
	leave struct {
		id  uint64
		key offerKey
	}
	// vanished: the znode that the attempt made has changed or gone.
	vanished struct {
		key     offerKey
		attempt uint64
	}
	// writeDone answers startWrite.
	writeDone struct {
		key     offerKey
		session uint64
		attempt uint64
		outcome outcome // found: done
		token   Token   // of a registration made
		err     error
	}
)

type (
	// startWrite: make or remove the znode. Answered by writeDone.
	startWrite struct {
		key     offerKey
		session uint64
		attempt uint64
		kind    writeKind
		sync    bool // the last attempt's outcome may be unknown: wait until it is decided
	}
	// settled: tell a caller of register, unregister or dropAll.
	settled struct {
		id    uint64
		token Token
		err   error
	}
	// wrote: what look-ups know about the service is out of date.
	wrote struct{ service string }
)

// roll is the machine; newRoll makes one.
type roll struct {
	cfg       rollConfig
	rnd       *rand.Rand
	session   uint64
	connected bool
	cluster   string

	offers   map[offerKey]*offer
	byPID    map[actor.PID]map[offerKey]*offer
	queue    []offerKey
	agenda   agenda[offerKey]
	busy     int
	attempts uint64
	leaving  []uint64 // callers of dropAll
	wanted   int      // how many offers are wanted

	actions []action
}

func newRoll(cfg rollConfig, seed uint64) *roll {
	return &roll{
		cfg:    cfg,
		rnd:    rand.New(rand.NewPCG(seed, seed+1)),
		offers: make(map[offerKey]*offer),
		byPID:  make(map[actor.PID]map[offerKey]*offer),
	}
}

// step is as cache.step. Session events, tick and cancel are the same types.
func (r *roll) step(ev event, now time.Duration) []action {
	clear(r.actions)
	r.actions = r.actions[:0]
	switch ev := ev.(type) {
	case sessionUp:
		r.sessionUp(ev)
	case sessionLost:
		if ev.session == r.session {
			r.sessionLost()
		}
	case suspended:
		if ev.session == r.session {
			r.connected = false
		}
	case resumed:
		if ev.session == r.session {
			r.connected = true
			for _, o := range r.sorted() {
				o.retryAt = 0
				r.look(o, now)
			}
		}
	case register:
		r.register(ev, now)
	case unregister:
		r.unregister(ev, now)
	case drop:
		for _, o := range slices.SortedFunc(maps.Values(r.byPID[ev.pid]), compareEntries) {
			r.unregister(unregister{key: o.key}, now)
		}
	case dropAll:
		if ev.id != 0 {
			r.leaving = append(r.leaving, ev.id)
		}
		for _, o := range r.sorted() {
			r.unregister(unregister{key: o.key}, now)
		}
	case leave:
		if o := r.offers[ev.key]; o != nil {
			o.waiters = slices.DeleteFunc(o.waiters, func(id uint64) bool { return id == ev.id })
		}
		r.leaving = slices.DeleteFunc(r.leaving, func(id uint64) bool { return id == ev.id })
	case vanished:
		r.vanished(ev, now)
	case writeDone:
		r.writeDone(ev, now)
	case tick:
	default:
		panic("registry: event of an unknown type") // a mistake in this package
	}
	for {
		key, ok := r.agenda.due(now)
		if !ok {
			break
		}
		if o := r.offers[key]; o != nil {
			r.look(o, now)
		}
	}
	r.pump()
	if len(r.offers) == 0 {
		for _, id := range r.leaving {
			r.do(settled{id: id})
		}
		r.leaving = nil
	}
	return r.actions
}

func (r *roll) do(a action) { r.actions = append(r.actions, a) }

func (r *roll) sessionUp(ev sessionUp) {
	if ev.session <= r.session {
		return
	}
	if r.session != 0 {
		r.sessionLost()
	}
	if r.cluster != "" && r.cluster != ev.cluster {
		for _, o := range r.offers {
			o.maybe = false // what stood there is gone for good
		}
	}
	r.session, r.cluster, r.connected = ev.session, ev.cluster, true
	for _, o := range r.sorted() {
		o.failures, o.retryAt = 0, 0
		r.look(o, 0)
	}
}

func (r *roll) sessionLost() {
	r.session, r.connected = 0, false
	r.busy, r.queue = 0, nil
	for _, o := range r.offers {
		o.busy, o.made, o.watching, o.queued = writeNone, 0, 0, false
	}
}

func (r *roll) register(ev register, now time.Duration) {
	o := r.offers[ev.key]
	if o == nil {
		o = &offer{key: ev.key}
		r.offers[ev.key] = o
		of := r.byPID[ev.key.pid]
		if of == nil {
			of = make(map[offerKey]*offer)
			r.byPID[ev.key.pid] = of
		}
		of[ev.key] = o
	}
	if !o.wanted {
		o.wanted = true
		r.wanted++
		r.tell(o, Token{}, nil) // who waited for its end: it has been superseded
		o.failures, o.retryAt = 0, 0
	}
	if ev.id != 0 {
		o.waiters = append(o.waiters, ev.id)
	}
	r.look(o, now)
}

func (r *roll) unregister(ev unregister, now time.Duration) {
	o := r.offers[ev.key]
	if o == nil {
		if ev.id != 0 {
			r.do(settled{id: ev.id})
		}
		return
	}
	if o.wanted {
		o.wanted, o.kept = false, false
		r.wanted--
		r.tell(o, Token{}, ErrUnregistered)
		o.failures, o.retryAt = 0, 0
	}
	if ev.id != 0 {
		o.waiters = append(o.waiters, ev.id)
	}
	r.look(o, now)
}

func (r *roll) vanished(ev vanished, now time.Duration) {
	o := r.offers[ev.key]
	if o == nil {
		return
	}
	o.spent = max(o.spent, ev.attempt)
	if o.watching == ev.attempt {
		r.remake(o, now)
	}
}

// remake makes a registration again that somebody seems to have deleted.
func (r *roll) remake(o *offer, now time.Duration) {
	known := o.made != 0
	o.watching, o.made, o.shown = 0, 0, false
	if !o.wanted || !known {
		return
	}
	o.retryAt = now + r.jitter(r.cfg.pause)
	r.do(report{Event{Kind: EventRegistrationGone, Service: o.key.service, Child: o.key.pid.String()}})
	r.look(o, now)
}

func (r *roll) writeDone(ev writeDone, now time.Duration) {
	o := r.offers[ev.key]
	if o == nil || ev.session != r.session || o.attempt != ev.attempt || o.busy == writeNone {
		return // of a session that is over
	}
	kind := o.busy
	o.busy = writeNone
	r.busy--
	switch {
	case ev.outcome == broken:
		o.failures++
		o.retryAt = now + r.jitter(min(r.cfg.backoff<<min(o.failures-1, 16), r.cfg.backoffMax))
	case ev.outcome == refused && kind == writeMake && o.kept && o.wanted:
		o.failures++
		o.retryAt = now + r.jitter(r.cfg.backoffMax)
		r.report(o, ev.err)
		r.tell(o, Token{}, ev.err)
	case ev.outcome == refused && kind == writeMake && o.wanted:
		r.tell(o, Token{}, ev.err)
		o.wanted = false
		r.wanted--
		o.maybe = o.before // this attempt has not made it, one before may have
	case ev.outcome == refused && kind == writeRemove:
		r.report(o, ev.err)
		o.maybe = o.wanted
		if !o.wanted {
			r.tell(o, Token{}, ev.err)
		}
	case ev.outcome == refused: // made no longer wanted meanwhile: look removes it
	case kind == writeMake:
		o.made, o.kept, o.token = r.session, true, ev.token
		o.watching = ev.attempt
		o.failures = 0
		if o.wanted {
			// Whoever is told must see the change: what look-ups know is made
			// doubtful before.
			if !o.shown || len(o.waiters) > 0 {
				o.shown = true
				r.do(wrote{o.key.service})
			}
			r.tell(o, o.token, nil)
		}
		if o.spent == ev.attempt {
			r.remake(o, now) // its watch was faster than its answer
		}
	default:
		o.made, o.maybe, o.shown, o.failures = 0, false, false, 0
		r.do(wrote{o.key.service})
	}
	r.look(o, now)
}

func (r *roll) report(o *offer, err error) {
	r.do(report{Event{Kind: EventRegistrationRefused, Service: o.key.service, Child: o.key.pid.String(), Err: err}})
}

func (r *roll) tell(o *offer, token Token, err error) {
	for _, id := range o.waiters {
		r.do(settled{id, token, err})
	}
	o.waiters = nil
}

// look decides what o needs next.
func (r *roll) look(o *offer, now time.Duration) {
	if o.busy != writeNone || o.queued {
		return // looked at again when that is done
	}
	switch {
	case o.wanted && o.made == r.session && r.session != 0:
		r.tell(o, o.token, nil)
		return
	case !o.wanted && !o.maybe:
		r.tell(o, Token{}, nil)
		r.forget(o)
		return
	}
	if !r.connected {
		return
	}
	if o.retryAt > now {
		if o.alarmAt != o.retryAt {
			o.alarmAt = o.retryAt
			r.agenda.add(o.retryAt, o.key)
		}
		return
	}
	o.queued = true
	r.queue = append(r.queue, o.key)
}

func (r *roll) forget(o *offer) {
	if o.wanted {
		r.wanted--
	}
	delete(r.offers, o.key)
	of := r.byPID[o.key.pid]
	delete(of, o.key)
	if len(of) == 0 {
		delete(r.byPID, o.key.pid)
	}
}

func (r *roll) pump() {
	for r.connected && len(r.queue) > 0 && r.busy < r.cfg.writes {
		key := r.queue[0]
		r.queue = r.queue[1:]
		o := r.offers[key]
		if o == nil || !o.queued {
			continue
		}
		o.queued = false
		kind := writeMake
		switch {
		case o.wanted && o.made == r.session:
			r.tell(o, o.token, nil)
			continue
		case !o.wanted && !o.maybe:
			r.tell(o, Token{}, nil)
			r.forget(o)
			continue
		case !o.wanted:
			kind = writeRemove
		}
		r.attempts++
		r.busy++
		o.busy, o.attempt, o.watching = kind, r.attempts, 0
		o.made, o.before, o.maybe = 0, o.maybe, true // from here on nobody knows
		r.do(startWrite{key, r.session, o.attempt, kind, o.failures > 0})
	}
}

func (r *roll) jitter(d time.Duration) time.Duration {
	return d/2 + time.Duration(r.rnd.Int64N(int64(d)+1))
}

func (r *roll) sorted() []*offer {
	return slices.SortedFunc(maps.Values(r.offers), compareEntries)
}

func compareEntries(a, b *offer) int { return compareOffers(a.key, b.key) }

// deadline is when the machine wants its next tick.
func (r *roll) deadline() (time.Duration, bool) { return r.agenda.deadline() }
