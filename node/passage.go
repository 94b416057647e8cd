package node

import (
	"io"
	"sync"
	"sync/atomic"
)

// tally counts the bytes that are read.
type tally struct {
	io.Reader
	count *atomic.Uint64
	when  *atomic.Bool // nil: always
}

func (t *tally) Read(b []byte) (int, error) {
	n, err := t.Reader.Read(b)
	if t.when == nil || t.when.Load() {
		t.count.Add(uint64(n))
	}
	return n, err
}

// passage is how many frames of the messages lane have been delivered, for the
// bulk lane to wait for.
type passage struct {
	count  atomic.Uint64
	wanted atomic.Bool // somebody waits

	mu    sync.Mutex
	moved sync.Cond
	over  bool
}

// reach says that so many have been delivered.
func (d *passage) reach(count uint64) {
	d.count.Store(count)
	if d.wanted.Load() {
		d.mu.Lock()
		d.moved.Broadcast()
		d.mu.Unlock()
	}
}

// wait waits for so many; false: they will not come. There is one who waits.
func (d *passage) wait(count uint64) bool {
	if d.count.Load() >= count {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted.Store(true)
	for d.count.Load() < count {
		if d.over {
			return false
		}
		d.moved.Wait()
	}
	d.wanted.Store(false)
	return true
}

// end says that there will be no more.
func (d *passage) end() {
	d.mu.Lock()
	d.over = true
	d.moved.Broadcast()
	d.mu.Unlock()
}
