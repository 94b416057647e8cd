package actor

// CapableChanged tells a process that has asked for it ([Process.SubscribeCapable])
// who offers a service.
type CapableChanged struct {
	Service string
	// PIDs offer it now. The slice is shared: it must not be changed.
	PIDs []PID
	// Joined and Left are what is new since the process was last told; in the
	// first, everybody has joined.
	Joined, Left []PID
}

// Offer makes p one of those who offer a service in the cluster, in addition to
// all that it offers already. It returns when the cluster can see it. The
// process leaves the service by Retract, or by its end, its node's included.
//
// When p must stop first, the error says so. The errors are those of node.Register.
func (p *Process) Offer(service string) error {
	if p.sys.cfg.Directory == nil {
		return ErrNoDirectory
	}
	return p.sys.cfg.Directory.Offer(p, service, p.pid)
}

// Retract undoes Offer. It returns when no look-up on this node shows p any more;
// other nodes may send to it for a moment longer.
func (p *Process) Retract(service string) error {
	if p.sys.cfg.Directory == nil {
		return ErrNoDirectory
	}
	return p.sys.cfg.Directory.Retract(p, service, p.pid)
}

// SubscribeCapable has p told who offers a service, as [CapableChanged] messages
// without a sender: at once, or as soon as it is known, and then whenever it has
// changed, until UnsubscribeCapable or p's end. Subscribing twice is subscribing
// once. Changes that follow each other closely may come as one, but the last
// always comes. Nobody waits for p: while its mailbox is half full, or under [Wait]
// full, it is not told, and later of everything at once.
func (p *Process) SubscribeCapable(service string) error {
	if p.sys.cfg.Directory == nil {
		return ErrNoDirectory
	}
	return p.sys.cfg.Directory.SubscribeCapable(service, p.pid)
}

// UnsubscribeCapable takes SubscribeCapable back. What was sent before may still
// be unread.
func (p *Process) UnsubscribeCapable(service string) {
	if p.sys.cfg.Directory != nil {
		p.sys.cfg.Directory.UnsubscribeCapable(service, p.pid)
	}
}

// Notify sends body to a process of this node, without a sender, unless its
// mailbox is half full, so that other mail finds room, or it has ended. Under Wait
// other mail need not find room, and keeps a mailbox more than half full for as long
// as its senders are quicker: there it must be full. It says whether it did, and
// never waits.
func (s *System) Notify(pid PID, body any) bool {
	p := s.local(pid)
	if p == nil {
		return false
	}
	b := &p.box
	b.mu.Lock()
	full := b.halfFull()
	if b.policy == Wait {
		full = b.size() >= b.limit
	}
	if b.door != doorOpen || full {
		b.mu.Unlock()
		return false
	}
	p.notify(body)
	return true
}

// halfFull says whether what nobody waits for finds no room. b.mu is held.
func (b *mailbox) halfFull() bool { return b.size() >= max(b.limit/2, 1) }

// notify adds mail without a sender. p.box.mu is held, and released.
func (p *Process) notify(body any) {
	p.box.counted++
	p.box.append(PID{}, body, nil)
	p.rouse(waitingMail)
}
