package shard

import (
	"context"
	"errors"

	"conclave/actor"
)

// MaxKey is the longest key, in bytes. Keys are any bytes, also none.
const MaxKey = 4096

var (
	// ErrBadKey: the key is longer than MaxKey.
	ErrBadKey = errors.New("shard: bad key")
	// ErrNoEntity: the owner's Config has no Entity, or no Serve.
	ErrNoEntity = errors.New("shard: nothing takes mail there")
)

// Send sends body to the process of the key, wherever its part is owned, starting it if
// there is none. nil: it is in the mailbox of that process, which reads it before the
// part goes to another node; if that node dies, or loses its lease, it is lost with it.
// While the part moves it waits, as long as ctx and Config.Wait let it. It is repeated
// only when it certainly was not accepted; otherwise the error wraps
// [node.ErrUnknownOutcome].
//
// Who sends one message after the other has them read in that order, whatever moves.
// If ctx is an [actor.Process], or comes from one, they are sent under its term.
//
// Errors: [ErrMoved] or [ErrNoOwner] (nobody has taken it in time; it was not
// accepted), [ErrNoEntity], [ErrBadKey], [ErrClosed], an *[EntityError], those of a
// message that cannot be sent at all.
func (sp *Space) Send(ctx context.Context, key string, body any) error { panic("soon") }

// Request is Send of a call: the answer is what the process of the key replies. c says
// who calls, and how long he waits: a process, or the With and Within of a process or
// node.
func (sp *Space) Request(c actor.Caller, key string, body any) (actor.Message, error) { panic("soon") }

// Call calls the process of the key, as [actor.Call] does one of a PID: its answer must
// be an R. See [Space.Request].
func Call[R any](c actor.Caller, sp *Space, key string, body any) (R, error) { panic("soon") }

// SendPart is Send to the part's own process (Config.Serve).
func (sp *Space) SendPart(ctx context.Context, part int, body any) error { panic("soon") }

// RequestPart is Request of the part's own process.
func (sp *Space) RequestPart(c actor.Caller, part int, body any) (actor.Message, error) { panic("soon") }

// EntityError says that the process of a key ended again and again before it took a
// message.
type EntityError struct {
	Key    string
	Reason error // why it ended the last time, if that is known
}

func (e *EntityError) Error() string { panic("soon") }
