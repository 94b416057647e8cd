package codec

import (
	"encoding/binary"
	"fmt"
	"reflect"
)

// FieldNames are the names of a struct's fields as they stand on the wire.
type FieldNames struct {
	names  []string
	keys   []fieldKey
	byName map[string]int
}

// fieldKey is a name in msgpack, its first eight bytes as a number.
type fieldKey struct {
	head, mask uint64
	key        string
}

func newFieldKey(name string) fieldKey {
	k := fieldKey{key: string(AppendString(nil, name))}
	for i := range min(8, len(k.key)) {
		k.head |= uint64(k.key[i]) << (8 * i)
		k.mask |= 0xff << (8 * i)
	}
	return k
}

// begins says whether b begins with the key.
func (k *fieldKey) begins(b []byte) bool {
	if len(b) >= 8 && len(k.key) <= 8 {
		return binary.LittleEndian.Uint64(b)&k.mask == k.head
	}
	return len(b) >= len(k.key) && string(b[:len(k.key)]) == k.key
}

// NewFieldNames is for the fields of these names, which are numbered from 0.
func NewFieldNames(names ...string) *FieldNames {
	f := &FieldNames{names: names, byName: map[string]int{}}
	for i, name := range names {
		f.keys = append(f.keys, newFieldKey(name))
		f.byName[name] = i
	}
	return f
}

// Alias adds another name for a field to be found by, unless a field has that.
func (f *FieldNames) Alias(name string, field int) *FieldNames {
	if i, taken := f.byName[name]; !taken || f.names[i] != name {
		f.byName[name] = field
	}
	return f
}

// Next takes the name of a field off b: its number, or -1 if there is none of
// that name. It is quicker if the field is the one that is due.
func (f *FieldNames) Next(b []byte, due int) (field int, rest []byte, err error) {
	if uint(due) < uint(len(f.keys)) {
		if k := &f.keys[due]; k.begins(b) {
			return due, b[len(k.key):], nil
		}
	}
	return f.find(b)
}

func (f *FieldNames) find(b []byte) (field int, rest []byte, err error) {
	c, n, rest := next(b)
	switch {
	case c == none:
		return 0, nil, errNone
	case c != text && c != blob:
		return 0, nil, fmt.Errorf("%s where the name of a field should be", c)
	case n > uint64(len(rest)):
		return 0, nil, errTruncated
	}
	field, ok := f.byName[string(rest[:n])]
	if !ok {
		field = -1
	}
	return field, rest[n:], nil
}

// In is err as that of the field.
func (f *FieldNames) In(field int, err error) error {
	if field < 0 || field >= len(f.names) {
		return err
	}
	return within("."+f.names[field], err)
}

// ReadStruct takes the head off a struct, which may come in either form: named,
// n pairs of a name (see [FieldNames]) and a value follow, otherwise n values in
// the order of the fields. Nil is a struct of no fields.
func ReadStruct(b []byte, depth int) (n int, named bool, rest []byte, err error) {
	c, count, rest := next(b)
	switch {
	case c == null:
		return 0, false, rest, nil
	case c != table && c != array:
		return 0, false, nil, misfit(c, reflect.TypeFor[struct{}]())
	case count > uint64(len(rest)) || c == table && 2*count > uint64(len(rest)):
		return 0, false, nil, errTruncated
	case depth <= 0:
		return 0, false, nil, ErrDepth
	}
	return int(count), c == table, rest, nil
}
