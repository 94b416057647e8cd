package actor

import (
	"context"
	"errors"
)

// errTimerStopped is what the Tracer hears of a timer that was stopped while it
// waited to be sent.
var errTimerStopped = errors.New("the timer was stopped")

// timerPair is what order is kept between: whose timers, and for whom.
type timerPair struct {
	owner   *Process
	to      PID
	outside bool
}

func (t *Timer) pair() timerPair { return timerPair{t.owner, t.to, t.outside} }

// timerQueue is the timers of one pair that are due, from when one has to wait
// for room until none does. One goroutine, serve, sends them.
type timerQueue struct{ heap dueHeap }

// joinQueue puts a timer that is due behind others that wait. It says whether
// there are any.
func (h *timerHeap) joinQueue(t *Timer) bool {
	if h.queued.Load() == 0 {
		return false // only h's run adds a queue, and it is who asks
	}
	h.mu.Lock()
	q := h.queues[t.pair()]
	joined := q != nil && h.enqueue(q, t)
	h.mu.Unlock()
	if q != nil && !joined {
		endTrace(t.body, errTimerStopped)
	}
	return q != nil
}

// newQueue is for a timer that has to wait, and has none to wait behind.
func (h *timerHeap) newQueue(s *System, t *Timer) {
	h.mu.Lock()
	k, q := t.pair(), new(timerQueue)
	joined := h.enqueue(q, t)
	if joined {
		if h.queues == nil {
			h.queues = make(map[timerPair]*timerQueue)
		}
		h.queues[k] = q
		h.queued.Store(int32(len(h.queues)))
	}
	h.mu.Unlock()
	if joined {
		go h.serve(s, k, q) // the receiver's end, or its node's, ends it too
	} else {
		endTrace(t.body, errTimerStopped)
	}
}

// enqueue says false of an interval that was stopped meanwhile. A timer of which
// Stop has said that it is being sent is sent. h.mu is held.
func (h *timerHeap) enqueue(q *timerQueue, t *Timer) bool {
	if t.stopped && t.every > 0 {
		return false
	}
	t.queued = true
	q.heap.insert(t)
	return true
}

// serve sends what is in a queue, the earliest first.
func (h *timerHeap) serve(s *System, k timerPair, q *timerQueue) {
	for {
		h.mu.Lock()
		if len(q.heap) == 0 {
			delete(h.queues, k)
			h.queued.Store(int32(len(h.queues)))
			h.mu.Unlock()
			return
		}
		t := q.heap[0].t
		h.remove(t)
		q.heap.shrink()
		h.mu.Unlock()
		t.sendInTurn(s, q)
	}
}

// sendInTurn sends the first of a queue and waits as long as it has to.
func (t *Timer) sendInTurn(s *System, q *timerQueue) {
	turn := &turn{Context: context.Background(), timer: t, queue: q}
	if p := t.sender(); p != nil {
		if p.hasEnded() {
			endTrace(t.body, p.cause())
			return
		}
		turn.Context = p
	}
	err := t.send(s, turn)
	if stopped := turn.resume(); stopped != nil {
		err = stopped
	}
	t.sent(s, err)
}

// turn is the context of a send that may wait. Who sends asks for Done in order to
// wait, and calls CheckTerm when it has waited, before it sends: in between the
// timer is in its queue again, where it can be stopped.
type turn struct {
	context.Context
	timer *Timer
	queue *timerQueue
	waits bool // guarded by the heap's mu
}

func (c *turn) Done() <-chan struct{} {
	h := c.timer.heap
	h.mu.Lock()
	defer h.mu.Unlock()
	if !c.waits {
		c.waits = true
		h.enqueue(c.queue, c.timer)
	}
	return c.Context.Done()
}

func (c *turn) CheckTerm() error {
	if err := c.resume(); err != nil {
		return err
	}
	return CheckTerm(c.Context)
}

// resume ends the wait, if there was one. The error says that the timer was
// stopped meanwhile.
func (c *turn) resume() error {
	h := c.timer.heap
	h.mu.Lock()
	defer h.mu.Unlock()
	if !c.waits {
		return nil
	}
	c.waits = false
	if !c.timer.queued {
		return errTimerStopped
	}
	h.remove(c.timer)
	return nil
}
