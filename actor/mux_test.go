package actor

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// shopMux writes into the log what reached which function.
func shopMux(log *logOf) *Mux {
	x := &Mux{}
	On(x, func(_ *Process, e fmt.Stringer, _ Message) error { log.add("stringer"); return nil })
	On(x, func(_ *Process, r Raw, _ Message) error { log.add("raw:%s", r.Type); return nil })
	On(x, func(_ *Process, o order, _ Message) error { log.add("order:%s", o.Item); return nil })
	On(x, func(_ *Process, n *int, _ Message) error { log.add("int:%d", *n); return nil })
	return x
}

func TestMuxFindsTheFunctionForTheType(t *testing.T) {
	s := newSystem(t)
	n := 5
	bodies := []any{
		order{Item: "a"}, &order{Item: "b"}, encoded(s, order{Item: "c"}, PID{}),
		n, &n, encoded(s, n, PID{}),
		testNode("x"), // only a Stringer
		encoded(s, testNode("x"), PID{}),
	}
	const want = "order:a order:b order:c int:5 int:5 int:5 stringer raw:actor.NodeID"
	var inFunc logOf
	must(t, s, func(p *Process) error {
		x := shopMux(&inFunc)
		for _, body := range bodies {
			if err := x.Receive(p, message(body)); err != nil {
				return err
			}
		}
		return nil
	})
	if inFunc.String() != want {
		t.Errorf("in a Func: %s\nwant %s", &inFunc, want)
	}
	var inHandler logOf
	x := shopMux(&inHandler)
	x.Else(func(_ *Process, m Message) error { return Normal })
	pid := s.SpawnHandler(x)
	for _, body := range bodies {
		s.Deliver(Envelope{Kind: KindMessage, To: pid, Body: body})
	}
	s.Deliver(Envelope{Kind: KindMessage, To: pid, Body: "for Else"})
	_ = ended(s, pid)
	if inHandler.String() != want {
		t.Errorf("as a Handler: %s\nwant %s", &inHandler, want)
	}
}

func TestLaterFunctionForATypeReplacesTheEarlier(t *testing.T) {
	s := newSystem(t)
	for name, body := range map[string]any{"local": order{}, "remote": encoded(s, order{}, PID{})} {
		var log logOf
		x := &Mux{}
		On(x, func(_ *Process, _ order, _ Message) error { log.add("first"); return nil })
		On(x, func(_ *Process, _ *order, _ Message) error { log.add("second"); return nil })
		must(t, s, func(p *Process) error { return x.Receive(p, message(body)) })
		if log.String() != "second" {
			t.Errorf("%s mail went to the %s function", name, &log)
		}
	}
}

func TestMuxHandsErrorsOn(t *testing.T) {
	s := newSystem(t)
	x := &Mux{}
	On(x, func(*Process, int, Message) error { return errTest })
	pid := s.SpawnHandler(x)
	end := make(chan error, 1)
	s.AtEnd(pid, func(_ PID, reason error) { end <- reason })
	_ = s.Send(t.Context(), pid, 1)
	wantErr(t, <-end, errTest)
}

func TestMuxWithoutAFunctionTellsTheCaller(t *testing.T) {
	var dead letters
	s := newSystem(t, collecting(&dead))
	x := &Mux{}
	On(x, func(*Process, int, Message) error { return nil })
	pid := s.SpawnHandler(x)
	_ = s.Send(t.Context(), pid, "unhandled")
	_, err := s.Request(t.Context(), pid, order{})
	if err == nil || !strings.Contains(err.Error(), "actor.order") {
		t.Errorf("the caller of what is not handled got %v", err)
	}
	if n := s.DeadLetters(DeadUnhandled); n != 2 {
		t.Errorf("%d dead letters, want 2", n)
	}
	types := []string{dead.list()[0].Type, dead.list()[1].Type}
	if !slices.Equal(types, []string{"string", "actor.order"}) {
		t.Errorf("dead letters of %v", types)
	}
}

func TestMuxDropsBrokenBodiesAndTellsTheCaller(t *testing.T) {
	w := newWire(t)
	here, _ := w.node("a")
	there, _ := w.node("b")
	x := &Mux{}
	On(x, func(*Process, order, Message) error { return errors.New("was called") })
	x.Else(func(*Process, Message) error { return errors.New("else was called") })
	pid := here.SpawnHandler(x)
	must(t, there, func(p *Process) error {
		broken := Raw{Type: "actor.order", Body: []byte("1")}
		_, err := p.Request(pid, broken)
		if err == nil {
			return errors.New("a broken body was answered")
		}
		return nil
	})
	if !here.Alive(pid) {
		t.Error("a broken body ended its receiver")
	}
	p := here.table.get(pid.serial)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls != nil {
		t.Error("the call is still open")
	}
}
