// Package otel attaches OpenTelemetry to Conclave: a message is a span where it is
// sent and a span where it is worked on, the second a child of the first, whatever
// node it is on. It is a module of its own, so that Conclave itself depends on no
// tracing system.
//
//	n, err := node.Start(ctx, node.Config{Tracer: otel.New(), …})
//
// A Process is a context, and the span of the message that it works on is in it:
//
//	func (c *cook) Receive(p *actor.Process, m actor.Message) error {
//		ctx, span := tracer.Start(p, "look for the salt") // within the span of m
//
// What a Process sends while it works on a message is within that message's span,
// and a call's span lasts until its answer is there. So is what it sends later by
// SendAfter: its span begins when the timer is due. The ticks of SendEvery, and what
// is sent later from outside any process, are traces of their own. A node without a Tracer breaks
// the trace, and nothing else.
//
// # Spans
//
//	send TYPE     producer   message; until it is on its way
//	call TYPE     client     call; until the answer
//	receive TYPE  consumer   message: from when the process is handed it until it asks
//	              server     for the next one, or its Handler returns; call: likewise
//
// TYPE is the stable name of the body's type. Attributes are messaging.system
// (conclave), messaging.operation.type, messaging.destination.name (the receiver's
// PID, or local name), conclave.from, and, for what is sent under a term,
// conclave.term.scope and conclave.term.number. An error of Send, Call, or the
// process that worked on the message is recorded and is the span's status.
//
// # On the wire
//
// The trace context is what the propagator says (W3C's traceparent, tracestate and
// baggage by default), as names and values, each a uvarint length and bytes; see
// docs/wire.md, extension 1. More than actor.MaxCarrier bytes are left out.
package otel
