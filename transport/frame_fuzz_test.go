package transport

import (
	"bytes"
	"errors"
	"io"
	"reflect"
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
	f.Add([]byte{4, 200, 0, 0, 0})
	f.Add([]byte{6, 1, shapeType, 0, 0, 0, 0})
	f.Add([]byte{0x80, 0x80, 0x80, 0x80, 0x04, 1, 0, 0, 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 1 << 20
		frames, err := decodeAll(bytes.NewReader(data), limit)
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
