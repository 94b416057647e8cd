package codec

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"
)

// All decoders here take nil for the zero value: the sender's type may have a
// pointer where the receiver's has none.

func misfit(c class, t reflect.Type) error {
	if c == none {
		return errNone
	}
	return fmt.Errorf("%s does not fit %s", c, t)
}

func decodeBool(b []byte, v reflect.Value) ([]byte, error) {
	c, n, rest := next(b)
	if c != boolean && c != null {
		return nil, misfit(c, v.Type())
	}
	v.SetBool(n == 1)
	return rest, nil
}

func decodeInt(b []byte, v reflect.Value) ([]byte, error) {
	c, n, rest := next(b)
	switch {
	case c == null:
		n = 0
	case c != unsigned && c != signed:
		return nil, misfit(c, v.Type())
	case c == unsigned && n > math.MaxInt64 || v.OverflowInt(int64(n)):
		return nil, overflow(c, n, v.Type())
	}
	v.SetInt(int64(n))
	return rest, nil
}

func decodeUint(b []byte, v reflect.Value) ([]byte, error) {
	c, n, rest := next(b)
	switch {
	case c == null:
		n = 0
	case c != unsigned && c != signed:
		return nil, misfit(c, v.Type())
	case c == signed && int64(n) < 0 || v.OverflowUint(n):
		return nil, overflow(c, n, v.Type())
	}
	v.SetUint(n)
	return rest, nil
}

func overflow(c class, n uint64, t reflect.Type) error {
	if c == signed {
		return fmt.Errorf("%d does not fit %s", int64(n), t)
	}
	return fmt.Errorf("%d does not fit %s", n, t)
}

func decodeFloat(b []byte, v reflect.Value) ([]byte, error) {
	c, n, rest := next(b)
	f, ok := asFloat(c, n)
	if !ok {
		return nil, misfit(c, v.Type())
	}
	if v.OverflowFloat(f) {
		return nil, fmt.Errorf("%g does not fit %s", f, v.Type())
	}
	v.SetFloat(f)
	return rest, nil
}

// asFloat is a number of any class as a float, 0 for nil.
func asFloat(c class, n uint64) (f float64, ok bool) {
	switch c {
	case null:
		return 0, true
	case float64s:
		return math.Float64frombits(n), true
	case float32s:
		return float64(math.Float32frombits(uint32(n))), true
	case unsigned:
		return float64(n), true
	case signed:
		return float64(int64(n)), true
	}
	return 0, false
}

func decodeString(b []byte, v reflect.Value) ([]byte, error) {
	c, n, rest := next(b)
	switch c {
	case null:
		return rest, nil
	case text, blob:
		if n > uint64(len(rest)) {
			return nil, errTruncated
		}
		v.SetString(string(rest[:n]))
		return rest[n:], nil
	}
	return nil, misfit(c, v.Type())
}

func decodeBytes(b []byte, v reflect.Value) ([]byte, error) {
	c, n, rest := next(b)
	switch c {
	case null:
		v.SetZero()
		return rest, nil
	case text, blob:
		if n > uint64(len(rest)) {
			return nil, errTruncated
		}
		v.SetBytes(append(make([]byte, 0, n), rest[:n]...))
		return rest[n:], nil
	}
	return nil, misfit(c, v.Type())
}

func decodeBytesWhole(b []byte, v reflect.Value) ([]byte, error) { return decodeBytesOf(b, len(b), v) }

// decodeBytesOf reads bytes in a body of that length.
func decodeBytesOf(b []byte, body int, v reflect.Value) ([]byte, error) {
	c, n, rest := next(b)
	if c != text && c != blob || n > uint64(len(rest)) || !shared(int(n), body) {
		return decodeBytes(b, v)
	}
	v.SetBytes(rest[:n:n])
	return rest[n:], nil
}

func decodeByteArray(b []byte, v reflect.Value) ([]byte, error) {
	c, n, rest := next(b)
	switch c {
	case null:
		return rest, nil
	case text, blob:
		if n > uint64(len(rest)) {
			return nil, errTruncated
		}
		if n > uint64(v.Len()) {
			return nil, fmt.Errorf("%d bytes do not fit %s", n, v.Type())
		}
		copy(v.Bytes(), rest[:n])
		return rest[n:], nil
	}
	return nil, misfit(c, v.Type())
}

func decodeTime(b []byte, v reflect.Value) ([]byte, error) {
	c, n, rest := next(b)
	switch c {
	case null:
		return rest, nil
	case extension:
		if n >= uint64(len(rest)) {
			return nil, errTruncated
		}
		secs, nanos, err := parseTime(rest[:n+1])
		if err != nil {
			return nil, err
		}
		*v.Addr().Interface().(*time.Time) = time.Unix(secs, int64(nanos)).UTC()
		return rest[n+1:], nil
	}
	return nil, misfit(c, v.Type())
}

func decodeSlice(elem *coder, b []byte, v reflect.Value) ([]byte, error) {
	c, n, rest := next(b)
	switch c {
	case null:
		v.SetZero()
		return rest, nil
	case array:
	default:
		return nil, misfit(c, v.Type())
	}
	if n == 0 {
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		return rest, nil
	}
	v.SetZero()
	v.Grow(int(n)) // there are as many elements: skip has seen them
	v.SetLen(int(n))
	var err error
	for i := range int(n) {
		if rest, err = elem.decode(rest, v.Index(i)); err != nil {
			return nil, withinIndex(i, err)
		}
	}
	return rest, nil
}

func decodeArray(elem *coder, b []byte, v reflect.Value) ([]byte, error) {
	c, n, rest := next(b)
	switch {
	case c == null:
		return rest, nil
	case c != array:
		return nil, misfit(c, v.Type())
	case n > uint64(v.Len()):
		return nil, fmt.Errorf("%d elements do not fit %s", n, v.Type())
	}
	var err error
	for i := range int(n) {
		if rest, err = elem.decode(rest, v.Index(i)); err != nil {
			return nil, withinIndex(i, err)
		}
	}
	return rest, nil
}

func decodeMap(key, elem *coder, b []byte, v reflect.Value) ([]byte, error) {
	c, n, rest := next(b)
	switch c {
	case null:
		v.SetZero()
		return rest, nil
	case table:
	default:
		return nil, misfit(c, v.Type())
	}
	t := v.Type()
	m := reflect.MakeMapWithSize(t, int(n))
	k, e := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
	var err error
	for range n {
		k.SetZero()
		e.SetZero()
		if rest, err = key.decode(rest, k); err != nil {
			return nil, within("[key]", err)
		}
		if !k.Comparable() {
			return nil, fmt.Errorf("a %s cannot be a key", k.Elem().Type())
		}
		if rest, err = elem.decode(rest, e); err != nil {
			return nil, within(keyStep(k), err)
		}
		m.SetMapIndex(k, e)
	}
	v.Set(m)
	return rest, nil
}

func decodeInterface(b []byte, v reflect.Value) ([]byte, error) {
	x, rest, err := untyped(b)
	if err == nil && x != nil {
		v.Set(reflect.ValueOf(x))
	}
	return rest, err
}

func decodeError(b []byte, v reflect.Value) ([]byte, error) {
	c, n, rest := next(b)
	switch c {
	case null:
		return rest, nil
	case text, blob:
		v.Set(reflect.ValueOf(errors.New(string(rest[:n]))))
		return rest[n:], nil
	}
	return nil, misfit(c, v.Type())
}

// untyped reads the first value of b, which skip has passed, as what an any can
// hold: nil, bool, int64 (uint64 if it is larger), float64, string, []byte,
// time.Time, []any, map[string]any, or map[any]any if not all keys are strings.
func untyped(b []byte) (x any, rest []byte, err error) {
	c, n, rest := next(b)
	switch c {
	case null:
		return nil, rest, nil
	case boolean:
		return n == 1, rest, nil
	case unsigned:
		if n > math.MaxInt64 {
			return n, rest, nil
		}
		return int64(n), rest, nil
	case signed:
		return int64(n), rest, nil
	case float32s:
		return float64(math.Float32frombits(uint32(n))), rest, nil
	case float64s:
		return math.Float64frombits(n), rest, nil
	case text:
		return string(rest[:n]), rest[n:], nil
	case blob:
		return append(make([]byte, 0, n), rest[:n]...), rest[n:], nil
	case extension:
		secs, nanos, err := parseTime(rest[:n+1])
		return time.Unix(secs, int64(nanos)).UTC(), rest[n+1:], err
	case array:
		list := make([]any, n)
		for i := range list {
			if list[i], rest, err = untyped(rest); err != nil {
				return nil, nil, withinIndex(i, err)
			}
		}
		return list, rest, nil
	}
	return untypedMap(int(n), rest)
}

func untypedMap(n int, b []byte) (x any, rest []byte, err error) {
	byText := make(map[string]any, n)
	for i := range n {
		c, size, rest := next(b)
		if c != text {
			return untypedMapOf(byText, n-i, b)
		}
		key := string(rest[:size])
		if byText[key], b, err = untyped(rest[size:]); err != nil {
			return nil, nil, within(keyStep(reflect.ValueOf(key)), err)
		}
	}
	return byText, b, nil
}

// untypedMapOf goes on with the n pairs of a map after one has turned up whose
// key is no string.
func untypedMapOf(byText map[string]any, n int, b []byte) (x any, rest []byte, err error) {
	m := make(map[any]any, len(byText)+n)
	for key, value := range byText {
		m[key] = value
	}
	for range n {
		var key, value any
		if key, b, err = untyped(b); err != nil {
			return nil, nil, within("[key]", err)
		}
		k := reflect.ValueOf(key)
		if key != nil && !k.Comparable() {
			return nil, nil, fmt.Errorf("a %T cannot be a key", key)
		}
		if value, b, err = untyped(b); err != nil {
			return nil, nil, within("[…]", err)
		}
		m[key] = value
	}
	return m, b, nil
}
