package otel_test

import (
	"context"
	"errors"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"conclave/actor"
	"conclave/conclavetest"
	"conclave/node"
	"conclave/otel"
)

type order struct{ What string }

func span(t *testing.T, spans []sdktrace.ReadOnlySpan, name string) sdktrace.ReadOnlySpan {
	t.Helper()
	for _, s := range spans {
		if s.Name() == name {
			return s
		}
	}
	t.Fatalf("there is no span %q in %v", name, names(spans))
	return nil
}

func names(spans []sdktrace.ReadOnlySpan) (list []string) {
	for _, s := range spans {
		list = append(list, s.Name())
	}
	return list
}

// What two nodes do about one call is one trace: the caller's span, the server's
// within it, what the server's code opens within that, and the message it sends on.
func TestWorkOnTwoNodesIsOneTrace(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	own := provider.Tracer("test")
	conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
		told := make(chan struct{})
		logbook := c.Node(0).Spawn(func(p *actor.Process) error {
			_, err := p.Receive()
			close(told)
			if err != nil {
				return err
			}
			<-p.Done()
			return p.Err()
		})
		cook := c.Node(1).Spawn(func(p *actor.Process) error {
			o, m, err := actor.Expect[order](p)
			if err != nil {
				return err
			}
			_, s := own.Start(p, "cook")
			s.End()
			if err := p.Send(logbook, o.What); err != nil {
				return err
			}
			if err := p.Reply(m, true); err != nil {
				return err
			}
			return errors.New("the pan is broken")
		})
		ctx, root := own.Start(context.Background(), "root")
		if _, err := actor.Call[bool](c.Node(0).With(ctx), cook, order{"soup"}); err != nil {
			c.Error(err)
		}
		root.End()
		<-told
	}, conclavetest.Configure(func(_ string, cfg *node.Config) {
		cfg.Tracer = otel.New(otel.WithTracerProvider(provider))
	}))
	all := spans.Ended()
	root := span(t, all, "root").SpanContext()
	parent := root
	for _, want := range []struct {
		name string
		kind trace.SpanKind
	}{
		{"call otel_test.order", trace.SpanKindClient},
		{"receive otel_test.order", trace.SpanKindServer},
		{"send string", trace.SpanKindProducer},
		{"receive string", trace.SpanKindConsumer},
	} {
		s := span(t, all, want.name)
		if s.SpanContext().TraceID() != root.TraceID() || s.Parent().SpanID() != parent.SpanID() || s.SpanKind() != want.kind {
			t.Errorf("%s: %v in trace %v below %v, want %v in %v below %v", want.name, s.SpanKind(),
				s.SpanContext().TraceID(), s.Parent().SpanID(), want.kind, root.TraceID(), parent.SpanID())
		}
		parent = s.SpanContext()
	}
	cooking := span(t, all, "receive otel_test.order")
	if s := span(t, all, "cook"); s.Parent().SpanID() != cooking.SpanContext().SpanID() {
		t.Error("what the cook's code opens is not within the order")
	}
	if s := cooking.Status(); s.Code != codes.Error || s.Description != "the pan is broken" {
		t.Errorf("the order ended with %v", s)
	}
	if s := span(t, all, "call otel_test.order").Status(); s.Code != codes.Unset {
		t.Errorf("the call ended with %v", s)
	}
	has := attribute.String("messaging.system", "conclave")
	for _, kv := range cooking.Attributes() {
		if kv == has {
			return
		}
	}
	t.Errorf("attributes %v", cooking.Attributes())
}
