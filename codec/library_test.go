package codec_test

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"conclave/codec"
)

// simple has all that this package and the library write alike, byte for byte.
type simple struct {
	A int
	B int64  `msgpack:"b"`
	C string `msgpack:",omitempty"`
	D []byte
	E float64
	F []string
	G *job
	H [2]uint16
	I time.Time
	J [3]byte
	K map[string]string
	L any
	M time.Duration
	N []*point
	base
	P pid
	Q uint64
	R float32
	S int8
	T textual
	U error
}

func simples() []simple {
	list := []simple{{}}
	for _, n := range []int{0, 1, 31, 32, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 1 << 31, 1 << 32, 1 << 62} {
		for _, sign := range []int{1, -1} {
			s := simple{A: n * sign, B: int64(n*sign) - 1, E: float64(n), M: time.Duration(n), Q: uint64(n), R: float32(n), S: int8(n), H: [2]uint16{uint16(n), 1}}
			s.C, s.D = string(make([]byte, n%70000)), make([]byte, n%70000)
			s.F, s.G, s.I, s.J = make([]string, n%300), &job{"g"}, time.Unix(int64(n), int64(n)%1000), [3]byte{1, 2, 3}
			s.K, s.L, s.N = map[string]string{"k": "v"}, "any", []*point{{X: n}, nil}
			s.ID, s.Name, s.P, s.T = n, "name", pid{uint32(n), 1}, textual{"t"}
			list = append(list, s)
		}
	}
	return list
}

func TestTheLibraryWritesTheSameBytes(t *testing.T) {
	for _, s := range simples() {
		ours, _, err := codec.Append(nil, &s)
		if err != nil {
			t.Fatal(err)
		}
		var buf bytes.Buffer
		e := msgpack.NewEncoder(&buf)
		e.UseCompactInts(true)
		if err := e.Encode(&s); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(ours, buf.Bytes()) {
			t.Fatalf("%.200v:\nours    %.400x\nlibrary %.400x", s, ours, buf.Bytes())
		}
	}
}

func TestEachReadsWhatTheOtherWrote(t *testing.T) {
	for _, s := range simples() {
		s.I = s.I.UTC()
		ours, name, err := codec.Append(nil, &s)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := msgpack.Marshal(&s) // numbers at their full width
		if err != nil {
			t.Fatal(err)
		}
		var fromOurs, fromTheirs simple
		if err := msgpack.Unmarshal(ours, &fromOurs); err != nil {
			t.Fatal(err)
		}
		if err := codec.Decode(name, theirs, &fromTheirs); err != nil {
			t.Fatal(err)
		}
		fromOurs.I = fromOurs.I.UTC()
		if !reflect.DeepEqual(fromTheirs, s) {
			t.Fatalf("ours of theirs: %.300v, want %.300v", fromTheirs, s)
		}
		if s.F == nil {
			fromOurs.F = nil
		}
		if !reflect.DeepEqual(fromOurs, s) {
			t.Fatalf("theirs of ours: %.300v, want %.300v", fromOurs, s)
		}
	}
}

func TestAppendToARoomyBufferAllocatesNothing(t *testing.T) {
	dst := make([]byte, 0, 1<<10)
	for _, c := range benchBodies[:7] {
		if n := testing.AllocsPerRun(100, func() { _, _, _ = codec.Append(dst, c.body) }); n != 0 && c.name != "own" {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}
