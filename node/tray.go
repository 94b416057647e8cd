package node

import (
	"math/bits"
	"sync"

	"conclave/transport"
)

// tray is where processes put plain mail for one lane: they share an outbox with
// everybody who sends to that node, and on several processors would mostly wait
// for each other. What is on trays is taken into the outbox before anything else
// is, and before anybody asks what is in it, so it is as if it had been there since
// it was put down. A process always uses the same tray, and what is not plain goes
// to the outbox: so what one process sends stays in order.
type tray struct {
	mu    sync.Mutex
	buf   []byte
	count uint64 // frames in buf: messages, calls and replies
	types [4]knownType
	next  uint8 // of types, to be replaced
	shut  bool  // nothing is taken any more

	_ [48]byte // each has cache lines of its own
}

// knownType is the name of a type that the peer knows under that code.
type knownType struct {
	name string
	code uint64
}

const (
	trays    = 8       // of an outbox
	trayRoom = 8 << 10 // bytes; with more on it, it is time to take it in
	plainMax = 2 << 10 // bytes of a body that goes on a tray
)

// isPlain says whether f can go on a tray, if the peer knows its type.
func (o *outbox) isPlain(f *transport.Frame) bool {
	return f.From != 0 && len(f.Body) <= o.plainMax && isMail(f.Kind) && f.Type != "" &&
		f.ToName == "" && f.Scope == "" && f.TermNumber == 0 && len(f.Ext) == 0 && f.Flags == 0
}

// tray is that of the process from.
func (o *outbox) tray(from uint64) (t *tray, bit uint32) {
	i := from * 0x9e3779b97f4a7c15 >> 61
	return &o.trays[i], 1 << i
}

// put puts f, which is plain, on its sender's tray. It says no when the way is by
// the outbox itself.
func (o *outbox) put(f *transport.Frame) bool {
	t, bit := o.tray(f.From)
	t.mu.Lock()
	if t.shut || len(t.buf) >= trayRoom || o.full.Load() {
		t.mu.Unlock()
		return false
	}
	for i := range t.types {
		if k := &t.types[i]; k.name == f.Type {
			t.buf = transport.AppendPlain(t.buf, f, k.code)
			if t.count++; t.count == 1 {
				o.laid.Or(bit)
			}
			t.mu.Unlock()
			o.rouse()
			return true
		}
	}
	t.mu.Unlock()
	return false
}

// learn remembers a type's code.
func (t *tray) learn(name string, code uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.types {
		if t.types[i].name == name {
			return
		}
	}
	t.types[t.next%uint8(len(t.types))] = knownType{name, code}
	t.next++
}

// gather takes in what is on the trays. It is called under o.mu.
func (o *outbox) gather() {
	for laid := o.laid.Load(); laid != 0; laid &= laid - 1 {
		i := bits.TrailingZeros32(laid)
		t := &o.trays[i]
		t.mu.Lock()
		o.take(t, 1<<i)
		t.mu.Unlock()
	}
}

// take is gather of one tray, under t.mu.
func (o *outbox) take(t *tray, bit uint32) {
	if t.count == 0 {
		return
	}
	o.buf = o.enc.Adopt(o.buf, t.buf, t.count)
	o.mail += int(t.count)
	o.heaped = o.heaped || cap(t.buf) > trayRoom/2
	t.buf, t.count = t.buf[:0], 0
	o.laid.And(^bit)
	o.grown()
}

// shut is gather for the last time: nothing is put on a tray from now on.
func (o *outbox) shut() {
	for i := range o.trays {
		t := &o.trays[i]
		t.mu.Lock()
		o.take(t, 1<<i)
		t.shut, t.buf = true, nil
		t.mu.Unlock()
	}
}

// clear gives the trays' memory back.
func (o *outbox) clear() {
	for i := range o.trays {
		t := &o.trays[i]
		t.mu.Lock()
		if t.count == 0 {
			t.buf = nil
		}
		t.mu.Unlock()
	}
}
