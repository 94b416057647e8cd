package transport

import (
	"bytes"
	"testing"

	"conclave/internal/cost"
)

// What a frame of 64 bytes costs to write and to read, as instructions. The bound is
// a third above what was counted.
func TestCostOfAFrame(t *testing.T) {
	cost.Need(t)
	f := Frame{Kind: Message, From: 3, To: 8, Type: "main.Job", Body: make([]byte, 64)}
	e := NewEncoder(0)
	first, err := e.Append(nil, &f)
	if err != nil {
		t.Fatal(err)
	}
	const n = 1000
	batch := make([]byte, 0, 100*n)
	wire := bytes.NewReader(first)
	d := NewDecoder(wire, 0)
	var got Frame
	if err := d.Next(&got); err != nil {
		t.Fatal(err)
	}
	cost.AtMost(t, 14, n, func() {
		batch = batch[:0]
		for range n {
			batch, _ = e.Append(batch, &f)
		}
		wire.Reset(batch)
		for range n {
			if err := d.Next(&got); err != nil {
				panic(err)
			}
		}
	})
}
