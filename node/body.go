package node

import (
	"math"
	"reflect"
	"sync/atomic"

	"conclave/actor"
	"conclave/codec"
	"conclave/transport"
)

// remoteBody is a body that came over a link: bytes until a process names the type.
type remoteBody struct {
	to   uint64 // serial, or broken once it is known not to decode: see Decode
	from uint64 // serial
	way  *bodyWay
	typ  string
	data []byte
}

const broken = math.MaxUint64

// bodyWay is what bodies on one way have in common.
type bodyWay struct {
	system   *actor.System
	from, to actor.PID // of which nodes
}

// fill makes b the body of f, which came that way.
func (b *remoteBody) fill(way *bodyWay, f *transport.Frame) {
	b.way, b.typ, b.data, b.from, b.to = way, f.Type, f.Body, f.From, f.To
}

func newRemoteBody(way *bodyWay, f *transport.Frame) *remoteBody {
	b := new(remoteBody)
	b.fill(way, f)
	return b
}

func (b *remoteBody) TypeName() string { return b.typ }

func (b *remoteBody) Is(t reflect.Type) bool { return codec.Is(b.typ, t) }

func (b *remoteBody) IsNil() bool { return codec.IsNil(b.data) }

func (b *remoteBody) Decode(into any) error {
	err := codec.Decode(b.typ, b.data, into)
	if err != nil {
		if to := atomic.SwapUint64(&b.to, broken); to != broken {
			b.way.system.DeadLetter(actor.DeadLetter{
				From: b.way.from.WithSerial(b.from), To: b.way.to.WithSerial(to), Type: b.typ, Reason: actor.DeadUndecodable,
			})
		}
	}
	return err
}

func (b *remoteBody) Value() any {
	if v, ok := codec.Value(b.typ, b.data); ok {
		return v
	}
	return actor.Raw{Type: b.typ, Body: b.data}
}
