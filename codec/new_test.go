package codec

import (
	"errors"
	"reflect"
	"testing"
)

func TestNewIsDecodeIntoANewVariable(t *testing.T) {
	type point struct{ X, Y int }
	type pointer *point
	sent := point{1, 2}
	data, name, err := Append(nil, sent)
	if err != nil {
		t.Fatal(err)
	}
	two := &sent
	for _, want := range []any{&sent, &two, pointer(&sent)} {
		v, is, err := New(name, data, reflect.TypeOf(want))
		if !is || err != nil || !reflect.DeepEqual(v, want) {
			t.Errorf("into a %T: %#v, %v, %v", want, v, is, err)
		}
	}
	if v, is, err := New(name, data, reflect.TypeFor[point]()); !is || err != nil || !reflect.DeepEqual(v, &sent) {
		t.Errorf("into a point: %#v, %v, %v", v, is, err)
	}
	null, _, err := Append(nil, (*point)(nil))
	if err != nil {
		t.Fatal(err)
	}
	if v, is, err := New(name, null, reflect.TypeFor[*point]()); !is || err != nil || v != (*point)(nil) {
		t.Errorf("nil into a *point: %#v, %v, %v", v, is, err)
	}
	if v, is, err := New(name, null, reflect.TypeFor[point]()); !is || err != nil || *v.(*point) != (point{}) {
		t.Errorf("nil into a point: %#v, %v, %v", v, is, err)
	}
	for _, other := range []reflect.Type{reflect.TypeFor[string](), reflect.TypeFor[*string](), reflect.TypeFor[any](), nil} {
		if v, is, err := New(name, data, other); v != nil || is || err != nil {
			t.Errorf("a %s is read as %v: %v, %v, %v", name, other, v, is, err)
		}
	}
	for _, into := range []reflect.Type{reflect.TypeFor[point](), reflect.TypeFor[*point]()} {
		if v, is, err := New(name, []byte{0xc1}, into); v != nil || !is || !errors.Is(err, ErrDecode) {
			t.Errorf("what is broken is a %v: %v, %v, %v", into, v, is, err)
		}
	}
}
