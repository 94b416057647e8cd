package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"conclave/actor"
	"conclave/global"
	"conclave/transport"
)

var (
	// ErrNotHolder: this node does not hold the name.
	ErrNotHolder = global.ErrNotHolder
	// ErrNotCandidate: the node does not stand in line for the name.
	ErrNotCandidate = global.ErrNotCandidate
	// ErrTransferring: another Transfer of the name is under way on this node.
	ErrTransferring = errors.New("the name is being transferred already")
	// ErrOtherHolder: another node than the one meant was elected.
	ErrOtherHolder = errors.New("another node was elected")
)

// TransferError is what became of a Transfer that did not go as planned.
type TransferError struct {
	Name string
	To   actor.NodeID
	// Ended says whether the holder had been told to end. If not, it goes on as
	// if nothing had been asked. If so, the name passes to whoever is next in
	// line, as in any election, with or without the state.
	Ended bool
	Cause error
}

func (e *TransferError) Error() string {
	then := "the holder was told nothing"
	if e.Ended {
		then = "the holder was told to end"
	}
	return fmt.Sprintf("transfer of global %q to %s: %v; %s", e.Name, e.To, e.Cause, then)
}

// Unwrap gives the cause.
func (e *TransferError) Unwrap() error { return e.Cause }

// Candidates is the nodes that stand for the name, in the order in which they
// would hold it; the first holds it or is being elected. It asks ZooKeeper.
func (n *Node) Candidates(ctx context.Context, name string) ([]actor.NodeID, error) {
	line, err := n.globals.Line(ctx, name)
	if err != nil {
		return nil, told(err)
	}
	nodes := make([]actor.NodeID, 0, len(line))
	for _, s := range line {
		nodes = append(nodes, s.Node)
	}
	return nodes, nil
}

// Transfer hands a name that this node holds over to another of its candidates:
//
//  1. The candidates between the two go to the back of the line. Nobody jumps it.
//  2. The holder is told to end, with actor.ErrHandOver. Its code can give up to
//     1 MiB of state to the next holder (actor.Process.HandOver, actor.Inherited),
//     and returns. All that it spawned in its term has to return, too.
//  3. What SendGlobal had put into its mailbox, and it has not read, goes back to
//     the senders' nodes, and from there to the next holder, in order; what
//     SendGlobal and CallGlobal are asked to send meanwhile waits there until then.
//     Mail sent to the holder's PID does not: it is a dead letter, as ever.
//  4. The candidate is deleted, the next in line elected, and this node stands
//     anew, at the back, a moment later.
//
// nil: the target's node holds the name and was given the state, if there was any.
// Otherwise the error is a *TransferError (or wraps ErrTransferring or
// ErrNotHolder), which says whether the holder goes on. Whatever fails after it was
// told to end (the target dies, ctx ends, the code panics, its state is too large),
// the rest is an ordinary election: a name is never left without candidates, and
// never has two holders. State is given to the very next term after this one, on
// the target's node, or dropped. No message that SendGlobal has said is in the
// mailbox is lost if this node, the senders' nodes and their links do not fail; its
// order holds if those nodes answer within 5 s. They keep up to 2^20 messages or
// 256 MiB that came back, for 5 to 10 minutes while nobody holds the name; what is
// above and beyond becomes dead letters.
//
// The time it takes is mostly the holder's: while its code does not return, nobody
// holds the name. ctx bounds the waiting here only; a holder that was told to end
// is not told otherwise. Called by the holder's own code, with its Process as ctx,
// it returns as soon as that is told to end, with an error that wraps
// actor.ErrHandOver; any other ctx there would wait for itself.
func (n *Node) Transfer(ctx context.Context, name string, to actor.NodeID) error {
	if err := actor.CheckName(name); err != nil {
		return err
	}
	term, holding := n.globals.Holding(name)
	if !holding {
		return n.notHolder(ctx, name)
	}
	if !n.beginTransfer(name) {
		return fmt.Errorf("global %q: %w", name, ErrTransferring)
	}
	defer n.endTransfer(name)
	h := &handOver{n: n, term: term, to: to}
	failed := func(ended bool, err error) error {
		return &TransferError{Name: name, To: to, Ended: ended, Cause: told(err)}
	}
	if to == n.id {
		return failed(false, fmt.Errorf("%w: it holds it", ErrNotCandidate))
	}
	var err error
	if h.candidate, err = n.clearWay(ctx, term, to); err != nil {
		return failed(false, err)
	}
	f := h.frame(transport.TakeOver)
	f.ToName = h.candidate
	if err := n.links.ask(ctx, to, f); err != nil {
		return failed(false, asCandidate(err))
	}
	if err := context.Cause(ctx); err != nil {
		return failed(false, err)
	}
	err = n.globals.HandOver(ctx, term, h)
	if errors.Is(err, ErrNotHolder) {
		return failed(false, fmt.Errorf("%w: %s has ended by itself", err, term))
	}
	if err == nil {
		err = n.awaitNext(ctx, term, to)
	}
	if err = errors.Join(h.failure(), err); err != nil {
		return failed(true, err)
	}
	return nil
}

func (n *Node) beginTransfer(name string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, busy := n.transfers[name]; busy {
		return false
	}
	if n.transfers == nil {
		n.transfers = make(map[string]struct{})
	}
	n.transfers[name] = struct{}{}
	return true
}

func (n *Node) endTransfer(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.transfers, name)
}

// lookForHolder is how long an error waits to tell who holds the name.
const lookForHolder = 500 * time.Millisecond

// notHolder is the error of who asks the wrong node.
func (n *Node) notHolder(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, lookForHolder)
	defer cancel()
	pid, err := n.WhereisGlobal(ctx, name)
	switch {
	case err != nil:
		return fmt.Errorf("global %q: %w: nobody seems to: %w", name, ErrNotHolder, err)
	case pid.Node() == n.id:
		return fmt.Errorf("global %q: %w any more", name, ErrNotHolder)
	default:
		return fmt.Errorf("global %q: %w: %s does, ask it there", name, ErrNotHolder, pid.Node())
	}
}

// lookAgain is how often the line is read while somebody has to leave it.
const lookAgain = 50 * time.Millisecond

// clearWay sees to it that the target's candidate is right behind the holder's:
// whoever is between them is asked to go to the back, one after the other so that
// they keep their order. It returns that candidate.
func (n *Node) clearWay(ctx context.Context, term actor.Term, to actor.NodeID) (candidate string, err error) {
	asked := make(map[string]struct{})
	for {
		line, err := n.globals.Line(ctx, term.Scope())
		if err != nil {
			return "", err
		}
		if len(line) == 0 || line[0].Number != term.Number() {
			return "", fmt.Errorf("%w: %s has ended", ErrNotHolder, term)
		}
		at := 1
		for at < len(line) && line[at].Node != to {
			at++
		}
		switch at {
		case len(line):
			return "", ErrNotCandidate
		case 1:
			return line[1].Candidate, nil
		}
		ahead := line[1]
		if _, again := asked[ahead.Candidate]; !again {
			asked[ahead.Candidate] = struct{}{}
			if err := n.askToStepBack(ctx, term, ahead); err != nil {
				return "", fmt.Errorf("the candidate ahead of it did not go to the back: %w", err)
			}
			continue
		}
		// It said that it has gone, and is there still: of an earlier session of
		// that node, which has not expired yet. No watch outlives our own session,
		// so look again.
		timer := time.NewTimer(lookAgain)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return "", fmt.Errorf("%s is still ahead of it: %w", ahead.Node, context.Cause(ctx))
		}
	}
}

func (n *Node) askToStepBack(ctx context.Context, term actor.Term, s global.Standing) error {
	if s.Node.IsZero() {
		return fmt.Errorf("%s does not say which node it is of", s.Candidate)
	}
	if s.Node == n.id { // a leftover of an earlier session of this node
		return fmt.Errorf("%s is of this node: %w", s.Candidate, ErrNotCandidate)
	}
	f := transport.Frame{
		Kind: transport.StepBack, Scope: term.Scope(), TermNumber: term.Number(), ToName: s.Candidate,
	}
	return n.links.ask(ctx, s.Node, f)
}

// asCandidate makes the other node's refusal ErrNotCandidate.
func asCandidate(err error) error {
	if no := (*refusal)(nil); errors.As(err, &no) && !no.busy {
		return &alsoError{ErrNotCandidate, err}
	}
	return err
}

// awaitNext waits for the next holder, who should be on that node.
func (n *Node) awaitNext(ctx context.Context, term actor.Term, to actor.NodeID) error {
	next, err := n.globals.Next(ctx, term)
	if err == nil && next.PID.Node() != to {
		err = fmt.Errorf("%w: %s", ErrOtherHolder, next.PID.Node())
	}
	return err
}

// considerWithin bounds the work on another node's question.
const considerWithin = 30 * time.Second

// consider answers another node's question.
func (n *Node) consider(p *peer, f *transport.Frame) error {
	ctx, cancel := context.WithTimeout(n.links.life, considerWithin)
	defer cancel()
	switch f.Kind {
	case transport.StepBack:
		return n.globals.StepBack(ctx, f.Scope, f.ToName)
	case transport.TakeOver:
		return n.globals.Expect(ctx, f.Scope, f.ToName, p.id, f.TermNumber)
	default: // State
		if len(f.Body) > actor.MaxState {
			return fmt.Errorf("%w: %d bytes", actor.ErrStateTooLarge, len(f.Body))
		}
		state := newRemoteBody(&p.way, f)
		return n.globals.Receive(ctx, f.Scope, f.ToName, p.id, f.TermNumber, state)
	}
}
