package codec

import (
	"fmt"
	"math"
	"reflect"
)

// Append appends body to dst as one msgpack value and says the name of body's
// type. It keeps nothing of either and, when dst has room, allocates nothing for
// a body without maps and own methods.
//
// An error wraps [ErrEncode] and names the type and the field that cannot be
// sent; out is dst then. A body that nobody may send for another reason, its
// size for one, is for the caller to refuse.
func Append(dst []byte, body any) (out []byte, typeName string, err error) {
	switch b := body.(type) { // the most frequent, and the quickest told
	case nil:
		return append(dst, codeNil), "nil", nil
	case bool:
		return appendBool(dst, b), "bool", nil
	case int:
		return appendInt(dst, int64(b)), "int", nil
	case int64:
		return appendInt(dst, b), "int64", nil
	case uint64:
		return appendUint(dst, b), "uint64", nil
	case float64:
		return appendFloat64(dst, b), "float64", nil
	case string:
		if len(b) <= math.MaxUint16 {
			return appendString(dst, b), "string", nil
		}
	case []byte:
		if len(b) <= math.MaxUint16 {
			return appendBytes(dst, b), "[]uint8", nil
		}
	}
	i := typeOf(reflect.TypeOf(body))
	out, err = i.append(dst, body)
	if err != nil {
		return dst, i.name, newFault(ErrEncode, i.name, err)
	}
	return out, i.name, nil
}

func (i *typeInfo) append(dst []byte, body any) (out []byte, err error) {
	defer caught(&err)
	if i.nameErr != nil {
		return nil, i.nameErr
	}
	return i.coder().encode(dst, reflect.ValueOf(body), MaxDepth)
}

// Decode reads data, the body of a message whose type is called typeName, into
// what into points at. That must be of a type of that name: a T, or a *T, which
// becomes nil if a nil pointer was sent. Whatever it held before is gone, also
// after an error. Into an *any goes a body of any type, see [Value]; one that
// Value does not know becomes a map[string]any, []any and so on.
//
// An error wraps [ErrDecode] and names the type and the place that does not fit.
// Nothing of data is kept.
func Decode(typeName string, data []byte, into any) (err error) {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return newFault(ErrDecode, typeName, fmt.Errorf("into %T, which is not a pointer to a variable", into))
	}
	v = v.Elem()
	i := typeOf(v.Type())
	v.SetZero()
	if err := i.decode(typeName, data, v); err != nil {
		v.SetZero()
		return newFault(ErrDecode, i.name, err)
	}
	return nil
}

func (i *typeInfo) decode(typeName string, data []byte, v reflect.Value) (err error) {
	if i.name != typeName {
		if i.t == anyType {
			return decodeAny(typeName, data, v)
		}
		return fmt.Errorf("the bytes are of type %q", shorten(typeName))
	}
	if err := sound(data); err != nil {
		return err
	}
	defer caught(&err)
	_, err = i.coder().decode(data, v)
	return err
}

func decodeAny(typeName string, data []byte, v reflect.Value) error {
	body, ok := Value(typeName, data)
	if !ok {
		if err := sound(data); err != nil {
			return err
		}
		var err error
		if body, _, err = untyped(data); err != nil {
			return err
		}
	}
	if body != nil {
		v.Set(reflect.ValueOf(body))
	}
	return nil
}
