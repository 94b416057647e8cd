package codec_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"conclave/codec"
)

// The lean types without their methods: they go by reflection.
type (
	plainNote     leanNote
	plainLean     lean
	plainBase     leanBase
	plainTree     leanTree
	plainArray    leanArray
	plainOptional leanOptional
	plainWide     leanWide
	plainList     leanList
	plainID       leanID
)

func filledLean() lean {
	n, s := 5, "pointed at"
	sp := &s
	return lean{
		leanBase{7, "base", 3, nil}, true, -1, -128, -32768, -1 << 31, -1 << 63, 1, 255, 65535, 1<<32 - 1, 1<<64 - 1, 1.5, 3.25,
		"string", []byte{1, 2}, [4]byte{1, 2, 3, 4}, [3]int{1, 2, 3}, time.Minute, time.Unix(5, 6).UTC(), &n, &sp,
		leanNote{1, "a", []byte{}}, &leanNote{2, "b", nil}, []leanNote{{}, {3, "c", []byte{4}}}, []*leanNote{nil, {ID: -40}},
		map[string]int{"one": 1}, map[leanID]leanNote{"x": {ID: 1}}, map[uint8][]string{200: {"s", ""}},
		[][]map[string][2]float32{{{"k": {1, 2}}, nil}, nil, {}}, map[string]any{"a": int64(1)}, errors.New("trouble"),
		job{"j"}, []job{{"k"}}, "id", 3, leanList{{ID: 9}}, *big.NewInt(12345), netip.MustParseAddr("192.0.2.1"),
		[]mine{1, 2}, map[any]int{int64(1): 2}, struct{ X, Y int }{1, 2}, [2]big.Int{*big.NewInt(1), *big.NewInt(2)}, "",
	}
}

// leanBodies are values of the types beside the same of the plain ones.
func leanBodies() [][2]any {
	full, n := filledLean(), 3
	tree := leanTree{"root", []leanTree{{Name: "kid"}, {}}, &leanTree{Name: "next"}, map[string]*leanTree{"m": {Name: "more"}}}
	opt := leanOptional{struct{}{}, 1, "b", []int{1}, map[string]int{"d": 1}, &n, true, 1.5, time.Unix(1, 0).UTC(), true, [2]int{0, 1}, leanNote{ID: 1}, [2]byte{1, 0}, errors.New("m")}
	wide := leanWide{A: 1, O: 300, P: 70000, Q: -1, R: strings.Repeat("r", 300)}
	arr := leanArray{struct{}{}, 1, "b", []*leanArray{{A: 2}, nil}, "d"}
	note := leanNote(*noteOf[benchNote]())
	return [][2]any{
		{note, plainNote(note)}, {leanNote{}, plainNote{}}, {full, plainLean(full)}, {lean{}, plainLean{}}, {&full, plainLean(full)},
		{leanBase{1, "t", 2, nil}, plainBase{1, "t", 2, nil}}, {tree, plainTree(tree)}, {leanTree{}, plainTree{}}, {arr, plainArray(arr)}, {leanArray{}, plainArray{}},
		{opt, plainOptional(opt)}, {leanOptional{}, plainOptional{}}, {leanOptional{B: "b"}, plainOptional{B: "b"}}, {wide, plainWide(wide)}, {leanWide{}, plainWide{}},
		{leanList{note, {}}, plainList{note, {}}}, {leanList(nil), plainList(nil)}, {leanList{}, plainList{}}, {leanID("id"), plainID("id")},
		{(*leanNote)(nil), (*plainNote)(nil)},
	}
}

func TestGeneratedMethodsWriteWhatReflectionWrites(t *testing.T) {
	for _, b := range leanBodies() {
		direct, _, err := codec.Append([]byte("before"), b[0])
		if err != nil {
			t.Fatal(err)
		}
		reflected, _, err := codec.Append([]byte("before"), b[1])
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(direct, reflected) {
			t.Errorf("%T:\ndirect    %q\nreflected %q", b[0], direct, reflected)
		}
	}
}

// readAlike has data read in both ways and complains unless both come to the
// same.
func readAlike(t testing.TB, data []byte) {
	for _, into := range [][2]any{
		{new(leanNote), new(plainNote)}, {new(lean), new(plainLean)}, {new(leanBase), new(plainBase)}, {new(leanTree), new(plainTree)}, {new(leanArray), new(plainArray)},
		{new(leanOptional), new(plainOptional)}, {new(leanWide), new(plainWide)}, {new(leanList), new(plainList)}, {new(leanID), new(plainID)},
		{new(*leanNote), new(*plainNote)}, {new(*leanTree), new(*plainTree)},
	} {
		direct := codec.Decode(codec.Name(reflect.TypeOf(into[0])), data, into[0])
		reflected := codec.Decode(codec.Name(reflect.TypeOf(into[1])), data, into[1])
		switch {
		case (direct == nil) != (reflected == nil):
			t.Errorf("%q into %T: %v by its methods, %v by reflection", data, into[0], direct, reflected)
		case direct != nil && (!errors.Is(direct, codec.ErrDecode) || !reflect.ValueOf(into[0]).Elem().IsZero()):
			t.Errorf("%T: %v, and %v is left", into[0], direct, into[0])
		default:
			if d, r := loose(t, into[0]), loose(t, into[1]); d != r {
				t.Errorf("%q into %T:\n%s by its methods,\n%s by reflection", data, into[0], d, r)
			}
		}
	}
}

// loose is a value in a form in which equal ones are the same, whatever the
// order of maps; even NaN.
func loose(t testing.TB, body any) string {
	data, _, err := codec.Append(nil, body)
	if err != nil {
		return err.Error()
	}
	var v any
	if err := codec.Decode("any", data, &v); err != nil {
		if errors.Is(err, codec.ErrDepth) { // a field that is an any has as many levels again
			return "deep"
		}
		t.Fatal(err)
	}
	return fmt.Sprintf("%#v", v)
}

func TestGeneratedMethodsReadWhatReflectionReads(t *testing.T) {
	for _, data := range hostile() {
		readAlike(t, data)
	}
	for _, b := range leanBodies() {
		data, _, err := codec.Append(nil, b[1])
		if err != nil {
			t.Fatal(err)
		}
		readAlike(t, data)
		readAlike(t, append(data, 0xc0))
		for n := range min(len(data), 400) {
			readAlike(t, data[:n])
		}
	}
	for _, text := range []string{
		"\xc0", "\x80", "\x90", "\xdc\x00\x00", "\x83\xa4Text\xa1a\xa2ID\x05\xa4Tags\xc4\x01a", // another order
		"\x82\xa3new\x92\x81\x01\x02\xd4\x07\x00\xa2ID\x05",         // a field from a later version
		"\x83\xa2ID\xc0\xa4Text\xc0\xa4Tags\xc0",                    // nil for everything
		"\x82\xa2ID\x05\xa2ID\xc0", "\x82\xa4Tags\xa1a\xa4Tags\xc0", // a field twice
		"\x82\xa1n\xa1a\xa1n\xc0", "\x81\xa6number\x07", "\x82\xa6number\x07\xa3seq\x08",
		"\x91\x05", "\x95\x05\xa1a\xc4\x01b\xc1", "\x95\x05\xa1a\xc4\x01b\x90\x81\x01\x02", // as an array, with more fields
		"\x81\xc4\x02ID\x05", "\x81\xd9\x02ID\xd3\x00\x00\x00\x00\x00\x00\x00\x05", // names and numbers in other forms
		"\x81\xa2I8\xcc\x80", "\x81\xa2U8\xff", "\x81\xa3F32\xcb\x7f\xef\xff\xff\xff\xff\xff\xff", "\x81\xa1B\x01", "\x81\xa3Arr\xc4\x05abcde", "\x81\xa3Arr\xa1a",
		"\x81\xa4Ints\x94\x01\x02\x03\x04", "\x81\xa4Ints\x91\x01", "\x81\xa1T\xd6\x05\x00\x00\x00\x00", "\x81\xa1T\xd6\xff\x00\x00\x00\x01", "\x81\xa1M\x81\x01\x01", "\x81\x01\x01",
	} {
		readAlike(t, []byte(text))
	}
	for n := 95; n < 105; n++ { // the deepest that is taken, as unknown field, any and tree
		for _, field := range []string{"\x81\xa1z", "\x81\xa1A", "\x81\xa1F"} {
			readAlike(t, append(append([]byte(field), bytes.Repeat([]byte{0x91}, n)...), 1))
		}
		readAlike(t, append(bytes.Repeat([]byte("\x81\xa4Next"), n), 0x80))
		readAlike(t, append(bytes.Repeat([]byte("\x81\xa4Kids\x91"), n/2), 0x80+byte(n%2), 0xa1, 'n', 0xa0))
	}
}

func FuzzGeneratedMethodsReadWhatReflectionReads(f *testing.F) {
	for _, b := range leanBodies() {
		data, _, err := codec.Append(nil, b[0])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { readAlike(t, data) })
}

func TestDirectTypesComeBackAsSent(t *testing.T) {
	full := filledLean()
	full.S, full.leanBase.S = "", 0 // only one of the two fields S travels
	same(t, full)
	same(t, &full)
	same(t, []lean{full, {}})
	same(t, map[leanID]*lean{"a": &full})
	same(t, box[leanNote]{leanNote{1, "a", nil}})
	same(t, box[*leanTree]{&leanTree{Name: "x"}})
	same(t, leanTree{Kids: make([]leanTree, 10_000)}) // grows while it is read
	same(t, leanList(make([]leanNote, 10_000)))
	if got := again(t, box[any]{leanNote{ID: 1}}); got.In.(map[string]any)["ID"] != int64(1) {
		t.Error(got)
	}
}

// Counts that the length of the body covers, but no elements are there.
func TestDirectTypesReserveLittleForWhatIsClaimed(t *testing.T) {
	lies := bytes.Repeat([]byte{0xc1}, 1<<20)
	count := "\xdd\x00\x0f\x00\x00"
	for _, c := range []struct {
		into any
		head string
	}{
		{new(leanList), count}, {new(lean), "\x81\xa2NS" + count}, {new(lean), "\x81\xa3NPS" + count}, {new(lean), "\x81\xa2MN\xdf\x00\x07\x00\x00"},
		{new(leanTree), strings.Repeat("\x81\xa4Kids"+count, 49)}, {new(lean), "\x81\xa2By\xc6\x00\xff\xff\xff"},
	} {
		name := codec.Name(reflect.TypeOf(c.into))
		data := append([]byte(c.head), lies...)
		allocates(t, 512<<10, func() {
			if err := codec.Decode(name, data, c.into); !errors.Is(err, codec.ErrDecode) {
				t.Error(err)
			}
		})
	}
}

func TestPointerToDirectTypeBecomesNilOrNew(t *testing.T) {
	old := &leanNote{ID: 5}
	into := old
	name := codec.Name(reflect.TypeOf(into))
	if err := codec.Decode(name, []byte("\x81\xa2ID\x07"), &into); err != nil || into.ID != 7 || old.ID != 5 {
		t.Error(into, old, err)
	}
	if err := codec.Decode(name, []byte{0xc0}, &into); err != nil || into != nil {
		t.Error(into, err)
	}
	into = old
	if err := codec.Decode(name, []byte{0xc1}, &into); !errors.Is(err, codec.ErrDecode) || into != nil {
		t.Error(into, err)
	}
}

func TestEmbeddedDirectTypeIsItsFields(t *testing.T) {
	type outer struct {
		leanBase
		More int
	}
	same(t, outer{leanBase{1, "a", 2, nil}, 3})
	data, _, err := codec.Append(nil, outer{leanBase{1, "a", 2, nil}, 3})
	if want := "\x84\xa3seq\x01\xa4Text\xa1a\xa1S\x02\xa4More\x03"; err != nil || string(data) != want {
		t.Errorf("%q, want %q", data, want)
	}
}

func TestErrorsOfDirectTypesNameThePlace(t *testing.T) {
	var l lean
	err := codec.Decode("codec_test.lean", []byte("\x81\xa2NS\x92\x80\x81\xa4Text\x05"), &l)
	if err == nil || !strings.Contains(err.Error(), "NS[1].Text: a number does not fit string") {
		t.Error(err)
	}
	if err := codec.Decode("codec_test.lean", []byte("\x81\xa2MN\x81\xa1k\x81\xa4Text\x05"), &l); err == nil || !strings.Contains(err.Error(), `MN["k"].Text: `) {
		t.Error(err)
	}
	_, _, err = codec.Append(nil, lean{A: []any{make(chan int)}})
	if !errors.Is(err, codec.ErrEncode) || !strings.Contains(err.Error(), "A[0]: chan int") {
		t.Error(err)
	}
}

func TestCycleOfDirectTypesIsAnError(t *testing.T) {
	loop := &leanTree{}
	loop.Next = loop
	for _, body := range []any{loop, *loop, box[*leanTree]{loop}, leanTree{Kids: []leanTree{*loop}}, leanTree{More: map[string]*leanTree{"": loop}}} {
		if out, _, err := codec.Append([]byte("kept"), body); !errors.Is(err, codec.ErrEncode) || !errors.Is(err, codec.ErrDepth) || string(out) != "kept" {
			t.Errorf("%T: %v", body, err)
		}
	}
}

// mischief is written by hand, badly: as its number says.
type mischief struct{ how int }

func (m *mischief) AppendMsgpack(dst []byte, depth int) ([]byte, error) {
	switch m.how {
	case 0:
		return nil, errSelfish
	case 1:
		panic(errSelfish)
	}
	return codec.AppendInt(dst, int64(m.how)), nil
}

func (m *mischief) ReadMsgpack(b []byte, depth int) (rest []byte, err error) {
	if rest, err = codec.ReadInt(b, &m.how); err != nil {
		return nil, err
	}
	switch m.how {
	case 2:
		panic(errSelfish)
	case 3:
		return b, nil // read nothing
	case 4:
		return nil, errSelfish
	}
	return rest, nil
}

func TestDirectMethodsByHandMayFail(t *testing.T) {
	same(t, mischief{7})
	same(t, &mischief{7})
	same(t, []mischief{{7}, {8}})
	for how := range 2 {
		for _, body := range []any{mischief{how}, &mischief{how}, box[mischief]{mischief{how}}} {
			if out, _, err := codec.Append([]byte("kept"), body); !errors.Is(err, codec.ErrEncode) || !errors.Is(err, errSelfish) || string(out) != "kept" {
				t.Errorf("%+v: %q, %v", body, out, err)
			}
		}
	}
	for how := 2; how < 5; how++ {
		var m mischief
		if err := codec.Decode("codec_test.mischief", []byte{byte(how)}, &m); !errors.Is(err, codec.ErrDecode) || m.how != 0 {
			t.Errorf("%d: %v, %v", how, m, err)
		}
		var list []mischief
		if err := codec.Decode("[]codec_test.mischief", []byte{0x92, byte(how), 7}, &list); !errors.Is(err, codec.ErrDecode) || list != nil {
			t.Errorf("%d: %v, %v", how, list, err)
		}
	}
}

func TestDirectTypesTakeNoMemoryButTheirOwn(t *testing.T) {
	dst := make([]byte, 0, 1<<10)
	var body any = noteOf[leanNote]()
	if n := testing.AllocsPerRun(100, func() { _, _, _ = codec.Append(dst, body) }); n != 0 {
		t.Errorf("%v allocations to write", n)
	}
	data, name, _ := codec.Append(nil, body)
	var into any = new(leanNote)
	if n := testing.AllocsPerRun(100, func() { _ = codec.Decode(name, data, into) }); n != 2 {
		t.Errorf("%v allocations to read a string and bytes", n)
	}
}
