package codec_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"conclave/codec"
)

// allocates fails the test if f takes more than most bytes of memory.
func allocates(t testing.TB, most uint64, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > most {
		t.Errorf("%d bytes of memory, more than %d", n, most)
	}
}

// targets are types of all sorts to decode into.
func targets() []any {
	return []any{
		new(everything), new(ownHolder), new(outer), new(jobV2), new(tagged), new(point3), new(tree), new(list), new(sliceOfSelf), new(mapOfSelf),
		new(any), new([]any), new(map[string]any), new(map[any]any), new(box[map[any]int]), new(string), new([]byte), new(int8), new(uint64), new(float32), new(bool),
		new(time.Time), new(time.Duration), new([3]int), new([]*job), new(map[pid]textual), new(box[error]), new(believer), new(believerOfBytes), new([]struct{}),
		new(box[msgpack.RawMessage]), new(manyOptional), new(**job), new(box[[]box[any]]),
		new(lean), new(*leanNote), new(leanTree), new(leanArray), new(leanOptional), new(leanWide), new(leanList), new([]lean), new(box[leanTree]),
	}
}

func decodeAll(t testing.TB, data []byte) {
	for _, into := range targets() {
		name := codec.Name(reflect.TypeOf(into))
		before := bytes.Clone(data)
		err := codec.Decode(name, data, into)
		if !bytes.Equal(before, data) {
			t.Fatalf("Decode into %T wrote into the bytes", into)
		}
		if err != nil {
			if !errors.Is(err, codec.ErrDecode) {
				t.Fatalf("%T: %v is no ErrDecode", into, err)
			}
			if !reflect.ValueOf(into).Elem().IsZero() {
				t.Fatalf("%T: something is left after %v", into, err)
			}
			continue
		}
		body := reflect.ValueOf(into).Elem().Interface()
		again, _, err := codec.Append(nil, body)
		switch into.(type) {
		case *believer, *believerOfBytes: // they cannot be sent
			continue
		case *any:
			name = "any"
		}
		if err != nil {
			t.Fatalf("%T was decoded from %x and cannot be encoded: %v", body, data, err)
		}
		if err := codec.Decode(name, again, into); err != nil {
			t.Fatalf("%T was decoded from %x and not from %x: %v", into, data, again, err)
		}
	}
	for _, name := range []string{"any", "nil", "string", "[]uint8", "int8", "[]any", "map[string]any", "map[string]time.Time", "[]map[string]any"} {
		codec.Value(name, data)
	}
}

// hostile are bytes that claim what is not there, or are nested or repeated
// without end.
func hostile() [][]byte {
	var list [][]byte
	for _, code := range []byte{0xc6, 0xc9, 0xdb, 0xdd, 0xdf} {
		for _, n := range []uint32{1, 1000, 1 << 20, 1<<31 - 1, 1 << 31, 1<<32 - 1} {
			head := binary.BigEndian.AppendUint32([]byte{code}, n)
			list = append(list, head, append([]byte{0x91}, head...), append([]byte("\x81\xa2In"), head...), append([]byte("\x81\xa1A"), head...), append([]byte("\x81\xa1M"), head...))
		}
	}
	list = append(list,
		nil, []byte{0xc1}, []byte{1, 2}, []byte{0x80, 0xc0}, []byte{0xd4}, []byte{0xd4, 0}, []byte{0xcf, 1, 2},
		bytes.Repeat([]byte{0x91}, 1<<16), bytes.Repeat([]byte{0x81}, 1<<16), bytes.Repeat([]byte("\x81\xa4Next"), 1<<12),
		append(bytes.Repeat([]byte{0xdd, 0, 0, 0xff, 0xff}, 90), make([]byte, 1<<16)...), // each level claims all the rest
		[]byte("\x82\xa4Text\xa1a\xa4Text\xc0"),                                          // a field twice
		[]byte("\x82\xa2JP\x81\xa4Text\xa1a\xa2JP\x80"),                                  // a pointer twice
		[]byte("\x81\x80\x01"), []byte("\x81\x90\x01"), []byte("\x81\xc4\x01a\x01"),      // keys that are no keys
		[]byte{0xd6, 0x05, 1, 2, 3, 4}, []byte{0xd7, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, []byte{0xc7, 0, 0xff}, []byte{0xd4, 0xff, 1},
	)
	return list
}

func TestHostileBytesAreErrors(t *testing.T) {
	for _, data := range hostile() {
		decodeAll(t, data)
	}
	for _, into := range targets() {
		name := codec.Name(reflect.TypeOf(into))
		for _, data := range [][]byte{nil, {0xc1}, {0xc0, 0xc0}, {0xdd, 255, 255, 255, 255}, bytes.Repeat([]byte{0x91}, 200)} {
			if err := codec.Decode(name, data, into); !errors.Is(err, codec.ErrDecode) {
				t.Errorf("%T from %.10x: %v", into, data, err)
			}
		}
	}
}

func TestMemoryIsBoundedByTheBytesThatAreThere(t *testing.T) {
	decodeAll(t, []byte{0xc0}) // so that all types are known
	for _, data := range hostile() {
		allocates(t, 1<<20+uint64(len(data))*20_000, func() { decodeAll(t, data) })
	}
	for _, data := range [][]byte{{0xdd, 255, 255, 255, 255}, {0xdf, 127, 255, 255, 255}, {0xdb, 255, 255, 255, 255}, {0xc6, 127, 255, 255, 255, 1, 2, 3}} {
		var v any
		allocates(t, 4<<10, func() { codec.Decode("any", data, &v) })
	}
}

// The smallest values that make the largest: what docs/wire.md says of them.
func TestUntypedValuesTakeAtMost150TimesTheirBytes(t *testing.T) {
	for _, unit := range []string{"\x80", "\x81\xa0\xc0", "\x81\xc0\xc0", "\x82\xa0\xc0\xc0\xc0", "\x90", "\xc0", "\xd1\x01\x01", "\x91\x81\xa0\xc0"} {
		n := 60000 / len(unit)
		data := append(binary.BigEndian.AppendUint32([]byte{0xdd}, uint32(n)), bytes.Repeat([]byte(unit), n)...)
		allocates(t, uint64(len(data))*150, func() {
			var v any
			if err := codec.Decode("any", data, &v); err != nil {
				t.Errorf("%x: %v", unit, err)
			}
		})
	}
}

// What the library writes of a random value, damaged in a random place.
func TestDamagedBytesNeverPanic(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	var bodies [][]byte
	for _, body := range []any{filled(), outer{base{1, "a"}, &Base{2}, "b", "c"}, map[string]any{"a": []any{1, "b", time.Now()}}} {
		data, _, err := codec.Append(nil, body)
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, data)
	}
	for range 500 {
		data := bytes.Clone(bodies[r.IntN(len(bodies))])
		for range 1 + r.IntN(3) {
			data[r.IntN(len(data))] = byte(r.Uint32())
		}
		decodeAll(t, data[:len(data)-r.IntN(2)*r.IntN(len(data))])
	}
}

func FuzzDecode(f *testing.F) {
	for _, data := range hostile() {
		if len(data) < 1000 {
			f.Add(data)
		}
	}
	for _, body := range []any{filled(), ownHolder{Raw: msgpack.RawMessage{1}}, outer{}, map[any]any{1: "a", "b": nil}} {
		data, _, err := codec.Append(nil, body)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { decodeAll(t, data) })
}

func FuzzRoundTrip(f *testing.F) {
	f.Add("text", []byte("bytes"), int64(-1), uint64(1), 1.5, true, int64(0), uint8(3))
	f.Fuzz(func(t *testing.T, s string, b []byte, i int64, u uint64, x float64, yes bool, nanos int64, n uint8) {
		if x != x {
			x = 0 // NaN is not itself
		}
		v := filled()
		v.B, v.I64, v.U64, v.F64, v.S, v.By, v.U8, v.I = yes, i, u, x, s, b, n, int(i)
		v.D, v.T = time.Duration(i), time.Unix(i%(1<<40), nanos).UTC()
		v.JS = make([]job, n)
		v.M = map[string]int{s: int(n)}
		v.A = map[string]any{s: []any{s, i, yes, x}}
		same(t, v)
		same(t, s)
		same(t, map[string]any{"s": s, "m": map[any]any{i: s, yes: nil}})
	})
}
