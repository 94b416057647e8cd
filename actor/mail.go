package actor

import "slices"

// Mail is a message from another node, or a call, without name, term, trace, or a
// node that wants to know what becomes of it. Its From has serial 0 if no process
// sent it.
type Mail struct {
	From PID
	Body any
	Call uint64 // the Ref of the Reply that its sender waits for; 0: it is no call
}

// DeliverMail hands on what came from another node for one process: the same as
// Deliver for each, in order, but for the price of one. mail may be used again
// afterwards.
func (s *System) DeliverMail(to PID, mail []Mail) Delivery {
	p := s.table.get(to.serial)
	if p == nil {
		s.refuseMail(to, mail, nil, DeadNoProcess)
		return Refused
	}
	mail, calls, over, ok := p.openCalls(mail)
	if !ok {
		s.refuseMail(to, mail, nil, DeadNoProcess)
		return Refused
	}
	s.refuseMail(to, over, nil, DeadMailboxFull)
	n, result := p.pushMail(mail, calls)
	switch result {
	case pushClosed:
		s.refuseMail(to, mail, calls, DeadNoProcess)
		return Refused
	case pushFull:
		s.refuseMail(to, mail[n:], calls[min(n, len(calls)):], DeadMailboxFull)
		return Refused
	case pushFilled:
		return Full
	}
	if len(over) > 0 {
		return Refused
	}
	return Accepted
}

// refuseMail is refuse for each of mail. calls are those among it that were opened,
// each at its place; nil: none was.
func (s *System) refuseMail(to PID, mail []Mail, calls []openCall, why DeadReason) {
	for i := range mail {
		m := &mail[i]
		var call *openCall
		if calls != nil && m.Call != 0 {
			call = &calls[i]
		}
		s.refuse(&Envelope{From: m.From, To: to, Ref: m.Call, Body: m.Body}, call, why)
	}
}

// openCalls opens the calls among mail, each at its place; nil if there are none.
// It says false when p has ended. Those that came together are allocated together.
// What p owes too many answers for is taken out of mail, in place.
func (p *Process) openCalls(mail []Mail) (rest []Mail, calls []openCall, over []Mail, ok bool) {
	for i := range mail {
		if mail[i].Call != 0 {
			calls = make([]openCall, len(mail))
			break
		}
	}
	if calls == nil {
		return mail, nil, nil, true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := 0; i < len(mail); i++ {
		if mail[i].Call == 0 {
			continue
		}
		c := &calls[i]
		c.from, c.ref, c.owner = mail[i].From, mail[i].Call, p
		c.claims.call = c
		switch p.openLocked(c) {
		case DeadNoProcess:
			return mail, nil, over, false
		case DeadMailboxFull:
			over = append(over, mail[i])
			mail = slices.Delete(mail, i, i+1)
			i--
		}
	}
	return mail, calls, over, true
}

// pushMail is push for many messages, with the reserve. It says how many it took.
func (p *Process) pushMail(mail []Mail, calls []openCall) (int, pushed) {
	b := &p.box
	b.mu.Lock()
	if b.door != doorOpen {
		b.mu.Unlock()
		return 0, pushClosed
	}
	result := pushOK
	n := len(mail)
	if waiting := b.size(); waiting+n > b.limit {
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
	for i := range mail[:n] {
		m := &mail[i]
		switch {
		case m.Call != 0:
			b.append(m.From, m.Body, &calls[i].claims)
		case m.From.serial == 0:
			b.append(PID{}, m.Body, nil)
		default:
			b.append(m.From, m.Body, nil)
		}
	}
	b.counted += n
	p.rouse(waitingMail)
	return n, result
}
