package node

import "time"

// pace makes the reader of a bulk lane rest while small messages share the link.
// Without it the reader, those who decode what it brings, and the collector keep
// every processor of a small machine busy, and Go looks for what else the network
// has brought only when one is idle, or every 10 ms. It rests for as long as it
// worked, at most restMost; a stream that has the link to itself does not rest.
type pace struct {
	passed *passage
	now    func() time.Duration

	bytes int           // since the last rest
	since time.Duration // when that was
	seen  uint64        // how many small messages had come by then
}

const (
	restEvery = 1 << 20 // bytes
	restMost  = 500 * time.Microsecond
)

// read takes note of so many bytes.
func (r *pace) read(n int) {
	if r.bytes += n; r.bytes < restEvery {
		return
	}
	if small := r.passed.count.Load(); small != r.seen {
		r.seen = small
		time.Sleep(min(r.now()-r.since, restMost))
	}
	r.bytes, r.since = 0, r.now()
}
