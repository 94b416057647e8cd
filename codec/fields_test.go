package codec_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"conclave/codec"
)

// as decodes the bytes of body, a value of one version of a type, as another.
func as[T any](t *testing.T, body any) (into T, err error) {
	t.Helper()
	data, _, err := codec.Append(nil, body)
	if err != nil {
		t.Fatal(err)
	}
	return into, codec.Decode(codec.Name(reflect.TypeFor[T]()), data, &into)
}

type jobV1 struct {
	Text string
	N    int8
	Gone []map[string]any
	At   *time.Time
}

type jobV2 struct {
	Added    string
	N        int64
	Text     *string
	AddedToo *job
	At       time.Time
}

func TestVersionsOfATypeMix(t *testing.T) {
	got, err := as[jobV2](t, jobV1{"dig", -3, []map[string]any{{"deep": []int{1}}}, nil})
	if err != nil || got.Text == nil || *got.Text != "dig" || got.N != -3 || got.Added != "" || got.AddedToo != nil || !got.At.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	back, err := as[jobV1](t, jobV2{"new", 100, nil, &job{"x"}, time.Unix(1, 0)})
	if err != nil || back.Text != "" || back.N != 100 || back.Gone != nil || !back.At.Equal(time.Unix(1, 0)) {
		t.Errorf("%+v, %v", back, err)
	}
}

func TestNumberThatDoesNotFitIsAnError(t *testing.T) {
	for _, n := range []int64{128, -129, 300, 1 << 40} {
		if got, err := as[jobV1](t, jobV2{N: n}); !errors.Is(err, codec.ErrDecode) || !strings.Contains(err.Error(), "N: ") || got.N != 0 {
			t.Errorf("%d in an int8: %v, %v", n, got.N, err)
		}
	}
	for _, c := range []struct{ body, into any }{
		{box[int]{-1}, new(box[uint])}, {box[uint64]{1 << 63}, new(box[int])}, {box[float64]{1e300}, new(box[float32])}, {box[float64]{1}, new(box[int])},
		{box[string]{"1"}, new(box[int])}, {box[int]{1}, new(box[string])}, {box[int]{1}, new(box[[]byte])}, {box[int]{1}, new(box[bool])}, {box[int]{0}, new(box[[]int])},
		{box[int]{0}, new(box[map[string]int])}, {box[int]{0}, new(box[job])}, {box[int]{0}, new(box[time.Time])}, {box[int]{0}, new(box[error])},
		{box[[]int]{[]int{1, 2}}, new(box[[1]int])}, {box[string]{"ab"}, new(box[[1]byte])}, {box[string]{"ab"}, new(box[[2]int])},
	} {
		data, _, err := codec.Append(nil, c.body)
		if err != nil {
			t.Fatal(err)
		}
		err = codec.Decode(codec.Name(reflect.TypeOf(c.into)), data, c.into)
		if !errors.Is(err, codec.ErrDecode) || !strings.Contains(err.Error(), "In: ") {
			t.Errorf("%+v into %T: %v", c.body, c.into, err)
		}
	}
}

func TestNumbersWidenToFloats(t *testing.T) {
	if got, err := as[box[float64]](t, box[int]{-7}); err != nil || got.In != -7 {
		t.Error(got, err)
	}
	if got, err := as[box[float64]](t, box[float32]{1.5}); err != nil || got.In != 1.5 {
		t.Error(got, err)
	}
	if got, err := as[box[float32]](t, box[float64]{0.1}); err != nil || got.In != 0.1 {
		t.Error(got, err)
	}
}

type tagged struct {
	A     int       `msgpack:"a"`
	B     string    `msgpack:"b,omitempty"`
	C     bool      `msgpack:"-"`
	D     *int      `msgpack:",omitempty"`
	E     string    `msgpack:"e,alias:old,alias:older"`
	Stamp time.Time `msgpack:",omitempty"`
}

func TestTagsAreHonoured(t *testing.T) {
	got, err := as[map[string]any](t, tagged{A: 1, C: true, E: "x"})
	want := map[string]any{"a": int64(1), "e": "x"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	got, _ = as[map[string]any](t, &tagged{A: 0, B: "b", D: new(int), Stamp: time.Unix(1, 0)})
	want = map[string]any{"a": int64(0), "b": "b", "D": int64(0), "e": "", "Stamp": time.Unix(1, 0).UTC()}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, name := range []string{"e", "old", "older"} {
		if got, err := as[tagged](t, map[string]any{name: "text", "C": true}); err != nil || got.E != "text" || got.C {
			t.Errorf("by %s: %+v, %v", name, got, err)
		}
	}
}

type manyOptional struct {
	//lint:ignore U1000 only its tag counts
	_msgpack struct{} `msgpack:",omitempty"`

	A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q int
}

func TestManyOptionalFieldsComeBack(t *testing.T) {
	same(t, manyOptional{})
	same(t, manyOptional{A: 1, Q: 2})
	same(t, []manyOptional{{B: 1}, {C: 3}})
	if got, err := as[map[string]int](t, manyOptional{H: 9}); err != nil || len(got) != 1 {
		t.Error(got, err)
	}
}

type point struct {
	//lint:ignore U1000 only its tag counts
	_msgpack struct{} `msgpack:",as_array"`

	X, Y int
}

type point3 struct {
	//lint:ignore U1000 only its tag counts
	_msgpack struct{} `msgpack:",as_array"`

	X, Y int
	Z    []int
}

func TestStructTaggedSoTravelsAsArray(t *testing.T) {
	same(t, []point{{X: 1, Y: 2}, {X: 3}})
	if got, err := as[[]int](t, point{X: 1, Y: 2}); err != nil || !reflect.DeepEqual(got, []int{1, 2}) {
		t.Error(got, err)
	}
	if got, err := as[point](t, point3{X: 1, Y: 2, Z: []int{3}}); err != nil || got != (point{X: 1, Y: 2}) {
		t.Error(got, err)
	}
	if got, err := as[point3](t, point{X: 1, Y: 2}); err != nil || got.Y != 2 || got.Z != nil {
		t.Error(got, err)
	}
}

type base struct {
	ID   int
	Name string
}

type Base struct{ Depth int }

type outer struct {
	base
	*Base
	Name string // hides that of base
	Text string
}

func TestEmbeddedFieldsAreTheStructsOwn(t *testing.T) {
	body := outer{base{1, "hidden"}, &Base{3}, "seen", "t"}
	got, err := as[map[string]any](t, body)
	want := map[string]any{"ID": int64(1), "Name": "seen", "Text": "t", "Depth": int64(3)}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v, %v", got, want, err)
	}
	body.base.Name = ""
	same(t, body)
	same(t, outer{Text: "no Base"})
	same(t, []outer{body, {}})
}

type kept struct {
	Base `msgpack:",noinline"`
	X    int
}

type loop struct {
	*loop2
	X int
}

type loop2 struct {
	*Loop3
	Y int
}

type Loop3 struct {
	*Loop3
	Z int
}

type Ring struct {
	*Ring
	Z int
}

func TestEmbeddingHasItsLimits(t *testing.T) {
	if got, err := as[map[string]any](t, kept{Base{1}, 2}); err != nil || got["Base"] == nil {
		t.Error(got, err)
	}
	same(t, kept{Base{1}, 2})
	same(t, Ring{nil, 1})
	if _, _, err := codec.Append(nil, loop{X: 1}); !errors.Is(err, codec.ErrEncode) || !strings.Contains(err.Error(), "loop2") {
		t.Errorf("an embedded pointer that the receiver cannot set: %v", err)
	}
	type twice struct {
		A int `msgpack:"a"`
		B int `msgpack:"a"`
	}
	type Left struct{ X int }
	type Right struct{ X int }
	type sideBySide struct {
		Left
		Right
	}
	for _, body := range []any{twice{}, sideBySide{}} {
		if _, _, err := codec.Append(nil, body); !errors.Is(err, codec.ErrEncode) || !strings.Contains(err.Error(), "two fields") {
			t.Errorf("%T: %v", body, err)
		}
		if _, err := as[sideBySide](t, job{}); !errors.Is(err, codec.ErrDecode) {
			t.Errorf("%T: %v", body, err)
		}
	}
}

func TestOfAFieldThatComesTwiceTheLastCounts(t *testing.T) {
	type holder struct {
		Text string
		L    []int
		P    *job
	}
	data := []byte("\x86\xa4Text\xa1a\xa1L\x92\x01\x02\xa1P\x81\xa4Text\xa1b\xa4Text\xc0\xa1L\x91\x03\xa1P\x80")
	var got holder
	if err := codec.Decode("codec_test.holder", data, &got); err != nil || !reflect.DeepEqual(got, holder{"", []int{3}, &job{}}) {
		t.Errorf("%+v, %v", got, err)
	}
}
