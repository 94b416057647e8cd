package actor

import (
	"reflect"
	"slices"
)

// Mux is a Handler that hands each message to the function for its type; make
// one with &Mux{} and [On]. A Func can use it too, by calling its Receive.
// Mail for which there is no function is a dead letter, a call of that kind
// fails. Every process needs a Mux of its own only if its functions keep state;
// it must not be changed once it is in use.
type Mux struct {
	funcs []muxFunc
	local map[reflect.Type]*muxFunc
	other func(*Process, Message) error
}

type muxFunc struct {
	typ  reflect.Type
	call func(*Process, Message) (claimed bool, err error)
}

// On has mail whose body is a T go to f. An error of f is Receive's. A second
// function for a type, or a pointer to it, replaces the first. Functions for
// [Raw] and for interfaces get what no function for a type of its own does.
func On[T any](x *Mux, f func(p *Process, body T, m Message) error) {
	added := muxFunc{
		typ: reflect.TypeFor[T](),
		call: func(p *Process, m Message) (bool, error) {
			v, err, claimed := as[T](m.body, m.From, m.call())
			if err != nil {
				return claimed, nil // a body that does not decode is a dead letter already
			}
			return true, f(p, v, m)
		},
	}
	x.funcs = slices.DeleteFunc(x.funcs, func(fn muxFunc) bool { return base(fn.typ) == base(added.typ) })
	i := len(x.funcs)
	if w := slices.IndexFunc(x.funcs, muxFunc.wide); w >= 0 && !added.wide() {
		i = w
	}
	x.funcs = slices.Insert(x.funcs, i, added)
	x.local = make(map[reflect.Type]*muxFunc, 2*len(x.funcs))
	for i := range x.funcs {
		fn := &x.funcs[i]
		x.local[fn.typ] = fn
		if fn.typ.Kind() == reflect.Pointer {
			x.local[fn.typ.Elem()] = fn
		} else if fn.typ.Kind() != reflect.Interface {
			x.local[reflect.PointerTo(fn.typ)] = fn
		}
	}
}

func base(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// wide says whether the function may take mail of many types.
func (fn muxFunc) wide() bool {
	return fn.typ.Kind() == reflect.Interface || fn.typ == reflect.TypeFor[Raw]()
}

// Else has mail go to f for which there is no other function.
func (x *Mux) Else(f func(*Process, Message) error) { x.other = f }

// Receive makes a Mux a Handler.
func (x *Mux) Receive(p *Process, m Message) error {
	if fn, ok := x.local[reflect.TypeOf(m.body)]; ok {
		if claimed, err := fn.call(p, m); claimed {
			return err
		}
	} else {
		for i := range x.funcs {
			if claimed, err := x.funcs[i].call(p, m); claimed {
				return err
			}
		}
	}
	if x.other != nil {
		return x.other(p, m)
	}
	p.sys.DeadLetter(DeadLetter{From: m.From, To: p.pid, Type: m.Type(), Term: m.Term, Reason: DeadUnhandled})
	m.call().fail(&RemoteError{Text: "it handles no " + m.Type()})
	return nil
}
