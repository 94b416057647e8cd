package actor

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// subscribers are the processes that are shown dead letters. The list is copied
// to change it, so that a dead letter needs no lock to find that there are none.
type subscribers struct {
	list atomic.Pointer[[]*subscriber]
	mu   sync.Mutex // of who changes the list
}

type subscriber struct {
	p      *Process
	missed uint64 // not shown since the last that was; under p.box.mu
}

// SubscribeDeadLetters has the dead letters of this node sent to a process of
// it, as messages with a [DeadLetter] for a body and no sender, until
// UnsubscribeDeadLetters or the end of the process. Subscribing twice is
// subscribing once. NoProcess: it has ended, or lives elsewhere.
//
// Nobody waits for a subscriber. It is shown nothing while its mailbox is half
// full, so that other mail finds room; the next one that it is shown says how
// many it missed. Nothing feeds on itself: a message with a DeadLetter for a body
// that reaches nobody is only counted, and of what subscribers send, nothing is
// shown to any.
func (s *System) SubscribeDeadLetters(pid PID) error {
	p := s.table.get(pid.serial)
	if p == nil || pid.node != s.self.node {
		return fmt.Errorf("subscribe %s to the dead letters of %s: %w", pid, s.cfg.Node, NoProcess)
	}
	if !s.subscribers.add(p) {
		return fmt.Errorf("subscribe %s to dead letters: %w", pid, NoProcess)
	}
	return nil
}

// UnsubscribeDeadLetters takes SubscribeDeadLetters back. What was sent before
// may still be unread.
func (s *System) UnsubscribeDeadLetters(pid PID) {
	s.subscribers.remove(pid)
}

// SubscribeDeadLetters has the dead letters of p's node sent to p. See
// [System.SubscribeDeadLetters].
func (p *Process) SubscribeDeadLetters() error { return p.sys.SubscribeDeadLetters(p.pid) }

// UnsubscribeDeadLetters takes SubscribeDeadLetters back.
func (p *Process) UnsubscribeDeadLetters() { p.sys.UnsubscribeDeadLetters(p.pid) }

func (l *subscribers) now() []*subscriber {
	if list := l.list.Load(); list != nil {
		return *list
	}
	return nil
}

// add says false when p has ended. It adds p first and then looks, and p's end
// closes the mailbox first and then removes p: one of the two sees the other.
func (l *subscribers) add(p *Process) bool {
	l.mu.Lock()
	old := l.now()
	if !slices.ContainsFunc(old, func(sub *subscriber) bool { return sub.p == p }) {
		changed := append(slices.Clip(old), &subscriber{p: p})
		l.list.Store(&changed)
	}
	l.mu.Unlock()
	p.box.mu.Lock()
	closed := p.box.door == doorClosed
	p.box.mu.Unlock()
	if closed {
		l.remove(p.pid)
	}
	return !closed
}

// remove is called at the end of every process too.
func (l *subscribers) remove(pid PID) {
	if len(l.now()) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	changed := slices.DeleteFunc(slices.Clone(l.now()), func(sub *subscriber) bool { return sub.p.pid == pid })
	l.list.Store(&changed)
}

// show sends d to all subscribers, unless one of them has caused it.
func (l *subscribers) show(d DeadLetter) {
	list := l.now()
	for _, sub := range list {
		if sub.p.pid == d.From {
			return
		}
	}
	for _, sub := range list {
		sub.show(d)
	}
}

func (sub *subscriber) show(d DeadLetter) {
	b := &sub.p.box
	b.mu.Lock()
	switch {
	case b.door != doorOpen:
		b.mu.Unlock()
	case b.halfFull():
		sub.missed += 1 + d.More
		b.mu.Unlock()
	default:
		d.Missed, sub.missed = sub.missed, 0
		sub.p.notify(d)
	}
}
