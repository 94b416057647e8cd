package codec

import (
	"fmt"
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
	c.decode = l.decode
}

func (l *layout) encodeAll(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	if depth == 0 {
		return nil, errDepth
	}
	dst = appendMapLen(dst, len(l.fields))
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
		return nil, errDepth
	}
	start := len(dst)
	dst = appendMapLen(dst, len(l.fields))
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
		return nil, errDepth
	}
	dst = appendArrayLen(dst, len(l.fields))
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

// decode takes a map or an array, whichever the sender's type travels as.
func (l *layout) decode(b []byte, v reflect.Value) ([]byte, error) {
	c, n, rest := next(b)
	switch c {
	case null:
		return rest, nil
	case table:
		return l.decodeMap(int(n), rest, v)
	case array:
		return l.decodeArray(int(n), rest, v)
	}
	return nil, misfit(c, v)
}

func (l *layout) decodeMap(n int, b []byte, v reflect.Value) ([]byte, error) {
	var err error
	due := 0 // the field that comes next if the sender has the same type
	for range n {
		c, size, rest := next(b)
		if c != text && c != blob {
			return nil, fmt.Errorf("%s where the name of a field should be", c)
		}
		name := rest[:size]
		b = rest[size:]
		if due < len(l.fields) && string(name) == l.fields[due].name {
			b, err = l.fields[due].decodeIn(v, b)
			due++
		} else if i, ok := l.byName[string(name)]; ok {
			b, err = l.fields[i].decodeIn(v, b)
			due = i + 1
		} else {
			b, err = skip(b, 1, MaxDepth)
		}
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (l *layout) decodeArray(n int, b []byte, v reflect.Value) ([]byte, error) {
	var err error
	for i := range l.fields[:min(n, len(l.fields))] {
		if b, err = l.fields[i].decodeIn(v, b); err != nil {
			return nil, err
		}
	}
	if n > len(l.fields) {
		return skip(b, uint64(n-len(l.fields)), MaxDepth)
	}
	return b, nil
}

// decodeIn reads the field into struct v.
func (f *field) decodeIn(v reflect.Value, b []byte) ([]byte, error) {
	at := f.made(v)
	at.SetZero() // hostile bytes can name a field twice
	rest, err := f.coder.decode(b, at)
	if err != nil {
		return nil, within("."+f.name, err)
	}
	return rest, nil
}
