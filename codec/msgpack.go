package codec

import "encoding/binary"

// MaxDepth is how deep arrays and maps (of slices, structs, maps) may be nested
// in one body, in either direction. It keeps hostile bytes and cyclic values
// from using up the stack.
const MaxDepth = 100

// Leading bytes that this file writes; see heads for all.
const (
	codeNil     = 0xc0
	codeFalse   = 0xc2
	codeTrue    = 0xc3
	codeBin8    = 0xc4
	codeExt8    = 0xc7
	codeFloat32 = 0xca
	codeFloat64 = 0xcb
	codeUint8   = 0xcc
	codeInt8    = 0xd0
	codeFixExt4 = 0xd6
	codeFixExt8 = 0xd7
	codeStr8    = 0xd9
	codeArray16 = 0xdc
	codeMap16   = 0xde
	fixMap      = 0x80
	fixArray    = 0x90
	fixStr      = 0xa0
	extTime     = 0xff // extension type -1
)

// class is the kind of a msgpack value, as its first byte tells.
type class uint8

const (
	none class = iota // no value: the bytes end here, or 0xc1
	null
	boolean
	unsigned
	signed
	float32s
	float64s
	text
	blob
	array
	table
	extension
)

func (c class) String() string {
	return [...]string{"nothing", "nil", "a boolean", "a number", "a number", "a float", "a float",
		"a string", "bytes", "an array", "a map", "an extension"}[c]
}

// heads tells for each first byte the class, how many bytes of number follow,
// and the number itself if none follow.
var heads = func() (h [256]struct {
	class class
	size  uint8
	fixed int8
}) {
	set := func(code int, c class, sizes ...uint8) {
		for i, size := range sizes {
			h[code+i].class, h[code+i].size = c, size
		}
	}
	for i := range 0x80 {
		h[i].class, h[i].fixed = unsigned, int8(i)
	}
	for i := range 16 {
		h[fixMap+i].class, h[fixMap+i].fixed = table, int8(i)
		h[fixArray+i].class, h[fixArray+i].fixed = array, int8(i)
	}
	for i := range 32 {
		h[fixStr+i].class, h[fixStr+i].fixed = text, int8(i)
		h[0xe0+i].class, h[0xe0+i].fixed = signed, int8(i-32)
		if i <= 4 { // fixext of 1, 2, 4, 8 and 16 bytes
			h[0xd4+i].class, h[0xd4+i].fixed = extension, 1<<i
		}
	}
	set(codeNil, null, 0)
	set(codeFalse, boolean, 0, 0)
	h[codeTrue].fixed = 1
	set(codeBin8, blob, 1, 2, 4)
	set(codeExt8, extension, 1, 2, 4)
	set(codeFloat32, float32s, 4)
	set(codeFloat64, float64s, 8)
	set(codeUint8, unsigned, 1, 2, 4, 8)
	set(codeInt8, signed, 1, 2, 4, 8)
	set(codeStr8, text, 1, 2, 4)
	set(codeArray16, array, 2, 4)
	set(codeMap16, table, 2, 4)
	return h
}()

// next takes the head off the first value in b. n is the number itself (the
// bits of a signed one or a float), 0 or 1 of a boolean, the length of a string,
// bytes or extension (without the byte of its type), or the count of an array's
// elements or a map's pairs. The class is none if b does not begin with a whole
// head. Lengths are not compared with what is left: see skip.
func next(b []byte) (c class, n uint64, rest []byte) {
	if len(b) == 0 {
		return none, 0, b
	}
	h := &heads[b[0]]
	b = b[1:]
	if h.size == 0 {
		return h.class, uint64(int64(h.fixed)), b
	}
	if len(b) < int(h.size) {
		return none, 0, nil
	}
	switch h.size {
	case 1:
		n = uint64(b[0])
		if h.class == signed {
			n = uint64(int64(int8(n)))
		}
	case 2:
		n = uint64(binary.BigEndian.Uint16(b))
		if h.class == signed {
			n = uint64(int64(int16(n)))
		}
	case 4:
		n = uint64(binary.BigEndian.Uint32(b))
		if h.class == signed {
			n = uint64(int64(int32(n)))
		}
	default:
		n = binary.BigEndian.Uint64(b)
	}
	return h.class, n, b[h.size:]
}

// spans tells for each first byte how many bytes a value that begins with it
// has, 0 if that takes a closer look.
var spans = func() (s [256]uint8) {
	for code, h := range heads {
		switch h.class {
		case null, boolean, unsigned, signed, float32s, float64s:
			s[code] = 1 + h.size
		case text:
			if h.size == 0 {
				s[code] = 1 + uint8(h.fixed)
			}
		}
	}
	return s
}()

// skip passes over the next n values and is what all safety in reading rests on:
// where it passes, every length and count is covered by bytes that are there and
// nothing is nested more than depth levels deep. It allocates nothing.
func skip(b []byte, n uint64, depth int) ([]byte, error) { return scan(b, n, depth, nil) }

// scan is skip and sets extensions, unless that is nil, if there are any.
func scan(b []byte, n uint64, depth int, extensions *bool) ([]byte, error) {
	at := 0
	for ; n > 0; n-- {
		if at >= len(b) {
			return nil, errTruncated
		}
		if span := spans[b[at]]; span > 0 {
			at += int(span)
			continue
		}
		c, size, rest := next(b[at:])
		switch c {
		case none:
			if b[at] == 0xc1 {
				return nil, errReserved
			}
			return nil, errTruncated
		case table:
			size *= 2
			fallthrough
		case array:
			if size > uint64(len(rest)) { // each element takes a byte at least
				return nil, errTruncated
			}
			if depth == 0 {
				return nil, ErrDepth
			}
			var err error
			if rest, err = scan(rest, size, depth-1, extensions); err != nil {
				return nil, err
			}
		case extension:
			if extensions != nil {
				*extensions = true
			}
			size++
			fallthrough
		case text, blob:
			if size > uint64(len(rest)) {
				return nil, errTruncated
			}
			rest = rest[size:]
		}
		at = len(b) - len(rest)
	}
	if at > len(b) {
		return nil, errTruncated
	}
	return b[at:], nil
}

// sound says whether data is exactly one value of msgpack.
func sound(data []byte) error {
	rest, err := skip(data, 1, MaxDepth)
	if err == nil && len(rest) > 0 {
		return errTrailing
	}
	return err
}

// parseTime reads an extension's type byte and payload as a timestamp.
func parseTime(b []byte) (secs int64, nanos uint32, err error) {
	if len(b) == 0 || b[0] != extTime {
		return 0, 0, errExtension
	}
	switch b = b[1:]; len(b) {
	case 4:
		secs = int64(binary.BigEndian.Uint32(b))
	case 8:
		n := binary.BigEndian.Uint64(b)
		secs, nanos = int64(n&(1<<34-1)), uint32(n>>34)
	case 12:
		secs, nanos = int64(binary.BigEndian.Uint64(b[4:])), binary.BigEndian.Uint32(b)
	default:
		return 0, 0, errTime
	}
	if nanos > 999_999_999 {
		return 0, 0, errTime
	}
	return secs, nanos, nil
}
