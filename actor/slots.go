package actor

import (
	"sync"
	"sync/atomic"
)

// slots is the process table: a serial's low bits are the slot, its high bits
// count how often the slot was used before, so a look-up is two loads and a
// comparison, without a lock, and no serial is given twice.
type slots struct {
	chunks [maxChunks]atomic.Pointer[chunk]

	mu   sync.Mutex
	next uint64   // the first slot that was never used
	free []uint64 // serials to give next, for slots that are free again
	live int
}

const (
	slotBits  = 24
	slotMask  = 1<<slotBits - 1
	chunkBits = 12
	maxChunks = 1 << (slotBits - chunkBits)
)

type chunk [1 << chunkBits]atomic.Pointer[Process]

func (t *slots) slot(serial uint64) *atomic.Pointer[Process] {
	i := serial & slotMask
	c := t.chunks[i>>chunkBits].Load()
	if c == nil {
		return nil
	}
	return &c[i&(1<<chunkBits-1)]
}

// get is the living process of that serial, or nil.
func (t *slots) get(serial uint64) *Process {
	slot := t.slot(serial)
	if slot == nil {
		return nil
	}
	p := slot.Load()
	if p == nil || p.pid.serial != serial {
		return nil
	}
	return p
}

// put finds a serial for p; name is told it before anybody can find p. It says
// false when all slots are taken.
func (t *slots) put(p *Process, name func(serial uint64)) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	var serial uint64
	switch n := len(t.free); {
	case n > 0:
		serial, t.free = t.free[n-1], t.free[:n-1]
	case t.next == 0:
		serial, t.next = 1, 2 // serial 0 is the node itself
	case t.next > slotMask:
		return false
	default:
		serial, t.next = t.next, t.next+1
	}
	if c := &t.chunks[(serial&slotMask)>>chunkBits]; c.Load() == nil {
		c.Store(new(chunk))
	}
	name(serial)
	t.slot(serial).Store(p)
	t.live++
	return true
}

func (t *slots) remove(serial uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.slot(serial).Store(nil)
	t.free = append(t.free, serial+1<<slotBits)
	t.live--
}

func (t *slots) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.live
}

// each calls f for every process that lives throughout.
func (t *slots) each(f func(*Process)) {
	for i := range t.chunks {
		c := t.chunks[i].Load()
		if c == nil {
			continue
		}
		for j := range c {
			if p := c[j].Load(); p != nil {
				f(p)
			}
		}
	}
}
