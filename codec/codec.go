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
		return AppendBool(dst, b), "bool", nil
	case int:
		return AppendInt(dst, int64(b)), "int", nil
	case int64:
		return AppendInt(dst, b), "int64", nil
	case uint64:
		return AppendUint(dst, b), "uint64", nil
	case float64:
		return AppendFloat64(dst, b), "float64", nil
	case string:
		if len(b) <= math.MaxUint16 {
			return AppendString(dst, b), "string", nil
		}
	case []byte:
		if len(b) <= math.MaxUint16 {
			return AppendBytes(dst, b), "[]uint8", nil
		}
	}
	i := typeOf(reflect.TypeOf(body))
	if i.appends {
		out, err = i.appendDirect(dst, body)
	} else {
		out, err = i.append(dst, body)
	}
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

// IsNil says whether data is a nil pointer, or nil of another kind.
func IsNil(data []byte) bool { return len(data) == 1 && data[0] == codeNil }

// Decode reads data, the body of a message whose type is called typeName, into
// what into points at. That must be of a type of that name: a T, or a *T, which
// becomes nil if a nil pointer was sent. Whatever it held before is gone, also
// after an error. Into an *any goes a body of any type, see [Value]; one that
// Value does not know becomes a map[string]any, []any and so on.
//
// An error wraps [ErrDecode] and names the type and the place that does not fit.
//
// What is decoded is a copy, but for one thing: a []byte of 4 KiB or more that
// makes up at least half of data may be a part of data, cut to its length, so that
// to append to it moves it. That is so where data is the []byte, or a struct with
// such a field. So data must not be used for something else afterwards; who
// decodes it again shares these bytes; and who keeps them keeps twice as much
// memory at most. Strings are always copied.
func Decode(typeName string, data []byte, into any) error {
	t := reflect.TypeOf(into)
	if t == nil || t.Kind() != reflect.Pointer || reflect.ValueOf(into).IsNil() {
		return newFault(ErrDecode, typeName, fmt.Errorf("into %T, which is not a pointer to a variable", into))
	}
	i := typeOf(t)
	if i.name != typeName && t != anyPointer {
		return i.failed(into, fmt.Errorf("the bytes are of type %q", shorten(typeName)))
	}
	return i.read(typeName, data, into)
}

// New is Decode into a new variable: of what t points at, or of t if that is no
// pointer. It returns a pointer to it; if t is a pointer and data is nil, a nil one.
// is says whether typeName is the name of t, see [Is]; if not, nothing is done.
func New(typeName string, data []byte, t reflect.Type) (v any, is bool, err error) {
	if t == nil {
		return nil, false, nil
	}
	i := typeOf(t)
	if i.name != typeName {
		return nil, false, nil
	}
	if i.pointsAt == nil {
		i = i.pointer()
	} else if IsNil(data) {
		return reflect.Zero(t).Interface(), true, nil
	}
	v = reflect.New(i.pointsAt).Interface()
	if err := i.read(typeName, data, v); err != nil {
		return nil, true, err
	}
	if i.isDefined {
		v = reflect.ValueOf(v).Convert(t).Interface()
	}
	return v, true, nil
}

// read is Decode where i, the type of into, goes by that name.
func (i *typeInfo) read(typeName string, data []byte, into any) (err error) {
	switch i.way {
	case readsItself:
		err = readDirect(data, into.(Reader))
	case readsNew:
		err = readNew(data, into)
	case readsBasic:
		err = readBasic(data, into)
	default:
		err = i.decode(typeName, data, reflect.ValueOf(into).Elem())
	}
	if err != nil {
		return i.failed(into, err)
	}
	return nil
}

// failed leaves nothing in what into points at.
func (i *typeInfo) failed(into any, err error) error {
	reflect.ValueOf(into).Elem().SetZero()
	return newFault(ErrDecode, i.name, err)
}

// decode reads data into v, what a pointer of this type points at, by reflection.
func (i *typeInfo) decode(typeName string, data []byte, v reflect.Value) (err error) {
	v.SetZero()
	if i.elem == nil {
		i = typeOf(i.t.Elem())
	} else if i = i.elem; i.t == anyType && i.name != typeName {
		return decodeAny(typeName, data, v)
	}
	return i.decodeAll(data, v)
}

// decodeAll reads data, all of it, into v, a zero value of this type.
func (i *typeInfo) decodeAll(data []byte, v reflect.Value) (err error) {
	c := i.coder()
	if !c.checks {
		if err := sound(data); err != nil {
			return err
		}
	}
	defer caught(&err)
	rest, err := c.decodeBody(data, v)
	if err == nil && len(rest) > 0 {
		err = errTrailing
	}
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
