package actor

import (
	"sync"
)

// runners are the goroutines that a system's Handlers run on. A Handler with mail
// joins the queue; a runner takes it, runs it until it has read all its mail, and
// takes the next. So a runner whose Handler has just sent to another goes on with
// that one itself, without a switch of goroutines, and its stack, once it has
// grown to what Handlers need, is used again: to grow one costs more than a message.
//
// What waits in the queue never waits for a Handler to return: as long as there is
// something in it, one runner is on its way to it, and has the next one called
// before it starts. So there are as many runners as Handlers that are busy or
// blocked at once, and one more; a few stay when there is nothing to do.
type runners struct {
	mu          sync.Mutex
	first, last *Process // the queue, by nextReady
	coming      bool     // a runner was started or woken and has not looked yet
	idle        *runner  // those that sleep, the last to fall asleep first
	idling      int
	closed      bool // no process is left to run: nobody goes to sleep
}

// maxIdle is how many runners may sleep: enough for those that a call to another
// Handler, or to a database, makes necessary now and then.
const maxIdle = 32

type runner struct {
	wake chan struct{}
	next *runner
}

// add has p, a Handler with mail, run.
func (r *runners) add(p *Process) {
	r.mu.Lock()
	if r.first == nil {
		r.first = p
	} else {
		r.last.nextReady = p
	}
	r.last = p
	r.callAndUnlock()
}

// callAndUnlock has a runner come for what is in the queue, unless one is on its way.
func (r *runners) callAndUnlock() {
	if r.first == nil || r.coming {
		r.mu.Unlock()
		return
	}
	r.coming = true
	sleeper := r.idle
	if sleeper != nil {
		r.idle = sleeper.next
		r.idling--
	}
	r.mu.Unlock()
	if sleeper != nil {
		sleeper.wake <- struct{}{}
	} else {
		go r.run()
	}
}

// run is the life of one runner. A Handler that calls runtime.Goexit ends it,
// which nobody will notice.
func (r *runners) run() {
	self := &runner{wake: make(chan struct{}, 1)}
	for {
		r.mu.Lock()
		r.coming = false
		for p := r.first; p != nil; p = r.first {
			r.first, p.nextReady = p.nextReady, nil
			if r.first == nil {
				r.last = nil // it may be the last Handler for long, and have ended
			}
			r.callAndUnlock()
			p.runHandler()
			r.mu.Lock()
		}
		if r.closed || r.idling >= maxIdle {
			r.mu.Unlock()
			return
		}
		self.next, r.idle = r.idle, self
		r.idling++
		r.mu.Unlock()
		<-self.wake
	}
}

// setClosed says whether there is nothing to run: sleeping runners then end.
func (r *runners) setClosed(closed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = closed
	if !closed {
		return
	}
	for ; r.idle != nil; r.idle = r.idle.next {
		r.idle.wake <- struct{}{} // it looks, finds nothing, and ends
	}
	r.idling = 0
}
