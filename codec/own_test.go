package codec_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"conclave/codec"
)

// pid writes itself as bytes, with methods on value and pointer, as a PID does.
type pid struct{ node, serial uint32 }

func (p pid) MarshalBinary() ([]byte, error) { return p.AppendBinary(nil) }
func (p pid) AppendBinary(b []byte) ([]byte, error) {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, p.node), p.serial), nil
}
func (p *pid) UnmarshalBinary(b []byte) error {
	if len(b) != 8 {
		return errors.New("a pid has 8 bytes")
	}
	p.node, p.serial = binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	return nil
}

// blobs says how long its bytes are.
type blobs struct{ n int }

func (x *blobs) AppendBinary(b []byte) ([]byte, error) { return append(b, make([]byte, x.n)...), nil }
func (x *blobs) UnmarshalBinary(b []byte) error        { x.n = len(b); return nil }

// textual has methods of the pointer only.
type textual struct{ s string }

func (x *textual) MarshalText() ([]byte, error) { return []byte(x.s), nil }
func (x *textual) UnmarshalText(b []byte) error { x.s = string(b); return nil }

// raw has msgpack's simple pair of methods.
type raw struct{ b []byte }

func (r raw) MarshalMsgpack() ([]byte, error) {
	if r.b == nil {
		return []byte{0xc0}, nil
	}
	return r.b, nil
}
func (r *raw) UnmarshalMsgpack(b []byte) error { r.b = b; return nil }

// custom has the streaming pair, and reads a time and a list.
type custom struct {
	at   time.Time
	list []string
}

func (c *custom) EncodeMsgpack(e *msgpack.Encoder) error {
	return e.EncodeMulti(&struct{ T, L any }{c.at, c.list})
}
func (c *custom) DecodeMsgpack(d *msgpack.Decoder) error {
	var s struct {
		T time.Time
		L []string
	}
	err := d.Decode(&s)
	c.at, c.list = s.T.UTC(), s.L
	return err
}

type ownHolder struct {
	P   pid
	PP  *pid
	L   []pid
	M   map[pid]pid
	T   textual
	TM  map[string]textual
	R   raw
	C   custom
	CS  []*custom
	Raw msgpack.RawMessage
}

func TestTypesWriteAndReadThemselves(t *testing.T) {
	c := custom{time.Unix(5, 939_000_000).UTC(), []string{"a", "b"}}
	h := ownHolder{pid{1, 2}, &pid{3, 4}, []pid{{5, 6}}, map[pid]pid{{7, 8}: {9, 10}}, textual{"text"}, map[string]textual{"k": {"v"}},
		raw{[]byte{0x93, 1, 2, 3}}, c, []*custom{&c, nil}, msgpack.RawMessage{0xc3}}
	same(t, h)
	same(t, &h)
	same(t, []ownHolder{h})
	same(t, pid{1, 2})
	same(t, textual{"x"})
	same(t, c)
	for _, n := range []int{0, 1, 255, 256, 70000} {
		same(t, &blobs{n})
		same(t, box[blobs]{blobs{n}})
	}
	if got := again(t, box[any]{pid{1, 2}}); !bytes.Equal(got.In.([]byte), []byte{0, 0, 0, 1, 0, 0, 0, 2}) {
		t.Errorf("%v", got)
	}
}

// Embedding such a type brings its methods along, which know nothing of the
// fields beside it.
type (
	PID struct{ N uint8 }
	Tag struct{ S string }
	Raw struct{ B []byte }

	greeting struct {
		PID
		Text string
	}
	labelled struct {
		Text string
		*Tag
	}
	wrapped struct {
		Raw
		greeting
		More int
	}
	Stamped struct {
		time.Time
		Text string
	}
)

func (p PID) MarshalBinary() ([]byte, error)          { return []byte{p.N}, nil }
func (p *PID) UnmarshalBinary(b []byte) error         { p.N = b[0]; return nil }
func (t Tag) MarshalText() ([]byte, error)            { return []byte(t.S), nil }
func (t *Tag) UnmarshalText(b []byte) error           { t.S = string(b); return nil }
func (r *Raw) MarshalMsgpack() ([]byte, error)        { return []byte{0xc4, 1, r.B[0]}, nil }
func (r *Raw) UnmarshalMsgpack(b []byte) error        { r.B = b[2:]; return nil }
func (r *Raw) EncodeMsgpack(e *msgpack.Encoder) error { return e.EncodeBytes(r.B) }
func (r *Raw) DecodeMsgpack(d *msgpack.Decoder) (err error) {
	r.B, err = d.DecodeBytes()
	return err
}

type overriding struct {
	textual
	Text string
}

func (o overriding) MarshalText() ([]byte, error) { return []byte(o.s + "/" + o.Text), nil }
func (o *overriding) UnmarshalText(b []byte) error {
	a, z, _ := strings.Cut(string(b), "/")
	o.s, o.Text = a, z
	return nil
}

func TestMethodsOfAnEmbeddedFieldAreNotTheStructs(t *testing.T) {
	same(t, greeting{PID{1}, "hello"})
	same(t, labelled{"hello", &Tag{"x"}})
	same(t, labelled{Text: "hello"})
	same(t, wrapped{Raw{[]byte("a")}, greeting{PID{2}, "hello"}, 3})
	same(t, Stamped{time.Unix(1, 2).UTC(), "hello"})
	same(t, overriding{textual{"a"}, "b"})
	if data, _, _ := codec.Append(nil, overriding{textual{"a"}, "b"}); string(data[2:]) != "a/b" {
		t.Errorf("its own method was not used: %q", data)
	}
}

// Half pairs: made for logs, not for the wire.
type level int

func (l level) MarshalText() ([]byte, error) { return []byte("level"), nil }

func TestHalfAPairOfGeneralMethodsIsNotUsed(t *testing.T) {
	same(t, level(3))
	same(t, box[level]{4})
}

// selfish misbehaves in the way that its number says.
type selfish struct{ How int }

var errSelfish = errors.New("selfish")

func (s selfish) EncodeMsgpack(e *msgpack.Encoder) error {
	switch s.How {
	case 0:
		return errSelfish
	case 1:
		panic(errSelfish)
	case 2:
		return nil // nothing written
	case 3:
		return e.EncodeMulti(1, 2)
	case 4:
		return e.EncodeArrayLen(3) // and no elements
	case 5:
		_, err := e.Writer().Write([]byte{0xc1})
		return err
	}
	return e.Encode(&s) // for ever
}

func (s *selfish) DecodeMsgpack(d *msgpack.Decoder) error {
	if _, err := d.DecodeInt(); err != nil {
		return err
	}
	panic(errSelfish)
}

func TestMisbehavingMethodsAreErrors(t *testing.T) {
	for how := range 7 {
		if how == 6 {
			continue // see TestEncoderThatGoesRoundInACircleIsStopped
		}
		for _, body := range []any{selfish{how}, &selfish{how}, box[[]selfish]{[]selfish{{how}}}} {
			out, _, err := codec.Append([]byte("kept"), body)
			if !errors.Is(err, codec.ErrEncode) || string(out) != "kept" {
				t.Errorf("%+v: %q, %v", body, out, err)
			}
			if how < 2 && !errors.Is(err, errSelfish) {
				t.Errorf("%+v: the cause is lost: %v", body, err)
			}
		}
	}
	var s box[selfish]
	err := codec.Decode(codec.Name(reflect.TypeOf(s)), []byte("\x81\xa2In\x01"), &s)
	if !errors.Is(err, codec.ErrDecode) || !errors.Is(err, errSelfish) || !strings.Contains(err.Error(), "In: ") {
		t.Error(err)
	}
}

// chain writes itself by the library, which follows next and never comes back if
// that leads to itself.
type chain struct{ next *chain }

func (c *chain) EncodeMsgpack(e *msgpack.Encoder) error {
	if err := e.EncodeArrayLen(1); err != nil {
		return err
	}
	return e.Encode(c.next)
}

func TestEncoderThatGoesRoundInACircleIsStopped(t *testing.T) {
	c := &chain{}
	c.next = c
	if _, _, err := codec.Append(nil, c); !errors.Is(err, codec.ErrEncode) {
		t.Error(err)
	}
}

// believer reads whatever comes as the library reads it.
type believer struct{ m map[string]any }

func (b *believer) DecodeMsgpack(d *msgpack.Decoder) (err error) {
	b.m, err = d.DecodeMap()
	return err
}

type believerOfBytes struct{ m map[string]any }

func (b *believerOfBytes) UnmarshalMsgpack(p []byte) error { return msgpack.Unmarshal(p, &b.m) }

// The library takes what is in an extension for a map, if a map is due.
func TestOwnMethodsAreNotHandedMapsHiddenInExtensions(t *testing.T) {
	for _, data := range [][]byte{
		{0xd7, 0xff, 0xdf, 0x03, 0xff, 0xff, 0xff, 0, 0, 0},
		{0xd7, 0xff, 0x81, 0xa0, 0xc6, 0x0f, 0xff, 0xff, 0xff, 0},
		{0xd6, 0xff, 0xde, 0xff, 0xff, 0},
		{0xc8, 0, 8, 0xff, 0xdf, 0x03, 0xff, 0xff, 0xff, 0, 0, 0},
		{0xd7, 5, 0xdf, 0x03, 0xff, 0xff, 0xff, 0, 0, 0},
		{0xc7, 12, 0xff, 0xdf, 0x03, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0},
	} {
		var b believer
		var bb believerOfBytes
		allocates(t, 64<<10, func() {
			if err := codec.Decode(codec.Name(reflect.TypeOf(b)), data, &b); !errors.Is(err, codec.ErrDecode) {
				t.Errorf("%x: %v", data, err)
			}
			if err := codec.Decode(codec.Name(reflect.TypeOf(bb)), data, &bb); !errors.Is(err, codec.ErrDecode) {
				t.Errorf("%x: %v", data, err)
			}
		})
	}
}

func TestTimesThatLookLikeMapsReachOwnMethods(t *testing.T) {
	for _, at := range []time.Time{time.Unix(5, 939_000_000), time.Unix(0xdf000001, 0), time.Unix(0x81000001, 0), time.Unix(77, 0x8e000000>>2)} {
		same(t, box[[]custom]{[]custom{{at.UTC(), []string{"before"}}, {time.Unix(1, 1).UTC(), nil}, {at.UTC(), []string{"after"}}}})
	}
}
