package actor

// Mail is a message from another node, without name, term, or anybody who wants
// to know what becomes of it. Its From has serial 0 if no process sent it.
type Mail struct {
	From PID
	Body any
}

// DeliverMail hands on what came from another node for one process: the same as
// Deliver for each, in order, but for the price of one. mail may be used again
// afterwards.
func (s *System) DeliverMail(to PID, mail []Mail) Delivery {
	p := s.table.get(to.serial)
	if p == nil {
		s.deadMail(to, mail, DeadNoProcess)
		return Refused
	}
	n, result := p.pushMail(mail)
	switch result {
	case pushClosed:
		s.deadMail(to, mail[n:], DeadNoProcess)
		return Refused
	case pushFull:
		s.deadMail(to, mail[n:], DeadMailboxFull)
		return Refused
	case pushFilled:
		return Full
	}
	return Accepted
}

func (s *System) deadMail(to PID, mail []Mail, r DeadReason) {
	for _, m := range mail {
		s.DeadLetter(DeadLetter{From: m.From, To: to, Type: typeName(m.Body), Reason: r})
	}
}

// pushMail is push for many messages, with the reserve. It says how many it took.
func (p *Process) pushMail(mail []Mail) (int, pushed) {
	b := &p.box
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return 0, pushClosed
	}
	result := pushOK
	n := len(mail)
	if waiting := b.counted + int(b.unread.Load()); waiting+n > b.limit {
		room := b.limit - waiting
		if b.policy == Wait {
			room += int(b.reserve)
			b.paused = true
			b.wantsRelief.Store(true)
			result = pushFilled
		}
		if n > room {
			n, result = max(room, 0), pushFull
		}
	}
	for _, m := range mail[:n] {
		if m.From.serial == 0 {
			m.From = PID{}
		}
		b.append(item{from: m.From, body: m.Body})
	}
	b.counted += n
	p.rouse(waitingMail)
	return n, result
}
