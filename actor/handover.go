package actor

import (
	"errors"
	"fmt"
)

// MaxState is how many bytes of encoded state one holder can hand to the next.
const MaxState = 1 << 20

var (
	// ErrHandOver is the cause of a term's planned end: it is about to pass to a
	// chosen node. The holder puts its work down, may give the next one its
	// state with [Process.HandOver], and returns.
	ErrHandOver = errors.New("the term is being handed over")
	// ErrNoHandOver: state was given although no hand-over is under way, or it
	// is too late for it.
	ErrNoHandOver = errors.New("no hand-over is under way")
	// ErrStateTooLarge: the state is larger than [MaxState] when encoded.
	ErrStateTooLarge = errors.New("the state is too large to hand over")
)

// Heir takes what is left of a tenure that is handed over. Its methods are
// called from the goroutines of the processes in it.
type Heir interface {
	// State takes the state that the holder's code gives to the next one. The
	// last one counts.
	State(state any) error
	// Unread takes what was in a process's mailbox when that ended, had been
	// confirmed to its sender (see System.SendConfirmed), and was not read: in
	// the order in which it had come. It comes before the process's OnExit.
	Unread(mail []Unread)
}

// Unread is a message that its receiver never read.
type Unread struct {
	Sender NodeID // the node that was told that it is in the mailbox
	Body   any
}

// HandOver is End for a planned end, with a cause that wraps [ErrHandOver]: h
// gets what is left. It says false when the tenure had ended before, so that its
// processes know another cause; h gets what those leave that have not returned.
func (t *Tenure) HandOver(h Heir) bool {
	t.mu.Lock()
	planned := !t.over && t.ctx.Err() == nil
	t.heir = h
	t.mu.Unlock()
	t.End(ErrHandOver)
	return planned
}

// Inherit gives the tenure the state of the one before, before anything is
// spawned in it. See [Inherited].
func (t *Tenure) Inherit(state any) { t.inherited, t.inherits = state, true }

func (t *Tenure) heirNow() Heir {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.heir
}

// HandOver gives state to the next holder of the term that p acts under. It is
// for a holder that was told to end with [ErrHandOver] (context.Cause(p), or the
// error of Receive), before it returns:
//
//	for {
//		m, err := p.Receive()
//		if errors.Is(err, actor.ErrHandOver) {
//			return p.HandOver(ledger)
//		}
//		...
//
// The state is encoded at once, as a message would be; the last one given
// counts. The next holder reads it with [Inherited], if it is indeed the one
// that the hand-over was meant for: state is never given to any other term, so
// code must be able to start without. Errors: [ErrNoHandOver], [ErrStateTooLarge]
// (the term passes without state unless a smaller one follows), or what cannot
// be encoded.
func (p *Process) HandOver(state any) error {
	h := p.tenure.heirNow()
	if h == nil {
		return fmt.Errorf("%s: %w", p.pid, ErrNoHandOver)
	}
	return h.State(state)
}

// Inherited is the state that the holder before gave with [Process.HandOver],
// as a T. It says false when there is none: after every ordinary election, and
// where the hand-over did not come about as planned; and when the state is of
// another type or does not decode.
func Inherited[T any](p *Process) (T, bool) {
	var zero T
	if p.tenure == nil || !p.tenure.inherits {
		return zero, false
	}
	return As[T](Message{body: p.tenure.inherited})
}
