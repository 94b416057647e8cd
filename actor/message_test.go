package actor

import (
	"encoding/json"
	"fmt"
	"testing"
)

func (o order) String() string { return o.Item }

func message(body any) Message { return Message{body: body} }

func TestPointerAndValueAreOneType(t *testing.T) {
	s := newSystem(t)
	o := order{Item: "spade", N: 3}
	for name, body := range map[string]any{
		"value": o, "pointer": &o, "remote": encoded(s, o, PID{}),
	} {
		m := message(body)
		if v, ok := As[order](m); !ok || v != o {
			t.Errorf("%s as value: %v, %v", name, v, ok)
		}
		if v, ok := As[*order](m); !ok || *v != o {
			t.Errorf("%s as pointer: %v, %v", name, v, ok)
		}
		if _, ok := As[string](m); ok {
			t.Errorf("%s is a string", name)
		}
	}
	if v, ok := As[*order](message(&o)); !ok || v != &o {
		t.Error("a pointer was sent by reference and arrived as another")
	}
	if v, ok := As[*order](message(o)); !ok || v == &o {
		t.Error("a value was read as a pointer to its sender's")
	}
	if _, ok := As[order](message((*order)(nil))); ok {
		t.Error("a nil pointer has a value")
	}
	if v, ok := As[*order](message((*order)(nil))); !ok || v != nil {
		t.Error("a nil pointer is not itself")
	}
	if v, ok := As[*order](message(encoded(s, (*order)(nil), PID{}))); !ok || v != nil {
		t.Error("a nil pointer from another node is not nil")
	}
	type pointer *order
	if v, ok := As[pointer](message(encoded(s, o, PID{}))); !ok || *v != o {
		t.Error("a value from another node is not read through a defined pointer type")
	}
}

func TestNilBodyIsOfNoType(t *testing.T) {
	m := message(nil)
	if _, ok := As[string](m); ok {
		t.Error("nil is a string")
	}
	if _, ok := As[*order](m); ok {
		t.Error("nil is a pointer")
	}
	if m.Body() != nil || m.Type() != "nil" || m.IsCall() {
		t.Errorf("%v of type %s", m.Body(), m.Type())
	}
}

func TestInterfacesMatchWhatImplementsThem(t *testing.T) {
	s := newSystem(t)
	if v, ok := As[fmt.Stringer](message(order{Item: "rake"})); !ok || v.String() != "rake" {
		t.Error("a local value is not the interface it implements")
	}
	if _, ok := As[error](message(order{})); ok {
		t.Error("a value is an interface that it does not implement")
	}
	if _, ok := As[fmt.Stringer](message(encoded(s, order{}, PID{}))); ok {
		t.Error("bytes of a type that nobody named implement an interface")
	}
	if v, ok := As[any](message(encoded(s, 7, PID{}))); !ok || v != 7 {
		t.Errorf("a basic remote value as any: %v", v)
	}
}

func TestUnclaimedTypeIsRaw(t *testing.T) {
	s := newSystem(t)
	m := message(encoded(s, order{Item: "hoe"}, PID{}))
	raw, ok := As[Raw](m)
	if !ok || raw.Type != "actor.order" || !json.Valid(raw.Body) {
		t.Fatalf("%v, %v", raw, ok)
	}
	if body, ok := m.Body().(Raw); !ok || body.Type != raw.Type {
		t.Errorf("Body gives %T", m.Body())
	}
	if m.Type() != "actor.order" {
		t.Errorf("Type gives %s", m.Type())
	}
	if _, ok := As[Raw](message(encoded(s, "text", PID{}))); ok {
		t.Error("a basic value is Raw")
	}
	if _, ok := As[Raw](message(order{})); ok {
		t.Error("a local value is Raw")
	}
}

func TestBytesThatDoNotDecodeAreOfNoType(t *testing.T) {
	s := newSystem(t)
	broken := encoded(s, order{}, PID{})
	broken.data = []byte("{")
	if _, ok := As[order](message(broken)); ok {
		t.Error("broken bytes were decoded")
	}
	if n := s.DeadLetters(DeadUndecodable); n != 1 {
		t.Errorf("%d dead letters, want 1", n)
	}
}

func TestMailFromOutsideHasNoSender(t *testing.T) {
	s := newSystem(t)
	seen := make(chan Message, 1)
	pid := s.SpawnHandler(handlerFunc(func(_ *Process, m Message) error { seen <- m; return nil }))
	_ = s.Send(t.Context(), pid, "hello")
	if m := <-seen; !m.From.IsZero() || !m.Term.IsZero() || m.IsCall() || m.Type() != "string" {
		t.Errorf("from %v, %v, a call: %v, a %s", m.From, m.Term, m.IsCall(), m.Type())
	}
}
