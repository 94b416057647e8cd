package codec

import (
	"encoding/binary"
	"math"
	"reflect"
	"time"
)

// The Append functions are for methods AppendMsgpack. What is longer than msgpack
// can express, 4 GiB, is a panic in them, which [Append] turns into its error.

// AppendNil appends nil.
func AppendNil(dst []byte) []byte { return append(dst, codeNil) }

// appendSized appends code and n in the fewest of 1, 2, 4 or 8 bytes; code is
// the one for a single byte, those for more follow it.
func appendSized(dst []byte, code byte, n uint64) []byte {
	switch {
	case n <= math.MaxUint8:
		return append(dst, code, byte(n))
	case n <= math.MaxUint16:
		return append(dst, code+1, byte(n>>8), byte(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, code+2), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, code+3), n)
}

// AppendUint appends the shortest integer that holds n.
func AppendUint(dst []byte, n uint64) []byte {
	if n <= 0x7f {
		return append(dst, byte(n))
	}
	return appendSized(dst, codeUint8, n)
}

// AppendInt appends the shortest integer that holds n.
func AppendInt(dst []byte, n int64) []byte {
	switch {
	case n >= 0:
		return AppendUint(dst, uint64(n))
	case n >= -32:
		return append(dst, byte(n))
	case n >= math.MinInt8:
		return append(dst, codeInt8, byte(n))
	case n >= math.MinInt16:
		return append(dst, codeInt8+1, byte(n>>8), byte(n))
	case n >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(dst, codeInt8+2), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, codeInt8+3), uint64(n))
}

// AppendBool appends true or false.
func AppendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, codeTrue)
	}
	return append(dst, codeFalse)
}

// AppendFloat32 appends a float 32.
func AppendFloat32(dst []byte, f float32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, codeFloat32), math.Float32bits(f))
}

// AppendFloat64 appends a float 64.
func AppendFloat64(dst []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, codeFloat64), math.Float64bits(f))
}

// AppendString appends a str.
func AppendString(dst []byte, s string) []byte {
	if len(s) < 32 {
		dst = append(dst, fixStr|byte(len(s)))
	} else {
		dst = appendSized(dst, codeStr8, fits(len(s)))
	}
	return append(dst, s...)
}

// AppendBytes appends a bin, or nil if b is nil.
func AppendBytes(dst, b []byte) []byte {
	if b == nil {
		return append(dst, codeNil)
	}
	return append(appendSized(dst, codeBin8, fits(len(b))), b...)
}

// AppendArrayLen appends the head of an array: n elements follow.
func AppendArrayLen(dst []byte, n int) []byte { return appendLen(dst, fixArray, codeArray16, n) }

// AppendMapLen appends the head of a map: n pairs follow, of key and value.
func AppendMapLen(dst []byte, n int) []byte { return appendLen(dst, fixMap, codeMap16, n) }

func appendLen(dst []byte, fix, code16 byte, n int) []byte {
	switch {
	case n < 16:
		return append(dst, fix|byte(n))
	case n <= math.MaxUint16:
		return append(dst, code16, byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, code16+1), uint32(fits(n)))
}

// fits lets a length pass that msgpack can express.
func fits(n int) uint64 {
	if uint64(n) > math.MaxUint32 {
		panic(errTooLong)
	}
	return uint64(n)
}

// AppendTime appends the timestamp extension in the shortest of its three forms.
func AppendTime(dst []byte, t time.Time) []byte {
	secs, nanos := uint64(t.Unix()), uint64(t.Nanosecond())
	switch {
	case secs>>34 != 0:
		return appendLongTime(dst, secs, uint32(nanos))
	case nanos == 0 && secs <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, codeFixExt4, extTime), uint32(secs))
	}
	return binary.BigEndian.AppendUint64(append(dst, codeFixExt8, extTime), nanos<<34|secs)
}

func appendLongTime(dst []byte, secs uint64, nanos uint32) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, codeExt8, 12, extTime), nanos)
	return binary.BigEndian.AppendUint64(dst, secs)
}

// AppendSlice appends s as an array, its elements with elem, or nil if s is nil.
func AppendSlice[S ~[]E, E any](dst []byte, depth int, s S, elem func(dst []byte, depth int, e E) ([]byte, error)) ([]byte, error) {
	if s == nil {
		return append(dst, codeNil), nil
	}
	return AppendArray(dst, depth, s, elem)
}

// AppendArray appends all of s as an array, its elements with elem.
func AppendArray[E any](dst []byte, depth int, s []E, elem func(dst []byte, depth int, e E) ([]byte, error)) ([]byte, error) {
	if depth <= 0 {
		return nil, ErrDepth
	}
	dst = AppendArrayLen(dst, len(s))
	var err error
	for i, e := range s {
		if dst, err = elem(dst, depth-1, e); err != nil {
			return nil, withinIndex(i, err)
		}
	}
	return dst, nil
}

// AppendMap appends m as a map, its keys with key and its values with elem, or
// nil if m is nil.
func AppendMap[M ~map[K]E, K comparable, E any](dst []byte, depth int, m M,
	key func(dst []byte, depth int, k K) ([]byte, error), elem func(dst []byte, depth int, e E) ([]byte, error)) ([]byte, error) {
	if m == nil {
		return append(dst, codeNil), nil
	}
	if depth <= 0 {
		return nil, ErrDepth
	}
	dst = AppendMapLen(dst, len(m))
	var err error
	for k, e := range m {
		if dst, err = key(dst, depth-1, k); err == nil {
			dst, err = elem(dst, depth-1, e)
		}
		if err != nil {
			return nil, within(keyStep(reflect.ValueOf(k)), err)
		}
	}
	return dst, nil
}

// AppendPointer appends what p points at, with elem, or nil.
func AppendPointer[T any](dst []byte, depth int, p *T, elem func(dst []byte, depth int, e T) ([]byte, error)) ([]byte, error) {
	if p == nil {
		return append(dst, codeNil), nil
	}
	return elem(dst, depth, *p)
}

// AppendReflected appends a value of a type that does not write itself.
func AppendReflected[T any](dst []byte, depth int, value T) ([]byte, error) {
	v := reflect.ValueOf(&value).Elem() // an interface stays one
	return typeOf(v.Type()).coder().encode(dst, v, depth)
}

// IsEmpty says whether the field of a struct is left out if it is tagged
// omitempty: what has no length, is zero, nil or false, or says so by a method
// IsZero.
func IsEmpty[T any](value T) bool { return isEmpty(reflect.ValueOf(&value).Elem()) }
