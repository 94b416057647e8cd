package actor

// Deliver hands an envelope that came from another node, or a signal, to the
// process it is for.
func (s *System) Deliver(e Envelope) Delivery {
	switch e.Kind {
	case KindMessage, KindCall:
		return s.deliverMail(e)
	case KindReply, KindReplyError, KindConfirm:
		return s.deliverReply(e)
	case KindLink:
		if !s.link(e.To, e.From) {
			s.tell(Envelope{Kind: KindExit, From: e.To, To: e.From, Reason: NoProcess})
		}
	case KindMonitor:
		if !s.watch(e.To, watcher{e.From, e.Ref}) {
			s.tell(Envelope{Kind: KindDown, From: e.To, To: e.From, Ref: e.Ref, Reason: NoProcess})
		}
	default:
		p := s.table.get(e.To.serial)
		if p == nil {
			return Accepted // signals to who is gone need no answer
		}
		switch e.Kind {
		case KindCancel:
			p.forget(e.From, e.Ref)
		case KindUnlink:
			p.unlink(e.From)
		case KindExit:
			p.signal(e.From, orNormal(e.Reason), true)
		case KindStop:
			if !s.admit(e) {
				return Stale
			}
			p.signal(e.From, orNormal(e.Reason), false)
		case KindDemonitor:
			p.unwatch(watcher{e.From, e.Ref})
		case KindDown:
			p.down(Ref(e.Ref), e.From, e.Reason)
		}
	}
	return Accepted
}

// deliverMail hands on a message or a call from another node.
func (s *System) deliverMail(e Envelope) Delivery {
	if !s.admit(e) {
		s.refuse(&e, nil, DeadStaleTerm)
		return Stale
	}
	serial := e.To.serial
	if e.Name != "" {
		serial = s.Whereis(e.Name).serial
	}
	p := s.table.get(serial)
	if p == nil {
		why := DeadNoProcess
		if e.Name != "" {
			why = DeadNoName
		}
		s.refuse(&e, nil, why)
		return Refused
	}
	if e.Kind == KindMessage && e.Ref != 0 && p.lapsed() {
		s.refuse(&e, nil, DeadNoProcess)
		return Refused
	}
	from := e.From
	if e.Kind == KindMessage && e.From.serial == 0 && e.Ref == 0 {
		from = PID{} // sent from outside any process
	}
	var c *claims
	var call *openCall
	if e.Kind == KindCall {
		var why DeadReason
		if call, why = p.newCall(e); call == nil {
			s.refuse(&e, nil, why)
			return Refused
		}
		c = &call.claims
	} else {
		c = claimsOf(e.Term, e.Carrier)
	}
	// Mail by name has no reserve: its senders do not know whom to pause for.
	switch p.push(from, e.Body, c, e.Name == "") {
	case pushFilled:
		s.confirm(e)
		return Full
	case pushFull:
		s.refuse(&e, call, DeadMailboxFull)
		return Refused
	case pushStale:
		s.refuse(&e, call, DeadStaleTerm)
		return Stale
	case pushClosed:
		s.refuse(&e, call, DeadNoProcess)
		return Refused
	}
	s.confirm(e)
	return Accepted
}

// refuse makes a dead letter of e and tells whoever waits for an answer to it why.
// call is that, if it was opened already: when the process's end has answered it
// by now, it is not answered twice.
func (s *System) refuse(e *Envelope, call *openCall, why DeadReason) {
	s.DeadLetter(e.dead(why))
	if e.Ref != 0 && (call == nil || call.close(callAnswered)) {
		s.tell(Envelope{Kind: KindReplyError, From: e.To, To: e.From, Ref: e.Ref, Reason: refusal(why, e.To)})
	}
}

// refusal is what a caller gets when its call is not taken.
func refusal(why DeadReason, to PID) error {
	switch why {
	case DeadMailboxFull:
		return ErrMailboxFull
	case DeadStaleTerm:
		return ErrTermOver
	case DeadNoName:
		return NoProcess
	}
	return &EndedError{PID: to}
}

// confirm answers a message whose sender's node wants to know of its acceptance.
func (s *System) confirm(e Envelope) {
	if e.Kind == KindMessage && e.Ref != 0 {
		s.tell(Envelope{Kind: KindConfirm, From: e.To, To: e.From, Ref: e.Ref})
	}
}

// Full says whether the mailbox of a process, for which Deliver said Full, has
// not been relieved since.
func (s *System) Full(pid PID) bool {
	p := s.table.get(pid.serial)
	return p != nil && p.full()
}
