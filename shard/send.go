package shard

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"conclave/actor"
	"conclave/node"
)

// MaxKey is the longest key, in bytes. Keys are any bytes, also none.
const MaxKey = 4096

var (
	// ErrBadKey: the key is longer than MaxKey.
	ErrBadKey = errors.New("shard: bad key")
	// ErrNoEntity: the owner's Config has no Entity, or no Serve: no member's has, or that
	// node should only have sent, and have Watch.
	ErrNoEntity = errors.New("shard: nothing takes mail there")
)

// Send sends body to the process of the key, wherever its part is owned, starting it if
// there is none. nil: it is in the mailbox of that process, which reads it before the
// part goes to another node. If that node dies or loses its lease before, or the
// process fails, it is lost with it: who has to know calls.
// While the part moves it waits, as long as ctx and Config.Wait let it. It is repeated
// only when it certainly was not accepted; otherwise the error wraps
// [node.ErrUnknownOutcome]. What was not accepted is a dead letter all the same, counted
// and logged, at the node that did not take it: around a move or a death these tell of
// repetitions, and not of losses.
//
// Who sends one message after the other has them read in that order, whatever moves; one
// that was given up, its outcome unknown, may still be read, and behind others.
// If ctx is an [actor.Process], or comes from one, they are sent under its term. Their
// sender is the node all the same: who wants to be known, or answered, calls.
//
// Errors: [ErrMoved] or [ErrNoOwner] (nobody has taken it in time, or 65,536 messages of
// this node wait already; it was not accepted), [ErrNoEntity], [ErrBadKey], [ErrClosed], an *[EntityError],
// [actor.ErrMailboxFull], those of a message that cannot be sent at all.
func (sp *Space) Send(ctx context.Context, key string, body any) error {
	if err := checkKey(key); err != nil {
		return err
	}
	return sp.send(ctx, addressee{sp.PartOf(key), key, false}, body)
}

// Request is Send of a call: the answer is what the process of the key replies. c says
// who calls, and how long he waits: a process, or the With and Within of a process or
// node; a process or a node itself waits for the answer as long as it takes.
//
// Errors: those of Send, and what the process has replied if that was an error; so one
// that passes on an [ErrMoved] of its own calls says that nothing was accepted. With
// [node.ErrUnknownOutcome] the call may have been carried out: the process failed, or its
// node died, before it answered, or the caller had waited long enough ([actor.ErrTimeout],
// or the cause of his context).
func (sp *Space) Request(c actor.Caller, key string, body any) (actor.Message, error) {
	if err := checkKey(key); err != nil {
		return actor.Message{}, err
	}
	return sp.request(c, addressee{sp.PartOf(key), key, false}, body)
}

// Call calls the process of the key, as [actor.Call] does one of a PID: its answer must
// be an R. See [Space.Request].
func Call[R any](c actor.Caller, sp *Space, key string, body any) (R, error) {
	m, err := sp.Request(c, key, body)
	if err != nil {
		var zero R
		return zero, err
	}
	r, ok := actor.As[R](m)
	if !ok {
		return r, fmt.Errorf("%w: a %s, not a %s", actor.ErrUnexpectedReply, m.Type(), reflect.TypeFor[R]())
	}
	return r, nil
}

// SendPart is Send to the part's own process (Config.Serve).
func (sp *Space) SendPart(ctx context.Context, part int, body any) error {
	if err := sp.checkPart(part); err != nil {
		return err
	}
	return sp.send(ctx, addressee{part, "", true}, body)
}

// RequestPart is Request of the part's own process.
func (sp *Space) RequestPart(c actor.Caller, part int, body any) (actor.Message, error) {
	if err := sp.checkPart(part); err != nil {
		return actor.Message{}, err
	}
	return sp.request(c, addressee{part, "", true}, body)
}

func checkKey(key string) error {
	if len(key) > MaxKey {
		return fmt.Errorf("%w %.40q...: %d bytes, at most %d are possible", ErrBadKey, key, len(key), MaxKey)
	}
	return nil
}

func (sp *Space) checkPart(part int) error {
	if part < 0 || part >= sp.parts {
		return fmt.Errorf("%w: space %q has parts 0 to %d, and no %d", ErrNoPart, sp.name, sp.parts-1, part)
	}
	return nil
}

// addressee is whose process mail is for: a key's, or the part's own.
type addressee struct {
	part int
	key  string
	own  bool
}

func (a addressee) String() string {
	if a.own {
		return fmt.Sprintf("part %d", a.part)
	}
	return fmt.Sprintf("key %.80q", a.key)
}

func (sp *Space) send(ctx context.Context, to addressee, body any) error {
	if ctx.Err() != nil { // once it was given to the node, nobody would know
		return fmt.Errorf("%s: not sent: %w", to, context.Cause(ctx))
	}
	return sp.deliver(ctx, to, func(pid actor.PID) error {
		return sp.n.System().SendConfirmed(ctx, pid, body)
	})
}

func (sp *Space) request(c actor.Caller, to addressee, body any) (m actor.Message, err error) {
	var began time.Time
	if _, bound := c.(actor.Bounded); bound {
		began = time.Now()
	}
	r := sp.route(to.part)
	pid, known := r.processOf(to)
	if known {
		// The way of most calls, without what the others need.
		if m, err = c.Request(pid, body); err == nil {
			return m, nil
		}
	}
	ctx, c, cancel := within(c, began)
	defer cancel()
	switch {
	case !known:
	case !node.NotAccepted(pid, err):
		return m, sp.outcome(ctx, to, pid, err)
	default:
		r.forget(to, pid)
	}
	err = sp.deliver(ctx, to, func(pid actor.PID) (err error) {
		m, err = c.Request(pid, body)
		return err
	})
	return m, err
}

// within is what a caller's call ends with if it began then, and the same caller, all
// of whose calls do.
func within(c actor.Caller, began time.Time) (context.Context, actor.Caller, context.CancelFunc) {
	switch c := c.(type) {
	case actor.Bounded:
		return c.Bound(began)
	case *actor.Process:
		return c, c, func() {}
	}
	return context.Background(), c, func() {}
}

// maxUnread is how often the process of a key may end without having taken a message
// until its sender is told.
const maxUnread = 3

// deliver does something with the process that takes mail for whom it is for, until it
// is done or may have been.
func (sp *Space) deliver(ctx context.Context, to addressee, do func(actor.PID) error) error {
	r := sp.route(to.part)
	if pid, known := r.processOf(to); known {
		err := do(pid)
		if err == nil || !node.NotAccepted(pid, err) {
			return sp.outcome(ctx, to, pid, err)
		}
		r.forget(to, pid)
	}
	if sp.ctx.Err() != nil {
		return ErrClosed
	}
	if sp.waits.Add(1) > maxWaits {
		sp.waits.Add(-1)
		return fmt.Errorf("%w: %s, and %d messages wait already", ErrMoved, to, maxWaits)
	}
	defer sp.waits.Add(-1)
	wait, cancel := context.WithTimeoutCause(ctx, sp.cfg.Wait, errWaited)
	defer cancel()
	unread, pause := 0, time.Millisecond
	for {
		answer, err := r.locate(wait, to)
		if err != nil {
			return fmt.Errorf("%s: %w", to, err)
		}
		pid := answer.PID
		err = do(pid)
		if err == nil || !node.NotAccepted(pid, err) {
			return sp.outcome(ctx, to, pid, err)
		}
		r.forget(to, pid)
		// The part has been given up, the link is down, or the process has failed before it
		// could read the message; the next answer tells the first from the last.
		if _, ended := err.(*actor.EndedError); ended && answer.Failed != "" {
			if unread++; unread >= maxUnread {
				return &EntityError{Key: to.key, Reason: errors.New(answer.Failed)}
			}
		}
		if !sleep(wait, pause) {
			return fmt.Errorf("%s: %w: %w: %w", to, ErrMoved, err, context.Cause(wait))
		}
		pause = min(2*pause, 100*time.Millisecond)
	}
}

// maxWaits is how many messages may wait for an owner on one node.
const maxWaits = 1 << 16

// errWaited: Config.Wait has passed.
var errWaited = fmt.Errorf("nobody has taken the message in time: %w", actor.ErrTimeout)

// outcome is what the sender is told of an attempt that was not turned away.
func (sp *Space) outcome(ctx context.Context, to addressee, pid actor.PID, err error) error {
	if err != nil && node.Uncertain(ctx, err) {
		return fmt.Errorf("%s at %s: %w: %w", to, pid, node.ErrUnknownOutcome, err)
	}
	if errors.Is(err, node.ErrStopped) {
		select {
		case <-sp.n.Draining(): // so it is ours that has stopped
			return fmt.Errorf("%w: %w", ErrClosed, err)
		default:
		}
	}
	return err
}

// EntityError says that the process of a key ended again and again before it took a
// message.
type EntityError struct {
	Key    string
	Reason error // why it ended the last time: the text of that
}

func (e *EntityError) Error() string {
	return fmt.Sprintf("shard: the process of key %.80q ends before it takes a message: %v", e.Key, e.Reason)
}

// Unwrap gives the reason.
func (e *EntityError) Unwrap() error { return e.Reason }
