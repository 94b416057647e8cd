package node

import (
	"reflect"
	"sync/atomic"

	"conclave/actor"
	"conclave/codec"
)

// remoteBody is a body that came over a link: bytes until a process names the type.
type remoteBody struct {
	system *actor.System
	typ    string
	data   []byte
	from   actor.PID
	to     actor.PID
	broken atomic.Bool
}

func (b *remoteBody) TypeName() string { return b.typ }

func (b *remoteBody) Is(t reflect.Type) bool { return codec.Is(b.typ, t) }

func (b *remoteBody) Decode(into any) error {
	err := codec.Decode(b.typ, b.data, into)
	if err != nil && b.broken.CompareAndSwap(false, true) {
		b.system.DeadLetter(actor.DeadLetter{From: b.from, To: b.to, Type: b.typ, Reason: actor.DeadUndecodable})
	}
	return err
}

func (b *remoteBody) Value() any {
	if v, ok := codec.Value(b.typ, b.data); ok {
		return v
	}
	return actor.Raw{Type: b.typ, Body: b.data}
}
