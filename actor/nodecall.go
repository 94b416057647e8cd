package actor

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"unique"
)

// nodeCalls are the calls made from outside any process.
type nodeCalls struct {
	last atomic.Uint64
	mu   sync.Mutex
	open map[uint64]*nodeCall
}

type nodeCall struct {
	to   PID
	done chan struct{}
	m    Message
	err  error
}

func (c *nodeCalls) start(to PID) (uint64, *nodeCall) {
	ref, call := c.last.Add(1), &nodeCall{to: to, done: make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = make(map[uint64]*nodeCall)
	}
	c.open[ref] = call
	return ref, call
}

func (c *nodeCalls) resolve(ref uint64, m Message, err error) bool {
	c.mu.Lock()
	call := c.open[ref]
	delete(c.open, ref)
	c.mu.Unlock()
	if call == nil {
		return false
	}
	call.m, call.err = m, err
	close(call.done)
	return true
}

func (c *nodeCalls) giveUp(to map[PID]struct{}, why error) {
	c.mu.Lock()
	var given []uint64
	for ref, call := range c.open {
		if _, is := to[call.to]; is {
			given = append(given, ref)
		}
	}
	c.mu.Unlock()
	for _, ref := range given {
		c.resolve(ref, Message{}, why)
	}
}

func (c *nodeCalls) nodeLost(node unique.Handle[NodeID], why func(to PID) error) {
	c.mu.Lock()
	lost := make(map[uint64]PID)
	for ref, call := range c.open {
		if call.to.node == node {
			lost[ref] = call.to
		}
	}
	c.mu.Unlock()
	for ref, to := range lost {
		c.resolve(ref, Message{}, why(to))
	}
}

// SendConfirmed is Send that waits until the message is in the mailbox of its
// receiver, or certainly is not. The errors are those of a call; nil says
// nothing about whether the receiver will read it, only that at some moment since the
// call its term, if it has one, still lasted. If ctx is a process, or comes from one,
// the message goes under its term; for room in its own mailbox it does not wait.
func (s *System) SendConfirmed(ctx context.Context, to PID, body any) error {
	_, err := s.await(ctx, Envelope{Kind: KindMessage, From: s.self, To: to, Body: body})
	return err
}

// Request makes a call from outside any process and waits for the reply until
// ctx is done. See [Call] for how it can fail, and SendConfirmed for its term.
func (s *System) Request(ctx context.Context, to PID, body any) (Message, error) {
	return s.await(ctx, Envelope{Kind: KindCall, From: s.self, To: to, Body: body})
}

// await sends e and waits for what answers it.
func (s *System) await(ctx context.Context, e Envelope) (Message, error) {
	sender := ProcessOf(ctx)
	if sender != nil && sender.sys != s {
		sender = nil
	}
	if sender != nil && sender.tenure != nil {
		if err := sender.CheckTerm(); err != nil {
			return Message{}, err
		}
		e.Term = sender.Term()
	}
	if s.cfg.Tracer == nil {
		return s.awaitAnswer(ctx, sender, e)
	}
	answered := s.traceSend(ctx, &e)
	m, err := s.awaitAnswer(ctx, sender, e)
	if answered != nil {
		answered(err)
	}
	return m, err
}

// awaitAnswer is await on behalf of sender; nil: no process.
func (s *System) awaitAnswer(ctx context.Context, sender *Process, e Envelope) (Message, error) {
	if e.Kind == KindMessage && e.To.node == s.self.node {
		if p := s.table.get(e.To.serial); p != nil && p.lapsed() {
			s.DeadLetter(e.dead(DeadNoProcess))
			return Message{}, &EndedError{PID: e.To}
		}
		err := s.put(ctx, sender, e)
		if err == errNobody {
			err = &EndedError{PID: e.To}
		}
		return Message{}, err
	}
	ref, call := s.calls.start(e.To)
	e.Ref = ref
	local, err := s.sendCall(ctx, nil, &e)
	if err != nil {
		s.calls.resolve(ref, Message{}, err)
		return Message{}, err
	}
	select {
	case <-call.done:
		return call.m, call.err
	case <-ctx.Done():
		if !s.calls.resolve(ref, Message{}, nil) {
			<-call.done
			return call.m, call.err
		}
		if e.Kind == KindCall {
			s.cancelCall(&e, local)
		}
		return Message{}, fmt.Errorf("call to %s: %w", e.To, context.Cause(ctx))
	}
}
