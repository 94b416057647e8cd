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
	"conclave/internal/keeper"
)

// route is the way to one part's processes, as this node knows it: the owner, from
// ZooKeeper, kept as long as a watch does not say otherwise; and the processes of keys
// that he has told of. Both may be out of date, which does no harm: a PID names a
// process of one term for ever, and an owner is asked for a term.
type route struct {
	sp   *Space
	part int

	mu       sync.RWMutex
	owner    owner
	changed  chan struct{} // closed when owner changes
	known    map[string]actor.PID
	own      actor.PID // the part's; zero: not known
	followed bool      // owner is kept up to date
}

// owner is who owns a part; zero: nobody, as far as we know.
type owner struct {
	door   actor.PID // of the node's space
	number int64     // of the term
}

// maxKnown is how many keys' processes are remembered for a part.
const maxKnown = 4096

// route is that of a part.
func (sp *Space) route(part int) *route {
	if r := sp.routes[part].Load(); r != nil {
		return r
	}
	sp.routes[part].CompareAndSwap(nil, &route{sp: sp, part: part, changed: make(chan struct{}), known: make(map[string]actor.PID)})
	return sp.routes[part].Load()
}

// process is the one of the key, if it is known.
func (r *route) process(key string) (actor.PID, bool) {
	r.mu.RLock()
	pid, ok := r.known[key]
	r.mu.RUnlock()
	return pid, ok
}

// processOf is that of whom mail is for.
func (r *route) processOf(to addressee) (actor.PID, bool) {
	if !to.own {
		return r.process(to.key)
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.own, !r.own.IsZero()
}

// remember keeps what an owner has told.
func (r *route) remember(of owner, to addressee, pid actor.PID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.owner != of:
	case to.own:
		r.own = pid
	default:
		if len(r.known) >= maxKnown {
			for one := range r.known { // any: with all gone, all would ask again
				delete(r.known, one)
				break
			}
		}
		r.known[to.key] = pid
	}
}

// forget drops a process that takes no more mail.
func (r *route) forget(to addressee, pid actor.PID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case to.own && r.own == pid:
		r.own = actor.PID{}
	case !to.own && r.known[to.key] == pid:
		delete(r.known, to.key)
	}
}

// publish takes note of who owns the part. What one session shows may be older than
// what is known from elsewhere.
func (r *route) publish(o owner) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.publishLocked(o)
}

func (r *route) publishLocked(o owner) {
	if r.owner == o {
		return
	}
	r.giveUpLocked()
	r.owner, r.own = o, actor.PID{}
	clear(r.known)
	close(r.changed)
	r.changed = make(chan struct{})
}

// giveUpLocked ends the waiting for answers of the last owner's processes, if he is
// elsewhere and has not answered a while later: his term is over. What he answers in
// order has arrived by now; he may stand still.
func (r *route) giveUpLocked() {
	if r.owner.door.IsZero() || r.owner.door == r.sp.door {
		return
	}
	waited := slices.Collect(maps.Values(r.known))
	if !r.own.IsZero() {
		waited = append(waited, r.own)
	}
	if len(waited) > 0 {
		why := fmt.Errorf("%w: the term of part %d of %q is over, and it has not answered", actor.LinkLost, r.part, r.sp.name)
		time.AfterFunc(askPatience, func() { r.sp.n.System().GiveUp(waited, why) })
	}
}

// now is the owner, and what is closed when that changes. Unless that is this node
// itself, the first who asks has it followed.
func (r *route) now() (o owner, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// Asked under the mutex: so whatever follow has read of a later term comes later, and
	// stays.
	if o, ours := r.ours(); ours {
		r.publishLocked(o)
	} else {
		r.watchLocked()
	}
	return r.owner, r.changed
}

// watch has the owner kept up to date from now on.
func (r *route) watch() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watchLocked()
}

func (r *route) watchLocked() {
	if !r.followed {
		r.followed = r.sp.spawn(r.follow)
	}
}

// follow keeps the owner up to date until the space is closed.
func (r *route) follow() {
	wake := make(chan struct{}, 1)
	poke := func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	var at, none *lookout
	var last *keeper.Session
	for pause := retryMin; ; {
		s, err := r.sp.k.Session(r.sp.ctx)
		if err != nil {
			return // closed
		}
		if s != last { // watches end with their session
			last, at, none = s, &lookout{poke: poke}, &lookout{poke: poke}
		}
		if err := r.look(s, at, none); err == nil {
			pause = retryMin
			select {
			case <-wake:
			case <-s.Done():
			case <-r.sp.ctx.Done():
				return
			}
			continue
		}
		if !sleep(r.sp.ctx, pause) {
			return
		}
		pause = min(2*pause, retryMax)
	}
}

// look reads who owns the part.
func (r *route) look(s *keeper.Session, at, none *lookout) error {
	ctx, cancel := context.WithTimeout(r.sp.ctx, s.Timeout())
	defer cancel()
	path := r.sp.k.Paths().SpaceOwner(r.sp.name, r.part)
	for {
		data, stat, err := s.Get(ctx, path, at.watch())
		at.read(stat.Mzxid, err)
		switch {
		case errors.Is(err, keeper.ErrNoNode):
			stat, there, err := s.Exists(ctx, path, none.watch())
			none.read(stat.Czxid, err)
			if err == nil && there {
				continue
			}
			if err == nil {
				r.publish(owner{})
			}
			return err
		case err != nil:
			return err
		}
		o := owner{number: stat.Czxid}
		if o.door, err = actor.ParsePID(string(data)); err != nil || stat.EphemeralOwner == 0 {
			o = owner{} // not of ours, and whoever wants the part has said so
		}
		r.publish(o)
		return nil
	}
}

// ours says whether this node owns the part, without asking anybody.
func (r *route) ours() (owner, bool) {
	term, owned := r.sp.Owned(r.part)
	return owner{r.sp.door, term.Number()}, owned
}
