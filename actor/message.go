package actor

import (
	"reflect"
)

// Message is one piece of mail. Its body is read with [As], [Expect] or a [Mux].
type Message struct {
	From PID  // the sender; zero when it was sent from outside any process
	Term Term // the term it was sent under; zero for mail that claims none

	body   any
	claims *claims // nil for most
}

// item is a message as it lies in a mailbox: small, since most have no claims.
type item struct {
	from   PID
	body   any
	claims *claims // nil for most
}

// claims are what few messages come with. They do not change.
type claims struct {
	term    Term
	carrier string    // of the Tracer
	call    *openCall // set when somebody waits for a reply
}

// claimsOf are nil for mail that comes with nothing.
func claimsOf(t Term, carrier string) *claims {
	if t.IsZero() && carrier == "" {
		return nil
	}
	return &claims{term: t, carrier: carrier}
}

func (c *claims) openCall() *openCall {
	if c == nil {
		return nil
	}
	return c.call
}

func (it *item) call() *openCall   { return it.claims.openCall() }
func (m *Message) call() *openCall { return m.claims.openCall() }

// confirmed says whether the message was confirmed to its sender's node: from is
// that node then, and no process. An Exited that a node caused looks the same but
// for its body.
func (it *item) confirmed() bool {
	return it.from.serial == 0 && it.call() == nil && !it.from.IsZero() && !isSignal(it.body)
}

// clear drops what it holds on to, and is quicker than to zero it.
func (it *item) clear() { it.body, it.claims = nil, nil }

// takeOut makes m, which is empty, what the receiver sees, with no sender if no
// process sent it, and clears the item.
func (it *item) takeOut(m *Message) {
	m.body = it.body
	it.body = nil
	if c := it.claims; c != nil {
		m.Term, m.claims = c.term, c
		it.claims = nil
		if c.call != nil {
			c.call.taken = true
		}
	}
	if it.from.serial != 0 || m.call() != nil {
		m.From.node, m.From.serial = it.from.node, it.from.serial
	}
}

// IsCall says whether the sender waits for a Reply.
func (m Message) IsCall() bool { return m.call() != nil }

// Body is the body as it is: the very value sent when the sender is on this
// node; when it came from another, a string, number, bool, []byte, or slice or
// map of these as itself, and anything else as [Raw]. Large bytes of it are shared
// with all who read the message again, and a Raw's are always: see [As].
func (m Message) Body() any {
	if e, ok := m.body.(Encoded); ok {
		return e.Value()
	}
	return m.body
}

// Type is the stable name of the body's type, for logs.
func (m Message) Type() string { return typeName(m.body) }

func typeName(body any) string {
	switch b := body.(type) {
	case nil:
		return "nil"
	case Encoded:
		return b.TypeName()
	default:
		t := reflect.TypeOf(body)
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		return t.String()
	}
}

// Encoded is a body that came from another node and is still bytes: it is
// decoded when somebody names its type. The node supplies it.
type Encoded interface {
	// TypeName is the name that the sender gave the body's type.
	TypeName() string
	// Decode says whether t, or what t points at, goes by that name, and then reads
	// the body into a new variable, which it returns a pointer to: a t if t is a
	// pointer, which is nil if nil was sent, and else a pointer to a t. When it fails,
	// it has made the body a dead letter, from whom its message is.
	Decode(t reflect.Type, from PID) (v any, is bool, err error)
	// Value is the body decoded without being told a type: a basic value or Raw.
	Value() any
}

// Raw is a body whose type nobody here has named: the name its sender gave it
// and its msgpack bytes, which are not copied.
type Raw struct {
	Type string
	Body []byte
}

// As is the body of m as a T. A pointer and the value it points at are the same
// type here: a *Job that was sent is read as a Job or as a *Job. T may be an
// interface for mail from this node, and [Raw] for mail from another. It says
// false for any other type, and for bytes that do not decode.
//
// Mail from this node is the sender's value itself. Mail from another is decoded
// anew by each As, but large bytes in it are not copied: like all bytes of mail
// from this node, who reads the message again, or its Raw, sees what was done to
// them. (A []byte of 4 KiB or more that is at least half of the body: the body
// itself, or a field of the struct that is the body.)
func As[T any](m Message) (T, bool) {
	v, err, _ := as[T](m.body, m.From, m.call())
	return v, err == nil
}

// as tells apart what is of another type (errOtherType) and what is of the type
// but broken; claimed is true in the second case. call, if there is one, fails then.
func as[T any](body any, from PID, call *openCall) (v T, err error, claimed bool) {
	switch b := body.(type) {
	case T:
		// An Encoded may itself be the interface asked for; its value is meant.
		if reflect.TypeFor[T]().Kind() != reflect.Interface || !isEncoded(body) {
			return b, nil, true
		}
	case *T:
		if b != nil {
			return *b, nil, true
		}
	}
	return asOther[T](body, from, call)
}

// asOther is the part of as that has work to do.
func asOther[T any](body any, from PID, call *openCall) (v T, err error, claimed bool) {
	want := reflect.TypeFor[T]()
	if e, ok := body.(Encoded); ok {
		into, is, err := e.Decode(want, from)
		switch {
		case err != nil:
			call.fail(err)
			return v, err, true
		case is:
			if p, ok := into.(*T); ok { // asked first: an any takes everything
				return *p, nil, true
			}
			return into.(T), nil, true
		case want == reflect.TypeFor[Raw]() || want.Kind() == reflect.Interface:
			if v, ok := e.Value().(T); ok {
				return v, nil, true
			}
		}
		return v, errOtherType, false
	}
	if body == nil {
		return v, errOtherType, false
	}
	if want.Kind() == reflect.Pointer && want.Elem() == reflect.TypeOf(body) {
		p := reflect.New(want.Elem())
		p.Elem().Set(reflect.ValueOf(body))
		return p.Interface().(T), nil, true
	}
	return v, errOtherType, false
}

func isEncoded(body any) bool {
	_, ok := body.(Encoded)
	return ok
}

type otherType struct{}

func (otherType) Error() string { return "of another type" }

var errOtherType error = otherType{}

// Exited is what a process that traps exits gets as a message instead of
// stopping, when a process it is linked with ends or somebody tells it to Exit.
type Exited struct {
	From   PID
	Reason error
}

// Ref names one Monitor.
type Ref uint64

// Down tells a monitoring process that the other has ended, was never there
// ([NoProcess]), or cannot be known about any more ([LinkLost]).
type Down struct {
	Ref    Ref
	PID    PID
	Reason error
}

func isSignal(body any) bool {
	switch body.(type) {
	case Exited, Down:
		return true
	}
	return false
}
