package node

import (
	"bytes"
	"runtime"
	"testing"
	"time"

	"conclave/actor"
	"conclave/transport"
)

// A process that keeps a small message does not keep the large ones that came with it.
func TestKeptMessageKeepsNoLargeNeighbours(t *testing.T) {
	const large = 8
	var lane []byte
	enc := transport.NewEncoder(1 << 20)
	for i := range 1 + large {
		body := make([]byte, 40)
		if i > 0 {
			body = make([]byte, 16<<10)
		}
		var err error
		if lane, err = enc.Append(lane, &transport.Frame{Kind: transport.Message, From: 1, To: 2, Type: "[]uint8", Body: body}); err != nil {
			t.Fatal(err)
		}
	}
	dec := transport.NewDecoder(bytes.NewReader(lane), 1<<20)
	run := &mailRun{peer: &peer{}, mail: make([]actor.Mail, 0, longestRun)}
	freed := make(chan struct{}, large)
	var f transport.Frame
	for range 1 + large {
		if err := dec.Next(&f); err != nil {
			t.Fatal(err)
		}
		if !run.add(&f, dec) {
			t.Fatalf("%v is no plain mail", f.Kind)
		}
		if len(f.Body) > 40 {
			runtime.AddCleanup(&f.Body[0], func(freed chan<- struct{}) { freed <- struct{}{} }, freed)
		}
	}
	f = transport.Frame{}
	kept := run.mail[0].Body
	clear(run.mail)
	runtime.GC()
	runtime.GC()
	late := time.After(5 * time.Second)
	for n := range large {
		select {
		case <-freed:
		case <-late:
			t.Fatalf("of %d large bodies %d were freed", large, n)
		}
	}
	if n := len(kept.(*remoteBody).data()); n != 40 {
		t.Errorf("the kept body has %d bytes", n)
	}
	runtime.KeepAlive(run)
}
