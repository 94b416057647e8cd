package codec

import (
	"reflect"
)

func (b builder) structure(c *coder, t reflect.Type) {
	l, err := b.layout(t)
	switch {
	case err != nil:
		c.refuse(err)
		return
	case l.asArray:
		c.encode = l.encodeArray
	case l.optional:
		c.encode = l.encodeSome
	default:
		c.encode = l.encodeAll
	}
	c.decode = func(b []byte, v reflect.Value) ([]byte, error) { return l.decode(b, 0, v) }
	c.whole = func(b []byte, v reflect.Value) ([]byte, error) { return l.decode(b, len(b), v) }
	c.checks = true
	for _, f := range l.fields {
		c.checks = c.checks && isFlat(f.t)
	}
}

func (l *layout) encodeAll(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	if depth == 0 {
		return nil, ErrDepth
	}
	dst = AppendMapLen(dst, len(l.fields))
	var err error
	for i := range l.fields {
		f := &l.fields[i]
		at, _ := f.in(v)
		if dst, err = f.encode(append(dst, f.key...), at, depth-1); err != nil {
			return nil, within("."+f.name, err)
		}
	}
	return dst, nil
}

// encodeSome is encodeAll for types with fields that may be left out. The number
// of pairs is put in afterwards, in a head that has room for all.
func (l *layout) encodeSome(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	if depth == 0 {
		return nil, ErrDepth
	}
	start := len(dst)
	dst = AppendMapLen(dst, len(l.fields))
	head, n := len(dst)-start, 0
	var err error
	for i := range l.fields {
		f := &l.fields[i]
		at, ok := f.in(v)
		if !ok || f.omitEmpty && isEmpty(at) {
			continue
		}
		n++
		if dst, err = f.encode(append(dst, f.key...), at, depth-1); err != nil {
			return nil, within("."+f.name, err)
		}
	}
	switch head {
	case 1:
		dst[start] = fixMap | byte(n)
	case 3:
		dst[start+1], dst[start+2] = byte(n>>8), byte(n)
	default: // more than 65,535 fields
		dst[start+1], dst[start+2], dst[start+3], dst[start+4] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	}
	return dst, nil
}

func (l *layout) encodeArray(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	if depth == 0 {
		return nil, ErrDepth
	}
	dst = AppendArrayLen(dst, len(l.fields))
	var err error
	for i := range l.fields {
		f := &l.fields[i]
		at, ok := f.in(v)
		if !ok {
			dst = append(dst, codeNil)
			continue
		}
		if dst, err = f.encode(dst, at, depth-1); err != nil {
			return nil, within("."+f.name, err)
		}
	}
	return dst, nil
}

// decode takes a map or an array, whichever the sender's type travels as. body is
// the length of the body if that is the struct; else 0.
func (l *layout) decode(b []byte, body int, v reflect.Value) ([]byte, error) {
	c, n, rest := next(b)
	switch c {
	case null:
		return rest, nil
	case table:
		return l.decodeMap(int(n), rest, body, v)
	case array:
		return l.decodeArray(int(n), rest, body, v)
	}
	return nil, misfit(c, v.Type())
}

func (l *layout) decodeMap(n int, b []byte, body int, v reflect.Value) ([]byte, error) {
	var err error
	fresh := 0 // from this field on, none has been set
	for due := 0; n > 0; n-- {
		if due, b, err = l.names.Next(b, due); err != nil {
			return nil, err
		}
		if due < 0 {
			b, err = skip(b, 1, MaxDepth-1)
		} else {
			b, err = l.fields[due].decodeIn(v, b, body, due >= fresh)
			fresh = max(fresh, due+1)
		}
		if err != nil {
			return nil, err
		}
		due++
	}
	return b, nil
}

func (l *layout) decodeArray(n int, b []byte, body int, v reflect.Value) ([]byte, error) {
	var err error
	for i := range l.fields[:min(n, len(l.fields))] {
		if b, err = l.fields[i].decodeIn(v, b, body, true); err != nil {
			return nil, err
		}
	}
	if n > len(l.fields) {
		return skip(b, uint64(n-len(l.fields)), MaxDepth-1)
	}
	return b, nil
}

// decodeIn reads the field into struct v. It is zero if it is fresh; hostile
// bytes can name a field twice.
func (f *field) decodeIn(v reflect.Value, b []byte, body int, fresh bool) ([]byte, error) {
	at := f.made(v)
	if !fresh {
		at.SetZero()
	}
	var rest []byte
	var err error
	if body >= leastShared && f.bytes {
		rest, err = decodeBytesOf(b, body, at)
	} else {
		rest, err = f.coder.decode(b, at)
	}
	if err != nil {
		return nil, within("."+f.name, err)
	}
	return rest, nil
}
