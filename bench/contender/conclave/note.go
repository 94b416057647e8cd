package main

import "conclave/bench/child"

//go:generate go run conclave/cmd/codecgen -type lean,fields

// plain travels by reflection, under the name of its field. It is what the others
// send: bytes.
type plain struct {
	Data []byte
}

// lean is the same, but writes and reads itself, without names.
type lean struct {
	//lint:ignore U1000 codec looks at the tag
	_msgpack struct{} `msgpack:",as_array"`
	plain
}

// fields has as many bytes of content in three fields, and writes and reads itself.
type fields struct {
	//lint:ignore U1000 codec looks at the tag
	_msgpack struct{} `msgpack:",as_array"`
	ID       int64
	Text     string
	Tags     []byte
}

type note[T any] interface {
	*T
	fill(size int)
	intact(size int) bool
}

func newNote[T any, N note[T]](size int) N {
	n := N(new(T))
	n.fill(size)
	return n
}

func (p *plain) fill(size int)        { p.Data = child.Payload(size) }
func (p *plain) intact(size int) bool { return child.Intact(p.Data, size) }

const (
	id    = 1 << 40
	text  = "the quick brown fox jumps over t"
	fixed = 8 + len(text) // the content besides Tags
)

func (f *fields) fill(size int) { f.ID, f.Text, f.Tags = id, text, child.Payload(size-fixed) }

func (f *fields) intact(size int) bool {
	return f.ID == id && f.Text == text && child.Intact(f.Tags, size-fixed)
}
