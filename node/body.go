package node

import (
	"reflect"
	"sync/atomic"

	"conclave/actor"
	"conclave/codec"
	"conclave/transport"
)

// remoteBody is a body that came over a link: bytes until a process names the type.
// Of those that wait in mailboxes there may be very many, so what it has in common
// with others stands elsewhere, and the garbage collector finds one pointer.
type remoteBody struct {
	sort *bodySort
	at   uint32 // in the sort's memory; with broken once it is known not to decode
	size uint32
}

const broken = 1 << 31

// bodySort is what bodies have in common that came together, are for one process
// and of one type.
type bodySort struct {
	way    *bodyWay
	to     uint64 // serial
	typ    string
	memory []byte // what they lie in: less than broken, or a single body's own
}

// bodyWay is what bodies on one way have in common.
type bodyWay struct {
	system   *actor.System
	from, to actor.PID // of which nodes
}

// in says whether bodies of this sort lie in that memory.
func (s *bodySort) in(memory []byte) bool { return &s.memory[0] == &memory[0] }

// newRemoteBody is a body that comes alone.
func newRemoteBody(way *bodyWay, f *transport.Frame) *remoteBody {
	b := new(struct {
		body remoteBody
		sort bodySort
	})
	b.sort = bodySort{way, f.To, f.Type, f.Body}
	b.body = remoteBody{&b.sort, 0, uint32(len(f.Body))}
	return &b.body
}

// data cannot be grown into a neighbour's.
func (b *remoteBody) data() []byte {
	at := atomic.LoadUint32(&b.at) &^ broken
	end := at + b.size
	return b.sort.memory[at:end:end]
}

func (b *remoteBody) TypeName() string { return b.sort.typ }

func (b *remoteBody) Decode(t reflect.Type, from actor.PID) (v any, is bool, err error) {
	v, is, err = codec.New(b.sort.typ, b.data(), t)
	if err != nil && atomic.OrUint32(&b.at, broken)&broken == 0 {
		way := b.sort.way
		way.system.DeadLetter(actor.DeadLetter{
			From: way.from.WithSerial(from.Serial()), To: way.to.WithSerial(b.sort.to),
			Type: b.sort.typ, Reason: actor.DeadUndecodable,
		})
	}
	return v, is, err
}

func (b *remoteBody) Value() any {
	if v, ok := codec.Value(b.sort.typ, b.data()); ok {
		return v
	}
	return actor.Raw{Type: b.sort.typ, Body: b.data()}
}
