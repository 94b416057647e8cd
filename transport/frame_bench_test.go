package transport

import (
	"bytes"
	"io"
	"testing"
)

// batchOf is about size bytes of messages with bodies of 64 bytes.
func batchOf(e *Encoder, size int) (batch []byte, frames int) {
	f := Frame{Kind: Message, From: 300, To: 800, Type: "bench.Message", Body: make([]byte, 64)}
	for len(batch)+80 < size {
		batch, _ = e.Append(batch, &f)
		frames++
	}
	return batch, frames
}

func BenchmarkEncoder(b *testing.B) {
	e := NewEncoder(0)
	f := Frame{Kind: Message, From: 300, To: 800, Type: "bench.Message", Body: make([]byte, 64)}
	batch := make([]byte, 0, 64<<10)
	b.ReportAllocs()
	for b.Loop() {
		if len(batch)+100 > cap(batch) {
			batch = batch[:0]
		}
		batch, _ = e.Append(batch, &f)
	}
}

func BenchmarkDecoder(b *testing.B) {
	e := NewEncoder(0)
	first, _ := batchOf(e, 200)
	batch, _ := batchOf(e, 64<<10)
	d := NewDecoder(io.MultiReader(bytes.NewReader(first), &endless{batch: batch}), 0)
	var f Frame
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Next(&f); err != nil {
			b.Fatal(err)
		}
	}
}
