package actor

// room is closed when the mailbox has room again, or has closed; nil if it has
// room now.
func (p *Process) room() <-chan struct{} {
	b := &p.box
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.door != doorOpen {
		return nil
	}
	// First say that relief is wanted, then look: the process publishes its
	// count, then looks whether relief is wanted, so one of the two sees.
	b.wantsRelief.Store(true)
	if b.size() < b.limit {
		b.wantsRelief.Store(b.relief != nil || b.paused)
		return nil
	}
	if b.relief == nil {
		b.relief = make(chan struct{})
	}
	return b.relief
}

// relieve tells those who wait for room, once there is enough: half of a small
// mailbox, so that they are not woken for each message, an eighth of a large one, so
// that they do not rest while much is read.
func (p *Process) relieve() {
	b := &p.box
	b.mu.Lock()
	room := max(min((b.limit+1)/2, 32), b.limit/8)
	if b.size() > b.limit-room {
		b.mu.Unlock()
		return
	}
	p.relieveLocked()
}

func (p *Process) relieveLocked() {
	b := &p.box
	relief, paused := b.relief, b.paused
	b.relief, b.paused = nil, false
	b.wantsRelief.Store(false)
	b.mu.Unlock()
	if relief != nil {
		close(relief)
	}
	if paused && p.sys.cfg.Router != nil {
		p.sys.cfg.Router.Relieved(p.pid)
	}
}

// full says whether mail would have to wait.
func (p *Process) full() bool {
	b := &p.box
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.door == doorOpen && b.paused
}
