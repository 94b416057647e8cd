package codec

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
)

// Collision says that two types of this program have one name on the wire. Both
// go on to work: each is sent under the name, [Is] is true for both, and a body
// of that name is decoded as whichever of them the receiver asks for, field by
// field. That is harmless if they are meant to be the same message, and else
// wrong in a way that only shows at the receiver; so collisions are reported,
// and a ConclaveType method on one of the types ends them.
type Collision struct {
	Name          string
	First, Second reflect.Type // in the order they came up
}

func (c Collision) String() string {
	first, second := c.First.PkgPath()+"."+c.First.Name(), c.Second.PkgPath()+"."+c.Second.Name()
	if first == second { // they print alike to the end
		second += " (defined in another function)"
	}
	return fmt.Sprintf("types %s and %s are both called %s in messages: give one of them a method ConclaveType() string",
		first, second, c.Name)
}

var names = struct {
	sync.Mutex
	holders    map[string]reflect.Type
	collisions []Collision
	hooks      []*func(Collision)
}{holders: map[string]reflect.Type{}}

// Collisions lists the collisions found so far. A type is looked at when it is
// first sent, asked for or named.
func Collisions() []Collision {
	names.Lock()
	defer names.Unlock()
	return slices.Clone(names.collisions)
}

// OnCollision has f called with every collision: before OnCollision returns with
// those found so far, and from then on with each new one, once, in the goroutine
// that met it. f must not wait for anything. Calling stop takes f out again.
func OnCollision(f func(Collision)) (stop func()) {
	hook := &f
	names.Lock()
	known := slices.Clone(names.collisions)
	names.hooks = append(names.hooks, hook)
	names.Unlock()
	for _, c := range known {
		f(c)
	}
	return func() {
		names.Lock()
		defer names.Unlock()
		names.hooks = slices.DeleteFunc(names.hooks, func(h *func(Collision)) bool { return h == hook })
	}
}

// claim notes that defined type t is called name, and reports it if another type
// is too. It is called once for each type.
func claim(name string, t reflect.Type) {
	names.Lock()
	first, taken := names.holders[name]
	if !taken {
		names.holders[name] = t
	}
	if !taken || first == t {
		names.Unlock()
		return
	}
	c := Collision{Name: name, First: first, Second: t}
	names.collisions = append(names.collisions, c)
	hooks := slices.Clone(names.hooks)
	names.Unlock()
	for _, f := range hooks {
		(*f)(c)
	}
}
