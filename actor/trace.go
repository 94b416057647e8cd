package actor

import "context"

// Tracer is a pair of hooks around sending and reading, so that a tracing system
// can follow work from process to process and from node to node. The module
// conclave/otel makes one of OpenTelemetry.
//
// Both hooks are called on the goroutine of whoever sends or reads and hold it up.
// Messages and calls are traced; replies belong to their call, and exit signals,
// Downs and what the runtime itself says are not traced.
type Tracer interface {
	// Send is called before a message or call is sent. ctx is the sending Process,
	// so that ctx.Value finds what belongs to the message it works on, or the
	// context that a sender outside any process gave.
	//
	// A timer's message is sent when it is due, and sent is called when it need not
	// wait for room any more. ctx is then, for SendAfter, the context of the message
	// that the process worked on when it set the timer; for SendEvery, whose ticks
	// would make a trace without an end of it, and from outside any process, it is
	// empty.
	//
	// carrier travels with the message and is what Receive gets at the other end: at
	// most MaxCarrier bytes, or it is left at home. Empty means none. sent, unless it is
	// nil, is called once with what Send, or Call, returns: for a message when it is
	// on its way, for a call when its answer is there.
	Send(ctx context.Context, l Letter) (carrier string, sent func(error))

	// Receive is called when a process is handed a message. The context it returns,
	// derived from ctx, is where the process's own Value looks while it works on the
	// message. done, unless it is nil, is called once when that is over: with nil
	// when the process reads on, with the reason when it has ended.
	Receive(ctx context.Context, l Letter, carrier string) (of context.Context, done func(error))
}

// MaxCarrier is how many bytes of trace context can travel with a message.
const MaxCarrier = 1 << 10

// Letter is what a Tracer is told of a message.
type Letter struct {
	From PID // zero when it was sent from outside any process
	To   PID
	Name string // instead of a serial in To: a local name there
	Type string // of the body, as a name
	Term Term
	Call bool // the sender waits for a reply
}

func (e *Envelope) letter() Letter {
	return Letter{From: e.From, To: e.To, Name: e.Name, Type: typeName(e.Body), Term: e.Term, Call: e.Kind == KindCall}
}

// traceSend tells the Tracer of e, which takes up what is to travel with it. It
// returns what is to be called when e is sent; nil if there is nothing.
func (s *System) traceSend(ctx context.Context, e *Envelope) func(error) {
	carrier, sent := s.cfg.Tracer.Send(ctx, e.letter())
	if len(carrier) <= MaxCarrier {
		e.Carrier = carrier
	}
	return sent
}

// tracing is the message that a process works on.
type tracing struct {
	ctx  context.Context
	done func(error)
}

// traceReceive tells the Tracer that p is handed m.
func (p *Process) traceReceive(m *Message) {
	if isSignal(m.body) {
		return
	}
	l := Letter{From: m.From, To: p.pid, Type: typeName(m.body), Term: m.Term, Call: m.IsCall()}
	carrier := ""
	if m.claims != nil {
		carrier = m.claims.carrier
	}
	ctx, done := p.sys.cfg.Tracer.Receive(context.Background(), l, carrier)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tiesLocked().tracing = &tracing{ctx, done}
}

// traced is the context of the message that p works on.
func (p *Process) traced() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ties == nil || p.ties.tracing == nil {
		return nil
	}
	return p.ties.tracing.ctx
}

// traceDone tells the Tracer that p works no longer on the message it was handed
// last, if it was handed one.
func (p *Process) traceDone(err error) {
	p.mu.Lock()
	var t *tracing
	if p.ties != nil {
		t, p.ties.tracing = p.ties.tracing, nil
	}
	p.mu.Unlock()
	if t != nil && t.done != nil {
		t.done(err)
	}
}

// tracedBody is the body of a timer where there is a Tracer.
type tracedBody struct {
	body    any
	within  context.Context
	carrier string
	sent    func(error)
}

// trace has the Tracer told when t fires.
func (t *Timer) trace() {
	b := &tracedBody{body: t.body, within: context.Background()}
	if p := t.sender(); p != nil && t.every == 0 {
		if ctx := p.traced(); ctx != nil {
			b.within = ctx
		}
	}
	t.body = b
}

// beginTrace tells the Tracer, if there is one, that t is being sent.
func (t *Timer) beginTrace(s *System) {
	b, traced := t.body.(*tracedBody)
	if !traced {
		return
	}
	if p := t.sender(); p != nil && p.CheckTerm() != nil {
		return // nor will it be sent
	}
	e := t.envelope()
	e.Body = b.body
	b.sent = s.traceSend(b.within, &e)
	b.carrier = e.Carrier
}

// endTrace tells the Tracer what became of a timer with that body.
func endTrace(body any, err error) {
	b, traced := body.(*tracedBody)
	if !traced || b.sent == nil {
		return
	}
	if err == errNobody {
		err = nil
	}
	b.sent(err)
	b.sent = nil
}
