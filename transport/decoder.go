package transport

import (
	"encoding/binary"
	"fmt"
	"io"
)

const (
	// A Decoder's buffer starts small, for lanes with little traffic, and grows
	// when reads fill it.
	firstBuffer = 4 << 10
	largeBuffer = 128 << 10

	// bulkBuffer is as large as that of a bulk lane grows: large enough for what
	// comes before a body, so that most of the body is read to where it stays.
	bulkBuffer = 16 << 10

	// slabSize bounds what a kept body can pin besides itself: small bodies
	// that were read together share a slab, bodies above slabSize/4 get memory
	// of their own.
	slabSize = 16 << 10

	// maxHead bounds the part of a frame before its body, with the length
	// field, whatever the padding. It fits in the buffer.
	maxHead = 128 + MaxToName + MaxScope + MaxType + MaxExt

	// trustedBody is how much a Decoder reserves for a body on the word of the
	// peer: as much as the window of a lane, which it may fill anyway.
	trustedBody = 1 << 20
	trustedBulk = 4 << 20 // in the lane Bulk, where TCP's windows count

	// maxToNames bounds the names of processes that a Decoder remembers, to make
	// each one's string only once.
	maxToNames = 1024
)

// A Decoder takes the frames out of the bytes of one lane, in one direction, of
// one Conn. Not safe for concurrent use.
type Decoder struct {
	r   io.Reader
	max int
	err error // what every Next returns from now on

	large   int // how large buf grows
	trusted int // see trustedBody

	buf        []byte
	begin, end int // buf[begin:end] is read and not yet decoded

	slab    []byte
	free    int // slab[free:] is unused
	at      int // where in slab the last body is, -1 if it is not there
	names   heardNames
	toNames map[string]string
	count   uint64
	skipped uint64
}

// NewDecoder returns a Decoder that reads from r (see LaneReader) and takes
// frames of at most maxFrame bytes, which is our own Options.MaxFrame. 0 means
// DefaultMaxFrame.
func NewDecoder(r io.Reader, maxFrame int) *Decoder {
	if maxFrame <= 0 {
		maxFrame = DefaultMaxFrame
	}
	return &Decoder{r: r, max: maxFrame, large: largeBuffer, trusted: trustedBody}
}

// NewBulkDecoder is NewDecoder for the lane Bulk: it copies less of large bodies,
// and is slower with small ones.
func NewBulkDecoder(r io.Reader, maxFrame int) *Decoder {
	d := NewDecoder(r, maxFrame)
	d.large, d.trusted = bulkBuffer, trustedBulk
	return d
}

// Next waits for the next frame of a known kind and stores it in f, replacing
// all of it. Body and Ext are the caller's to keep and to change; small ones
// share memory, at most 16 KiB of it, with their neighbours.
//
// An error ends the lane: the reader's own (io.ErrUnexpectedEOF if it says EOF
// within a frame), ErrFrame, or ErrTooLarge. On the latter two close the Conn.
// It is returned again by every later call.
func (d *Decoder) Next(f *Frame) error {
	for d.NextAny(f) == nil {
		if f.Kind.known() {
			return nil
		}
		d.skipped++
	}
	return d.err
}

// NextAny is Next that gives frames of unknown kinds, too.
func (d *Decoder) NextAny(f *Frame) error {
	if d.err == nil {
		d.err = d.next(f)
	}
	if d.err != nil {
		*f = Frame{}
		return d.err
	}
	d.count++
	return nil
}

// Buffered returns how many bytes have been read and not yet decoded. When it
// is 0, Next has to wait for the reader.
func (d *Decoder) Buffered() int { return d.end - d.begin }

// Ready says whether the next frame has been read whole, so that Next does not
// touch the reader. It may say no to a frame that Next does not return.
func (d *Decoder) Ready() bool {
	n, used := binary.Uvarint(d.buf[d.begin:d.end])
	have := d.buf[min(d.begin+max(used, 0), d.end):d.end]
	return used > 0 && n >= smallestFrame && n <= uint64(len(have)) && Kind(have[0]).known()
}

// Count returns how many frames have been taken so far, those skipped included.
func (d *Decoder) Count() uint64 { return d.count }

// Skipped counts the frames of unknown kinds passed over so far.
func (d *Decoder) Skipped() uint64 { return d.skipped }

// next decodes one frame of any kind.
func (d *Decoder) next(f *Frame) error {
	n, err := d.length()
	if err != nil {
		return err
	}
	if err := d.fill(min(n, maxHead)); err != nil {
		return unexpected(err)
	}
	part := d.buf[d.begin:min(d.end, d.begin+n)]
	used, err := d.head(f, part)
	if err != nil {
		return err
	}
	body, size := part[used:], n-used
	switch {
	case len(body) == size:
		f.Body = d.keep(body)
		d.begin += n
	case size <= slabSize:
		if err := d.fill(n); err != nil {
			return unexpected(err)
		}
		f.Body = d.keep(d.buf[d.begin+used : d.begin+n])
		d.begin += n
	default:
		d.begin += used
		d.at = -1
		f.Body, err = d.long(size)
	}
	return err
}

// length takes the length of the next frame.
func (d *Decoder) length() (int, error) {
	for have := 1; ; have++ {
		if err := d.fill(have); err != nil {
			return 0, err
		}
		v, used := binary.Uvarint(d.buf[d.begin:d.end])
		switch {
		case used == 0:
			have = max(have, d.Buffered())
			continue
		case used < 0:
			return 0, fmt.Errorf("%w: length over 64 bits", ErrFrame)
		case v < smallestFrame:
			return 0, fmt.Errorf("%w: %d bytes", ErrFrame, v)
		case v > uint64(d.max):
			return 0, fmt.Errorf("%w: frame of %d bytes, at most %d", ErrTooLarge, v, d.max)
		}
		d.begin += used
		return int(v), nil
	}
}

// head decodes what stands before the body into f, from b: the frame, or its
// first maxHead bytes, which is more than a head can have. It returns how many
// bytes it used.
func (d *Decoder) head(f *Frame, b []byte) (int, error) {
	*f = Frame{Kind: Kind(b[0])}
	shape := b[1]
	if f.Kind == 0 || shape&shapeUnknown != 0 {
		return 0, fmt.Errorf("%w: kind %d, shape %#02x", ErrFrame, b[0], shape)
	}
	i := 2
	f.From, i = uvarint(b, i)
	f.To, i = uvarint(b, i)
	if shape&shapeName != 0 {
		var name []byte
		if name, i = counted(b, i, 1, MaxToName); i > 0 {
			f.ToName = d.toName(name)
		}
	}
	if shape&shapeTerm != 0 {
		var number uint64
		f.Scope, i = d.name(b, i, MaxScope)
		number, i = uvarint(b, i)
		f.TermNumber = int64(number)
	}
	if shape&shapeRef != 0 {
		f.Ref, i = uvarint(b, i)
	}
	if shape&shapeType != 0 {
		f.Type, i = d.name(b, i, MaxType)
	}
	if shape&shapeExt != 0 {
		var ext []byte
		if ext, i = counted(b, i, 1, MaxExt); i > 0 {
			f.Ext = d.keep(ext)
		}
	}
	if shape&shapeFlags != 0 {
		if i <= 0 || i == len(b) {
			return 0, errFields
		}
		f.Flags = Flags(b[i])
		i++
	}
	if i <= 0 {
		return 0, errFields
	}
	return i, nil
}

var errFields = fmt.Errorf("%w: its fields do not fit, or are out of bounds", ErrFrame)

// The three below take one field from b[i:] and return the index after it.
// -1 means that something was wrong, and is passed through, so that one check
// at the end is enough.

// uvarint takes a number.
func uvarint(b []byte, i int) (uint64, int) {
	if uint(i) < uint(len(b)) && b[i] < 0x80 {
		return uint64(b[i]), i + 1
	}
	if i < 0 {
		return 0, -1
	}
	v, n := binary.Uvarint(b[i:])
	if n <= 0 {
		return 0, -1
	}
	return v, i + n
}

// counted takes a length between low and high, and so many bytes.
func counted(b []byte, i, low, high int) ([]byte, int) {
	size, i := uvarint(b, i)
	if i < 0 || size < uint64(low) || size > uint64(high) || size > uint64(len(b)-i) {
		return nil, -1
	}
	end := i + int(size)
	return b[i:end], end
}

// name takes a name code and what follows it.
func (d *Decoder) name(b []byte, i, limit int) (string, int) {
	code, i := uvarint(b, i)
	if i < 0 {
		return "", -1
	}
	if code >= codeFirst {
		if name, ok := d.names.at(code); ok && len(name) <= limit {
			return name, i
		}
		return "", -1
	}
	name, i := counted(b, i, 0, limit)
	if i < 0 {
		return "", -1
	}
	if code == codeLiteral {
		return string(name), i
	}
	if name, ok := d.names.define(name); ok {
		return name, i
	}
	return "", -1
}

// toName makes a string of the name of a process.
func (d *Decoder) toName(b []byte) string {
	if name, ok := d.toNames[string(b)]; ok {
		return name
	}
	name := string(b)
	switch {
	case d.toNames == nil:
		d.toNames = make(map[string]string)
	case len(d.toNames) == maxToNames:
		clear(d.toNames)
	}
	d.toNames[name] = name
	return name
}

// keep copies b to memory that is not used again.
func (d *Decoder) keep(b []byte) []byte {
	switch {
	case len(b) == 0:
		d.at = -1
		return nil
	case len(b) > slabSize/4:
		d.at = -1
		return append(make([]byte, 0, len(b)), b...)
	case len(b) > len(d.slab)-d.free:
		// What is left to decode tells how much will be wanted: a message that
		// comes alone gets what it needs.
		d.slab, d.free = make([]byte, max(len(b), min(d.Buffered(), slabSize))), 0
	}
	d.at = d.free
	d.free += len(b)
	own := d.slab[d.at:d.free:d.free]
	copy(own, b)
	return own
}

// Memory returns what f.Body, which Next has just given, shares with its
// neighbours, and where in it the body begins: who keeps many bodies can keep the
// place of each instead. It is f.Body itself if that has memory of its own.
func (d *Decoder) Memory(f *Frame) (memory []byte, at int) {
	if d.at < 0 {
		return f.Body, 0
	}
	return d.slab, d.at
}

// long takes a body of which only the beginning is in the buffer. The memory
// for it grows as it arrives, so that a peer pays for what it makes us reserve.
func (d *Decoder) long(size int) ([]byte, error) {
	body := make([]byte, min(size, d.trusted))
	have := copy(body, d.buf[d.begin:d.end])
	d.begin, d.end = 0, 0
	for {
		n, err := io.ReadFull(d.r, body[have:])
		if have += n; err != nil {
			return nil, unexpected(err)
		}
		if have == size {
			return body, nil
		}
		longer := make([]byte, min(size, 2*len(body)))
		copy(longer, body)
		body = longer
	}
}

// fill reads until the buffer holds n bytes or more; n is at most slabSize or maxHead.
func (d *Decoder) fill(n int) error {
	if d.Buffered() >= n {
		return nil
	}
	if d.begin == d.end {
		d.begin, d.end = 0, 0
	}
	for empty := 0; d.Buffered() < n; {
		d.makeRoom(n)
		got, err := d.r.Read(d.buf[d.end:])
		d.end += got
		switch {
		case d.Buffered() >= n:
			return nil // an error comes again when it is needed
		case err != nil && d.Buffered() > 0:
			return unexpected(err)
		case err != nil:
			return err
		case got > 0:
			empty = 0
		default:
			if empty++; empty == 100 {
				return io.ErrNoProgress
			}
		}
	}
	return nil
}

// makeRoom sees to it that the buffer can take n bytes from begin on, and at
// least one more than it has.
func (d *Decoder) makeRoom(n int) {
	size := max(len(d.buf), firstBuffer)
	if d.end == len(d.buf) && len(d.buf) < d.large {
		size = max(size, 2*len(d.buf)) // reads fill it: a busy lane
	}
	for size < n {
		size *= 2
	}
	switch {
	case size > len(d.buf):
		larger := make([]byte, size)
		d.end = copy(larger, d.buf[d.begin:d.end])
		d.buf, d.begin = larger, 0
	case len(d.buf)-d.begin < n || d.end == len(d.buf):
		d.end = copy(d.buf, d.buf[d.begin:d.end])
		d.begin = 0
	}
}

// unexpected is err, met within a frame.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
