package codec

import (
	"encoding/binary"
	"math"
	"time"
)

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

// appendSized appends code and n in the fewest of 1, 2, 4 or 8 bytes; code is
// the one for a single byte, those for more follow it.
func appendSized(dst []byte, code byte, n uint64) []byte {
	switch {
	case n <= math.MaxUint8:
		return append(dst, code, byte(n))
	case n <= math.MaxUint16:
		return append(dst, code+1, byte(n>>8), byte(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, code+2), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, code+3), n)
}

func appendUint(dst []byte, n uint64) []byte {
	if n <= 0x7f {
		return append(dst, byte(n))
	}
	return appendSized(dst, codeUint8, n)
}

func appendInt(dst []byte, n int64) []byte {
	switch {
	case n >= 0:
		return appendUint(dst, uint64(n))
	case n >= -32:
		return append(dst, byte(n))
	case n >= math.MinInt8:
		return append(dst, codeInt8, byte(n))
	case n >= math.MinInt16:
		return append(dst, codeInt8+1, byte(n>>8), byte(n))
	case n >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(dst, codeInt8+2), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, codeInt8+3), uint64(n))
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, codeTrue)
	}
	return append(dst, codeFalse)
}

func appendFloat32(dst []byte, f float32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, codeFloat32), math.Float32bits(f))
}

func appendFloat64(dst []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, codeFloat64), math.Float64bits(f))
}

func appendString(dst []byte, s string) []byte {
	if len(s) < 32 {
		dst = append(dst, fixStr|byte(len(s)))
	} else {
		dst = appendSized(dst, codeStr8, fits(len(s)))
	}
	return append(dst, s...)
}

func appendBytes(dst, b []byte) []byte {
	if b == nil {
		return append(dst, codeNil)
	}
	return append(appendSized(dst, codeBin8, fits(len(b))), b...)
}

func appendArrayLen(dst []byte, n int) []byte { return appendLen(dst, fixArray, codeArray16, n) }
func appendMapLen(dst []byte, n int) []byte   { return appendLen(dst, fixMap, codeMap16, n) }

func appendLen(dst []byte, fix, code16 byte, n int) []byte {
	switch {
	case n < 16:
		return append(dst, fix|byte(n))
	case n <= math.MaxUint16:
		return append(dst, code16, byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, code16+1), uint32(fits(n)))
}

// fits lets a length pass that msgpack can express. What is longer is a panic
// that Append turns into its error: nobody needs to look for it on the way.
func fits(n int) uint64 {
	if uint64(n) > math.MaxUint32 {
		panic(errTooLong)
	}
	return uint64(n)
}

// appendTime appends the timestamp extension in the shortest of its three forms.
func appendTime(dst []byte, t time.Time) []byte {
	secs, nanos := uint64(t.Unix()), uint64(t.Nanosecond())
	switch {
	case secs>>34 != 0:
		return appendLongTime(dst, secs, uint32(nanos))
	case nanos == 0 && secs <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, codeFixExt4, extTime), uint32(secs))
	}
	return binary.BigEndian.AppendUint64(append(dst, codeFixExt8, extTime), nanos<<34|secs)
}

func appendLongTime(dst []byte, secs uint64, nanos uint32) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, codeExt8, 12, extTime), nanos)
	return binary.BigEndian.AppendUint64(dst, secs)
}

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

// skip passes over the next n values and is what all safety in reading rests on:
// where it passes, every length and count is covered by bytes that are there and
// nothing is nested more than depth levels deep. It allocates nothing.
func skip(b []byte, n uint64, depth int) ([]byte, error) {
	for ; n > 0; n-- {
		c, size, rest := next(b)
		switch c {
		case none:
			if len(b) > 0 && b[0] == 0xc1 {
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
				return nil, errDepth
			}
			var err error
			if rest, err = skip(rest, size, depth-1); err != nil {
				return nil, err
			}
		case extension:
			size++
			fallthrough
		case text, blob:
			if size > uint64(len(rest)) {
				return nil, errTruncated
			}
			rest = rest[size:]
		}
		b = rest
	}
	return b, nil
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
