package task

import (
	"bytes"
	"errors"
	"testing"

	"conclave/actor"
	"conclave/codec"
)

func TestRawBodyIsPassedOn(t *testing.T) {
	data, _, err := codec.Append(nil, map[string]any{"n": 1})
	if err != nil {
		t.Fatal(err)
	}
	s := Of("kind", actor.Raw{Type: "main.Job", Body: data})
	if s.Type != "main.Job" || !bytes.Equal(s.Body, data) {
		t.Errorf("the body is %x, a %s; want %x", s.Body, s.Type, data)
	}
	for _, bad := range [][]byte{nil, {0xc1}, append(data, 0xc0)} {
		if err := new(Of("kind", actor.Raw{Type: "main.Job", Body: bad})).check(DefaultMaxBody); !errors.Is(err, ErrBadTask) {
			t.Errorf("a Raw of %x: %v", bad, err)
		}
	}
}
