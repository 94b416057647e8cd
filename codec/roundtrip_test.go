package codec_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"conclave/codec"
)

// again sends body and receives it as a variable of its own type.
func again[T any](t testing.TB, body T) T {
	t.Helper()
	data, name, err := codec.Append([]byte("before"), body)
	if err != nil {
		t.Fatalf("Append(%#v): %v", body, err)
	}
	wire, ok := bytes.CutPrefix(data, []byte("before"))
	if !ok {
		t.Fatal("what was in dst is gone")
	}
	var into T
	if err := codec.Decode(name, wire, &into); err != nil {
		t.Fatalf("Decode(%q, %x): %v", name, wire, err)
	}
	if len(wire) < 4<<10 {
		clear(wire) // what was decoded must not share memory with it
	}
	return into
}

func same[T any](t testing.TB, body T) {
	t.Helper()
	if got := again(t, body); !reflect.DeepEqual(got, body) {
		t.Errorf("%#v came back as %#v", body, got)
	}
}

type everything struct {
	B       bool
	I       int
	I8      int8
	I16     int16
	I32     int32
	I64     int64
	U       uint
	U8      uint8
	U16     uint16
	U32     uint32
	U64     uint64
	F32     float32
	F64     float64
	S       string
	By      []byte
	Arr     [4]byte
	Ints    [3]int
	D       time.Duration
	T       time.Time
	P       *int
	PP      **string
	J       job
	JP      *job
	JS      []job
	JPS     []*job
	M       map[string]int
	MI      map[int]job
	MS      map[string]string
	A       any
	E       error
	ID      jobID
	Box     box[[]string]
	Big     big.Int // text, by methods of the pointer
	Addr    netip.Addr
	Addrs   map[netip.Addr]big.Int
	private int
}

func filled() everything {
	n, s := 5, "pointed at"
	sp := &s
	return everything{
		true, -1, -128, math.MinInt16, math.MinInt32, math.MinInt64,
		1, 255, math.MaxUint16, math.MaxUint32, math.MaxUint64, 1.5, math.Pi,
		"string", []byte{1, 2}, [4]byte{1, 2, 3, 4}, [3]int{1, 2, 3},
		time.Minute, time.Date(2024, 2, 29, 1, 2, 3, 4, time.UTC), &n, &sp,
		job{"a"}, &job{"b"}, []job{{"c"}, {"d"}}, []*job{{"e"}, nil},
		map[string]int{"one": 1}, map[int]job{-7: {"f"}}, map[string]string{"k": "v"},
		map[string]any{"list": []any{int64(1), "two", nil, 3.5, []byte{4}}},
		errors.New("trouble"), "id", box[[]string]{[]string{"x", "y"}},
		*big.NewInt(123456789), netip.MustParseAddr("192.0.2.1"),
		map[netip.Addr]big.Int{netip.MustParseAddr("::1"): *big.NewInt(-9)}, 0,
	}
}

func TestEveryKindComesBackAsSent(t *testing.T) {
	same(t, filled())
	full := filled()
	same(t, &full)
	same(t, everything{})
	same(t, []everything{{}, filled()})
	same(t, map[string]*everything{"a": &full})
}

func TestBoundsOfNumbersComeBack(t *testing.T) {
	for shift := range 64 {
		for _, d := range []int64{-1, 0, 1} {
			n := int64(1)<<shift + d
			same(t, n)
			same(t, -n)
			same(t, uint64(n))
			same(t, []int64{n})
			same(t, box[uint64]{uint64(n)})
			same(t, float64(n))
		}
	}
	for _, f := range []float64{0, math.Inf(1), math.Inf(-1), math.SmallestNonzeroFloat64, math.MaxFloat64} {
		same(t, f)
		same(t, box[float32]{float32(f)})
	}
	if got := again(t, math.NaN()); !math.IsNaN(got) {
		t.Errorf("NaN came back as %v", got)
	}
}

func TestLengthsOfAllFormsComeBack(t *testing.T) {
	for _, n := range []int{0, 1, 15, 16, 31, 32, 255, 256, 65535, 65536, 70000} {
		same(t, strings.Repeat("s", n))
		same(t, []byte(strings.Repeat("b", n)))
		same(t, make([]int, n))
		m := make(map[int]bool, n)
		for i := range n {
			m[i] = true
		}
		same(t, m)
	}
}

func TestTimesComeBackInUTC(t *testing.T) {
	east := time.FixedZone("east", 3600)
	for _, want := range []time.Time{
		{}, time.Unix(0, 0), time.Unix(1<<32-1, 0), time.Unix(1<<32, 0), time.Unix(1<<34-1, 999_999_999), time.Unix(1<<34, 1),
		time.Unix(-1, 5), time.Now(), time.Date(9999, 1, 1, 0, 0, 0, 0, east), time.Date(-500, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		if got := again(t, want); !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%v came back as %v", want, got)
		}
		if got := again(t, box[any]{want}); !got.In.(time.Time).Equal(want) {
			t.Errorf("%v in an any came back as %v", want, got)
		}
	}
}

func TestPointerAndValueAreOneType(t *testing.T) {
	data, name, _ := codec.Append(nil, &job{"a"})
	value, _, _ := codec.Append(nil, job{"a"})
	if string(data) != string(value) {
		t.Errorf("a pointer is sent as %x, a value as %x", data, value)
	}
	var v job
	var p *job
	var pp **job
	for _, into := range []any{&v, &p, &pp} {
		if err := codec.Decode(name, data, into); err != nil {
			t.Error(err)
		}
	}
	if v.Text != "a" || p == nil || p.Text != "a" || pp == nil || (*pp).Text != "a" {
		t.Error(v, p, pp)
	}
	data, name, err := codec.Append(nil, (*job)(nil))
	if err != nil || name != "codec_test.job" {
		t.Fatal(name, err)
	}
	if err := codec.Decode(name, data, &p); err != nil || p != nil {
		t.Errorf("a nil pointer came back as %v, %v", p, err)
	}
	if err := codec.Decode(name, data, &v); err != nil || v != (job{}) {
		t.Errorf("a nil pointer came back as %v, %v", v, err)
	}
}

func TestNilAndEmptyStayApart(t *testing.T) {
	type holder struct {
		S []int
		B []byte
		M map[string]int
		X map[string]any
		L []string
	}
	same(t, holder{})
	same(t, holder{[]int{}, []byte{}, map[string]int{}, map[string]any{}, []string{}})
}

func TestWhatAnAnyHoldsArrivesAsBasicTypes(t *testing.T) {
	sent := map[string]any{
		"int": 5, "int8": int8(-5), "big": uint64(math.MaxUint64), "small": uint16(200), "f": float32(1.5),
		"job": job{"x"}, "ptr": &job{"y"}, "bytes": []byte{1}, "strings": []string{"a"}, "duration": time.Second,
		"keys": map[int]string{1: "one"},
	}
	want := map[string]any{
		"int": int64(5), "int8": int64(-5), "big": uint64(math.MaxUint64), "small": int64(200), "f": 1.5,
		"job": map[string]any{"Text": "x"}, "ptr": map[string]any{"Text": "y"}, "bytes": []byte{1},
		"strings": []any{"a"}, "duration": int64(time.Second),
		"keys": map[any]any{int64(1): "one"},
	}
	if got := again(t, sent); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %#v\nwant %#v", got, want)
	}
	mixed := map[any]any{"a": 1, 2: "b", nil: true, 1.5: nil}
	wantMixed := map[any]any{"a": int64(1), int64(2): "b", nil: true, 1.5: nil}
	if got := again(t, box[any]{mixed}); !reflect.DeepEqual(got.In, wantMixed) {
		t.Errorf("got %#v, want %#v", got.In, wantMixed)
	}
	same(t, map[any]int{"a": 1, int64(2): 2})
}

func TestValueKnowsBasicTypesUnasked(t *testing.T) {
	for _, body := range []any{
		nil, true, "text", "", []byte{1, 2}, []byte(nil), 1, int8(1), int16(1), int32(1), int64(1), uint(1), uint8(1), uint16(1), uint32(1), uint64(1),
		float32(1.5), 1.5, time.Unix(1, 2).UTC(), time.Second, []string{"a"}, []int(nil), []any{"a", nil}, map[string]int{"a": 1},
		map[string]any{"x": []any{}}, map[string]string{}, [][]byte{{1}}, []map[string]any{{"a": true}}, []time.Duration{1},
	} {
		data, name, err := codec.Append(nil, body)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := codec.Value(name, data)
		if !ok || !reflect.DeepEqual(got, body) {
			t.Errorf("Value(%q) = %#v, %v, want %#v", name, got, ok, body)
		}
	}
}

func TestValueKnowsNoOtherTypes(t *testing.T) {
	data, name, _ := codec.Append(nil, job{"a"})
	for _, c := range []struct {
		name string
		data []byte
	}{
		{name, data}, {"", data}, {"int", data}, {"nil", data}, {"string", nil}, {"string", []byte{0xa1}}, {"[]uint8", []byte{0xc6, 255, 255, 255, 255}},
		{"[][][]int", []byte{0x90}}, {"uint8", []byte{0xcd, 1, 0}}, {"int", []byte{1, 1}},
	} {
		if v, ok := codec.Value(c.name, c.data); ok {
			t.Errorf("Value(%q, %x) = %v", c.name, c.data, v)
		}
	}
}

func TestAnyTypeDecodesIntoAnAny(t *testing.T) {
	data, name, _ := codec.Append(nil, job{"a"})
	var v any = "old"
	if err := codec.Decode(name, data, &v); err != nil || !reflect.DeepEqual(v, map[string]any{"Text": "a"}) {
		t.Errorf("%#v, %v", v, err)
	}
	data, name, _ = codec.Append(nil, uint8(3))
	if err := codec.Decode(name, data, &v); err != nil || v != uint8(3) {
		t.Errorf("%#v, %v", v, err)
	}
	data, name, _ = codec.Append(nil, nil)
	if err := codec.Decode(name, data, &v); err != nil || v != nil {
		t.Errorf("%#v, %v", v, err)
	}
}

func TestNothingOfTheOldValueStays(t *testing.T) {
	old := []string{"kept by somebody else"}
	into := everything{S: "old", JS: []job{{"old"}}, Box: box[[]string]{old}, M: map[string]int{"old": 1}}
	data, name, _ := codec.Append(nil, everything{Box: box[[]string]{[]string{"new"}}})
	if err := codec.Decode(name, data, &into); err != nil {
		t.Fatal(err)
	}
	if want := (everything{Box: box[[]string]{[]string{"new"}}}); !reflect.DeepEqual(into, want) {
		t.Errorf("got %#v", into)
	}
	if old[0] != "kept by somebody else" {
		t.Error("the old value's memory was written to")
	}
}

func TestDecodeRefusesOtherTypesAndTargets(t *testing.T) {
	data, name, _ := codec.Append(nil, job{"a"})
	var id jobID
	var nobody *job
	for _, into := range []any{&id, nil, job{}, nobody, new(fmt.Stringer), new(int)} {
		if err := codec.Decode(name, data, into); !errors.Is(err, codec.ErrDecode) || !strings.Contains(err.Error(), "job") {
			t.Errorf("Decode into %T: %v", into, err)
		}
	}
}

func TestFirstUseFromManyGoroutinesAtOnce(t *testing.T) {
	type leaf struct{ N []int }
	type node struct {
		Leaf *leaf
		Kids []*node
		Any  any
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() { same(t, node{&leaf{[]int{i}}, []*node{{}, {Leaf: &leaf{}}}, "x"}) })
	}
	wg.Wait()
}
