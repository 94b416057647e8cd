package transport

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// attempt is a connection on its way to becoming a Conn, or part of one. Whoever gives up on it
// breaks the connection under it, and the first to do so says why.
type attempt struct {
	abort func() // breaks the connection; called once at most

	mu    sync.Mutex
	cause error
	done  bool
}

// fail gives the attempt up, unless it is over.
func (a *attempt) fail(cause error) {
	a.mu.Lock()
	first := !a.done && a.cause == nil
	if first {
		a.cause = cause
	}
	a.mu.Unlock()
	if first {
		a.abort()
	}
}

// finish says that the attempt has come to c and err. It returns the same,
// unless somebody has given up on it before; and closes what is of no use.
func finish[C io.Closer](a *attempt, c C, err error) (C, error) {
	a.mu.Lock()
	a.done = true
	cause := a.cause
	a.mu.Unlock()
	if cause == nil && err == nil {
		return c, nil
	}
	if cause != nil {
		err = fmt.Errorf("%w: %w", ErrHandshake, cause)
	} else {
		a.abort()
	}
	if any(c) != nil {
		c.Close()
	}
	var none C
	return none, err
}

// try runs shake, the dialer's way from a fresh connection to what becomes of it, within
// timeout and ctx. abort breaks the connection.
func try[C io.Closer](ctx context.Context, timeout time.Duration, abort func(), shake func() (C, error)) (C, error) {
	a := &attempt{abort: abort}
	timer := time.AfterFunc(timeout, func() { a.fail(ErrHandshakeTimeout) })
	defer timer.Stop()
	stop := context.AfterFunc(ctx, func() { a.fail(context.Cause(ctx)) })
	defer stop()
	c, err := shake()
	return finish(a, c, err)
}
