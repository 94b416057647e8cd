package main

import "conclave/bench/child"

//go:generate go run conclave/cmd/codecgen -type lean

// plain travels by reflection, under the names of its fields.
type plain struct {
	ID   int64
	Text string
	Tags []byte
}

// lean is the same, but writes and reads itself, without names.
type lean struct {
	//lint:ignore U1000 codec looks at the tag
	_msgpack struct{} `msgpack:",as_array"`
	plain
}

type note interface {
	*plain | *lean
	content() *plain
}

func (p *plain) content() *plain { return p }

const (
	id    = 1 << 40
	text  = "the quick brown fox jumps over t"
	fixed = 8 + len(text) // the content besides Tags
)

// newNote has as many bytes of content as the others' bodies.
func newNote[T note](size int) (n T) {
	content := plain{ID: id, Text: text, Tags: child.Payload(size - fixed)}
	switch n := any(&n).(type) {
	case **plain:
		*n = &content
	case **lean:
		*n = &lean{plain: content}
	}
	return n
}

func intact[T note](v T, size int) bool {
	n := v.content()
	return n.ID == id && n.Text == text && child.Intact(n.Tags, size-fixed)
}
