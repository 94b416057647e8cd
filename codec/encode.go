package codec

import (
	"fmt"
	"reflect"
	"strconv"
	"time"
)

func encodeBool(dst []byte, v reflect.Value, _ int) ([]byte, error) {
	return AppendBool(dst, v.Bool()), nil
}

func encodeInt(dst []byte, v reflect.Value, _ int) ([]byte, error) {
	return AppendInt(dst, v.Int()), nil
}

func encodeUint(dst []byte, v reflect.Value, _ int) ([]byte, error) {
	return AppendUint(dst, v.Uint()), nil
}

func encodeFloat32(dst []byte, v reflect.Value, _ int) ([]byte, error) {
	return AppendFloat32(dst, float32(v.Float())), nil
}

func encodeFloat64(dst []byte, v reflect.Value, _ int) ([]byte, error) {
	return AppendFloat64(dst, v.Float()), nil
}

func encodeString(dst []byte, v reflect.Value, _ int) ([]byte, error) {
	return AppendString(dst, v.String()), nil
}

func encodeBytes(dst []byte, v reflect.Value, _ int) ([]byte, error) {
	return AppendBytes(dst, v.Bytes()), nil
}

func encodeByteArray(dst []byte, v reflect.Value, _ int) ([]byte, error) {
	dst = appendSized(dst, codeBin8, fits(v.Len()))
	if v.CanAddr() {
		return append(dst, v.Bytes()...), nil
	}
	for i := range v.Len() {
		dst = append(dst, byte(v.Index(i).Uint()))
	}
	return dst, nil
}

func encodeTime(dst []byte, v reflect.Value, _ int) ([]byte, error) {
	if v.CanAddr() {
		return AppendTime(dst, *v.Addr().Interface().(*time.Time)), nil
	}
	return AppendTime(dst, v.Interface().(time.Time)), nil
}

func (b builder) pointer(c *coder, t reflect.Type) {
	if pointee(t) == t {
		c.refuse(fmt.Errorf("%s points only at itself", t))
		return
	}
	elem := b.coder(t.Elem())
	c.encode = func(dst []byte, v reflect.Value, depth int) ([]byte, error) {
		if v.IsNil() {
			return append(dst, codeNil), nil
		}
		return elem.encode(dst, v.Elem(), depth)
	}
	read := func(b []byte, body bool, v reflect.Value) ([]byte, error) {
		if b[0] == codeNil {
			v.SetZero()
			return b[1:], nil
		}
		v.Set(reflect.New(t.Elem()))
		if body {
			return elem.decodeBody(b, v.Elem())
		}
		return elem.decode(b, v.Elem())
	}
	c.decode = func(b []byte, v reflect.Value) ([]byte, error) { return read(b, false, v) }
	c.whole = func(b []byte, v reflect.Value) ([]byte, error) { return read(b, true, v) }
}

func (b builder) slice(c *coder, t reflect.Type) {
	elem := b.coder(t.Elem())
	c.encode = func(dst []byte, v reflect.Value, depth int) ([]byte, error) {
		if v.IsNil() {
			return append(dst, codeNil), nil
		}
		return encodeElements(elem, dst, v, depth)
	}
	c.decode = func(b []byte, v reflect.Value) ([]byte, error) { return decodeSlice(elem, b, v) }
}

func (b builder) array(c *coder, t reflect.Type) {
	elem := b.coder(t.Elem())
	c.encode = func(dst []byte, v reflect.Value, depth int) ([]byte, error) {
		return encodeElements(elem, dst, v, depth)
	}
	c.decode = func(b []byte, v reflect.Value) ([]byte, error) { return decodeArray(elem, b, v) }
}

func encodeElements(elem *coder, dst []byte, v reflect.Value, depth int) ([]byte, error) {
	if depth == 0 {
		return nil, ErrDepth
	}
	n := v.Len()
	dst = AppendArrayLen(dst, n)
	var err error
	for i := range n {
		if dst, err = elem.encode(dst, v.Index(i), depth-1); err != nil {
			return nil, withinIndex(i, err)
		}
	}
	return dst, nil
}

func (b builder) mapping(c *coder, t reflect.Type) {
	key, elem := b.coder(t.Key()), b.coder(t.Elem())
	c.encode = func(dst []byte, v reflect.Value, depth int) ([]byte, error) {
		if v.IsNil() {
			return append(dst, codeNil), nil
		}
		return encodeMap(key, elem, dst, v, depth)
	}
	c.decode = func(b []byte, v reflect.Value) ([]byte, error) { return decodeMap(key, elem, b, v) }
}

func encodeMap(key, elem *coder, dst []byte, v reflect.Value, depth int) ([]byte, error) {
	if depth == 0 {
		return nil, ErrDepth
	}
	dst = AppendMapLen(dst, v.Len())
	if v.Len() == 0 {
		return dst, nil
	}
	// One variable for all keys and one for all values: a fresh one for each pair
	// would be an allocation for each.
	k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
	var err error
	for iter := v.MapRange(); iter.Next(); {
		k.SetIterKey(iter)
		if dst, err = key.encode(dst, k, depth-1); err == nil {
			e.SetIterValue(iter)
			dst, err = elem.encode(dst, e, depth-1)
		}
		if err != nil {
			return nil, within(keyStep(k), err)
		}
	}
	return dst, nil
}

// keyStep is a map's key as part of a path.
func keyStep(k reflect.Value) string {
	for k.Kind() == reflect.Interface && !k.IsNil() {
		k = k.Elem()
	}
	switch {
	case k.Kind() == reflect.String:
		return "[" + strconv.Quote(shorten(k.String())) + "]"
	case k.CanInt(), k.CanUint(), k.CanFloat(), k.Kind() == reflect.Bool:
		return fmt.Sprintf("[%v]", k)
	}
	return "[" + k.Type().String() + "]"
}

// dynamic makes the coder of an interface type. What is in it travels without
// its type, so only any, and error as its text, can be received.
func (b builder) dynamic(c *coder, t reflect.Type) {
	switch {
	case t == errorType:
		c.encode, c.decode = encodeError, decodeError
	case t.NumMethod() > 0:
		c.refuse(fmt.Errorf("an interface %s cannot be received, only any and error", t))
		refuse := c.encode
		c.encode = func(dst []byte, v reflect.Value, depth int) ([]byte, error) {
			if v.IsNil() {
				return append(dst, codeNil), nil
			}
			return refuse(dst, v, depth)
		}
	default:
		c.encode, c.decode = encodeInterface, decodeInterface
	}
}

func encodeInterface(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	v = v.Elem()
	switch v.Kind() {
	case reflect.Invalid:
		return append(dst, codeNil), nil
	case reflect.Pointer:
		// A pointer in an interface can lead back to it without an array or map
		// on the way that would count.
		if depth == 0 {
			return nil, ErrDepth
		}
		depth--
	}
	return typeOf(v.Type()).coder().encode(dst, v, depth)
}

func encodeError(dst []byte, v reflect.Value, _ int) ([]byte, error) {
	if v.IsNil() {
		return append(dst, codeNil), nil
	}
	return AppendString(dst, v.Interface().(error).Error()), nil
}
