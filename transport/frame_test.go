package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// encodeAll encodes frames with one Encoder.
func encodeAll(t testing.TB, frames ...Frame) []byte {
	t.Helper()
	e := NewEncoder(0)
	var out []byte
	var err error
	for i := range frames {
		if out, err = e.Append(out, &frames[i]); err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
	}
	return out
}

// decodeAll decodes until the first error.
func decodeAll(r io.Reader, maxFrame int) (frames []Frame, err error) {
	d := NewDecoder(r, maxFrame)
	for {
		var f Frame
		if err := d.Next(&f); err != nil {
			return frames, err
		}
		memory, at := d.Memory(&f)
		if there := memory[at : at+len(f.Body)]; len(there) > 0 && &there[0] != &f.Body[0] {
			return frames, fmt.Errorf("the body of frame %d is not where Memory says", len(frames))
		}
		frames = append(frames, f)
	}
}

// sampleFrames has every field in several sizes.
func sampleFrames() []Frame {
	return []Frame{
		{Kind: Ping},
		{Kind: Message, From: 1, To: 2, Type: "main.Job", Body: []byte("work")},
		{Kind: Message, From: 1, To: 2, Type: "main.Job", Body: []byte("more work")},
		{Kind: Call, From: 127, To: 128, Ref: 300, Type: "main.Question", Body: []byte{0}},
		{Kind: Reply, From: math.MaxUint64, To: 1, Ref: math.MaxUint64, Type: "main.Job"},
		{Kind: Message, ToName: "worker", From: 5, Type: "string", Body: []byte("by name")},
		{Kind: Message, ToName: strings.Repeat("n", MaxToName), Flags: 0xff},
		{Kind: Message, From: 9, To: 9, Scope: "boss", TermNumber: 0x100000003, Type: "main.Job"},
		{Kind: Message, From: 9, To: 9, Scope: "boss", TermNumber: -1, Type: "boss"},
		{Kind: Announce, Scope: "twin", TermNumber: 4, Type: "twin"},
		{Kind: Announce, TermNumber: 5},
		{Kind: Down, Ref: 7, Flags: 1, Ext: AppendExtension(nil, ExtTrace, []byte("trace"))},
		{Kind: Message, Scope: strings.Repeat("s", MaxScope), Type: strings.Repeat("t", MaxType), Ext: bytes.Repeat([]byte{1}, MaxExt)},
		{Kind: Message, From: 1, To: 2, Type: "main.Job", Body: bytes.Repeat([]byte("0123456789abcdef"), 5000)},
		{Kind: Message, From: 1, To: 2, Type: "main.Job", Body: bytes.Repeat([]byte("0123456789abcdef"), 100_000)},
		{Kind: Moving, Scope: "boss", TermNumber: 6},
		{Kind: Returned, Scope: "boss", TermNumber: 6, Type: "main.Job", Body: []byte("unread")},
		{Kind: State, Scope: "boss", TermNumber: 6, Ref: 1, ToName: "a.1-0000000003", Type: "main.State", Body: []byte("state")},
		{Kind: Answer, Ref: 1, Flags: 1, Body: []byte("no")},
		{Kind: Bye},
	}
}

func TestFramesComeOutAsTheyWentIn(t *testing.T) {
	want := sampleFrames()
	data := encodeAll(t, want...)
	for name, r := range map[string]io.Reader{
		"at once":        bytes.NewReader(data),
		"byte by byte":   iotest.OneByteReader(bytes.NewReader(data)),
		"halves":         iotest.HalfReader(bytes.NewReader(data)),
		"data with EOF":  iotest.DataErrReader(bytes.NewReader(data)),
		"batches of 64K": &chunkReader{data: data, size: 64 << 10},
	} {
		got, err := decodeAll(r, 0)
		if err != io.EOF {
			t.Errorf("%s: ended with %v, want EOF", name, err)
		}
		if len(got) != len(want) {
			t.Fatalf("%s: %d frames, want %d", name, len(got), len(want))
		}
		for i := range got {
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Errorf("%s: frame %d is %.200s, want %.200s", name, i, fmt.Sprint(got[i]), fmt.Sprint(want[i]))
			}
		}
	}
}

type chunkReader struct {
	data []byte
	size int
}

func (r *chunkReader) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), r.size)], r.data)
	r.data = r.data[n:]
	return n, nil
}

func TestRandomFramesComeOutAsTheyWentIn(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	names := []string{"", "a", "main.Job", "main.Other", strings.Repeat("x", 300)}
	number := func() uint64 { return rnd.Uint64() >> rnd.IntN(65) }
	blob := func(limit int) []byte {
		n := rnd.IntN(limit)
		if n == 0 {
			return nil
		}
		return bytes.Repeat([]byte{byte(n)}, n)
	}
	var want []Frame
	for range 3000 {
		f := Frame{
			Kind: Kind(1 + rnd.IntN(10)), Flags: Flags(rnd.IntN(3)), From: number(), To: number(), Ref: number(),
			Scope: names[rnd.IntN(len(names))], Type: names[rnd.IntN(len(names))],
			TermNumber: int64(number()), Ext: blob(1 + rnd.IntN(20)), Body: blob(1 << rnd.IntN(17)),
		}
		if rnd.IntN(4) == 0 {
			f.ToName = fmt.Sprint("process", rnd.IntN(2000))
		}
		want = append(want, f)
	}
	got, err := decodeAll(&chunkReader{data: encodeAll(t, want...), size: 1 + rnd.IntN(100_000)}, 0)
	if err != io.EOF {
		t.Fatal(err)
	}
	for i := range want {
		if i >= len(got) || !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("frame %d of %d differs", i, len(want))
		}
	}
}

func TestPlainMessageCostsTenBytesAtMost(t *testing.T) {
	e := NewEncoder(0)
	body := make([]byte, 64)
	f := Frame{Kind: Message, From: 2_000_000, To: 10_000, Type: "main.Job", Body: body}
	if _, err := e.Append(nil, &f); err != nil {
		t.Fatal(err)
	}
	second, err := e.Append(nil, &f)
	if err != nil {
		t.Fatal(err)
	}
	if cost := len(second) - len(body); cost > 10 {
		t.Errorf("%d bytes beyond the body, want 10 at most", cost)
	}
	f.From, f.To = 3, 8
	third, _ := e.Append(nil, &f)
	want := append([]byte{69, 1, 8, 3, 8, 2}, body...)
	if !bytes.Equal(third, want) {
		t.Errorf("got % x\nwant % x, as in docs/wire.md", third[:8], want[:8])
	}
}

func TestEncoderRefusesWhatIsTooLargeAndGoesOn(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for name, c := range map[string]struct {
		f    Frame
		want error
	}{
		"no kind":      {Frame{}, ErrFrame},
		"process name": {Frame{Kind: Message, ToName: long(MaxToName + 1)}, ErrTooLarge},
		"scope":        {Frame{Kind: Message, Scope: long(MaxScope + 1)}, ErrTooLarge},
		"type":         {Frame{Kind: Message, Type: long(MaxType + 1)}, ErrTooLarge},
		"extensions":   {Frame{Kind: Message, Ext: make([]byte, MaxExt+1)}, ErrTooLarge},
		"body":         {Frame{Kind: Message, Type: "new", Scope: "new too", Body: make([]byte, 20_000)}, ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			e := NewEncoder(20_000)
			before := []byte("before")
			out, err := e.Append(before, &c.f)
			if !errors.Is(err, c.want) || string(out) != "before" {
				t.Fatalf("got %q, %v; want it untouched, %v", out, err, c.want)
			}
			want := Frame{Kind: Message, Type: "new", Scope: "new too", TermNumber: 1, Body: []byte("small")}
			out, err = e.Append(nil, &want)
			if err != nil {
				t.Fatal(err)
			}
			got, err := decodeAll(bytes.NewReader(out), 20_000)
			if err != io.EOF || len(got) != 1 || !reflect.DeepEqual(got[0], want) {
				t.Fatalf("after it: %v, %v", got, err)
			}
		})
	}
}

func TestLargestFramePasses(t *testing.T) {
	const limit = 300_000
	f := Frame{Kind: Message, From: 1, To: 1, Body: make([]byte, limit-4)}
	out, err := NewEncoder(limit).Append(nil, &f)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := decodeAll(bytes.NewReader(out), limit); err != io.EOF || len(got) != 1 {
		t.Errorf("%d frames, %v", len(got), err)
	}
	if _, err := decodeAll(bytes.NewReader(out), limit-1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a frame of one byte more gives %v, want ErrTooLarge", err)
	}
	f.Body = append(f.Body, 0)
	if _, err := NewEncoder(limit).Append(nil, &f); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a frame of one byte more is encoded: %v, want ErrTooLarge", err)
	}
}

func TestUnknownKindsAreSkippedAndTheirNamesRemembered(t *testing.T) {
	data := encodeAll(t,
		Frame{Kind: 200, Type: "future.Type", Scope: "future", TermNumber: 3, Body: []byte("?")},
		Frame{Kind: Message, Type: "future.Type", Body: []byte("known")},
		Frame{Kind: 255},
	)
	d := NewDecoder(bytes.NewReader(data), 0)
	var f Frame
	if err := d.Next(&f); err != nil || f.Type != "future.Type" || string(f.Body) != "known" {
		t.Errorf("got %v, %v", f, err)
	}
	if err := d.Next(&f); err != io.EOF || d.Skipped() != 2 {
		t.Errorf("at the end %v with %d skipped, want EOF with 2", err, d.Skipped())
	}
}

func TestNamesAreBounded(t *testing.T) {
	// The Encoder stops defining, the Decoder follows, and nothing is lost.
	e := NewEncoder(0)
	var data []byte
	const count = maxInterned + 1000
	for i := range count {
		data, _ = e.Append(data, &Frame{Kind: Message, Type: fmt.Sprintf("t%d", i)})
	}
	data, _ = e.Append(data, &Frame{Kind: Message, Type: "t7"})
	frames, err := decodeAll(bytes.NewReader(data), 0)
	if err != io.EOF || len(frames) != count+1 {
		t.Fatalf("%d frames, %v", len(frames), err)
	}
	if frames[count-1].Type != fmt.Sprintf("t%d", count-1) || frames[count].Type != "t7" {
		t.Errorf("names are mixed up beyond the limit")
	}
	if len(e.names.codes) != maxInterned {
		t.Errorf("%d names kept, want %d", len(e.names.codes), maxInterned)
	}

	// Bytes count too.
	e, data = NewEncoder(0), nil
	for i := range maxInternedBytes/MaxType + 50 {
		data, _ = e.Append(data, &Frame{Kind: Message, Type: fmt.Sprintf("%0*d", MaxType, i)})
	}
	if frames, err := decodeAll(bytes.NewReader(data), 0); err != io.EOF || len(frames) != maxInternedBytes/MaxType+50 {
		t.Errorf("%d frames, %v", len(frames), err)
	}
	if e.names.bytes > maxInternedBytes {
		t.Errorf("%d bytes of names kept", e.names.bytes)
	}

	// A peer that defines on is cut off.
	data = nil
	for i := range maxInterned + 1 {
		name := fmt.Sprintf("%07d", i)
		data = append(data, 13, 1, shapeType, 0, 0, codeDefine, 7)
		data = append(data, name...)
	}
	if frames, err := decodeAll(bytes.NewReader(data), 0); !errors.Is(err, ErrFrame) || len(frames) != maxInterned {
		t.Errorf("%d frames, %v; want ErrFrame after %d", len(frames), err, maxInterned)
	}
}

func TestCodingAllocatesNothingForEachFrame(t *testing.T) {
	e := NewEncoder(0)
	f := Frame{Kind: Message, From: 3, To: 8, Type: "main.Job", Scope: "boss", TermNumber: 1 << 33, ToName: "worker", Body: make([]byte, 64)}
	batch := make([]byte, 0, 64<<10)
	if n := testing.AllocsPerRun(100, func() {
		batch = batch[:0]
		for range 100 {
			batch, _ = e.Append(batch, &f)
		}
	}); n != 0 {
		t.Errorf("encoding 100 frames allocates %v times", n)
	}
	first, _ := NewEncoder(0).Append(nil, &f)
	d := NewDecoder(io.MultiReader(bytes.NewReader(first), &endless{batch: batch}), 0)
	var got Frame
	if n := testing.AllocsPerRun(20, func() {
		for range 1000 {
			if err := d.Next(&got); err != nil {
				t.Fatal(err)
			}
		}
	}); n > 10 {
		t.Errorf("decoding 1000 frames of 64 bytes allocates %v times", n)
	}
}

// endless repeats a batch for ever.
type endless struct {
	batch []byte
	at    int
}

func (r *endless) Read(p []byte) (int, error) {
	n := copy(p, r.batch[r.at:])
	r.at = (r.at + n) % len(r.batch)
	return n, nil
}

func TestExtensions(t *testing.T) {
	ext := AppendExtension(nil, 900, []byte("unknown"))
	ext = AppendExtension(ext, ExtPriority, nil)
	ext = AppendExtension(ext, ExtTrace, []byte("trace"))
	if v, ok := Extension(ext, ExtTrace); !ok || string(v) != "trace" {
		t.Errorf("trace is %q, %v", v, ok)
	}
	if v, ok := Extension(ext, ExtPriority); !ok || len(v) != 0 {
		t.Errorf("priority is %q, %v", v, ok)
	}
	if _, ok := Extension(ext, 3); ok {
		t.Error("found what is not there")
	}
	for cut := range ext {
		Extension(ext[:cut], 77) // must not panic
	}
	if _, ok := Extension([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, 1); ok {
		t.Error("believed a length beyond the end")
	}
}

func TestNames(t *testing.T) {
	for want, got := range map[string]fmt.Stringer{
		"Message": Message, "Bye": Bye, "State": State, "Answer": Answer, "After": After, "BulkLane": BulkLane, "Kind(19)": Kind(19), "Kind(0)": Kind(0), "Kind(255)": Kind(255),
		"control": Control, "messages": Messages, "bulk": Bulk, "lane 9": Lane(9),
	} {
		if got.String() != want {
			t.Errorf("%q, want %q", got.String(), want)
		}
	}
}

func TestPlainFramesAreTheSameFrames(t *testing.T) {
	whole, own := NewEncoder(0), NewEncoder(0)
	first := Frame{Kind: Message, From: 1, To: 2, Type: "main.Job"}
	want, err := whole.Append(nil, &first)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := own.Append(nil, &first)
	code, ok := own.TypeCode(first.Type)
	if !ok {
		t.Fatal("the type has no code")
	}
	if _, ok := own.TypeCode("never seen"); ok {
		t.Error("a type that was never sent has a code")
	}
	var batch []byte
	frames := []Frame{
		{Kind: Message, From: 1, To: 2, Type: first.Type, Body: []byte("body")},
		{Kind: Call, From: 1 << 40, To: 1<<63 + 5, Ref: 1 << 20, Type: first.Type, Body: make([]byte, 300)},
		{Kind: Reply, From: 127, To: 128, Ref: 1, Type: first.Type},
	}
	for i := range frames {
		if want, err = whole.Append(want, &frames[i]); err != nil {
			t.Fatal(err)
		}
		batch = AppendPlain(batch, &frames[i], code)
	}
	got = own.Adopt(got, batch, uint64(len(frames)))
	if !bytes.Equal(got, want) || own.Count() != whole.Count() {
		t.Errorf("%d frames, %x\nwant %d, %x", own.Count(), got, whole.Count(), want)
	}
}
