package actor

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// timers are a system's pending timers, in several heaps, each behind one timer
// of Go's: half the memory of one of Go's for each, and a hundred thousand that
// are due at once are sent by a few goroutines instead of as many.
type timers [timerHeaps]timerHeap

const timerHeaps = 16

// of is the heap for the timers of that process; nil: of nobody's.
func (ts *timers) of(p *Process) *timerHeap {
	if p == nil {
		return &ts[0]
	}
	return &ts[p.pid.serial%timerHeaps]
}

// close drops what is left.
func (ts *timers) close() {
	for i := range ts {
		h := &ts[i]
		h.mu.Lock()
		left := h.heap
		for _, q := range h.queues {
			left = append(left, q.heap...)
			q.heap = nil
		}
		h.heap, h.closed = nil, true
		for _, d := range left {
			d.t.place, d.t.queued, d.t.stopped = noPlace, false, true
		}
		if h.alarm != nil {
			h.alarm.Stop()
		}
		h.mu.Unlock()
		for _, d := range left {
			endTrace(d.t.body, ErrStopped)
		}
	}
}

type timerHeap struct {
	mu     sync.Mutex
	heap   dueHeap
	number uint64
	alarm  *time.Timer // runs run
	runs   bool        // run is at it, and will set the alarm
	closed bool

	queues map[timerPair]*timerQueue // of those that are due and have to wait
	queued atomic.Int32              // len(queues)
}

// dueHeap is a heap with four children to a node, the earliest timer on top.
type dueHeap []due

type due struct {
	at time.Duration
	t  *Timer
}

func (d due) before(e due) bool { return d.at < e.at || d.at == e.at && d.t.number < e.t.number }

const (
	noPlace = -1
	never   = time.Duration(math.MaxInt64)
)

// clock is what timers are set by.
func (s *System) clock() time.Duration { return time.Since(s.began) }

func (h *timerHeap) push(s *System, t *Timer, d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := s.clock()
	if t.at = now + d; t.at < now {
		t.at = never
	}
	h.insert(s, t, now)
}

// again sets an interval's next tick: the first of its beat that is not past.
func (h *timerHeap) again(s *System, t *Timer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := s.clock()
	t.at += t.every * (1 + max(0, now-t.at)/t.every)
	h.insert(s, t, now)
}

func (h *timerHeap) insert(s *System, t *Timer, now time.Duration) {
	if t.stopped || h.closed {
		t.stopped = true
		return
	}
	h.number++
	t.number = h.number
	h.heap.insert(t)
	if t.place == 0 && !h.runs {
		h.arm(s, now)
	}
}

// arm sets the alarm for the earliest.
func (h *timerHeap) arm(s *System, now time.Duration) {
	d := max(0, h.heap[0].at-now)
	if h.alarm == nil {
		h.alarm = time.AfterFunc(d, func() { h.run(s) })
	} else {
		h.alarm.Reset(d)
	}
}

// drop ends a timer. It says whether there was one to end.
func (h *timerHeap) drop(t *Timer) bool {
	h.mu.Lock()
	pending := t.place != noPlace && !t.stopped
	inTime := pending || t.every > 0 && !t.stopped
	t.stopped = true
	var body any
	if pending {
		h.remove(t)
		body, t.body = t.body, nil
	}
	h.mu.Unlock()
	endTrace(body, errTimerStopped)
	return inTime
}

// remove takes a timer out of where it is.
func (h *timerHeap) remove(t *Timer) {
	if t.queued {
		t.queued = false
		h.queues[t.pair()].heap.remove(int(t.place))
	} else {
		h.heap.remove(int(t.place))
	}
}

// run sends what is due, and sets the alarm for what comes next.
func (h *timerHeap) run(s *System) {
	h.mu.Lock()
	if h.runs {
		h.mu.Unlock()
		return
	}
	h.runs = true
	var batch [32]*Timer
	for {
		now, n := s.clock(), 0
		for n < len(batch) && len(h.heap) > 0 && h.heap[0].at <= now {
			batch[n] = h.heap[0].t
			h.heap.remove(0)
			n++
		}
		if n == 0 {
			h.runs = false
			if len(h.heap) > 0 {
				h.arm(s, now)
			}
			h.heap.shrink()
			h.mu.Unlock()
			return
		}
		h.mu.Unlock()
		for i, t := range batch[:n] {
			batch[i] = nil
			t.fire(s)
		}
		h.mu.Lock()
	}
}

func (h *dueHeap) insert(t *Timer) {
	*h = append(*h, due{})
	h.up(len(*h)-1, due{t.at, t})
}

func (h *dueHeap) remove(i int) {
	heap := *h
	heap[i].t.place = noPlace
	last := len(heap) - 1
	d := heap[last]
	heap[last] = due{}
	*h = heap[:last]
	if i == last {
		return
	}
	if i > 0 && d.before(heap[(i-1)/4]) {
		h.up(i, d)
	} else {
		h.down(i, d)
	}
}

// shrink gives back the room of a heap that was far larger.
func (h *dueHeap) shrink() {
	if n := len(*h); cap(*h) > 1024 && n < cap(*h)/4 {
		*h = append(make([]due, 0, 2*n), *h...)
	}
}

// up puts d at i or above, whose place is free.
func (h dueHeap) up(i int, d due) {
	for i > 0 {
		parent := (i - 1) / 4
		if !d.before(h[parent]) {
			break
		}
		h.set(i, h[parent])
		i = parent
	}
	h.set(i, d)
}

// down puts d at i or below, whose place is free.
func (h dueHeap) down(i int, d due) {
	for {
		child := 4*i + 1
		if child >= len(h) {
			break
		}
		for c := child + 1; c < min(4*i+5, len(h)); c++ {
			if h[c].before(h[child]) {
				child = c
			}
		}
		if !h[child].before(d) {
			break
		}
		h.set(i, h[child])
		i = child
	}
	h.set(i, d)
}

func (h dueHeap) set(i int, d due) {
	h[i] = d
	d.t.place = int32(i)
}
