package codec

import (
	"errors"
	"io"
)

var errUnread = errors.New("no byte to take back")

func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if r.next == len(r.b) {
		return 0, io.EOF
	}
	n := copy(p, r.b[r.next:])
	r.next += n
	return n, nil
}

func (r *reader) ReadByte() (byte, error) {
	if r.next == len(r.b) {
		return 0, io.EOF
	}
	r.next++
	return r.b[r.next-1], nil
}

func (r *reader) UnreadByte() error {
	if r.next == 0 {
		return errUnread
	}
	r.next--
	return nil
}

// tame makes bytes that skip has passed safe for the msgpack library, which a
// type's own methods read them with. Where the library expects a map, it steps
// over the head of an extension and believes a map's count that it then finds in
// the payload, which no check of lengths covers: ten bytes can take gigabytes.
// So of extensions only timestamps pass, and those whose payload begins like a
// map are written in the long form, which never does. This is rare, and only
// then tame makes a copy.
func tame(val []byte) ([]byte, error) {
	var out []byte
	done := 0 // how much of val is in out
	for b := val; len(b) > 0; {
		c, n, rest := next(b)
		switch c {
		case text, blob:
			rest = rest[n:]
		case extension:
			payload := rest[:n+1]
			secs, nanos, err := parseTime(payload)
			if err != nil {
				return nil, err
			}
			rest = rest[n+1:]
			if heads[payload[1]].class == table {
				out = append(out, val[done:len(val)-len(b)]...)
				out = appendLongTime(out, uint64(secs), nanos)
				done = len(val) - len(rest)
			}
		}
		b = rest
	}
	if done == 0 {
		return val, nil
	}
	return append(out, val[done:]...), nil
}
