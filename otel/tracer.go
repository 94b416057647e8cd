package otel

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"conclave/actor"
)

// Option changes how New traces.
type Option func(*tracer)

// WithTracerProvider has spans made by tp instead of OpenTelemetry's global provider.
func WithTracerProvider(tp trace.TracerProvider) Option {
	return func(t *tracer) { t.spans = tp.Tracer(scope) }
}

// WithPropagator says what of a context travels, instead of W3C trace context and
// baggage.
func WithPropagator(p propagation.TextMapPropagator) Option {
	return func(t *tracer) { t.propagator = p }
}

const scope = "conclave/otel"

// New is a Tracer for node.Config, or for actor.SystemConfig. It is safe for
// concurrent use and can serve several nodes.
func New(opts ...Option) actor.Tracer {
	t := &tracer{propagator: propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})}
	for _, opt := range opts {
		opt(t)
	}
	if t.spans == nil {
		t.spans = otel.Tracer(scope)
	}
	return t
}

type tracer struct {
	spans      trace.Tracer
	propagator propagation.TextMapPropagator
}

func (t *tracer) Send(ctx context.Context, l actor.Letter) (string, func(error)) {
	verb, kind := "send ", trace.SpanKindProducer
	if l.Call {
		verb, kind = "call ", trace.SpanKindClient
	}
	ctx, span := t.spans.Start(ctx, verb+l.Type, trace.WithSpanKind(kind), trace.WithAttributes(attributes("send", l)...))
	var c carrier
	t.propagator.Inject(ctx, &c)
	return c.encode(), func(err error) { end(span, err) }
}

func (t *tracer) Receive(ctx context.Context, l actor.Letter, sent string) (context.Context, func(error)) {
	kind := trace.SpanKindConsumer
	if l.Call {
		kind = trace.SpanKindServer
	}
	ctx = t.propagator.Extract(ctx, decode(sent))
	ctx, span := t.spans.Start(ctx, "receive "+l.Type, trace.WithSpanKind(kind), trace.WithAttributes(attributes("process", l)...))
	return ctx, func(err error) { end(span, err) }
}

// end ends a span. That a process ended as it should is no error.
func end(span trace.Span, err error) {
	if err != nil && !errors.Is(err, actor.Normal) && !errors.Is(err, actor.Shutdown) {
		span.RecordError(err)
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}

func attributes(operation string, l actor.Letter) []attribute.KeyValue {
	to := l.Name
	if to == "" {
		to = l.To.String()
	}
	list := []attribute.KeyValue{
		attribute.String("messaging.system", "conclave"),
		attribute.String("messaging.operation.type", operation),
		attribute.String("messaging.destination.name", to),
	}
	if !l.From.IsZero() {
		list = append(list, attribute.String("conclave.from", l.From.String()))
	}
	if !l.Term.IsZero() {
		list = append(list,
			attribute.String("conclave.term.scope", l.Term.Scope()),
			attribute.Int64("conclave.term.number", l.Term.Number()))
	}
	return list
}
