package transport

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestMalformedFramesEndTheLane(t *testing.T) {
	cases := map[string][]byte{
		"n too small":                 {3, 1, 0, 0},
		"n zero":                      {0},
		"n over 64 bits":              {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		"kind 0":                      {4, 0, 0, 0, 0},
		"unknown shape":               {4, 1, 0x40, 0, 0},
		"from beyond n":               {4, 1, 0, 0x80, 0x80, 0x01, 0},
		"name beyond n":               {6, 1, shapeName, 0, 0, 9, 'x'},
		"empty name":                  {5, 1, shapeName, 0, 0, 0},
		"name too long":               append([]byte{0x88, 0x03, 1, shapeName, 0, 0, 0x80, 0x02}, make([]byte, 400)...),
		"undefined type":              {5, 1, shapeType, 0, 0, 2},
		"huge code":                   {14, 1, shapeType, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
		"empty definition":            {6, 1, shapeType, 0, 0, 0, 0},
		"definition beyond n":         {7, 1, shapeType, 0, 0, 0, 2, 'x'},
		"empty ext":                   {5, 1, shapeExt, 0, 0, 0},
		"ext beyond n":                {6, 1, shapeExt, 0, 0, 5, 0},
		"flags beyond n":              {4, 1, shapeFlags, 0, 0, 7},
		"ref missing":                 {4, 1, shapeRef, 0, 0},
		"number missing":              {6, 1, shapeTerm, 0, 0, 1, 0},
		"ref with 64 bits and more":   {14, 1, shapeRef, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		"literal type over its limit": append([]byte{0x89, 0x20, 1, shapeType, 0, 0, 1, 0x81, 0x20}, make([]byte, 4097)...),
	}
	// A name that may be a type's, where a scope's is wanted.
	typed := encodeAll(t, Frame{Kind: 200, Type: strings.Repeat("t", MaxScope+1)})
	cases["type as a scope"] = append(typed, 6, 1, shapeTerm, 0, 0, 2, 1)
	for name, data := range cases {
		// What follows must not make it valid.
		r := io.MultiReader(bytes.NewReader(data), bytes.NewReader(make([]byte, 16<<10)))
		d := NewDecoder(r, 0)
		var f Frame
		err := d.Next(&f)
		if !errors.Is(err, ErrFrame) {
			t.Errorf("%s: %v, want ErrFrame", name, err)
		}
		if !reflect.DeepEqual(f, Frame{}) {
			t.Errorf("%s: leaves %v", name, f)
		}
		if again := d.Next(&f); again != err {
			t.Errorf("%s: then %v, want the same error", name, again)
		}
	}
}

func TestTruncatedFrames(t *testing.T) {
	data := encodeAll(t, Frame{Kind: Call, From: 1000, To: 3, Ref: 70_000, Type: "main.Job", Ext: []byte("ext"), Body: bytes.Repeat([]byte("b"), 200)})
	for cut := range data {
		want := io.ErrUnexpectedEOF
		if cut == 0 {
			want = io.EOF
		}
		if frames, err := decodeAll(bytes.NewReader(data[:cut]), 0); err != want || len(frames) != 0 {
			t.Fatalf("cut at %d: %d frames, %v; want %v", cut, len(frames), err, want)
		}
	}
	long := encodeAll(t, Frame{Kind: Message, Body: make([]byte, 3<<20)})
	for _, cut := range []int{4, 5, 9, 9000, 64 << 10, 1 << 20, 2<<20 + 1, len(long) - 1} {
		if _, err := decodeAll(bytes.NewReader(long[:cut]), 0); err != io.ErrUnexpectedEOF {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
	broken := errors.New("broken")
	if _, err := decodeAll(io.MultiReader(bytes.NewReader(data[:9]), iotest.ErrReader(broken)), 0); err != broken {
		t.Errorf("a reader's error comes out as %v", err)
	}
}

func TestClaimedLengthsReserveLittle(t *testing.T) {
	// The largest frame there can be, of which nothing follows.
	claim := []byte{0x80, 0x80, 0x80, 0x80, 0x04, 1, 0, 0, 0}
	data := append(claim, make([]byte, 20<<10)...)
	d := NewDecoder(bytes.NewReader(data), LargestMaxFrame)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var f Frame
	err := d.Next(&f)
	runtime.ReadMemStats(&after)
	if err != io.ErrUnexpectedEOF {
		t.Fatal(err)
	}
	if bytes := after.TotalAlloc - before.TotalAlloc; bytes > 2<<20 {
		t.Errorf("%d bytes reserved for a claim of 1 GiB", bytes)
	}
}

func TestKeptBodiesAreTheirOwners(t *testing.T) {
	data := encodeAll(t,
		Frame{Kind: Message, Body: []byte("one"), Ext: []byte("e1")},
		Frame{Kind: Message, Body: []byte("two"), Ext: []byte("e2")},
	)
	frames, _ := decodeAll(bytes.NewReader(data), 0)
	_ = append(frames[0].Ext, "overflow"...)
	_ = append(frames[0].Body, "overflow"...)
	frames[0].Body[0] = 'X'
	if string(frames[1].Body) != "two" || string(frames[1].Ext) != "e2" || string(frames[0].Body) != "Xne" {
		t.Errorf("bodies overlap: %v", frames)
	}
}

func TestLoneMessagePinsOnlyItself(t *testing.T) {
	data := encodeAll(t, Frame{Kind: Message, Body: make([]byte, 64)})
	d := NewDecoder(bytes.NewReader(data), 0)
	var f Frame
	if err := d.Next(&f); err != nil {
		t.Fatal(err)
	}
	if unused := len(d.slab) - d.free; unused > 64 {
		t.Errorf("a message of 64 bytes that came alone pins %d more", unused)
	}
}

func TestMemorySaysWhereABodyIs(t *testing.T) {
	var sent []Frame
	for i, size := range []int{3, 0, 64, slabSize/4 + 1, 5, largeBuffer + 7, 1} {
		sent = append(sent, Frame{Kind: Message, Body: bytes.Repeat([]byte{byte(i)}, size), Ext: []byte("ext")})
	}
	d := NewDecoder(bytes.NewReader(encodeAll(t, sent...)), 0)
	for i := range sent {
		var f Frame
		if err := d.Next(&f); err != nil {
			t.Fatal(err)
		}
		memory, at := d.Memory(&f)
		there := memory[at : at+len(f.Body)]
		if !bytes.Equal(there, sent[i].Body) || len(there) > 0 && &there[0] != &f.Body[0] {
			t.Errorf("the body of %d bytes is not at %d of %d", len(sent[i].Body), at, len(memory))
		}
		if large := len(f.Body) > slabSize/4; large && len(memory) != len(f.Body) {
			t.Errorf("a body of %d bytes shares %d", len(f.Body), len(memory))
		}
	}
}

func TestNextDoesNotReadWhenReady(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	want := sampleFrames()
	data := encodeAll(t, want...)
	unknown := append([]byte{5, 200}, 0, 0, 0, 0)
	data = append(append(append([]byte(nil), unknown...), data...), unknown...)
	ready := 0
	for range 200 {
		r := &countingReader{Reader: &chunkReader{data: data, size: 1 + rnd.IntN(1<<rnd.IntN(18))}}
		d := NewDecoder(r, 0)
		got := 0
		for {
			was, reads := d.Ready(), r.reads
			var f Frame
			if err := d.Next(&f); err == io.EOF && !was {
				break
			} else if err != nil {
				t.Fatalf("ready %t: %v", was, err)
			}
			if was && r.reads != reads {
				t.Fatalf("frame %d was ready, and the reader was asked", got)
			}
			if was {
				ready++
			}
			got++
		}
		if got != len(want) {
			t.Fatalf("%d frames, want %d", got, len(want))
		}
	}
	if ready == 0 {
		t.Error("no frame was ever ready")
	}
}

type countingReader struct {
	io.Reader
	reads int
}

func (r *countingReader) Read(p []byte) (int, error) {
	r.reads++
	return r.Reader.Read(p)
}
