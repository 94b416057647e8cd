package codec_test

import (
	"reflect"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"conclave/codec"
)

// benchNote is what most messages look like: a few fields, no containers. It
// travels by reflection.
type benchNote struct {
	ID   int
	Text string
	Tags []byte
}

// benchOwn is the same with methods for the msgpack library.
type benchOwn benchNote

func (n *benchOwn) EncodeMsgpack(e *msgpack.Encoder) error {
	if err := e.EncodeArrayLen(3); err != nil {
		return err
	}
	if err := e.EncodeInt(int64(n.ID)); err != nil {
		return err
	}
	if err := e.EncodeString(n.Text); err != nil {
		return err
	}
	return e.EncodeBytes(n.Tags)
}

func (n *benchOwn) DecodeMsgpack(d *msgpack.Decoder) (err error) {
	if _, err = d.DecodeArrayLen(); err != nil {
		return err
	}
	if n.ID, err = d.DecodeInt(); err != nil {
		return err
	}
	if n.Text, err = d.DecodeString(); err != nil {
		return err
	}
	n.Tags, err = d.DecodeBytes()
	return err
}

func note() benchNote { return benchNote{1 << 30, "the quick brown fox", make([]byte, 40)} }

func noteOf[T ~struct {
	ID   int
	Text string
	Tags []byte
}]() *T {
	n := T(note())
	return &n
}

var benchBodies = []struct {
	name string
	body any
	into any
}{
	{"reflected", note(), new(benchNote)},
	{"pointer", noteOf[benchNote](), new(benchNote)},
	{"own", noteOf[benchOwn](), new(benchOwn)},
	{"direct", noteOf[leanNote](), new(leanNote)},
	{"string", "a string of some length", new(string)},
	{"bytes64", make([]byte, 64), new([]byte)},
	{"int", 123456, new(int)},
	{"slice", []int{1, 2, 3, 4, 5, 6, 7, 8}, new([]int)},
	{"map", map[string]any{"a": 1, "b": "two"}, new(map[string]any)},
}

func BenchmarkAppend(b *testing.B) {
	for _, c := range benchBodies {
		b.Run(c.name, func(b *testing.B) {
			var dst []byte
			var err error
			b.ReportAllocs()
			for b.Loop() {
				if dst, _, err = codec.Append(dst[:0], c.body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range benchBodies {
		b.Run(c.name, func(b *testing.B) {
			data, name, err := codec.Append(nil, c.body)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := codec.Decode(name, data, c.into); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The msgpack library by itself, with encoders and decoders of its own pool.
func BenchmarkLibraryAppend(b *testing.B) {
	for _, c := range benchBodies[:3] {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := msgpack.Marshal(c.body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLibraryDecode(b *testing.B) {
	for _, c := range benchBodies[1:3] {
		b.Run(c.name, func(b *testing.B) {
			data, err := msgpack.Marshal(c.body)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := msgpack.Unmarshal(data, c.into); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkIs(b *testing.B) {
	name, t := codec.Name(reflect.TypeFor[benchNote]()), reflect.TypeFor[*benchNote]()
	name = string([]byte(name)) // another string of the same bytes, as from the wire
	for b.Loop() {
		if !codec.Is(name, t) {
			b.Fatal("another name")
		}
	}
}

func BenchmarkValueString(b *testing.B) {
	data, name, _ := codec.Append(nil, "a string of some length")
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := codec.Value(name, data); !ok {
			b.Fatal("no value")
		}
	}
}
