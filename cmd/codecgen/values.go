package main

import (
	"go/types"
	"strings"
)

// append is the expression that appends value, of type t; fails says whether it
// has an error beside the bytes. If t is a type's underlying one, its methods do
// not count.
func (g *generator) append(t types.Type, value, depth string) (expr string, fails bool) {
	t = types.Unalias(t)
	reflected := g.sprintf("$codec.AppendReflected($dst, %s, %s)", depth, value)
	switch {
	case g.isDirect(t):
		return g.sprintf("%s.AppendMsgpack($dst, %s)", value, depth), true
	case isTime(t):
		return g.sprintf("$codec.AppendTime($dst, %s)", value), false
	case g.writesOtherwise(t):
		return reflected, true
	}
	switch u := t.Underlying().(type) {
	case *types.Basic:
		if k := kinds[u.Kind()]; k.function != "" {
			return g.sprintf("$codec.Append%s($dst, %s)", k.function, convert(t, k.wide, value)), false
		}
	case *types.Slice:
		switch {
		case isByte(u.Elem()):
			return g.sprintf("$codec.AppendBytes($dst, %s)", value), false
		case !g.isBytes(u.Elem()):
			return g.sprintf("$codec.AppendSlice($dst, %s, %s, %s)", depth, value, g.appender(u.Elem())), true
		}
	case *types.Array:
		switch {
		case isByte(u.Elem()):
			return g.sprintf("$codec.AppendBytes($dst, %s[:])", value), false
		case !g.isBytes(u.Elem()):
			return g.sprintf("$codec.AppendArray($dst, %s, %s[:], %s)", depth, value, g.appender(u.Elem())), true
		}
	case *types.Map:
		if g.isKey(u.Key()) {
			return g.sprintf("$codec.AppendMap($dst, %s, %s, %s, %s)", depth, value, g.appender(u.Key()), g.appender(u.Elem())), true
		}
	case *types.Pointer:
		if t == u {
			return g.sprintf("$codec.AppendPointer($dst, %s, %s, %s)", depth, value, g.appender(u.Elem())), true
		}
	}
	return reflected, true
}

func (g *generator) appender(t types.Type) string {
	expr, fails := g.append(t, g.local("e"), g.local("depth"))
	used := "_"
	if depth := g.local("depth"); strings.Contains(expr, depth) {
		used = depth
	}
	return g.sprintf("func($dst []byte, %s int, $e %s) ([]byte, error) { return %s%s }", used, g.typeString(t), expr, noError(fails))
}

// readField is read for a field of a struct, or all of a value. The expression
// whole is the length of the body, if that is what is read.
func (g *generator) readField(t types.Type, pointer, depth, whole string) string {
	if g.staysBytes(t) {
		return g.sprintf("$codec.ReadBytesOf($b, %s, %s)", whole, pointer)
	}
	return g.read(t, pointer, depth)
}

// staysBytes says whether a value of t is a slice that is read as bytes.
func (g *generator) staysBytes(t types.Type) bool {
	t = types.Unalias(t)
	u, ok := t.Underlying().(*types.Slice)
	return ok && isByte(u.Elem()) && !g.isDirect(t) && !g.writesOtherwise(t)
}

// read is the expression that reads a value of type t into what pointer points
// at: bytes and error.
func (g *generator) read(t types.Type, pointer, depth string) string {
	t = types.Unalias(t)
	variable := strings.TrimPrefix(pointer, "&")
	all := variable + "[:]" // of an array; Go does that through pointers too
	switch {
	case g.isDirect(t):
		return g.sprintf("%s.ReadMsgpack($b, %s)", variable, depth)
	case isTime(t):
		return g.sprintf("$codec.ReadTime($b, %s)", pointer)
	case g.writesOtherwise(t):
		return g.sprintf("$codec.ReadReflected($b, %s, %s)", depth, pointer)
	}
	switch u := t.Underlying().(type) {
	case *types.Basic:
		if k := kinds[u.Kind()]; k.function != "" {
			return g.sprintf("$codec.Read%s($b, %s)", strings.TrimRight(k.function, "0123456789"), pointer)
		}
	case *types.Slice:
		switch {
		case isByte(u.Elem()):
			return g.sprintf("$codec.ReadBytes($b, %s)", pointer)
		case !g.isBytes(u.Elem()):
			return g.sprintf("$codec.ReadSlice($b, %s, %s, %s)", depth, pointer, g.reader(u.Elem()))
		}
	case *types.Array:
		switch {
		case isByte(u.Elem()):
			return g.sprintf("$codec.ReadByteArray($b, %s)", all)
		case !g.isBytes(u.Elem()):
			return g.sprintf("$codec.ReadArray($b, %s, %s, %s)", depth, all, g.reader(u.Elem()))
		}
	case *types.Map:
		if g.isKey(u.Key()) {
			return g.sprintf("$codec.ReadMap($b, %s, %s, %s, %s)", depth, pointer, g.reader(u.Key()), g.reader(u.Elem()))
		}
	case *types.Pointer:
		if t == u {
			return g.sprintf("$codec.ReadPointer($b, %s, %s, %s)", depth, pointer, g.reader(u.Elem()))
		}
	}
	return g.sprintf("$codec.ReadReflected($b, %s, %s)", depth, pointer)
}

func (g *generator) reader(t types.Type) string {
	expr := g.read(t, g.local("into"), g.local("depth"))
	used := "_"
	if depth := g.local("depth"); strings.Contains(expr, depth) {
		used = depth
	}
	return g.sprintf("func($b []byte, %s int, $into *%s) ([]byte, error) { return %s }", used, g.typeString(t), expr)
}

// kinds are the basic types: the function that writes one, and what it takes.
var kinds = map[types.BasicKind]struct{ function, wide string }{
	types.Bool:    {"Bool", "bool"},
	types.String:  {"String", "string"},
	types.Int:     {"Int", "int64"},
	types.Int8:    {"Int", "int64"},
	types.Int16:   {"Int", "int64"},
	types.Int32:   {"Int", "int64"},
	types.Int64:   {"Int", "int64"},
	types.Uint:    {"Uint", "uint64"},
	types.Uint8:   {"Uint", "uint64"},
	types.Uint16:  {"Uint", "uint64"},
	types.Uint32:  {"Uint", "uint64"},
	types.Uint64:  {"Uint", "uint64"},
	types.Float32: {"Float32", "float32"},
	types.Float64: {"Float64", "float64"},
}

func convert(t types.Type, wide, value string) string {
	if b, ok := t.(*types.Basic); ok && b.Name() == wide {
		return value
	}
	return wide + "(" + value + ")"
}

// isByte says whether a slice of t converts to []byte.
func isByte(t types.Type) bool {
	b, ok := types.Unalias(t).(*types.Basic)
	return ok && b.Kind() == types.Uint8
}

// isBytes says whether a slice of t travels as bytes.
func (g *generator) isBytes(t types.Type) bool {
	t = types.Unalias(t)
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Kind() == types.Uint8 && !g.isDirect(t) && !g.writesOtherwise(t)
}

// isKey says whether keys of t are written and read one by one.
func (g *generator) isKey(t types.Type) bool {
	t = types.Unalias(t)
	b, ok := t.Underlying().(*types.Basic)
	return ok && kinds[b.Kind()].function != "" && b.Info()&types.IsFloat == 0 && !g.writesOtherwise(t)
}
