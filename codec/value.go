package codec

import (
	"reflect"
	"slices"
	"time"
)

// plain are the types that everybody knows: bodies of these, and of slices and
// maps by string of these, are decoded without anybody naming them.
var plain = []reflect.Type{
	reflect.TypeFor[bool](), reflect.TypeFor[string](), bytesType, anyType,
	reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int16](), reflect.TypeFor[int32](), reflect.TypeFor[int64](),
	reflect.TypeFor[uint](), reflect.TypeFor[uint8](), reflect.TypeFor[uint16](), reflect.TypeFor[uint32](), reflect.TypeFor[uint64](),
	reflect.TypeFor[float32](), reflect.TypeFor[float64](),
	timeType, reflect.TypeFor[time.Duration](),
	reflect.TypeFor[[]any](), reflect.TypeFor[map[string]any](),
}

func isPlain(name string) bool {
	return slices.ContainsFunc(plain, func(t reflect.Type) bool { return t.String() == name }) || name == "any"
}

// basics are the plain types and what is made of them, by name. The set is
// fixed: were it open, hostile names could fill the memory with types.
var basics = func() map[string]reflect.Type {
	m := map[string]reflect.Type{}
	for _, t := range plain {
		for _, t := range []reflect.Type{t, reflect.SliceOf(t), reflect.MapOf(reflect.TypeFor[string](), t)} {
			m[Name(t)] = t
		}
	}
	return m
}()

// Value decodes a body of a basic type as just that: a "uint8" is a uint8.
// Basic are nil, bool, string, []byte, any, all integers and floats, time.Time,
// time.Duration, []any and map[string]any, and slices of these and maps by
// string of these. It says false if typeName is none of them, or data does not
// fit it.
//
// What stands in place of an any is an int64 (a uint64 if it is too large for
// that), float64, bool, string, []byte, time.Time, []any, map[string]any,
// map[any]any if not all keys are strings, or nil, whatever the sender had.
func Value(typeName string, data []byte) (v any, ok bool) {
	t := basics[typeName]
	if t == nil {
		return nil, typeName == "nil" && IsNil(data)
	}
	c, n, rest := next(data)
	switch { // the most frequent: these need no variable to decode into
	case typeName == "string" && c == text && n == uint64(len(rest)):
		return string(rest), true
	case typeName == "[]uint8" && c == blob && n == uint64(len(rest)):
		if shared(len(rest), len(data)) {
			return rest[:n:n], true
		}
		return append(make([]byte, 0, n), rest...), true
	}
	into := reflect.New(t).Elem()
	if typeOf(t).decodeAll(data, into) != nil {
		return nil, false
	}
	return into.Interface(), true
}
