package transport

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// FuzzDecoder feeds a Decoder hostile bytes. Whatever they are, it neither
// panics nor keeps more than they justify, ends with an error, says the same
// when the bytes come in other portions, and what it accepted survives being
// encoded and decoded again.
func FuzzDecoder(f *testing.F) {
	var all []byte
	for _, frame := range sampleFrames() {
		if len(frame.Body) < 1000 {
			f.Add(encodeAll(f, frame))
		}
	}
	all = encodeAll(f, sampleFrames()[:13]...)
	f.Add(all)
	f.Add(all[:len(all)/2])
	f.Add(encodeAll(f, oneOfEachKind()...))
	f.Add([]byte{4, 200, 0, 0, 0})
	f.Add([]byte{6, 1, shapeType, 0, 0, 0, 0})
	f.Add([]byte{0x80, 0x80, 0x80, 0x80, 0x04, 1, 0, 0, 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 1 << 20
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		frames, err := decodeAll(bytes.NewReader(data), limit)
		runtime.ReadMemStats(&after)
		// A Frame is 30 times its shortest form on the wire, and the list doubles.
		if most := 2*uint64(trustedBody) + 256*uint64(len(data)); after.TotalAlloc-before.TotalAlloc > most {
			t.Fatalf("%d bytes took %d of memory, more than %d", len(data), after.TotalAlloc-before.TotalAlloc, most)
		}
		if err != io.EOF && err != io.ErrUnexpectedEOF && !errors.Is(err, ErrFrame) && !errors.Is(err, ErrTooLarge) {
			t.Fatalf("ended with %v", err)
		}
		kept := 0
		for i := range frames {
			kept += len(frames[i].Body) + len(frames[i].Ext)
		}
		if kept > len(data) {
			t.Fatalf("%d bytes made %d", len(data), kept)
		}
		slow, slowErr := decodeAll(iotest.OneByteReader(bytes.NewReader(data)), limit)
		if !reflect.DeepEqual(slow, frames) || slowErr.Error() != err.Error() {
			t.Fatalf("byte by byte: %d frames, %v; at once: %d, %v", len(slow), slowErr, len(frames), err)
		}
		again, err := decodeAll(bytes.NewReader(encodeAll(t, frames...)), 2*limit)
		if err != io.EOF || !reflect.DeepEqual(again, frames) {
			t.Fatalf("encoded and decoded again: %d of %d frames, %v", len(again), len(frames), err)
		}
	})
}

// oneOfEachKind is a frame of every kind, of both lanes, with every field.
func oneOfEachKind() (all []Frame) {
	for k := range kindNames {
		if kind := Kind(k); kind.known() {
			all = append(all, Frame{
				Kind: kind, Flags: 1, From: 200, To: 3, ToName: "a name", Scope: "boss", TermNumber: 1 << 33, Ref: 9,
				Ext: AppendExtension(nil, ExtTrace, []byte("trace")), Type: "main.Job", Body: []byte("body"),
			})
		}
	}
	return all
}

// FuzzFrame sends any frame three times, which defines its names and then uses
// them, between others. What the Encoder takes arrives as it was, in the length
// that it says; what it refuses, for one of the reasons it gives, leaves no trace
// in what the lane remembers.
func FuzzFrame(f *testing.F) {
	for _, fr := range append(sampleFrames(), oneOfEachKind()...) {
		if len(fr.Body) < 1000 {
			f.Add(byte(fr.Kind), byte(fr.Flags), fr.From, fr.To, fr.ToName, fr.Scope, fr.TermNumber, fr.Ref, fr.Ext, fr.Type, fr.Body)
		}
	}
	long := strings.Repeat("x", MaxType+1)
	f.Add(byte(1), byte(0), uint64(0), uint64(0), long[:MaxToName+1], long[:MaxScope+1], int64(1), uint64(0), []byte(long), long, []byte(nil))
	f.Fuzz(func(t *testing.T, kind, flags byte, from, to uint64, toName, scope string, term int64, ref uint64, ext []byte, typ string, body []byte) {
		given := Frame{Kind(kind), Flags(flags), from, to, toName, scope, term, ref, ext, typ, body}
		const limit = SmallestMaxFrame
		fits := kind != 0 && len(toName) <= MaxToName && len(scope) <= MaxScope && len(ext) <= MaxExt && len(typ) <= MaxType
		e := NewEncoder(limit)
		other := Frame{Kind: Announce, Scope: "other", TermNumber: 1, Type: "another"}
		var data []byte
		var want []Frame
		for range 3 {
			for _, one := range []Frame{other, given} {
				out, err := e.Append(data, &one)
				switch {
				case err == nil:
					if len(out)-len(data) > limit+3 {
						t.Fatalf("a frame of %d bytes, at most %d are allowed", len(out)-len(data), limit)
					}
					if !fits && !reflect.DeepEqual(one, other) {
						t.Fatalf("%.200v was taken", one)
					}
					if one.Kind.known() {
						want = append(want, one)
					}
				case !errors.Is(err, ErrFrame) && !errors.Is(err, ErrTooLarge):
					t.Fatal(err)
				case fits && len(toName)+len(scope)+len(ext)+len(typ)+len(body)+64 <= limit:
					t.Fatalf("%.200v was refused: %v", one, err)
				case !bytes.Equal(out, data):
					t.Fatalf("refused with %v, and still %d bytes longer", err, len(out)-len(data))
				}
				data = out
			}
		}
		got, err := decodeAll(bytes.NewReader(data), limit)
		if err != io.EOF || len(got) != len(want) {
			t.Fatalf("%d of %d frames, %v", len(got), len(want), err)
		}
		for i := range got {
			got[i].Ext, want[i].Ext = append([]byte{}, got[i].Ext...), append([]byte{}, want[i].Ext...)
			got[i].Body, want[i].Body = append([]byte{}, got[i].Body...), append([]byte{}, want[i].Body...)
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Fatalf("frame %d is %.300v, want %.300v", i, got[i], want[i])
			}
		}
	})
}
