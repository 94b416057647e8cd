package codec

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"
)

// The Read functions are for methods ReadMsgpack. Each reads the first value of
// b, which may be any bytes, into what into points at and returns what follows
// it. They take nil for the zero value.

// Skip passes over the first value of b, in which at most depth arrays and maps
// may be inside each other.
func Skip(b []byte, depth int) (rest []byte, err error) { return skip(b, 1, depth) }

// ReadBool reads true or false.
func ReadBool[T ~bool](b []byte, into *T) (rest []byte, err error) {
	c, n, rest := next(b)
	if c != boolean && c != null {
		return nil, misfit(c, reflect.TypeFor[T]())
	}
	*into = n == 1
	return rest, nil
}

// ReadInt reads an integer of any form. One that does not fit is an error.
func ReadInt[T ~int | ~int8 | ~int16 | ~int32 | ~int64](b []byte, into *T) (rest []byte, err error) {
	c, n, rest := next(b)
	switch {
	case c == null:
		n = 0
	case c != unsigned && c != signed:
		return nil, misfit(c, reflect.TypeFor[T]())
	case c == unsigned && n > math.MaxInt64 || int64(T(n)) != int64(n):
		return nil, overflow(c, n, reflect.TypeFor[T]())
	}
	*into = T(n)
	return rest, nil
}

// ReadUint reads an integer of any form. One that does not fit is an error.
func ReadUint[T ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64](b []byte, into *T) (rest []byte, err error) {
	c, n, rest := next(b)
	switch {
	case c == null:
		n = 0
	case c != unsigned && c != signed:
		return nil, misfit(c, reflect.TypeFor[T]())
	case c == signed && int64(n) < 0 || uint64(T(n)) != n:
		return nil, overflow(c, n, reflect.TypeFor[T]())
	}
	*into = T(n)
	return rest, nil
}

// ReadFloat reads a float or an integer. One too large for a float32 is an error.
func ReadFloat[T ~float32 | ~float64](b []byte, into *T) (rest []byte, err error) {
	c, n, rest := next(b)
	f, ok := asFloat(c, n)
	if !ok {
		return nil, misfit(c, reflect.TypeFor[T]())
	}
	*into = T(f)
	if math.IsInf(float64(*into), 0) && !math.IsInf(f, 0) {
		return nil, fmt.Errorf("%g does not fit %s", f, reflect.TypeFor[T]())
	}
	return rest, nil
}

// ReadString reads a string, or bytes as one.
func ReadString[T ~string](b []byte, into *T) (rest []byte, err error) {
	if start, end := short(b); end > 0 {
		*into = T(b[start:end])
		return b[end:], nil
	}
	content, rest, err := cut(b, reflect.TypeFor[T])
	*into = T(content)
	return rest, err
}

// ReadBytes reads bytes, or a string as such.
func ReadBytes[T ~[]byte](b []byte, into *T) (rest []byte, err error) {
	if start, end := short(b); end > 0 {
		*into = append(make(T, 0, end-start), b[start:end]...)
		return b[end:], nil
	}
	content, rest, err := cut(b, reflect.TypeFor[T])
	if content == nil {
		*into = nil
		return rest, err
	}
	*into = append(make(T, 0, len(content)), content...)
	return rest, nil
}

// ReadBytesOf is ReadBytes for bytes in a body of that length, which [BodyLen]
// says. If they make up much of it, they are not copied, see [Decode].
func ReadBytesOf[T ~[]byte](b []byte, body int, into *T) (rest []byte, err error) {
	c, n, rest := next(b)
	if c != text && c != blob || n > uint64(len(rest)) || !shared(int(n), body) {
		return ReadBytes(b, into)
	}
	*into = T(rest[:n:n])
	return rest[n:], nil
}

// BodyLen is how long the body is that b is, as a method ReadMsgpack got it with
// that depth; 0 if b is a part of one.
func BodyLen(b []byte, depth int) int {
	if depth < MaxDepth {
		return 0
	}
	return len(b)
}

// leastShared is what is short enough to be copied. A longer body that a link
// brings has memory of its own.
const leastShared = 4 << 10

// shared says whether n bytes of a body stay a part of it: not if that pins more
// than it saves. A body of 0 is not known.
func shared(n, body int) bool { return n >= leastShared && body > 0 && n >= body-n }

// short finds the content of a string or bytes in the most frequent, short
// forms. If b begins with none, or does not have all of it, end is 0.
func short(b []byte) (start, end int) {
	if len(b) < 2 {
		return 0, 0
	}
	switch code := b[0]; {
	case code&^31 == fixStr:
		start, end = 1, 1+int(code&31)
	case code == codeStr8 || code == codeBin8:
		start, end = 2, 2+int(b[1])
	}
	if end > len(b) {
		end = 0
	}
	return start, end
}

// ReadByteArray reads bytes into an array, given as a slice of all of it. Fewer
// bytes leave the rest zero, more are an error.
func ReadByteArray(b []byte, into []byte) (rest []byte, err error) {
	content, rest, err := cut(b, reflect.TypeFor[[]byte])
	if len(content) > len(into) {
		return nil, fmt.Errorf("%d bytes do not fit [%d]uint8", len(content), len(into))
	}
	clear(into[copy(into, content):])
	return rest, err
}

// cut takes a string or bytes off b; content is nil for nil, and only for that.
func cut(b []byte, t func() reflect.Type) (content, rest []byte, err error) {
	c, n, rest := next(b)
	switch {
	case c == null:
		return nil, rest, nil
	case c != text && c != blob:
		return nil, nil, misfit(c, t())
	case n > uint64(len(rest)):
		return nil, nil, errTruncated
	}
	return rest[:n:n], rest[n:], nil
}

// ReadTime reads a timestamp, in UTC.
func ReadTime(b []byte, into *time.Time) (rest []byte, err error) {
	c, n, rest := next(b)
	switch {
	case c == null:
		*into = time.Time{}
		return rest, nil
	case c != extension:
		return nil, misfit(c, timeType)
	case n >= uint64(len(rest)):
		return nil, errTruncated
	}
	secs, nanos, err := parseTime(rest[:n+1])
	if err != nil {
		return nil, err
	}
	*into = time.Unix(secs, int64(nanos)).UTC()
	return rest[n+1:], nil
}

// ReadPointer reads a value that is behind a pointer.
func ReadPointer[T any](b []byte, depth int, into **T, elem func(b []byte, depth int, into *T) ([]byte, error)) (rest []byte, err error) {
	if len(b) > 0 && b[0] == codeNil {
		*into = nil
		return b[1:], nil
	}
	made := new(T)
	rest, err = elem(b, depth, made)
	*into = made
	return rest, err
}

// room is how many elements of a claimed number to make room for before any of
// them has been seen. Of all lengths in a body that are not true, only those on
// the way to where it ends can have been believed, so what they cost is bounded.
func room(claimed int, size uintptr) int {
	return min(claimed, 16+4096/int(max(1, size)))
}

// ReadSlice reads an array, its elements with elem.
func ReadSlice[S ~[]E, E any](b []byte, depth int, into *S, elem func(b []byte, depth int, into *E) ([]byte, error)) (rest []byte, err error) {
	n, rest, err := readLen(b, depth, array, reflect.TypeFor[S])
	if n < 0 || err != nil {
		*into = nil
		return rest, err
	}
	s := make(S, room(n, reflect.TypeFor[E]().Size()))
	for i := range n {
		if i == len(s) {
			s = slices.Grow(s, min(n-i, i))
			s = s[:min(n, cap(s))]
		}
		if rest, err = elem(rest, depth-1, &s[i]); err != nil {
			return nil, withinIndex(i, err)
		}
	}
	*into = s
	return rest, nil
}

// ReadArray reads an array into one of Go, given as a slice of all of it. Fewer
// elements leave the rest zero, more are an error.
func ReadArray[E any](b []byte, depth int, into []E, elem func(b []byte, depth int, into *E) ([]byte, error)) (rest []byte, err error) {
	clear(into)
	n, rest, err := readLen(b, depth, array, reflect.TypeFor[[]E])
	if n > len(into) {
		return nil, fmt.Errorf("%d elements do not fit [%d]%s", n, len(into), reflect.TypeFor[E]())
	}
	for i := range n {
		if rest, err = elem(rest, depth-1, &into[i]); err != nil {
			return nil, withinIndex(i, err)
		}
	}
	return rest, err
}

// ReadMap reads a map, its keys with key and its values with elem. The keys are
// of a type whose values can all be keys: no interface.
func ReadMap[M ~map[K]E, K comparable, E any](b []byte, depth int, into *M,
	key func(b []byte, depth int, into *K) ([]byte, error), elem func(b []byte, depth int, into *E) ([]byte, error)) (rest []byte, err error) {
	n, rest, err := readLen(b, depth, table, reflect.TypeFor[M])
	if n < 0 || err != nil {
		*into = nil
		return rest, err
	}
	m := make(M, room(n, reflect.TypeFor[K]().Size()+reflect.TypeFor[E]().Size()))
	var pair struct { // one for all of them: each is written over by the next
		key  K
		elem E
	}
	for range n {
		if rest, err = key(rest, depth-1, &pair.key); err != nil {
			return nil, within("[key]", err)
		}
		if rest, err = elem(rest, depth-1, &pair.elem); err != nil {
			return nil, within(keyStep(reflect.ValueOf(pair.key)), err)
		}
		m[pair.key] = pair.elem
	}
	*into = m
	return rest, nil
}

// readLen takes the head off an array or map; n is -1 for nil.
func readLen(b []byte, depth int, want class, t func() reflect.Type) (n int, rest []byte, err error) {
	c, count, rest := next(b)
	switch {
	case c == null:
		return -1, rest, nil
	case c != want:
		return -1, nil, misfit(c, t())
	case count > uint64(len(rest)) || c == table && 2*count > uint64(len(rest)):
		return -1, nil, errTruncated
	case depth <= 0:
		return -1, nil, ErrDepth
	}
	return int(count), rest, nil
}

// ReadReflected reads a value as one of a type that does not read itself.
func ReadReflected[T any](b []byte, depth int, into *T) (rest []byte, err error) {
	if rest, err = skip(b, 1, depth); err != nil {
		return nil, err
	}
	v := reflect.ValueOf(into).Elem()
	v.SetZero()
	_, err = typeOf(v.Type()).coder().decode(b[:len(b)-len(rest)], v)
	return rest, err
}
