package registry

import (
	"time"

	"conclave/internal/keeper"
)

// loop is what the Registry's goroutine owns: both machines, and who waits for
// them. It feeds them events and carries out what they say.
type loop struct {
	*Registry
	cache *cache
	roll  *roll

	number    uint64 // of the session; 0: none
	session   *keeper.Session
	connected bool
	calls     map[uint64]*call
	strays    map[stray]struct{}
	queue     []event // events that actions have led to
}

// stray is a child that was reported.
type stray struct{ service, child string }

// maxStrays bounds how many are remembered; then they are reported again.
const maxStrays = 1000

func (r *Registry) run(l *loop) {
	defer close(r.done)
	defer l.end()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		l.glance()
		for _, p := range r.box.take() {
			l.handle(p)
		}
		l.handle(post{ev: tick{}})
		l.count()
		timer.Reset(l.untilDeadline())
		select {
		case <-r.box.ready:
		case <-timer.C:
		case <-r.ctx.Done():
			return
		}
	}
}

func (l *loop) untilDeadline() time.Duration {
	d := time.Hour
	now := l.now()
	for _, deadline := range []func() (time.Duration, bool){l.cache.deadline, l.roll.deadline} {
		if at, ok := deadline(); ok {
			d = min(d, at-now)
		}
	}
	return max(d, 0)
}

// glance looks whether there is a connection.
func (l *loop) glance() {
	if l.session == nil {
		return
	}
	connected := l.session.Connected()
	if connected == l.connected {
		return
	}
	l.connected = connected
	if connected {
		l.live.Store(&life{l.number, l.session, 0})
		l.handle(post{ev: resumed{l.number}})
	} else {
		l.live.Store(&life{l.number, l.session, l.now()})
		l.handle(post{ev: suspended{l.number}})
	}
}

func (l *loop) handle(p post) {
	if p.call != nil {
		l.calls[p.call.id] = p.call
	}
	for _, child := range p.strays {
		l.stray(p.ev.(readDone).key.name, child)
	}
	l.event(p.ev)
	for len(l.queue) > 0 {
		ev := l.queue[0]
		l.queue = l.queue[1:]
		l.event(ev)
	}
}

func (l *loop) event(ev event) {
	now := l.now()
	switch e := ev.(type) {
	case glance:
		l.glance()
	case arrival:
		l.number, l.session, l.connected = e.number, e.session, true
		l.live.Store(&life{e.number, e.session, 0})
		up := sessionUp{e.number, e.session.ClusterID()}
		// The cache first: what is registered now is read behind it.
		l.carryOut(l.cache.step(up, now))
		l.carryOut(l.roll.step(up, now))
		l.glance()
	case sessionLost:
		if e.session != l.number {
			return
		}
		since := now
		if old := l.live.Load(); old.since != 0 {
			since = old.since
		}
		l.live.Store(&life{l.number, nil, since})
		l.session, l.connected = nil, false
		l.outdate(since)
		l.carryOut(l.cache.step(ev, now))
		l.carryOut(l.roll.step(ev, now))
	case suspended, resumed, tick:
		l.carryOut(l.cache.step(ev, now))
		l.carryOut(l.roll.step(ev, now))
	case cancel:
		delete(l.calls, e.id)
		l.carryOut(l.cache.step(ev, now))
	case leave:
		delete(l.calls, e.id)
		l.carryOut(l.roll.step(ev, now))
	case register, unregister, drop, dropAll, vanished, writeDone:
		l.carryOut(l.roll.step(ev, now))
	default:
		l.carryOut(l.cache.step(ev, now))
	}
}

// outdate notes since when what is shown is no longer known to be so.
func (l *loop) outdate(since time.Duration) {
	mark := func(_ string, c *cell) { c.until.CompareAndSwap(0, int64(since)) }
	mark("", &l.names)
	mark("", &l.nodes)
	l.services.all(mark)
}

func (l *loop) carryOut(actions []action) {
	for _, a := range actions {
		switch a := a.(type) {
		case startRead:
			l.cellOf(a.key).started.Store(a.read)
			l.begin(a.session, func(s *keeper.Session) { l.read(s, a) })
		case startCheck:
			l.begin(a.session, func(s *keeper.Session) { l.check(s, a) })
		case startWrite:
			l.begin(a.session, func(s *keeper.Session) { l.write(s, a) })
		case startSweep:
			l.queue = append(l.queue, used{l.inUse()})
		case publish:
			l.cellOf(a.key).show(a.list, l.now())
		case doubt:
			if c := l.find(a.key); c != nil {
				c.raise(a.upTo, l.now())
			}
		case hide:
			l.hide(a.key)
		case wrote:
			// At once: the action behind this one tells the caller.
			l.carryOut(l.cache.step(ownWrite{serviceKey(a.service)}, l.now()))
		case answer:
			l.reply(a.id, reply{list: a.list, err: a.err})
		case settled:
			l.reply(a.id, reply{token: a.token, err: a.err})
		case report:
			l.report(a.event)
		default:
			panic("registry: action of an unknown type") // a mistake in this package
		}
	}
}

// begin runs f in a goroutine of its own, if that session is still ours. If it
// is not, the machine has forgotten the operation already.
func (l *loop) begin(number uint64, f func(*keeper.Session)) {
	s := l.session
	if number != l.number || s == nil {
		return
	}
	l.io.Add(1)
	go func() {
		defer l.io.Done()
		f(s)
	}()
}

func (r *Registry) find(key listKey) *cell {
	switch key.kind {
	case kindNames:
		return &r.names
	case kindNodes:
		return &r.nodes
	default:
		return r.services.get(key.name)
	}
}

func (l *loop) cellOf(key listKey) *cell {
	if key.kind != kindService {
		return l.find(key)
	}
	c := l.services.get(key.name)
	if c == nil {
		c = l.services.add(key.name)
		c.touch(l.sweep.Load())
	}
	return c
}

func (l *loop) hide(key listKey) {
	if key.kind == kindService {
		l.services.remove(key.name)
	} else {
		l.find(key).list.Store(nil)
	}
}

// inUse returns the lists that were asked for since it was last called.
func (l *loop) inUse() []listKey {
	sweep := l.sweep.Load()
	var keys []listKey
	if l.names.used.Load() == sweep {
		keys = append(keys, namesKey)
	}
	if l.nodes.used.Load() == sweep {
		keys = append(keys, nodesKey)
	}
	l.services.all(func(name string, c *cell) {
		if c.used.Load() == sweep {
			keys = append(keys, serviceKey(name))
		}
	})
	l.sweep.Store(sweep + 1)
	return keys
}

func (l *loop) reply(id uint64, r reply) {
	if c := l.calls[id]; c != nil {
		delete(l.calls, id)
		c.reply <- r
	}
}

func (l *loop) stray(service, child string) {
	s := stray{service, child}
	if _, told := l.strays[s]; told {
		return
	}
	if len(l.strays) >= maxStrays {
		clear(l.strays)
	}
	l.strays[s] = struct{}{}
	l.report(Event{Kind: EventStray, Service: service, Child: child})
}

func (l *loop) report(e Event) {
	l.cfg.Logger.Warn("registry: "+e.Kind.String(), "service", e.Service, "child", e.Child, "error", e.Err)
	if l.cfg.OnEvent != nil {
		l.cfg.OnEvent(e)
	}
}

func (l *loop) count() {
	c := l.cache.stats
	s := Stats{
		Reads: c.reads, Checks: c.checks, Repaired: c.repaired,
		Backwards: c.backwards, Forgotten: c.forgotten,
		Cached: len(l.cache.entries), Registered: l.roll.wanted, Waiting: len(l.calls),
	}
	l.mu.Lock()
	l.stats = s
	l.mu.Unlock()
}

// end turns everybody away.
func (l *loop) end() {
	l.box.close()
	for _, p := range l.box.take() {
		if p.call != nil {
			l.calls[p.call.id] = p.call
		}
	}
	for id := range l.calls {
		l.reply(id, reply{err: ErrClosed})
	}
	for i := range l.services.parts {
		l.services.parts[i].Store(nil)
	}
	l.names.list.Store(nil)
	l.nodes.list.Store(nil)
}
