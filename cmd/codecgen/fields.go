package main

import (
	"cmp"
	"errors"
	"fmt"
	"go/types"
	"reflect"
	"slices"
	"strings"
)

// layout is how a struct type travels; its rules are those of package codec.
type layout struct {
	fields   []field
	asArray  bool
	inlined  []*types.Named // embedded structs whose fields are among these
	optional bool
}

type field struct {
	name      string // on the wire
	path      string // in Go, from the struct on: Base.ID
	t         types.Type
	index     []int
	omitEmpty bool
	aliases   []string
}

// tag is the `msgpack:"name,option,option:value"` of a field.
type tag struct {
	name    string
	options map[string][]string
}

func parseTag(s string) tag {
	t := tag{options: map[string][]string{}}
	for i, part := range strings.Split(reflect.StructTag(s).Get("msgpack"), ",") {
		key, value, isPair := strings.Cut(strings.TrimSpace(part), ":")
		if i == 0 && !isPair {
			t.name = key
		} else if key != "" {
			t.options[key] = append(t.options[key], value)
		}
	}
	return t
}

func (t tag) has(option string) bool { return t.options[option] != nil }

// survey collects the fields, level by level: a field hides those of its name
// further in.
type survey struct {
	*generator
	layout      layout
	outer, here map[string]bool
	inner       []embedded
	omitEmpty   bool
}

type embedded struct {
	t     *types.Struct
	path  string
	index []int
}

func (g *generator) layout(t *types.Struct) (*layout, error) {
	s := survey{generator: g, outer: map[string]bool{}}
	for i := range t.NumFields() {
		if t.Field(i).Name() == "_msgpack" {
			tag := parseTag(t.Tag(i))
			s.layout.asArray = tag.has("as_array") || tag.has("asArray")
			s.omitEmpty = tag.has("omitempty")
		}
	}
	seen := map[*types.Struct]bool{}
	for level := []embedded{{t: t}}; len(level) > 0; level = s.inner {
		s.here, s.inner = map[string]bool{}, nil
		for _, e := range level {
			for i := 0; i < e.t.NumFields() && !seen[e.t]; i++ {
				if err := s.visit(e, i); err != nil {
					return nil, err
				}
			}
		}
		for _, e := range level {
			seen[e.t] = true
		}
		for name := range s.here {
			s.outer[name] = true
		}
	}
	slices.SortFunc(s.layout.fields, func(a, b field) int { return slices.Compare(a.index, b.index) })
	if len(s.layout.fields) == 0 {
		return nil, fmt.Errorf("it has no exported fields")
	}
	return &s.layout, nil
}

func (s *survey) visit(e embedded, i int) error {
	f, tag := e.t.Field(i), parseTag(e.t.Tag(i))
	if tag.name == "-" || f.Name() == "_msgpack" {
		return nil
	}
	index, path := append(slices.Clip(e.index), i), e.path+f.Name()
	if f.Embedded() && !tag.has("noinline") {
		t := types.Unalias(f.Type())
		p, isPointer := t.(*types.Pointer)
		if isPointer {
			t = types.Unalias(p.Elem())
		}
		if inner, ok := t.Underlying().(*types.Struct); ok && !s.writesOtherwise(t) {
			named := t.(*types.Named)
			if isPointer {
				return fmt.Errorf("it embeds *%s: a pointer", named.Obj().Name())
			}
			if !f.Exported() && f.Pkg() != s.pkg {
				return fmt.Errorf("it embeds the unexported %s of another package", named.Obj().Name())
			}
			s.inner = append(s.inner, embedded{inner, path + ".", index})
			s.layout.inlined = append(s.layout.inlined, named)
			return nil
		}
	}
	if !f.Exported() {
		return nil
	}
	if strings.Contains(types.TypeString(f.Type(), nil), "invalid type") {
		return errors.Join(append(s.faults, fmt.Errorf("the type of its field %s is not known", f.Name()))...)
	}
	name := cmp.Or(tag.name, f.Name())
	if s.outer[name] {
		return nil
	}
	for _, n := range append([]string{name}, tag.options["alias"]...) {
		if s.here[n] {
			return fmt.Errorf("two fields are called %q", n)
		}
		s.here[n] = true
	}
	omitEmpty := s.omitEmpty || tag.has("omitempty")
	s.layout.optional = s.layout.optional || omitEmpty && !s.layout.asArray
	s.layout.fields = append(s.layout.fields, field{name, path, f.Type(), index, omitEmpty, tag.options["alias"]})
	return nil
}

// The methods by which a type writes or reads itself, with their parameters and
// results. Which of them count follows codec: those for msgpack each for itself,
// the others only as pairs.
var ownMethods = map[string]string{
	"AppendMsgpack":    "([]byte, int) ([]byte, error)",
	"ReadMsgpack":      "([]byte, int) ([]byte, error)",
	"EncodeMsgpack":    "(*github.com/vmihailenco/msgpack/v5.Encoder) (error)",
	"DecodeMsgpack":    "(*github.com/vmihailenco/msgpack/v5.Decoder) (error)",
	"MarshalMsgpack":   "() ([]byte, error)",
	"UnmarshalMsgpack": "([]byte) (error)",
	"AppendBinary":     "([]byte) ([]byte, error)",
	"MarshalBinary":    "() ([]byte, error)",
	"UnmarshalBinary":  "([]byte) (error)",
	"MarshalText":      "() ([]byte, error)",
	"UnmarshalText":    "([]byte) (error)",
}

// has says whether t, or a pointer to it, has that method of its own, not from
// an embedded field.
func has(t types.Type, method string) bool {
	if _, isInterface := t.Underlying().(*types.Interface); isInterface {
		return false
	}
	m := types.NewMethodSet(types.NewPointer(t)).Lookup(nil, method)
	if m == nil || len(m.Index()) > 1 {
		return false
	}
	sig := m.Type().(*types.Signature)
	return list(sig.Params())+" "+list(sig.Results()) == ownMethods[method]
}

func list(t *types.Tuple) string {
	var parts []string
	for v := range t.Variables() {
		parts = append(parts, types.TypeString(types.Unalias(v.Type()), nil))
	}
	return "(" + strings.ReplaceAll(strings.Join(parts, ", "), "[]uint8", "[]byte") + ")"
}

// isDirect says whether t goes the direct way in both directions.
func (g *generator) isDirect(t types.Type) bool {
	named, ok := t.(*types.Named)
	return ok && (g.listed[named.Obj()] || has(t, "AppendMsgpack") && has(t, "ReadMsgpack"))
}

// writesOtherwise says whether values of t are written or read by methods other
// than those of the direct way.
func (g *generator) writesOtherwise(t types.Type) bool {
	return !g.isDirect(t) && (isTime(t) ||
		has(t, "EncodeMsgpack") || has(t, "DecodeMsgpack") || has(t, "MarshalMsgpack") || has(t, "UnmarshalMsgpack") ||
		has(t, "UnmarshalBinary") && (has(t, "MarshalBinary") || has(t, "AppendBinary")) ||
		has(t, "UnmarshalText") && has(t, "MarshalText"))
}

func isTime(t types.Type) bool {
	named, ok := t.(*types.Named)
	return ok && named.Obj().Name() == "Time" && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == "time"
}
