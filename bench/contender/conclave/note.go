package main

import (
	"github.com/vmihailenco/msgpack/v5"

	"conclave/bench/child"
)

// plain travels by reflection.
type plain struct {
	ID   int64
	Text string
	Tags []byte
}

// lean is the same, but writes and reads itself.
type lean plain

type note interface{ *plain | *lean }

const (
	id    = 1 << 40
	text  = "the quick brown fox jumps over t"
	fixed = 8 + len(text) // the content besides Tags
)

// newNote has as many bytes of content as the others' bodies.
func newNote[T note](size int) T {
	return T(&plain{ID: id, Text: text, Tags: child.Payload(size - fixed)})
}

func intact[T note](v T, size int) bool {
	n := (*plain)(v)
	return n.ID == id && n.Text == text && child.Intact(n.Tags, size-fixed)
}

func (l *lean) EncodeMsgpack(e *msgpack.Encoder) error {
	if err := e.EncodeArrayLen(3); err != nil {
		return err
	}
	if err := e.EncodeInt(l.ID); err != nil {
		return err
	}
	if err := e.EncodeString(l.Text); err != nil {
		return err
	}
	return e.EncodeBytes(l.Tags)
}

func (l *lean) DecodeMsgpack(d *msgpack.Decoder) (err error) {
	if _, err = d.DecodeArrayLen(); err != nil {
		return err
	}
	if l.ID, err = d.DecodeInt64(); err != nil {
		return err
	}
	if l.Text, err = d.DecodeString(); err != nil {
		return err
	}
	l.Tags, err = d.DecodeBytes()
	return err
}
