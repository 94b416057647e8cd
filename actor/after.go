package actor

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Timer is mail that is sent later: once, or at intervals.
//
// It belongs to the process that set it or, when it was set from outside, to the
// process of this node that it is for, and ends with that one.
type Timer struct {
	heap  *timerHeap
	owner *Process // nil: for another node, from outside
	to    PID
	body  any
	every time.Duration // 0: once

	prev, next *Timer // the owner's others; guarded by owner.mu

	at      time.Duration // guarded by heap.mu, as is the rest
	number  uint64        // those that are due at once are sent in this order
	place   int32         // in the heap; noPlace: it is not there
	stopped bool
	queued  bool // it is due and waits in a queue

	outside bool // it was set from outside, so its mail has no sender
}

// SendAfter sends body to a process when d has passed, as Send would then: under
// p's term only if its lease still holds. It does not if p has ended by then, or
// if the timer was stopped before. An error that Send would have returned is
// lost, so a process that must know sends to itself and acts on that.
//
// A pending timer costs about a hundred bytes and no goroutine. Timers of one
// process for one receiver are sent in the order in which they are due, of one
// moment in the order set, also when they have to wait for room: all that wait
// for that receiver share one goroutine. What p sends by itself meanwhile does
// not wait for them.
func (p *Process) SendAfter(d time.Duration, to PID, body any) *Timer {
	return p.sys.setTimer(&Timer{owner: p, to: to, body: body}, d)
}

// SendEvery sends body when d has passed, and again each time it has, until the
// timer is stopped, p has ended, its term is over, or the receiver, if it is of
// this node, is found to have ended. It is the same body each time, so nobody
// may write to it. Ticks that come too late, as after a pause of the machine or
// a wait for room, are left out and not made up for; the others keep the beat.
// A receiver that is slower than the beat collects ticks in its mailbox.
//
// The error says that d is not positive; the timer never fires then.
func (p *Process) SendEvery(d time.Duration, to PID, body any) (*Timer, error) {
	return p.sys.setInterval(&Timer{owner: p, to: to, body: body}, d)
}

// SendAfter is Process.SendAfter from outside any process: the receiver sees no
// sender.
func (s *System) SendAfter(d time.Duration, to PID, body any) *Timer {
	return s.setTimer(&Timer{owner: s.local(to), outside: true, to: to, body: body}, d)
}

// SendEvery is Process.SendEvery from outside any process. To a process of
// another node it goes on until it is stopped, or this System is.
func (s *System) SendEvery(d time.Duration, to PID, body any) (*Timer, error) {
	return s.setInterval(&Timer{owner: s.local(to), outside: true, to: to, body: body}, d)
}

// Stop ends the timer, also one that is due and waits for room. It says whether
// that was in time: false means that it has been sent, or is being sent now, or was stopped or had ended before; for an
// interval, that it had ended before. What was sent may still be unread: a
// receiver that must tell it from news has a number in the body.
func (t *Timer) Stop() bool {
	inTime := t.heap.drop(t)
	if inTime {
		t.disown()
	}
	return inTime
}

// local is the living process of this node with that PID, or nil.
func (s *System) local(pid PID) *Process {
	if pid.node != s.self.node {
		return nil
	}
	return s.table.get(pid.serial)
}

func (s *System) setInterval(t *Timer, d time.Duration) (*Timer, error) {
	if d <= 0 {
		t.heap, t.place, t.stopped = s.timers.of(t.owner), noPlace, true
		return t, fmt.Errorf("an interval of %v: it must be positive", d)
	}
	t.every = d
	return s.setTimer(t, d), nil
}

func (s *System) setTimer(t *Timer, d time.Duration) *Timer {
	t.heap, t.place = s.timers.of(t.owner), noPlace
	if s.cfg.Tracer != nil {
		t.trace()
	}
	if t.own() {
		t.heap.push(s, t, max(d, 0))
	} else {
		t.stopped = true
	}
	return t
}

// own puts t into its owner's list. It says false if that has ended.
func (t *Timer) own() bool {
	p := t.owner
	if p == nil {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return false
	}
	ties := p.tiesLocked()
	if t.next = ties.timers; t.next != nil {
		t.next.prev = t
	}
	ties.timers = t
	return true
}

// disown takes t out of its owner's list again.
func (t *Timer) disown() {
	if p := t.owner; p != nil {
		p.mu.Lock()
		t.disownLocked()
		p.mu.Unlock()
	}
}

func (t *Timer) disownLocked() {
	ties := t.owner.ties
	if ties == nil {
		return // the list is the end's now
	}
	if t.prev != nil {
		t.prev.next = t.next
	} else if ties.timers == t {
		ties.timers = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	t.prev, t.next = nil, nil
}

// dropTimers ends the timers of a process that has ended. Nobody changes the
// list any more.
func (t *ties) dropTimers() {
	for x := t.timers; x != nil; x = x.next {
		x.heap.drop(x)
	}
}

// fire sends what is due. It does not wait: what would have to, and what comes
// behind it, waits in a queue.
func (t *Timer) fire(s *System) {
	if p := t.owner; p != nil {
		p.mu.Lock()
		ended := p.ended
		if !ended && t.every == 0 {
			t.disownLocked()
		}
		p.mu.Unlock()
		if ended {
			return
		}
	}
	t.beginTrace(s)
	if t.heap.joinQueue(t) {
		return
	}
	var now context.Context = expired
	if p := t.sender(); p != nil {
		now = atOnce{p}
	}
	if err := t.send(s, now); errors.Is(err, errWouldWait) {
		t.heap.newQueue(s, t)
	} else {
		t.sent(s, err)
	}
}

// sender is the process that the mail is from; nil: it has no sender.
func (t *Timer) sender() *Process {
	if t.outside {
		return nil
	}
	return t.owner
}

// envelope is the mail without its body.
func (t *Timer) envelope() Envelope {
	e := Envelope{Kind: KindMessage, To: t.to}
	if p := t.sender(); p != nil {
		e.From, e.Term = p.pid, p.Term()
	}
	return e
}

func (t *Timer) send(s *System, ctx context.Context) error {
	p := t.sender()
	if p != nil {
		if err := p.CheckTerm(); err != nil {
			return err
		}
	}
	e := t.envelope()
	e.Body = t.body
	if b, traced := t.body.(*tracedBody); traced {
		e.Body, e.Carrier = b.body, b.carrier
	}
	return s.put(ctx, p, e)
}

// sent is called when a timer has fired: an interval goes on.
func (t *Timer) sent(s *System, err error) {
	endTrace(t.body, err)
	switch {
	case t.every == 0:
		t.body = nil
	case err == errNobody || errors.Is(err, ErrTermOver) || errors.Is(err, ErrStopped):
		t.heap.drop(t)
		t.disown()
	default:
		t.heap.again(s, t)
	}
}

// atOnce is a process as the context of a send that must not wait. It is still
// the process whose term is checked.
type atOnce struct{ *Process }

func (atOnce) Done() <-chan struct{} { return expired.Done() }
func (atOnce) Err() error            { return expired.Err() }
func (atOnce) Value(key any) any     { return expired.Value(key) }
