package transport

import (
	"sync"
	"time"
)

// memWindow bounds what is under way in one direction of one lane of a
// connection in a Network: written and not yet read.
const memWindow = 256 << 10

// pipe is one direction of one lane in memory. Its connection's lock guards it.
type pipe struct {
	flying      []segment // not there yet, in order
	flyingBytes int
	arrived     []byte
	taken       int // arrived[:taken] has been read

	readable, writable sync.Cond
}

// segment is what one write added.
type segment struct {
	at   time.Time // when it arrives, at the earliest
	data []byte
}

// used is how much of the window is taken.
func (p *pipe) used() int { return len(p.arrived) - p.taken + p.flyingBytes }

// send takes as much of b as the window allows and returns how much. It arrives
// at the given time, or at once if that is zero and nothing is ahead of it.
func (p *pipe) send(b []byte, at time.Time) int {
	n := min(len(b), memWindow-p.used())
	if n == 0 {
		return 0
	}
	if at.IsZero() && len(p.flying) == 0 {
		p.arrive(b[:n])
	} else {
		p.flying = append(p.flying, segment{at, append([]byte(nil), b[:n]...)})
		p.flyingBytes += n
	}
	return n
}

// arrive makes b readable.
func (p *pipe) arrive(b []byte) {
	if p.taken > 0 && len(p.arrived)+len(b) > cap(p.arrived) {
		p.arrived = p.arrived[:copy(p.arrived, p.arrived[p.taken:])]
		p.taken = 0
	}
	p.arrived = append(p.arrived, b...)
	p.readable.Broadcast()
}

// land makes readable what has arrived by now.
func (p *pipe) land(now time.Time) {
	n := 0
	for n < len(p.flying) && !p.flying[n].at.After(now) {
		p.arrive(p.flying[n].data)
		p.flyingBytes -= len(p.flying[n].data)
		p.flying[n].data = nil
		n++
	}
	if p.flying = p.flying[n:]; len(p.flying) == 0 {
		p.flying = nil
	}
}

// next is when the next segment arrives, and whether there is one.
func (p *pipe) next() (time.Time, bool) {
	if len(p.flying) == 0 {
		return time.Time{}, false
	}
	return p.flying[0].at, true
}

// receive takes what is readable.
func (p *pipe) receive(b []byte) int {
	n := copy(b, p.arrived[p.taken:])
	if p.taken += n; p.taken == len(p.arrived) {
		p.arrived, p.taken = p.arrived[:0], 0
	}
	if n > 0 {
		p.writable.Broadcast()
	}
	return n
}

// drop forgets everything.
func (p *pipe) drop() {
	p.flying, p.flyingBytes, p.arrived, p.taken = nil, 0, nil, 0
}

// wake wakes whoever waits.
func (p *pipe) wake() {
	p.readable.Broadcast()
	p.writable.Broadcast()
}
