package actor

// Seal lets a process of this node take in no more mail. Who sends to it is told the
// same as of a process that has ended, so that what is confirmed to be repeated can be.
// What is in its mailbox it reads; when nothing is left that it waits for, it must
// stop, with that reason (nil: [Normal]). So what was accepted is read, unless its code
// ends before. Signals, Downs and replies still come; its own timers do not.
//
// It says false of a process that is not there, or was sealed before.
func (s *System) Seal(pid PID, reason error) bool {
	p := s.local(pid)
	if p == nil {
		return false
	}
	p.mu.Lock()
	if p.ended || p.ties != nil && p.ties.sealed != nil {
		p.mu.Unlock()
		return false
	}
	p.tiesLocked().sealed = orNormal(reason)
	p.mu.Unlock()
	b := &p.box
	b.mu.Lock()
	if b.door != doorOpen {
		b.mu.Unlock()
		return false
	}
	b.door = doorSealed
	p.relieveLocked() // who waits for room waits for nothing
	b.mu.Lock()
	p.rouse(waitingMail)
	return true
}

// readAll stops a process that is sealed and has nothing to read.
func (p *Process) readAll() {
	p.mu.Lock()
	reason := error(Normal)
	if p.ties != nil && p.ties.sealed != nil {
		reason = p.ties.sealed
	}
	p.mu.Unlock()
	p.stop(reason)
}

// Rest is how long a process has waited for mail, for who looks now and then.
type Rest struct {
	// Waits: it waits for mail, owes no answer, and has no timer set.
	Waits bool
	// Times is how often it has begun to wait: between two looks with the same number
	// it has done nothing else.
	Times uint32
}

// Rest says whether a process of this node has anything to do; false of one that is
// not there.
func (s *System) Rest(pid PID) (Rest, bool) {
	p := s.local(pid)
	if p == nil {
		return Rest{}, false
	}
	p.mu.Lock()
	busy := p.open > 0 || p.ties != nil && p.ties.timers != nil
	p.mu.Unlock()
	p.box.mu.Lock()
	defer p.box.mu.Unlock()
	return Rest{Waits: !busy && p.box.waiting == waitingMail, Times: p.sleeps}, true
}
