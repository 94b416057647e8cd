package shard

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"conclave/actor"
)

// entities are the processes that take mail for one part on this node: that of each
// key, and the part's own. All run under the part's present term here.
type entities struct {
	sp   *Space
	part int

	mu     sync.Mutex
	t      *tenancy // of the term; nil: none
	takes  takes
	over   int64         // the number of the last term here that is over
	turned chan struct{} // closed at the next change of these
	byKey  map[string]*entity
	askers map[actor.NodeID]struct{} // nodes that know of these processes
	crowd  int                       // with more of them it is looked who is still there
	own    *entity                   // nil: there is none
	failed map[string]error          // why a key's last process has failed
}

// maxFailed bounds what is remembered of failures.
const maxFailed = 1000

// takes is whether mail is taken.
type takes uint8

const (
	takesLater takes = iota // OnGain has not returned yet
	takesMail
	takesNoMore // the part is given up
)

// entity is one such process, from before it is spawned until it has ended.
type entity struct {
	key   string
	own   bool          // it is the part's, not a key's
	made  chan struct{} // closed when pid is there
	pid   actor.PID
	ended chan struct{}

	// Guarded by entities.mu.
	sealed bool
	rest   actor.Rest // when it was looked at
	since  time.Time  // it has done nothing
	reason error      // why it has ended
}

// hookOf is which hook of Config gives the code of a part's own process, or of a key's.
func hookOf(own bool) string {
	if own {
		return "Serve"
	}
	return "Entity"
}

// here are the entities of a part, which this node need not own.
func (sp *Space) here(part int) *entities {
	if es, ok := sp.local.Load(part); ok {
		return es.(*entities)
	}
	es, _ := sp.local.LoadOrStore(part, &entities{sp: sp, part: part, turned: make(chan struct{}), byKey: make(map[string]*entity), askers: make(map[actor.NodeID]struct{}), failed: make(map[string]error)})
	return es.(*entities)
}

// held says of which parts this node has terms, for people.
func (sp *Space) held() string {
	var parts []int
	sp.local.Range(func(part, es any) bool {
		es.(*entities).mu.Lock()
		defer es.(*entities).mu.Unlock()
		if es.(*entities).t != nil {
			parts = append(parts, part.(int))
		}
		return true
	})
	slices.Sort(parts)
	switch {
	case len(parts) == 0:
		return "parts"
	case len(parts) == 1:
		return fmt.Sprintf("part %d", parts[0])
	case len(parts) > 10:
		return fmt.Sprintf("%d parts (%d to %d)", len(parts), parts[0], parts[len(parts)-1])
	}
	return fmt.Sprintf("parts %v", parts)
}

// turnLocked tells those who wait for it that something has changed.
func (es *entities) turnLocked(t *tenancy, to takes) {
	es.t, es.takes = t, to
	close(es.turned)
	es.turned = make(chan struct{})
}

// begin: a term has begun, and OnGain is about to run.
func (es *entities) begin(t *tenancy) {
	es.mu.Lock()
	defer es.mu.Unlock()
	clear(es.failed)
	clear(es.askers)
	es.crowd = fewAskers
	if t.term.Number() <= es.over { // ZooKeeper was wiped, and counts from the start
		es.over = 0
	}
	es.turnLocked(t, takesLater)
}

// serve lets mail in, and starts the part's own process. What is returned, if
// anything, is that.
func (es *entities) serve(t *tenancy) (own *entity) {
	if es.sp.cfg.Serve != nil {
		own = newEntity("", true)
		es.mu.Lock()
		es.own = own
		es.mu.Unlock()
		es.spawn(t, own)
	}
	es.mu.Lock()
	defer es.mu.Unlock()
	es.turnLocked(t, takesMail)
	return own
}

// leave lets no more mail in and waits until every process has read what it has, and
// ended: keys' first, as they may need the part's. It gives up when the term is over,
// which stops them all, or when it is late.
func (es *entities) leave(t *tenancy, late <-chan time.Time) {
	es.mu.Lock()
	es.turnLocked(t, takesNoMore)
	all := make([]*entity, 0, len(es.byKey))
	for _, e := range es.byKey {
		all = append(all, e)
	}
	own := es.own
	es.mu.Unlock()
	for _, e := range all {
		es.seal(e)
	}
	for _, e := range all {
		select {
		case <-e.ended:
		case <-late:
			return
		case <-t.tenure.Context().Done():
			return
		}
	}
	if own != nil {
		es.seal(own)
		select {
		case <-own.ended:
		case <-late:
		case <-t.tenure.Context().Done():
			return
		}
	}
	// Where the next term has been heard of, an answer of this one would be refused.
	ctx, cancel := context.WithTimeout(t.tenure.Context(), passPatience)
	defer cancel()
	es.mu.Lock()
	askers := slices.Collect(maps.Keys(es.askers))
	es.mu.Unlock()
	es.sp.n.Passed(ctx, askers)
}

// passPatience is how long a part waits for the last answers to arrive. A node that
// stands still does not hold it up for longer.
const passPatience = time.Second

// prepares says whether p is the process in which OnGain runs: no mail is taken before
// that has returned.
func (es *entities) prepares(p *actor.Process) bool {
	es.mu.Lock()
	t, takes := es.t, es.takes
	es.mu.Unlock()
	if t == nil || takes != takesLater {
		return false
	}
	select {
	case <-t.ready:
		return t.pid == p.Self()
	default:
		return false
	}
}

// unended says what keeps a term that is given up in order from its end.
func (es *entities) unended() string {
	es.mu.Lock()
	defer es.mu.Unlock()
	switch {
	case es.takes == takesLater:
		return "OnGain has not returned"
	case len(es.byKey) == 1:
		for key := range es.byKey {
			return fmt.Sprintf("the process of key %.80q has not ended", key)
		}
	case len(es.byKey) > 1:
		return fmt.Sprintf("the processes of %d keys, %.80q among them, have not ended", len(es.byKey), slices.Min(slices.Collect(maps.Keys(es.byKey))))
	case es.own != nil:
		return "the part's own process (Serve) has not ended"
	}
	return "OnLose, or a process that the hooks have spawned, has not returned"
}

// ends says whether p is the key's process, and takes no more mail.
func (es *entities) ends(key string, p *actor.Process) bool {
	es.mu.Lock()
	defer es.mu.Unlock()
	e := es.byKey[key]
	if e == nil || !e.sealed {
		return false
	}
	return e.pid == p.Self() // seal has waited for it to be there
}

// end: nothing runs under the term any more.
func (es *entities) end(t *tenancy) {
	es.mu.Lock()
	defer es.mu.Unlock()
	if es.t == t {
		es.over = t.term.Number()
		es.turnLocked(nil, takesNoMore)
	}
}

// seal has an entity read what it has, and end.
func (es *entities) seal(e *entity) {
	<-e.made
	es.mu.Lock()
	e.sealed = true
	es.mu.Unlock()
	es.sp.n.System().Seal(e.pid, nil)
}

func newEntity(key string, own bool) *entity {
	return &entity{key: key, own: own, made: make(chan struct{}), ended: make(chan struct{}), since: time.Now()}
}

// open is the process that takes mail for the key under the term of that number,
// started if there is none. Where that is not known yet, or the key's last process
// has not ended yet, it returns what to wait for before asking again.
func (es *entities) open(asker actor.NodeID, c openCall) (answer openAnswer, wait <-chan struct{}) {
	cfg := &es.sp.cfg
	es.mu.Lock()
	t := es.t
	switch {
	case c.Term <= es.over:
		es.mu.Unlock()
		return openAnswer{Refusal: refusedMoved}, nil
	case t == nil || t.term.Number() < c.Term:
		wait = es.turned // whoever has read of this term in ZooKeeper is ahead of us
		es.mu.Unlock()
		return openAnswer{Refusal: refusedLater}, wait
	case t.term.Number() > c.Term || es.takes == takesNoMore && !es.outlastsLocked(c) || t.tenure.Check() != nil:
		es.mu.Unlock()
		return openAnswer{Refusal: refusedMoved}, nil
	case c.Own && cfg.Serve == nil || !c.Own && cfg.Entity == nil:
		es.mu.Unlock()
		return openAnswer{Refusal: refusedNone}, nil
	case es.takes == takesLater || c.Own && es.own == nil: // or it has ended: so will the term
		wait = es.turned
		es.mu.Unlock()
		return openAnswer{Refusal: refusedLater}, wait
	}
	es.askedLocked(asker)
	e, starts := es.own, false
	if !c.Own {
		if e = es.byKey[c.Key]; e == nil {
			e, starts = newEntity(c.Key, false), true
			es.byKey[c.Key] = e
		}
	}
	sealed := e.sealed
	if why := es.failed[c.Key]; why != nil && !c.Own {
		answer.Failed = why.Error()
	}
	es.mu.Unlock()
	switch {
	case starts:
		es.spawn(t, e)
	case sealed:
		return openAnswer{Refusal: refusedLater}, e.ended
	default:
		select {
		case <-e.made:
		default:
			return openAnswer{Refusal: refusedLater}, e.made
		}
	}
	answer.PID = e.pid
	return answer, nil
}

// askedLocked remembers who knows of these processes. Of many, guests say, most have gone.
func (es *entities) askedLocked(asker actor.NodeID) {
	es.askers[asker] = struct{}{}
	if len(es.askers) > es.crowd {
		maps.DeleteFunc(es.askers, func(id actor.NodeID, _ struct{}) bool { return id != asker && !es.sp.n.Linked(id) })
		es.crowd = max(2*len(es.askers), fewAskers)
	}
}

// fewAskers are remembered whether they are linked with us or not.
const fewAskers = 256

// outlastsLocked says whether what is asked for is the part's own process while keys',
// which may need it, are let end.
func (es *entities) outlastsLocked(c openCall) bool {
	return c.Own && es.own != nil && !es.own.sealed
}

// spawn starts an entity.
func (es *entities) spawn(t *tenancy, e *entity) {
	cfg := &es.sp.cfg
	opts := []actor.SpawnOption{actor.InTenure(t.tenure), actor.StoppedBySpawner(), actor.OnExit(func(_ actor.PID, reason error) { es.exited(t, e, reason) })}
	if cfg.Mailbox != (actor.Mailbox{}) && !e.own {
		opts = append(opts, actor.WithMailbox(cfg.Mailbox))
	}
	e.pid = es.sp.n.System().Spawn(func(p *actor.Process) error {
		var f actor.Func
		if e.own {
			f = cfg.Serve(es.part)
		} else {
			f = cfg.Entity(e.key)
		}
		if f == nil {
			return fmt.Errorf("%w: Config.%s returned nil", ErrNoEntity, hookOf(e.own))
		}
		return f(p)
	}, opts...)
	close(e.made)
}

// exited takes note of an entity's end.
func (es *entities) exited(t *tenancy, e *entity, reason error) {
	failed := !slices.ContainsFunc([]error{actor.Normal, actor.Shutdown, actor.ErrTermOver, actor.ErrStopped}, func(well error) bool { return errors.Is(reason, well) })
	es.mu.Lock()
	e.reason = reason
	switch {
	case e.own:
		if es.own == e {
			es.own = nil
		}
	case es.byKey[e.key] == e:
		delete(es.byKey, e.key)
	}
	switch {
	case e.own:
	case !failed:
		delete(es.failed, e.key)
	case len(es.failed) >= maxFailed:
		clear(es.failed)
		fallthrough
	default:
		es.failed[e.key] = reason
	}
	es.mu.Unlock()
	close(e.ended)
	if failed && !e.own {
		es.sp.tell(Event{Kind: EntityFailed, Part: es.part, Term: t.term, Err: fmt.Errorf("shard: the process of key %.80q has failed: %w", e.key, reason)})
	}
}

// sweep seals those that have been idle for long enough.
func (es *entities) sweep(now time.Time, idle time.Duration) {
	es.mu.Lock()
	all := make([]*entity, 0, len(es.byKey))
	for _, e := range es.byKey {
		if !e.sealed {
			all = append(all, e)
		}
	}
	es.mu.Unlock()
	for _, e := range all {
		select {
		case <-e.made:
		default:
			continue
		}
		rest, there := es.sp.n.System().Rest(e.pid)
		if !there {
			continue
		}
		es.mu.Lock()
		if rest != e.rest || !rest.Waits {
			e.rest, e.since = rest, now
		}
		over := now.Sub(e.since) >= idle
		es.mu.Unlock()
		if over {
			es.seal(e)
		}
	}
}

// sweep looks now and then for keys' processes that are idle.
func (sp *Space) sweep() {
	idle := sp.cfg.Idle
	ticker := time.NewTicker(max(idle/4, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			sp.local.Range(func(_, es any) bool {
				es.(*entities).sweep(now, idle)
				return true
			})
		case <-sp.ctx.Done():
			return
		}
	}
}
