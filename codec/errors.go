package codec

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrEncode is what every error of [Append] wraps. The message names the type
	// of the body and the field that cannot be sent.
	ErrEncode = errors.New("codec: cannot encode")
	// ErrDecode is what every error of [Decode] wraps. The message names the type
	// that was wanted and where the bytes do not fit it.
	ErrDecode = errors.New("codec: cannot decode")
	// ErrDepth is the cause of an ErrEncode or ErrDecode when arrays and maps are
	// nested deeper than [MaxDepth]. An [Appender] returns it at depth 0.
	ErrDepth = fmt.Errorf("nested deeper than %d levels", MaxDepth)
)

// Causes that do not depend on the value.
var (
	errNone      = errors.New("the bytes end, or are not msgpack")
	errTruncated = errors.New("a length goes beyond the end of the bytes")
	errTrailing  = errors.New("bytes after the value")
	errNotOne    = errors.New("the type's own method did not write exactly one msgpack value")
	errTooLong   = errors.New("more than 4294967295 bytes or elements")
	errReserved  = errors.New("0xc1 is not msgpack")
	errExtension = errors.New("an extension other than a timestamp")
	errTime      = errors.New("not a timestamp")
)

// fault is an error of Append or Decode.
type fault struct {
	sort  error // ErrEncode or ErrDecode
	name  string
	path  string // the way to the field, "" for the body itself
	cause error
}

func (f *fault) Error() string {
	var b strings.Builder
	b.WriteString(f.sort.Error())
	b.WriteByte(' ')
	b.WriteString(shorten(f.name))
	b.WriteString(": ")
	if f.path != "" {
		b.WriteString(shorten(f.path))
		b.WriteString(": ")
	}
	b.WriteString(f.cause.Error())
	return b.String()
}

func (f *fault) Unwrap() []error { return []error{f.sort, f.cause} }

func newFault(sort error, name string, cause error) error {
	f := &fault{sort: sort, name: name, cause: cause}
	if p, ok := cause.(*place); ok {
		f.path, f.cause = strings.TrimPrefix(p.path, "."), p.cause
	}
	return f
}

// place is an error on its way up from a field: each level puts its own step in
// front of the path.
type place struct {
	path  string
	cause error
}

func (p *place) Error() string { return p.path + ": " + p.cause.Error() }
func (p *place) Unwrap() error { return p.cause }

func within(step string, err error) error {
	if p, ok := err.(*place); ok {
		p.path = step + p.path
		return p
	}
	return &place{path: step, cause: err}
}

func withinIndex(i int, err error) error { return within(fmt.Sprintf("[%d]", i), err) }

// shorten keeps errors readable when a name or a path comes from elsewhere.
func shorten(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}

// caught makes an error of a panic. It is deferred wherever code runs that is
// not ours: the methods of the body's types.
func caught(err *error) {
	switch r := recover().(type) {
	case nil:
	case error:
		*err = fmt.Errorf("panic: %w", r)
	default:
		*err = fmt.Errorf("panic: %v", r)
	}
}
