package otel_test

import (
	"context"
	"errors"
	"testing"
	"time"

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

// What a process sends later is within the message that it worked on when it set the
// timer, on whatever node; each tick of an interval is a trace of its own.
func TestTimersAreSpans(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
		done := make(chan error, 1)
		to := c.Node(1).Spawn(func(p *actor.Process) error {
			_, _, err := actor.Expect[order](p)
			if err == nil {
				_, _, err = actor.Expect[bool](p)
			}
			done <- err
			return err
		})
		clock := c.Node(0).Spawn(func(p *actor.Process) error {
			if _, err := p.Receive(); err != nil {
				return err
			}
			p.SendAfter(time.Second, to, order{"soup"})
			if _, err := p.SendEvery(2*time.Second, to, true); err != nil {
				return err
			}
			_, err := p.Receive()
			return err
		})
		if err := c.Node(0).Send(clock, "start"); err != nil {
			c.Error(err)
		}
		if err := <-done; err != nil {
			c.Error(err)
		}
	}, conclavetest.Configure(func(_ string, cfg *node.Config) {
		cfg.Tracer = otel.New(otel.WithTracerProvider(provider))
	}))
	all := spans.Ended()
	set := span(t, all, "receive string")
	later, read := span(t, all, "send otel_test.order"), span(t, all, "receive otel_test.order")
	if later.Parent().SpanID() != set.SpanContext().SpanID() || read.Parent().SpanID() != later.SpanContext().SpanID() {
		t.Errorf("sent later: below %v, read below %v", later.Parent().SpanID(), read.Parent().SpanID())
	}
	if took := later.StartTime().Sub(set.StartTime()); took < time.Second {
		t.Errorf("the span began %v after the timer was set", took)
	}
	tick, read := span(t, all, "send bool"), span(t, all, "receive bool")
	if tick.Parent().IsValid() || read.Parent().SpanID() != tick.SpanContext().SpanID() {
		t.Errorf("a tick: below %v, read below %v", tick.Parent().SpanID(), read.Parent().SpanID())
	}
}
