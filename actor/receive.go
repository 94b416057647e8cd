package actor

import (
	"time"
)

// Receive waits for the next message. The error says that the process must
// end, and is the reason: a Func returns it.
func (p *Process) Receive() (Message, error) { return p.receive(nil) }

// ReceiveTimeout is Receive that gives up after d with [ErrTimeout].
func (p *Process) ReceiveTimeout(d time.Duration) (Message, error) {
	if d <= 0 {
		return p.receive(timeUp)
	}
	timer := p.startTimer(d)
	defer timer.Stop()
	return p.receive(timer.C)
}

// timeUp is the channel of a timer whose time has come.
var timeUp = func() <-chan time.Time {
	c := make(chan time.Time)
	close(c)
	return c
}()

// startTimer is the process's timer: it waits for one thing at a time.
func (p *Process) startTimer(d time.Duration) *time.Timer {
	if p.timer == nil {
		p.timer = time.NewTimer(d)
	} else {
		p.timer.Reset(d)
	}
	return p.timer
}

// receive has its result filled in place, as mailbox.append fills items.
func (p *Process) receive(timeout <-chan time.Time) (m Message, err error) {
	if p.handler != nil {
		return m, ErrNotInHandler
	}
	traced := p.sys.cfg.Tracer != nil
	if traced {
		p.traceDone(nil)
	}
	for {
		if p.tenure != nil && timeout == nil && p.head == len(p.queue.mail) {
			// A holder looks whether there is mail before it asks for its lease.
			if p.box.mu.Lock(); p.fallAsleep(waitingMail) {
				<-p.wake
			}
		}
		if p.mustStop() {
			return m, p.cause()
		}
		if p.next(&m) {
			if traced {
				p.traceReceive(&m)
			}
			return
		}
		if p.box.door == doorSealed {
			p.box.mu.Unlock()
			return m, p.sealedFor()
		}
		if timeout == nil {
			// Here, and not in sleepLocked: each frame of a process that waits takes
			// the garbage collector time.
			if p.fallAsleep(waitingMail) {
				<-p.wake
			}
		} else if !p.sleepLocked(waitingMail, timeout) {
			return m, ErrTimeout
		}
	}
}

// Expect waits for the next message whose body is a T ([As] says which are);
// other mail stays, in order, for a later Receive or Expect. A body that claims
// to be a T and does not decode is a dead letter and an error to its caller,
// and Expect waits on. The error says that the process must end.
//
// What stays counts against the mailbox's limit. Under [Wait] a mailbox that is full
// of it keeps the T out too, and Expect waits until the process must end; a timer to
// oneself is kept out as well. So where other mail may fill it while Expect waits:
// take everything with Receive, or [Process.ReceiveTimeout], and keep for later what
// is not a T; or set a Limit that other mail cannot reach; or use [Refuse], under which
// the T is a dead letter. [Call] needs none of this: replies always get through.
func Expect[T any](p *Process) (T, Message, error) {
	var zero T
	if p.handler != nil {
		return zero, Message{}, ErrNotInHandler
	}
	traced := p.sys.cfg.Tracer != nil
	if traced {
		p.traceDone(nil)
	}
	passed := 0 // how many unread messages are no T
	for {
		if p.mustStop() {
			return zero, Message{}, p.cause()
		}
		for p.head+passed < len(p.queue.mail) {
			i := p.head + passed
			it := &p.queue.mail[i]
			v, err, claimed := as[T](it.body, it.from, it.call())
			switch {
			case err == nil:
				m := p.take(i)
				if traced {
					p.traceReceive(&m)
				}
				return v, m, nil
			case claimed:
				p.take(i)
			default:
				passed++
			}
		}
		p.box.mu.Lock()
		if len(p.box.in) == 0 {
			if p.box.door == doorSealed {
				p.box.mu.Unlock()
				return zero, Message{}, p.sealedFor()
			}
			p.sleepLocked(waitingMail, nil)
			continue
		}
		p.refill()
		p.box.mu.Unlock()
	}
}

// sleep waits until there is mail (or, for waitingReply, the awaited reply), or
// the process must stop. It says false when the timeout came first.
func (p *Process) sleep(w waitingFor, timeout <-chan time.Time) bool {
	p.box.mu.Lock()
	return p.sleepLocked(w, timeout)
}

// fallAsleep is called under box.mu, which it unlocks, by a process that is about to
// receive from wake. It says no if there is nothing to wait for.
func (p *Process) fallAsleep(w waitingFor) bool {
	b := &p.box
	for {
		if p.stopping.Load() || w == waitingMail && (len(b.in) > 0 || b.door == doorSealed) || w == waitingReply && b.reply.there {
			b.mu.Unlock()
			return false
		}
		if b.unread.Load() != int64(p.left) { // the count that others see may be behind
			b.unread.Store(int64(p.left))
		}
		if !b.wantsRelief.Load() || b.counted+p.left >= b.limit {
			break
		}
		// Who waits for room may have what p waits for, so any room will do:
		// p will not make more while it sleeps.
		p.relieveLocked()
		b.mu.Lock()
	}
	if p.wake == nil {
		p.wake = make(chan struct{}, 1)
	}
	b.waiting = w
	if w == waitingMail {
		p.sleeps++
	}
	p.shed()
	b.mu.Unlock()
	return true
}

// sleepLocked is sleep under box.mu, which it unlocks.
func (p *Process) sleepLocked(w waitingFor, timeout <-chan time.Time) bool {
	if !p.fallAsleep(w) {
		return true
	}
	b := &p.box
	if timeout == nil {
		<-p.wake
		return true
	}
	select {
	case <-p.wake:
		return true
	case <-timeout:
	}
	b.mu.Lock()
	late := b.waiting == waitingNot
	b.waiting = waitingNot
	b.mu.Unlock()
	if late {
		<-p.wake
		return true
	}
	return false
}
