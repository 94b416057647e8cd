package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
	"unique"

	"conclave/actor"
	"conclave/transport"
)

// asks are the questions of this node to others that are not answered yet. They
// travel in the messages lane, in order with the mail; the answers in the control
// lane.
type asks struct {
	mu   sync.Mutex
	last uint64
	open map[uint64]*ask
}

type ask struct {
	node   unique.Handle[actor.NodeID]
	answer chan error // has room for the one
}

var (
	errNotAble = errors.New("its version of Conclave cannot hand globals over")
	errBusy    = errors.New("it has too many questions to answer")
)

func (a *asks) start(node unique.Handle[actor.NodeID]) (uint64, *ask) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open == nil {
		a.open = make(map[uint64]*ask)
	}
	a.last++
	x := &ask{node: node, answer: make(chan error, 1)}
	a.open[a.last] = x
	return a.last, x
}

// end answers a question, unless that was done before.
func (a *asks) end(ref uint64, node unique.Handle[actor.NodeID], err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if x := a.open[ref]; x != nil && x.node == node {
		delete(a.open, ref)
		x.answer <- err
	}
}

// lost answers everything that a node was asked.
func (a *asks) lost(node unique.Handle[actor.NodeID], err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for ref, x := range a.open {
		if x.node == node {
			delete(a.open, ref)
			x.answer <- err
		}
	}
}

func isAsk(k transport.Kind) bool {
	return k == transport.Moved || k == transport.StepBack || k == transport.TakeOver || k == transport.State
}

// forHandOver says whether only nodes that can hand globals over understand k.
func forHandOver(k transport.Kind) bool {
	return isAsk(k) || k == transport.Moving || k == transport.Returned
}

// How soon a node that has too many questions is asked again.
const (
	askAgain     = 5 * time.Millisecond
	askAgainMost = 200 * time.Millisecond
)

// ask asks another node and waits for its answer, again and again while that has too
// many questions. A link is made if need be. The error is that node's refusal, a
// *refusal, or tells why there is no answer.
func (l *links) ask(ctx context.Context, node actor.NodeID, f transport.Frame) error {
	for wait := askAgain; ; wait = min(2*wait, askAgainMost) {
		err := l.askOnce(ctx, node, f)
		if no := (*refusal)(nil); !errors.As(err, &no) || !no.busy {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w: %w", err, context.Cause(ctx))
		}
	}
}

func (l *links) askOnce(ctx context.Context, node actor.NodeID, f transport.Frame) error {
	h := unique.Make(node)
	ref, x := l.asks.start(h)
	defer l.asks.end(ref, h, nil)
	f.Ref = ref
	if err := l.post(ctx, h, &f); err != nil {
		return fmt.Errorf("%s: %w", node, err)
	}
	select {
	case err := <-x.answer:
		if err != nil {
			return fmt.Errorf("%s: %w", node, err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s has not answered: %w", node, context.Cause(ctx))
	}
}

// post sends a frame that concerns the handing over of globals.
func (l *links) post(ctx context.Context, node unique.Handle[actor.NodeID], f *transport.Frame) error {
	for {
		p := l.peer(node)
		if p == nil {
			return ErrStopped
		}
		if c := p.link(); c != nil && !c.handsOver {
			return errNotAble
		}
		if err := p.send(ctx, f, false); err != errPeerGone {
			return err
		}
	}
}

// refusal is the answer no.
type refusal struct {
	why  string
	busy bool // it was not considered
}

func (e *refusal) Error() string { return e.why }

// answer answers a question that came over c.
func (l *links) answer(c *connection, ref uint64, err error) {
	f := transport.Frame{Kind: transport.Answer, Ref: ref}
	if err != nil {
		f.Flags, f.Body = answerNo, []byte(cutText(err.Error()))
	}
	if err == errBusy {
		f.Flags |= answerBusy
	}
	_ = c.control.append(context.Background(), &f, true)
}

const (
	answerNo   transport.Flags = 1
	answerBusy transport.Flags = 2
)

// answered takes an answer.
func (p *peer) answered(f *transport.Frame) {
	var err error
	if f.Flags&answerNo != 0 {
		err = &refusal{string(f.Body), f.Flags&answerBusy != 0}
	}
	p.links.asks.end(f.Ref, p.base.NodeHandle(), err)
}

// maxAsked bounds the questions that this node works on at one time.
const maxAsked = 64

// takeMove deals with the frames that concern the handing over of globals. It
// says false for any other.
func (p *peer) takeMove(c *connection, f *transport.Frame) bool {
	l := p.links
	if !forHandOver(f.Kind) {
		return false
	}
	if f.Kind == transport.Moved && f.Scope == "" { // whoever asks wants to know that all before it was read
		l.answer(c, f.Ref, nil)
		return true
	}
	m := move{p.id, f.TermNumber}
	if actor.CheckName(f.Scope) != nil {
		if isAsk(f.Kind) {
			l.answer(c, f.Ref, actor.ErrBadName)
		}
		return true
	}
	switch f.Kind {
	case transport.Moving:
		l.moves.note(f.Scope, mvAnnounced{m})
	case transport.Returned:
		l.moves.note(f.Scope, mvReturned{m, kept{typ: f.Type, data: f.Body, remote: true}})
	case transport.Moved:
		l.moves.note(f.Scope, mvMarked{m})
		l.answer(c, f.Ref, nil)
	case transport.StepBack, transport.TakeOver, transport.State:
		if l.asked.Add(1) > maxAsked {
			l.asked.Add(-1)
			l.answer(c, f.Ref, errBusy)
			break
		}
		question := *f
		l.running.Go(func() {
			defer l.asked.Add(-1)
			l.answer(c, question.Ref, l.moves.n.consider(p, &question))
		})
	}
	return true
}
