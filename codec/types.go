package codec

import (
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"time"
)

// encodeFunc appends v to dst; depth is how many levels may still be opened.
type encodeFunc func(dst []byte, v reflect.Value, depth int) ([]byte, error)

// decodeFunc reads the first value of b, which skip has passed, into v, which is
// settable and zero, and returns what follows it.
type decodeFunc func(b []byte, v reflect.Value) ([]byte, error)

// coder is how values of one type are written and read. Coders refer to each
// other by pointer, so types may refer to themselves.
type coder struct {
	encode encodeFunc
	decode decodeFunc
	checks bool // decode takes any bytes at depth MaxDepth: skip need not have passed them

	// whole is decode for a body, which b is all of: large bytes in it stay
	// there. nil: it is the same.
	whole decodeFunc
}

func (c *coder) decodeBody(b []byte, v reflect.Value) ([]byte, error) {
	if c.whole != nil {
		return c.whole(b, v)
	}
	return c.decode(b, v)
}

// typeInfo is what is known of one type; pointer types have their own.
type typeInfo struct {
	t       reflect.Type
	address uintptr // of the type's descriptor: quicker to compare
	name    string
	nameErr error // the name is unusable: values cannot be sent
	made    atomic.Pointer[coder]
	elem    *typeInfo // of what a pointer points at, unless that is one too

	pointsAt  reflect.Type             // nil: it is no pointer
	isDefined bool                     // a pointer type with a name of its own
	known     atomic.Pointer[typeInfo] // of the pointer to it: see pointer
	direct
}

// coder is built when a value of the type is first met, not when its name is
// asked for: names are needed also of types that are never sent.
func (i *typeInfo) coder() *coder {
	if c := i.made.Load(); c != nil {
		return c
	}
	c := builder{}.coder(i.t)
	i.made.CompareAndSwap(nil, c)
	return i.made.Load()
}

// pointer is the info on pointers to values of the type.
func (i *typeInfo) pointer() *typeInfo {
	if p := i.known.Load(); p != nil {
		return p
	}
	p := typeOf(reflect.PointerTo(i.t))
	i.known.Store(p)
	return p
}

var (
	infos sync.Map // reflect.Type → *typeInfo, all of them

	// recent finds most types without hashing an interface: a table by the
	// address of the type's descriptor, where a later type displaces an earlier.
	recent [1024]atomic.Pointer[typeInfo]
)

// typeOf is the info on t, which is not nil.
func typeOf(t reflect.Type) *typeInfo {
	address := reflect.ValueOf(t).Pointer()
	slot := &recent[uint64(address)*0x9e3779b97f4a7c15>>54]
	if i := slot.Load(); i != nil && i.address == address {
		return i
	}
	i := lookUp(t)
	slot.Store(i)
	return i
}

func lookUp(t reflect.Type) *typeInfo {
	if i, ok := infos.Load(t); ok {
		return i.(*typeInfo)
	}
	i := &typeInfo{t: t, address: reflect.ValueOf(t).Pointer(), direct: directOf(t)}
	i.name, i.nameErr = nameOf(t)
	if t.Kind() == reflect.Pointer {
		i.pointsAt, i.isDefined = t.Elem(), t.Name() != ""
		if i.pointsAt.Kind() != reflect.Pointer {
			i.elem = lookUp(i.pointsAt)
		}
	}
	known, loaded := infos.LoadOrStore(t, i)
	if loaded {
		return known.(*typeInfo)
	}
	if u := pointee(t); u != t {
		lookUp(u) // the name is its
	} else if t.PkgPath() != "" {
		claim(i.name, t)
	}
	return i
}

// builder makes the coders of a type and of all that it consists of; it holds
// those under way, so that a recursive type finds itself.
type builder map[reflect.Type]*coder

var (
	timeType  = reflect.TypeFor[time.Time]()
	errorType = reflect.TypeFor[error]()
	bytesType = reflect.TypeFor[[]byte]()
)

func (b builder) coder(t reflect.Type) *coder {
	if c, ok := b[t]; ok {
		return c
	}
	if i, ok := infos.Load(t); ok {
		if c := i.(*typeInfo).made.Load(); c != nil {
			return c
		}
	}
	c := &coder{}
	b[t] = c
	if t.Kind() == reflect.Pointer {
		b.pointer(c, t)
		return c
	}
	c.encode, c.decode = ownEncoder(t), ownDecoder(t)
	c.checks = c.decode != nil
	if c.encode != nil && c.decode != nil {
		return c
	}
	var plain coder
	b.plain(&plain, t)
	if c.encode == nil {
		c.encode = plain.encode
	}
	if c.decode == nil {
		c.decode, c.whole, c.checks = plain.decode, plain.whole, plain.checks || isFlat(t)
	}
	return c
}

// isFlat says whether values of t are read by reflection and hold nothing but a
// number, a string or the like: their decoders look at lengths themselves.
func isFlat(t reflect.Type) bool {
	switch k := t.Kind(); {
	case t == timeType:
		return true
	case ownDecoder(t) != nil:
		return false
	case k == reflect.Slice || k == reflect.Array:
		return isByte(t.Elem())
	default:
		return k == reflect.String || k >= reflect.Bool && k <= reflect.Float64
	}
}

// plain makes the coder of a type that is no pointer, its own methods aside.
func (b builder) plain(c *coder, t reflect.Type) {
	if t == timeType {
		c.encode, c.decode = encodeTime, decodeTime
		return
	}
	switch t.Kind() {
	case reflect.Bool:
		c.encode, c.decode = encodeBool, decodeBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		c.encode, c.decode = encodeInt, decodeInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		c.encode, c.decode = encodeUint, decodeUint
	case reflect.Float32:
		c.encode, c.decode = encodeFloat32, decodeFloat
	case reflect.Float64:
		c.encode, c.decode = encodeFloat64, decodeFloat
	case reflect.String:
		c.encode, c.decode = encodeString, decodeString
	case reflect.Interface:
		b.dynamic(c, t)
	case reflect.Struct:
		b.structure(c, t)
	case reflect.Map:
		b.mapping(c, t)
	case reflect.Slice:
		if isByte(t.Elem()) {
			c.encode, c.decode, c.whole = encodeBytes, decodeBytes, decodeBytesWhole
			return
		}
		b.slice(c, t)
	case reflect.Array:
		if isByte(t.Elem()) {
			c.encode, c.decode = encodeByteArray, decodeByteArray
			return
		}
		b.array(c, t)
	default:
		c.refuse(fmt.Errorf("%s has no form in msgpack", t))
	}
}

// refuse makes the coder of a type that can be neither sent nor received.
func (c *coder) refuse(err error) {
	c.encode = func([]byte, reflect.Value, int) ([]byte, error) { return nil, err }
	c.decode = func([]byte, reflect.Value) ([]byte, error) { return nil, err }
}

// isByte says whether a slice of t is bytes: not when t writes itself.
func isByte(t reflect.Type) bool { return t.Kind() == reflect.Uint8 && !writesItself(t) }

// isBytes says whether values of t are read as bytes by reflection.
func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && isByte(t.Elem()) && ownDecoder(t) == nil
}

func writesItself(t reflect.Type) bool {
	return t == timeType || ownEncoder(t) != nil || ownDecoder(t) != nil
}
