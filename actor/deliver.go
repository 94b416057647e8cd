package actor

// Deliver hands an envelope that came from another node, or a signal, to the
// process it is for.
func (s *System) Deliver(e Envelope) Delivery {
	switch e.Kind {
	case KindMessage, KindCall:
		return s.deliverMail(e)
	case KindReply, KindReplyError:
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
	refuse := func(r DeadReason, reason error, d Delivery) Delivery {
		s.DeadLetter(e.dead(r))
		if e.Ref != 0 {
			s.tell(Envelope{Kind: KindReplyError, From: e.To, To: e.From, Ref: e.Ref, Reason: reason})
		}
		return d
	}
	if !s.admit(e) {
		return refuse(DeadStaleTerm, ErrTermOver, Stale)
	}
	serial := e.To.serial
	if e.Name != "" {
		serial = s.Whereis(e.Name).serial
	}
	p := s.table.get(serial)
	if p == nil {
		if e.Name != "" {
			return refuse(DeadNoName, NoProcess, Refused)
		}
		return refuse(DeadNoProcess, &EndedError{PID: e.To}, Refused)
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
			return refuse(why, refusal(why, e.To), Refused)
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
		if call != nil {
			call.close(callAnswered)
		}
		return refuse(DeadMailboxFull, ErrMailboxFull, Refused)
	case pushStale:
		if call != nil {
			call.close(callAnswered)
		}
		return refuse(DeadStaleTerm, ErrTermOver, Stale)
	case pushClosed:
		if call != nil {
			s.DeadLetter(e.dead(DeadNoProcess))
			call.fail(&EndedError{PID: e.To}) // if the process's end has not told the caller yet
			return Refused
		}
		return refuse(DeadNoProcess, &EndedError{PID: e.To}, Refused)
	}
	s.confirm(e)
	return Accepted
}

// confirm answers a message whose sender's node wants to know of its acceptance.
func (s *System) confirm(e Envelope) {
	if e.Kind == KindMessage && e.Ref != 0 {
		s.tell(Envelope{Kind: KindReply, From: e.To, To: e.From, Ref: e.Ref})
	}
}

// Full says whether the mailbox of a process, for which Deliver said Full, has
// not been relieved since.
func (s *System) Full(pid PID) bool {
	p := s.table.get(pid.serial)
	return p != nil && p.full()
}
