package transport

import (
	"errors"
	"fmt"
	"sync/atomic"
)

// What can go wrong, for errors.Is. The errors that come out carry more text.
var (
	// ErrClosed: the connection or listener has ended, whoever ended it. What
	// was written last may or may not have reached the peer.
	ErrClosed = errors.New("transport: closed")

	// ErrNoBulk: the lane Bulk is not open. The link goes on.
	ErrNoBulk = errors.New("transport: no bulk lane")

	// ErrTooLarge: a frame or a field of it is over the limit. From an Encoder
	// nothing was appended and the link is fine; from a Decoder the link is
	// beyond use.
	ErrTooLarge = errors.New("transport: too large")

	// ErrFrame: a frame that makes no sense. From a Decoder the link is beyond
	// use.
	ErrFrame = errors.New("transport: malformed frame")

	// ErrHandshake: a connection that did not become a link. Every error of a
	// handshake is ErrHandshake, some are also one of those below.
	ErrHandshake = errors.New("transport: handshake")

	// ErrNotConclave: the other side speaks something else.
	ErrNotConclave = errors.New("not a conclave node")

	// ErrVersion: the two sides have no protocol version in common.
	ErrVersion = errors.New("no common protocol version")

	// ErrWrongSecret: the two sides have different secrets, or only one has any.
	ErrWrongSecret = errors.New("wrong secret")

	// ErrTLS: only one of the two sides has TLS, or one does not accept the other's
	// certificate. The text says which.
	ErrTLS = errors.New("TLS")

	// ErrHandshakeTimeout: the other side did not finish within
	// Options.HandshakeTimeout.
	ErrHandshakeTimeout = errors.New("timed out")

	// ErrNoLink: a bulk connection for a link that the listener does not have, or
	// that has one already.
	ErrNoLink = errors.New("no such link")

	// ErrBusy: the listener had more than Options.MaxHandshakes connections
	// under way, or waiting in Accept, and gave this one up.
	ErrBusy = errors.New("too many handshakes")
)

// errClosedHere: our own Close.
var errClosedHere = fmt.Errorf("%w by this side", ErrClosed)

// ending is why a Conn is over: every lane's reader and writer is told what was
// noticed first, as the rest is its consequence.
type ending struct{ first atomic.Pointer[error] }

func (e *ending) because(err error) error {
	e.first.CompareAndSwap(nil, &err)
	return *e.first.Load()
}
