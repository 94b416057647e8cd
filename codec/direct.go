package codec

import (
	"errors"
	"reflect"
)

// Appender is a type that writes itself in the direct way: nothing is reflected,
// nothing is looked at again. `go run conclave/cmd/codecgen` writes the method
// together with that of [Reader], for a struct type in exactly the form that it
// has without them; by hand it is written with the Append functions of this
// package. Embedded in a struct, a type's exported fields travel as the outer
// struct's own, as they would without the method.
type Appender interface {
	// AppendMsgpack appends the value to dst as exactly one msgpack value and
	// keeps nothing of dst. It may open at most depth arrays and maps inside each
	// other, and is an [ErrDepth] beyond: else values that contain themselves
	// would use up the stack, which ends the program.
	AppendMsgpack(dst []byte, depth int) ([]byte, error)
}

// Reader is a type that reads itself in the direct way. The receiver is a
// pointer. See [Appender]; by hand the method is written with the Read functions
// of this package.
type Reader interface {
	// ReadMsgpack reads the first value of b and returns what follows it. The
	// bytes come from anybody and nobody has looked at them: they may be of
	// another form, or end early. What the receiver held before is gone
	// afterwards, and nil is taken as the zero value. Nothing of b is kept but
	// what [ReadBytesOf] has not copied. At most depth arrays and maps may be
	// inside each other; MaxDepth says that b is a body, and not a part of one.
	ReadMsgpack(b []byte, depth int) (rest []byte, err error)
}

var (
	appenderType = reflect.TypeFor[Appender]()
	readerType   = reflect.TypeFor[Reader]()
)

// direct says which way values of a type can go.
type direct struct {
	appends bool // T or *T appends itself
	way     way  // of reading into a *T
}

type way uint8

const (
	reflected   way = iota
	readsItself     // T reads itself
	readsNew        // T is a pointer to what reads itself
	readsBasic      // T is one of the most frequent basic types
)

func directOf(t reflect.Type) (d direct) {
	if t.Kind() != reflect.Pointer {
		d.appends = t.Implements(appenderType) && has(t, appenderType)
		return d
	}
	t = t.Elem()
	d.appends = has(t, appenderType)
	switch {
	case has(t, readerType):
		d.way = readsItself
	case t.Kind() == reflect.Pointer && has(t.Elem(), readerType):
		d.way = readsNew
	default:
		switch reflect.Zero(t).Interface().(type) {
		case string, []byte, int, int64, uint64, float64, bool:
			d.way = readsBasic
		}
	}
	return d
}

// isDirect says whether t goes the direct way. That does not change what it looks
// like to others: embedded in a struct, its fields are the outer struct's own.
func isDirect(t reflect.Type) bool { return has(t, appenderType) || has(t, readerType) }

// appendDirect is append for a type that does it itself.
func (i *typeInfo) appendDirect(dst []byte, body any) (out []byte, err error) {
	defer caught(&err)
	if i.nameErr != nil {
		return nil, i.nameErr
	}
	if i.t.Kind() == reflect.Pointer && reflect.ValueOf(body).IsNil() {
		return append(dst, codeNil), nil
	}
	return body.(Appender).AppendMsgpack(dst, MaxDepth)
}

// readDirect reads data, all of it, into what reads itself.
func readDirect(data []byte, into Reader) (err error) {
	defer caught(&err)
	rest, err := into.ReadMsgpack(data, MaxDepth)
	if err == nil && len(rest) > 0 {
		err = errTrailing
	}
	return err
}

// readNew reads data into what into, a **T, points at: a new *T, or nil.
func readNew(data []byte, into any) error {
	v := reflect.ValueOf(into).Elem()
	if IsNil(data) {
		v.SetZero()
		return nil
	}
	made := reflect.New(v.Type().Elem())
	err := readDirect(data, made.Interface().(Reader))
	if err == nil {
		v.Set(made)
	}
	return err
}

// readBasic is readDirect for basic types.
func readBasic(data []byte, into any) (err error) {
	var rest []byte
	switch into := into.(type) {
	case *string:
		rest, err = ReadString(data, into)
	case *[]byte:
		rest, err = ReadBytesOf(data, len(data), into)
	case *int:
		rest, err = ReadInt(data, into)
	case *int64:
		rest, err = ReadInt(data, into)
	case *uint64:
		rest, err = ReadUint(data, into)
	case *float64:
		rest, err = ReadFloat(data, into)
	case *bool:
		rest, err = ReadBool(data, into)
	}
	if err == nil && len(rest) > 0 {
		err = errTrailing
	}
	return err
}

// encodeDirect is appendDirect for a value inside of others.
func encodeDirect(t reflect.Type) encodeFunc {
	self := selfIn(t, appenderType)
	return func(dst []byte, v reflect.Value, depth int) (out []byte, err error) {
		defer caught(&err)
		return self(v).(Appender).AppendMsgpack(dst, depth)
	}
}

// decodeDirect is readDirect for a value inside of others, hence one level deep.
// skip says where these go on: the method may be wrong, and what follows is read
// as sound.
func decodeDirect(b []byte, v reflect.Value) (rest []byte, err error) {
	if rest, err = skip(b, 1, MaxDepth); err != nil {
		return nil, err
	}
	defer caught(&err)
	n := len(b) - len(rest)
	after, err := v.Addr().Interface().(Reader).ReadMsgpack(b[:n:n], MaxDepth-1)
	if err == nil && len(after) > 0 {
		err = errors.New("the type's own method did not read all of the value")
	}
	return rest, err
}
