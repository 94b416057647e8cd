package codec

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Named is a type that says itself what it is called on the wire, whatever its
// package and Go name. Give a type such a method, with a pointer or a value as
// receiver, before either of them changes, or when two types collide. It is
// asked once, of a zero value. One that came with an embedded field does not
// count.
type Named interface {
	// ConclaveType is the type's name: 1 to 4,096 bytes of UTF-8 without control
	// characters, not the name of a basic type, and not beginning like that of a
	// slice, array or map.
	ConclaveType() string
}

// MaxName is the most bytes that the name of a type can have. A type whose name
// is longer cannot be sent.
const MaxName = 4096

var (
	namedType = reflect.TypeFor[Named]()
	anyType   = reflect.TypeFor[any]()
	// anyPointer is what bodies of all types can be decoded into.
	anyPointer = reflect.TypeFor[*any]()
)

// Name is the stable name of type t, under which its values travel. Pointers do
// not show: T and *T have one name, and so have []T and []*T. Is nil, of the
// type of a nil interface, "nil".
//
// A defined type is called by its package's last element and its own name, as
// reflect prints it: main.Job, or main.Box[int] for a generic type. (Types
// defined inside a function are printed in the same way; two of one name
// collide.) Or it says its name itself, see [Named].
//
// Types without a name are called by what they are made of: []string,
// map[string]main.Job, [4]uint8, struct { X int }; []uint8, not []byte, and any,
// not interface {}.
func Name(t reflect.Type) string {
	if t == nil {
		return "nil"
	}
	return typeOf(t).name
}

// Is says whether typeName is the name of t. If several types of this program
// have that name, it is true for each of them: see [OnCollision].
func Is(typeName string, t reflect.Type) bool { return Name(t) == typeName }

// pointee is t without its pointers. A type that points only at itself is left
// as it is.
func pointee(t reflect.Type) reflect.Type {
	u := t
	for range MaxDepth {
		if u.Kind() != reflect.Pointer {
			return u
		}
		u = u.Elem()
	}
	return t
}

// nameOf works out the name of t. With an error, t gave itself a name that
// cannot be used, and has the default one.
func nameOf(t reflect.Type) (string, error) {
	t = pointee(t)
	if t.Name() != "" {
		switch own, err := ownName(t); {
		case err != nil:
			return t.String(), err
		case own != "":
			return own, nil
		}
		return usable(t.String())
	}
	var prefix string
	switch t.Kind() {
	case reflect.Slice:
		prefix = "[]"
	case reflect.Array:
		prefix = "[" + strconv.Itoa(t.Len()) + "]"
	case reflect.Map:
		key := lookUp(t.Key())
		if key.nameErr != nil {
			return t.String(), key.nameErr
		}
		prefix = "map[" + key.name + "]"
	default:
		if t == anyType {
			return "any", nil
		}
		return usable(t.String())
	}
	elem := lookUp(t.Elem())
	if elem.nameErr != nil {
		return t.String(), elem.nameErr
	}
	return usable(prefix + elem.name)
}

// usable says of a default name whether it can be used: it can only be too long.
func usable(name string) (string, error) {
	if len(name) > MaxName {
		return name, fmt.Errorf("its name has %d bytes, more than %d", len(name), MaxName)
	}
	return name, nil
}

// ownName is what t calls itself, "" if it doesn't.
func ownName(t reflect.Type) (name string, err error) {
	if !has(t, namedType) {
		return "", nil
	}
	defer caught(&err)
	name = reflect.New(t).Interface().(Named).ConclaveType()
	switch {
	case name == "", len(name) > MaxName, !utf8.ValidString(name), strings.ContainsFunc(name, unicode.IsControl),
		strings.HasPrefix(name, "["), strings.HasPrefix(name, "map["), name == "nil", isPlain(name):
		err = fmt.Errorf("ConclaveType of %s gives %q, which cannot be a type's name", t, shorten(name))
	}
	return name, err
}
