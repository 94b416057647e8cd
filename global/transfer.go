package global

import (
	"context"
	"errors"
	"fmt"
	"time"

	"conclave/actor"
)

var (
	// ErrNotHolder: this node does not hold the name (any more).
	ErrNotHolder = errors.New("this node does not hold the name")
	// ErrNotCandidate: the node does not stand in line for the name, or not with
	// the candidate that was meant.
	ErrNotCandidate = errors.New("it is not a candidate for the name")
	// ErrUnexpected: state came for a candidate that does not expect it.
	ErrUnexpected = errors.New("no state is expected")
)

// Heir takes care of what is left of a term that is handed over.
type Heir interface {
	actor.Heir
	// Ending is called when the holder is about to be told to end: now, and not
	// before, is anybody to be told. It must not block.
	Ending()
	// Pass is called when everything in the term has returned, the holder with
	// that reason. When it returns the candidate's znode is deleted, and the
	// next one elected. It must return when ctx is done.
	Pass(ctx context.Context, reason error)
}

// passWithin bounds Pass: how long a name may be without a holder because
// somebody does not answer.
const passWithin = 5 * time.Second

// Items of a candidacy's inbox.
type (
	handOver struct {
		number int64
		heir   Heir
		done   chan error // told once: nil when all is passed on
	}
	goBack struct {
		candidate string
		done      chan error // told once: nil when another stands in its place
	}
	expected struct {
		inheritance
		done chan error
	}
	received struct {
		inheritance
		done chan error
	}
)

// HandOver ends the term of this node as planned: its holder is told to end with
// actor.ErrHandOver, h takes what is left of it, then its candidate goes, and the
// node stands anew at the back. It returns when the candidate is about to be
// deleted. Errors: ErrNotHolder, and nothing has happened; ErrClosed; or the
// cause of ctx's end, and the hand-over goes on.
func (g *Globals) HandOver(ctx context.Context, term actor.Term, h Heir) error {
	done := make(chan error, 1)
	return g.await(ctx, term.Scope(), handOver{term.Number(), h, done}, done, ErrNotHolder)
}

// StepBack sends this node's candidate to the back of the line, for a hand-over
// to one behind it: it is deleted and another made. It returns when that stands.
// It wraps ErrNotCandidate where the candidate does not stand in line.
func (g *Globals) StepBack(ctx context.Context, name, candidate string) error {
	done := make(chan error, 1)
	return g.await(ctx, name, goBack{candidate, done}, done, ErrNotCandidate)
}

// Expect announces to this node's candidate that it is to take over from the
// holder right ahead of it: that node's, in its term of that number. It wraps
// ErrNotCandidate where the candidate does not stand in line.
func (g *Globals) Expect(ctx context.Context, name, candidate string, from actor.NodeID, number int64) error {
	done := make(chan error, 1)
	return g.await(ctx, name, expected{expect(candidate, from, number), done}, done, ErrNotCandidate)
}

// Receive takes the state announced by Expect. It wraps ErrUnexpected where that
// candidate was told of no such thing, or does not stand in line any more.
func (g *Globals) Receive(ctx context.Context, name, candidate string, from actor.NodeID, number int64, state any) error {
	done := make(chan error, 1)
	i := expect(candidate, from, number)
	i.state = state
	return g.await(ctx, name, received{i, done}, done, ErrUnexpected)
}

// await posts an item to the name's candidacy and waits for its answer.
func (g *Globals) await(ctx context.Context, name string, item any, done <-chan error, none error) error {
	g.mu.Lock()
	c := g.candidates[name]
	g.mu.Unlock()
	if c == nil || !c.post(item) {
		return fmt.Errorf("%q: %w", name, none)
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// takeTransfer deals with the items above. It says false for any other.
func (c *candidacy) takeTransfer(item any) bool {
	switch i := item.(type) {
	case handOver:
		if c.state.phase != holding || c.state.czxid != i.number {
			i.done <- fmt.Errorf("%q: %w", c.name, ErrNotHolder)
			return true
		}
		c.handing = &i
		c.step(transfer{number: i.number})
	case goBack:
		if c.mayComeToStandAs(i.candidate) {
			c.early = append(c.early, i)
			return true
		}
		if !c.standsAs(i.candidate) {
			i.done <- c.notCandidate(i.candidate)
			return true
		}
		c.backing = append(c.backing, i)
		c.step(stepBack{name: i.candidate})
	case expected:
		if c.mayComeToStandAs(i.candidate) {
			c.early = append(c.early, i)
			return true
		}
		if !c.standsAs(i.candidate) {
			i.done <- c.notCandidate(i.candidate)
			return true
		}
		c.inheritance = i.inheritance
		i.done <- nil
	case received:
		ok := c.standsAs(i.candidate)
		if ok {
			c.inheritance, ok = c.inheritance.receive(i.candidate, i.from, i.number, i.state)
		}
		if !ok {
			i.done <- fmt.Errorf("%q, %s: %w", c.name, i.candidate, ErrUnexpected)
			return true
		}
		i.done <- nil
	default:
		return false
	}
	return true
}

// standsAs says whether that candidate is ours and stands in line.
func (c *candidacy) standsAs(candidate string) bool {
	return candidate != "" && c.state.mine == candidate && c.state.mayStepBack()
}

// mayComeToStandAs says whether that candidate is the one that is being created:
// others can see its znode before we have heard that it is there.
func (c *candidacy) mayComeToStandAs(candidate string) bool {
	p, ok := parsePlace(candidate)
	return ok && p.guid == c.state.guid && (c.state.phase == creating || c.state.phase == unsure)
}

func (c *candidacy) notCandidate(candidate string) error {
	return fmt.Errorf("%q, %s: %w", c.name, candidate, ErrNotCandidate)
}

// stepped takes in, after each step, what has come too early, and tells those whose
// candidate has been replaced by another.
func (c *candidacy) stepped() {
	early := c.early
	c.early = nil
	for _, item := range early {
		c.takeTransfer(item)
	}
	if len(c.backing) == 0 {
		return
	}
	left := c.backing[:0]
	for _, b := range c.backing {
		switch {
		case c.state.phase == withdrawn || !c.state.wanted:
			b.done <- c.notCandidate(b.candidate)
		case c.state.mine != "" && c.state.mine != b.candidate:
			b.done <- nil
		default:
			left = append(left, b)
		}
	}
	c.backing = left
}

// pass has what is left of the term handed over, and tells the election.
func (c *candidacy) pass(a pass) {
	t, h := c.term, c.handing
	c.requests.Go(func() {
		select {
		case <-t.exited: // after its mail was handed to the heir
		case <-c.ctx.Done():
			return
		}
		ctx, cancel := context.WithTimeout(c.ctx, passWithin)
		defer cancel()
		h.heir.Pass(ctx, t.left)
		h.done <- nil
		c.post(passed(a))
	})
}

// leaveTransfer answers whoever still waits when the candidacy has finished.
func (c *candidacy) leaveTransfer(items []any) {
	for _, item := range append(c.early, items...) {
		switch i := item.(type) {
		case handOver:
			i.done <- ErrClosed
		case goBack:
			i.done <- ErrClosed
		case expected:
			i.done <- ErrClosed
		case received:
			i.done <- ErrClosed
		}
	}
	for _, b := range c.backing {
		b.done <- ErrClosed
	}
	c.backing = nil
	if h := c.handing; h != nil {
		select {
		case h.done <- ErrClosed: // nobody will
		default: // it was told
		}
	}
}
