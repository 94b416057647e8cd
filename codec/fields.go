package codec

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// layout is how a struct type travels: as a map from field names to values or,
// if it is tagged so, as an array of the values.
type layout struct {
	fields   []field
	names    *FieldNames
	asArray  bool
	optional bool // fields may be left out, so the number of pairs is not fixed
}

type field struct {
	*coder
	t         reflect.Type
	name      string
	key       []byte // the name as it stands on the wire
	index     []int  // the way through embedded structs; one number for most
	omitEmpty bool
	bytes     bool // it is bytes and does not read itself
	aliases   []string
}

// tag is the `msgpack:"name,option,option:value"` of a field.
type tag struct {
	name    string
	options map[string][]string
}

func parseTag(f reflect.StructField) tag {
	t := tag{options: map[string][]string{}}
	for i, part := range strings.Split(f.Tag.Get("msgpack"), ",") {
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

// survey collects the fields of a struct type, those of embedded structs as if
// they were its own. As in Go, a field hides those of its name further in;
// unlike in Go, two of one name side by side are an error: else both would be
// lost on the way and nobody would notice.
type survey struct {
	builder
	t         reflect.Type
	layout    layout
	outer     map[string]bool // names taken further out
	here      map[string]bool // names taken on this level
	inner     []embedded      // structs of the next level
	omitEmpty bool            // all fields, by the tag of a field named _msgpack
	hidden    bool            // something was left out because it is unexported
}

// embedded is a struct on the way through the fields.
type embedded struct {
	t     reflect.Type
	index []int
}

func (b builder) layout(t reflect.Type) (*layout, error) {
	s := survey{builder: b, t: t, outer: map[string]bool{}}
	if f, ok := t.FieldByName("_msgpack"); ok && len(f.Index) == 1 {
		tag := parseTag(f)
		s.layout.asArray = tag.has("as_array") || tag.has("asArray")
		s.omitEmpty = tag.has("omitempty")
	}
	seen := map[reflect.Type]bool{}
	for level := []embedded{{t: t}}; len(level) > 0; level = s.inner {
		s.here, s.inner = map[string]bool{}, nil
		for _, e := range level {
			for i := 0; i < e.t.NumField() && !seen[e.t]; i++ { // what embeds itself is there already
				if err := s.visit(e.t.Field(i), append(slices.Clip(e.index), i)); err != nil {
					return nil, err
				}
			}
		}
		for _, e := range level {
			seen[e.t] = true
		}
		maps.Copy(s.outer, s.here)
	}
	if len(s.layout.fields) == 0 && s.hidden {
		return nil, fmt.Errorf("%s has only unexported fields, and these are not sent", t)
	}
	s.layout.arrange()
	return &s.layout, nil
}

func (s *survey) visit(f reflect.StructField, index []int) error {
	tag := parseTag(f)
	if tag.name == "-" || f.Name == "_msgpack" {
		return nil
	}
	if f.Anonymous && !tag.has("noinline") {
		t := f.Type
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.Kind() == reflect.Struct && (isDirect(t) || !writesItself(t)) {
			if t != f.Type && !f.IsExported() {
				return fmt.Errorf("the embedded pointer to %s, which is unexported, cannot be set by the receiver", t)
			}
			s.layout.optional = s.layout.optional || t != f.Type // the pointer may be nil
			s.inner = append(s.inner, embedded{t, index})
			return nil
		}
	}
	if !f.IsExported() {
		s.hidden = true
		return nil
	}
	name := cmp.Or(tag.name, f.Name)
	if s.outer[name] {
		return nil
	}
	for _, n := range append([]string{name}, tag.options["alias"]...) {
		if s.here[n] {
			return fmt.Errorf("two fields of %s are called %q", s.t, n)
		}
		s.here[n] = true
	}
	omitEmpty := s.omitEmpty || tag.has("omitempty")
	s.layout.optional = s.layout.optional || omitEmpty
	s.layout.fields = append(s.layout.fields, field{
		coder: s.coder(f.Type), t: f.Type, name: name, key: AppendString(nil, name),
		index: index, omitEmpty: omitEmpty, bytes: isBytes(f.Type), aliases: tag.options["alias"],
	})
	return nil
}

// arrange puts the fields in the order they are declared in, embedded ones where
// they are embedded: the order matters to structs that travel as arrays.
func (l *layout) arrange() {
	slices.SortFunc(l.fields, func(a, b field) int { return slices.Compare(a.index, b.index) })
	names := make([]string, len(l.fields))
	for i, f := range l.fields {
		names[i] = f.name
	}
	l.names = NewFieldNames(names...)
	for i, f := range l.fields {
		for _, alias := range f.aliases {
			l.names.Alias(alias, i)
		}
	}
}

// in finds the field in struct v. It says false if a nil pointer is on the way.
func (f *field) in(v reflect.Value) (reflect.Value, bool) {
	if len(f.index) == 1 {
		return v.Field(f.index[0]), true
	}
	for i, n := range f.index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return v, false
			}
			v = v.Elem()
		}
		v = v.Field(n)
	}
	return v, true
}

// made finds the field in struct v and makes the embedded structs on the way.
func (f *field) made(v reflect.Value) reflect.Value {
	if len(f.index) == 1 {
		return v.Field(f.index[0])
	}
	for i, n := range f.index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(n)
	}
	return v
}

// isEmpty says what omitempty leaves out: what has no length, is zero, nil or
// false, or says so by a method IsZero.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String, reflect.Slice, reflect.Map, reflect.Array:
		return v.Len() == 0 || v.IsZero()
	case reflect.Struct:
		if v.CanAddr() {
			if z, ok := v.Addr().Interface().(interface{ IsZero() bool }); ok {
				return z.IsZero()
			}
		} else if z, ok := v.Interface().(interface{ IsZero() bool }); ok {
			return z.IsZero()
		}
	}
	return v.IsZero()
}
