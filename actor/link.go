package actor

import (
	"context"
	"slices"
	"unique"
)

// Link binds p and the process to together: when one ends, for another reason
// than [Normal], the other must stop with the same reason, or, if it traps
// exits, gets an [Exited] message. A process that is not there any more counts
// as ended with [NoProcess], a broken link to its node as [LinkLost].
func (p *Process) Link(to PID) {
	if to == p.pid || to.IsZero() {
		return
	}
	p.mu.Lock()
	note(&p.tiesLocked().links, to, struct{}{})
	p.mu.Unlock()
	if to.node != p.pid.node {
		p.tie(to.node)
		if p.sys.route(p, &Envelope{Kind: KindLink, From: p.pid, To: to}) != nil {
			p.signal(to, LinkLost, true)
		}
		return
	}
	if !p.sys.link(to, p.pid) {
		p.signal(to, NoProcess, true)
	}
}

// link makes from one of the links of to. It says whether to is alive.
func (s *System) link(to, from PID) bool {
	target := s.table.get(to.serial)
	if target == nil {
		return false
	}
	target.mu.Lock()
	defer target.mu.Unlock()
	if target.ended {
		return false
	}
	note(&target.tiesLocked().links, from, struct{}{})
	if from.node != s.self.node {
		target.tieLocked(from.node)
	}
	return true
}

// Unlink undoes Link, from either side. Once it returns, the end of to no
// longer stops p.
func (p *Process) Unlink(to PID) {
	if !p.unlink(to) {
		return
	}
	if to.node != p.pid.node {
		_ = p.sys.route(p, &Envelope{Kind: KindUnlink, From: p.pid, To: to}) // a lost link unlinks by itself
		return
	}
	if target := p.sys.table.get(to.serial); target != nil {
		target.unlink(p.pid)
	}
}

func (p *Process) unlink(from PID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dropLinkLocked(from)
}

func (p *Process) dropLinkLocked(from PID) bool {
	if p.ties == nil {
		return false
	}
	_, linked := p.ties.links[from]
	delete(p.ties.links, from)
	return linked
}

// TrapExit makes exit signals arrive as [Exited] messages instead of stopping
// p (on true), or stop it again. [Killed], the end of p's term and the node's
// leaving cannot be trapped.
func (p *Process) TrapExit(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trap = on
}

// Exit tells a process, here or elsewhere, to stop with that reason (nil:
// [Normal]). One that traps exits gets an [Exited] message instead, unless the
// reason is [Killed]. Go code cannot be stopped from outside: the process is
// done, and ends when its code returns. It is safe from any goroutine.
//
// A holder's Exit is an act under its term, as a Send is: once the term is over
// it does nothing, except to p itself, and nobody who has heard of a successor
// heeds it.
func (p *Process) Exit(to PID, reason error) {
	if to != p.pid && p.CheckTerm() != nil {
		return
	}
	p.sys.exit(p, Envelope{Kind: KindStop, From: p.pid, To: to, Term: p.Term(), Reason: orNormal(reason)})
}

// Exit is Process.Exit from outside any process.
func (s *System) Exit(to PID, reason error) {
	s.exit(context.Background(), Envelope{Kind: KindStop, To: to, Reason: orNormal(reason)})
}

func (s *System) exit(ctx context.Context, e Envelope) {
	switch {
	case e.To.IsZero():
	case e.To.node != s.self.node:
		_ = s.route(ctx, &e) // behind a lost link it has ended, or will not hear
	case e.From == e.To || s.admit(e):
		if target := s.table.get(e.To.serial); target != nil {
			target.signal(e.From, e.Reason, false)
		}
	}
}

// Monitor has p told by a [Down] message when the process to ends, at once if
// it is not there. Unlike a link it goes one way, stops nobody, and can be set
// more than once.
func (p *Process) Monitor(to PID) Ref {
	p.lastRef++
	ref := Ref(p.lastRef)
	p.mu.Lock()
	note(&p.tiesLocked().monitors, ref, to)
	p.mu.Unlock()
	switch {
	case to.IsZero():
		p.down(ref, to, NoProcess)
	case to.node != p.pid.node:
		p.tie(to.node)
		if p.sys.route(p, &Envelope{Kind: KindMonitor, From: p.pid, To: to, Ref: uint64(ref)}) != nil {
			p.down(ref, to, LinkLost)
		}
	case !p.sys.watch(to, watcher{p.pid, uint64(ref)}):
		p.down(ref, to, NoProcess)
	}
	return ref
}

// watch adds a monitor of somebody else. It says whether to is alive.
func (s *System) watch(to PID, w watcher) bool {
	target := s.table.get(to.serial)
	if target == nil {
		return false
	}
	target.mu.Lock()
	defer target.mu.Unlock()
	if target.ended {
		return false
	}
	note(&target.tiesLocked().watchers, w, struct{}{})
	if w.pid.node != s.self.node {
		target.tieLocked(w.pid.node)
	}
	return true
}

// Demonitor undoes Monitor. Once it returns, no [Down] with that Ref is or will
// be in the mailbox.
func (p *Process) Demonitor(ref Ref) {
	p.mu.Lock()
	var to PID
	if p.ties != nil {
		to = p.ties.monitors[ref]
		delete(p.ties.monitors, ref)
	}
	p.mu.Unlock()
	if to.IsZero() {
		p.dropDown(ref)
		return
	}
	if to.node != p.pid.node {
		_ = p.sys.route(p, &Envelope{Kind: KindDemonitor, From: p.pid, To: to, Ref: uint64(ref)})
		return
	}
	if target := p.sys.table.get(to.serial); target != nil {
		target.unwatch(watcher{p.pid, uint64(ref)})
	}
}

func (p *Process) unwatch(w watcher) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ties != nil {
		delete(p.ties.watchers, w)
	}
}

// dropDown takes a Down that has arrived already out of the mailbox.
func (p *Process) dropDown(ref Ref) {
	is := func(it item) bool {
		d, ok := it.body.(Down)
		return ok && d.Ref == ref
	}
	if i := slices.IndexFunc(p.queue.mail[p.head:], is); i >= 0 {
		p.take(p.head + i)
		return
	}
	b := &p.box
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.signals == 0 {
		return
	}
	for _, it := range b.drain() {
		if is(it) {
			b.signals--
		} else {
			b.append(it.from, it.body, it.claims)
		}
	}
}

// down delivers a Down if it is still wanted. The monitor goes and the Down
// comes in one step, so that Demonitor finds one or the other.
func (p *Process) down(ref Ref, pid PID, reason error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	wanted := false
	if p.ties != nil {
		_, wanted = p.ties.monitors[ref]
		delete(p.ties.monitors, ref)
	}
	if wanted {
		p.push(pid, Down{Ref: ref, PID: pid, Reason: reason}, nil, false)
	}
}

// Register gives p a local name, by which others of this node, and SendName
// from anywhere, reach it. Where the node advertises it, the name is a service
// of the cluster. It goes when p ends.
func (p *Process) Register(name string) error {
	if err := p.CheckTerm(); err != nil {
		return err
	}
	return p.sys.Register(name, p.pid)
}

// Unregister gives the name up.
func (p *Process) Unregister(name string) { p.sys.Unregister(name, p.pid) }

func (p *Process) tiesLocked() *ties {
	if p.ties == nil {
		p.ties = new(ties)
	}
	return p.ties
}

// note puts an entry into one of the ties' maps, most of which stay empty.
func note[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = make(map[K]V)
	}
	(*m)[k] = v
}

// tie notes that p has to hear of the end of the link to that node.
func (p *Process) tie(node unique.Handle[NodeID]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tieLocked(node)
}

func (p *Process) tieLocked(node unique.Handle[NodeID]) {
	t := p.tiesLocked()
	if slices.Contains(t.nodes, node) {
		return
	}
	t.nodes = append(t.nodes, node)
	p.sys.tied.add(node, p)
}

// nodeLost ends all that binds p to processes of a node that cannot be reached
// any more.
func (p *Process) nodeLost(node unique.Handle[NodeID], reason error, call func(to PID) error) {
	p.mu.Lock()
	if p.ties == nil {
		p.mu.Unlock()
		return
	}
	t := p.ties
	t.nodes = slices.DeleteFunc(t.nodes, func(n unique.Handle[NodeID]) bool { return n == node })
	var links []PID
	for pid := range t.links {
		if pid.node == node {
			links = append(links, pid)
		}
	}
	downs := make(map[Ref]PID)
	for ref, pid := range t.monitors {
		if pid.node == node {
			downs[ref] = pid
		}
	}
	for w := range t.watchers {
		if w.pid.node == node {
			delete(t.watchers, w)
		}
	}
	var calls []*openCall
	for c := p.calls; c != nil; c = c.next {
		if c.from.node == node {
			calls = append(calls, c)
		}
	}
	p.mu.Unlock()
	// The call first: once p hears of the loss it may make another, to which
	// nothing has happened.
	p.callLost(node, call)
	for _, c := range calls {
		c.close(callForgotten)
	}
	for ref, pid := range downs {
		p.down(ref, pid, reason)
	}
	for _, pid := range links {
		p.signal(pid, reason, true)
	}
}

// callLost ends p's waiting for a reply from that node.
func (p *Process) callLost(node unique.Handle[NodeID], why func(to PID) error) {
	p.box.mu.Lock()
	if r := p.box.reply; r != nil && r.ref != 0 && r.node == node && !r.there {
		r.err, r.there = lostCall(why), true
		p.rouse(waitingReply)
		return
	}
	p.box.mu.Unlock()
}
