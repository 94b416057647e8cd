package actor

import (
	"fmt"
	"math"
)

// SpawnOption changes how a process is started.
type SpawnOption func(*spawning)

type spawning struct {
	mailbox   Mailbox
	tenure    *Tenure
	onExit    func(PID, error)
	linked    bool
	monitored bool
	ref       *Ref
	traits    traits
}

// WithMailbox bounds the process's mailbox otherwise than by the default.
func WithMailbox(m Mailbox) SpawnOption { return func(s *spawning) { s.mailbox = m } }

// InTenure makes the process, and all that it spawns, act under t. If t has
// ended, the process ends at once with [ErrTermOver].
func InTenure(t *Tenure) SpawnOption { return func(s *spawning) { s.tenure = t } }

// OnExit has f called with the exit reason when the process has ended, after
// everybody bound to it was told. f must not block.
func OnExit(f func(pid PID, reason error)) SpawnOption {
	return func(s *spawning) { s.onExit = f }
}

// Endless says that the process has no end of its own and takes no mail that
// matters, as one that serves HTTP, so that AwaitIdle does not wait for it.
func Endless() SpawnOption { return func(s *spawning) { s.traits |= isEndless } }

// StoppedBySpawner says that whoever has spawned the process stops it, as with
// [System.Seal], when the node stops: that itself only waits for it.
func StoppedBySpawner() SpawnOption { return func(s *spawning) { s.traits |= isKept } }

// Linked links the process with its parent before it starts. It has no effect
// where there is no parent.
func Linked() SpawnOption {
	return func(s *spawning) { s.linked = true }
}

// Monitored has the parent told by a [Down] message when the process ends, from its
// start on: a Monitor that is set after Spawn finds nobody, and so tells nobody why,
// if the process has ended in between. ref, unless nil, is set to the monitor's
// reference. It has no effect where there is no parent.
func Monitored(ref *Ref) SpawnOption {
	return func(s *spawning) { s.monitored, s.ref = true, ref }
}

// Spawn starts a process. It never fails: if the node has stopped or the tenure
// is over, the process has ended before its code ran, as OnExit, a Monitor or
// a Link will tell.
func (s *System) Spawn(f Func, opts ...SpawnOption) PID {
	return s.spawn(nil, nil, f, nil, opts)
}

// SpawnHandler starts an event-driven process.
func (s *System) SpawnHandler(h Handler, opts ...SpawnOption) PID {
	return s.spawn(nil, nil, nil, h, opts)
}

// Spawn starts a process on p's node. It acts under p's term, if p has one; it
// is not linked with p unless [Linked] says so.
func (p *Process) Spawn(f Func, opts ...SpawnOption) PID {
	return p.sys.spawn(p, p.tenure, f, nil, opts)
}

// SpawnHandler is Spawn for a Handler.
func (p *Process) SpawnHandler(h Handler, opts ...SpawnOption) PID {
	return p.sys.spawn(p, p.tenure, nil, h, opts)
}

// SpawnDetached starts a process that does not act under p's term and outlives it.
func (p *Process) SpawnDetached(f Func, opts ...SpawnOption) PID {
	return p.sys.spawn(p, nil, f, nil, opts)
}

// with is apart from spawn, so that without options nothing is allocated for them.
func (o spawning) with(opts []SpawnOption) spawning {
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

func (s *System) spawn(parent *Process, t *Tenure, f Func, h Handler, opts []SpawnOption) PID {
	o := spawning{mailbox: s.cfg.Mailbox, tenure: t}
	if len(opts) > 0 {
		o = o.with(opts)
	}
	if o.mailbox == (Mailbox{}) {
		o.mailbox = s.cfg.Mailbox
	}
	o.mailbox.Limit = o.mailbox.limit(s.cfg.Mailbox)
	p := &Process{sys: s, handler: h, tenure: o.tenure, onExit: o.onExit, traits: o.traits}
	p.box.limit, p.box.policy = o.mailbox.Limit, o.mailbox.Policy
	p.box.reserve = int32(min(max(o.mailbox.Limit, minReserve), math.MaxInt32))
	p.tight = o.mailbox.Limit <= 1024
	var failed error
	s.stopMu.Lock()
	if s.stopped {
		failed = ErrStopped
	} else if !s.table.put(p, func(serial uint64) { p.pid = PID{s.self.node, serial} }) {
		failed = fmt.Errorf("no process: all %d places are taken", slotMask)
	} else {
		if s.living++; s.living == 1 {
			s.runners.setClosed(false)
		}
	}
	never := failed != nil // was it in the table
	if never {
		s.failed++
		p.pid = PID{s.self.node, s.failed << slotBits} // slot 0 is nobody's
	}
	s.stopMu.Unlock()
	if !never && o.tenure != nil {
		s.addTenure(o.tenure)
		failed = o.tenure.add(p)
	}
	var linked, monitored bool
	var ref Ref
	if parent != nil {
		linked, monitored = o.linked, o.monitored
		ref = parent.bind(p, o)
	}
	switch {
	case never:
		if monitored {
			parent.down(ref, p.pid, failed)
		}
		if linked {
			parent.signal(p.pid, failed, true)
		}
		if o.onExit != nil {
			o.onExit(p.pid, failed)
		}
	case failed != nil:
		p.tenure = nil
		p.result(failed)
		p.leave()
	case h == nil:
		go p.runFunc(f)
	default:
		p.box.mu.Lock()
		p.box.waiting = waitingMail // until now nobody could have it run
		if len(p.box.in) > 0 || p.stopping.Load() || p.box.door == doorSealed {
			p.rouse(waitingMail)
		} else {
			p.box.mu.Unlock()
		}
	}
	return p.pid
}

// bind links p with a process that does not run yet, and monitors it, as that says.
func (p *Process) bind(child *Process, o spawning) (ref Ref) {
	if o.linked {
		p.mu.Lock()
		note(&p.tiesLocked().links, child.pid, struct{}{})
		p.mu.Unlock()
		child.mu.Lock()
		note(&child.tiesLocked().links, p.pid, struct{}{})
		child.mu.Unlock()
	}
	if o.monitored {
		p.lastRef++
		ref = Ref(p.lastRef)
		p.mu.Lock()
		note(&p.tiesLocked().monitors, ref, child.pid)
		p.mu.Unlock()
		child.mu.Lock()
		note(&child.tiesLocked().watchers, watcher{p.pid, uint64(ref)}, struct{}{})
		child.mu.Unlock()
		if o.ref != nil {
			*o.ref = ref
		}
	}
	return ref
}

// leave takes a process that has ended out of the system and tells everybody
// who is bound to it.
func (p *Process) leave() {
	s := p.sys
	p.mu.Lock()
	reason, t, calls := p.reason, p.ties, p.calls
	p.ties = nil
	p.stopping.Store(true)
	if p.cancel != nil {
		p.cancel(reason)
	}
	p.mu.Unlock()
	if t != nil {
		if tr := t.tracing; tr != nil && tr.done != nil {
			tr.done(reason)
		}
		t.dropTimers()
		for _, name := range t.names {
			s.Unregister(name, p.pid)
		}
	}
	s.table.remove(p.pid.serial)
	if p.tenure != nil {
		// Its code has returned, so the name may pass on, however long it
		// takes to tell the others.
		p.tenure.remove(p)
	}

	p.box.mu.Lock()
	p.box.door = doorClosed
	unread := append(p.queue.mail[p.head:], p.box.drain()...)
	p.box.in, p.queue, p.head = nil, batch{}, 0
	p.relieveLocked()
	s.subscribers.remove(p.pid)
	var confirmed []Unread // of a holder whose term is handed over: its senders get it back
	heir := p.tenure.heirNow()
	for _, it := range unread {
		if heir != nil && it.confirmed() {
			confirmed = append(confirmed, Unread{it.from.Node(), it.body})
			continue
		}
		var m Message
		if it.takeOut(&m); !isSignal(m.body) {
			s.DeadLetter(DeadLetter{From: m.From, To: p.pid, Type: typeName(m.body), Term: m.Term, Reason: DeadNoProcess})
			// A call that was never taken out was certainly not carried out:
			// its caller is told so, as if the process had been gone before.
			m.call().fail(&EndedError{PID: p.pid})
		}
	}
	if len(confirmed) > 0 {
		heir.Unread(confirmed)
	}
	for calls != nil {
		c := calls
		ended := &EndedError{PID: p.pid, Reason: reason}
		if !c.taken { // it was noted, and found the mailbox closed
			ended.Reason = nil
		}
		c.fail(ended)
		p.mu.Lock()
		calls = p.calls
		p.mu.Unlock()
	}
	if t != nil {
		for pid := range t.links {
			s.tell(Envelope{Kind: KindExit, From: p.pid, To: pid, Reason: reason})
		}
		for w := range t.watchers {
			s.tell(Envelope{Kind: KindDown, From: p.pid, To: w.pid, Ref: w.ref, Reason: reason})
		}
		for ref, pid := range t.monitors {
			s.tell(Envelope{Kind: KindDemonitor, From: p.pid, To: pid, Ref: uint64(ref)})
		}
		s.tied.remove(p, t.nodes)
	}
	if panicked, ok := reason.(*PanicError); ok {
		p.Logger().Error("a process panicked", "panic", panicked.Value, "stack", string(panicked.Stack))
	}
	if p.onExit != nil {
		p.onExit(p.pid, reason)
	}
	if t != nil {
		for _, f := range t.ends {
			f(p.pid, reason)
		}
	}
	s.stopMu.Lock()
	s.living--
	if s.living == 0 {
		s.runners.setClosed(true)
		if s.empty != nil {
			close(s.empty)
			s.empty = nil
		}
	}
	s.stopMu.Unlock()
}
