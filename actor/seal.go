package actor

// Seal lets a process of this node take in no more mail. Who sends to it is told the
// same as of a process that has ended, so that what is confirmed to be repeated can be.
// What is in its mailbox it reads; when nothing is left that it waits for, Receive and
// its like return that reason (nil: [Normal]), and a Handler ends with it. So what was
// accepted is read, unless its code ends before (or when [Expect] says so, and does not
// take with Receive what that has passed over). Signals, Downs and replies still come;
// its own timers do not. Nobody hurries it: it can call and send, and as a context it
// is not done, until its code has returned, so that it can keep what has to be kept.
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

// sealedFor is why a process that was sealed, and has nothing to read, must end.
func (p *Process) sealedFor() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ties.sealed
}

// Rest is how long a process has waited for mail, for who looks now and then.
type Rest struct {
	// Waits: it waits for mail, has none that it has passed over ([Expect]), owes no
	// answer, and has no timer set.
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
	return Rest{Waits: !busy && p.box.waiting == waitingMail && p.box.size() == 0, Times: p.sleeps}, true
}
