package keeper

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"
)

// maxOutstanding bounds the requests of a session that are under way.
const maxOutstanding = 256

// call describes one request.
type call struct {
	kind   requestKind
	op     string
	path   string
	write  bool // can change something
	urgent bool // takes no slot, and fails at once while there is no connection
}

// write is a request under way whose outcome somebody may want to know.
type write struct {
	left bool          // its caller has stopped waiting
	done chan struct{} // closed when it is decided
}

// do runs f, a blocking request of the client's, on a goroutine of its own:
// the client knows no contexts. The goroutine ends with the reply, with the
// connection or with the session. f may only write to what the caller reads
// after do has returned nil.
func (s *Session) do(ctx context.Context, c call, f func(*zk.Conn) error) error {
	if err := ctx.Err(); err != nil {
		return c.fail(ErrNotConnected, err)
	}
	if !c.urgent {
		select {
		case s.slots <- struct{}{}:
		case <-ctx.Done():
			return c.fail(ErrNotConnected, ctx.Err())
		case <-s.ctx.Done():
			return c.fail(s.Err())
		}
	}
	if err := s.awaitUp(ctx, c); err != nil {
		s.free(c)
		return err
	}
	w := s.enter(c)
	s.k.count.requests[c.kind].Add(1)
	done := make(chan error, 1)
	go func() {
		err := f(s.conn)
		s.leave(w)
		s.free(c)
		done <- err
	}()
	select {
	case err := <-done:
		return s.translate(c, err)
	case <-ctx.Done():
		s.abandon(w)
		return c.fail(c.unanswered(), ctx.Err())
	case <-s.ctx.Done():
		select {
		case err := <-done:
			return s.translate(c, err)
		default:
			return c.lost(s.Err())
		}
	}
}

func (s *Session) free(c call) {
	if !c.urgent {
		<-s.slots
	}
}

func (s *Session) awaitUp(ctx context.Context, c call) error {
	for {
		s.mu.Lock()
		connected, up, err := s.connected, s.up, s.err
		s.mu.Unlock()
		switch {
		case err != nil:
			return c.fail(err)
		case connected:
			return nil
		case c.urgent:
			return c.fail(ErrNotConnected)
		}
		select {
		case <-up:
		case <-ctx.Done():
			return c.fail(ErrNotConnected, ctx.Err())
		case <-s.ctx.Done():
		}
	}
}

func (s *Session) enter(c call) *write {
	if !c.write {
		return nil
	}
	w := &write{done: make(chan struct{})}
	s.mu.Lock()
	s.writes[w] = struct{}{}
	s.mu.Unlock()
	return w
}

func (s *Session) leave(w *write) {
	if w == nil {
		return
	}
	s.mu.Lock()
	delete(s.writes, w)
	s.mu.Unlock()
	close(w.done)
}

func (s *Session) abandon(w *write) {
	if w == nil {
		return
	}
	s.mu.Lock()
	w.left = true
	s.mu.Unlock()
}

// awaitAbandoned waits until no request is under way whose caller was told
// ErrUnknownOutcome. Such a request may still sit in the client and would
// otherwise be sent behind what the caller does next.
func (s *Session) awaitAbandoned(ctx context.Context, c call) error {
	var left []*write
	s.mu.Lock()
	for w := range s.writes {
		if w.left {
			left = append(left, w)
		}
	}
	s.mu.Unlock()
	for _, w := range left {
		select {
		case <-w.done:
		case <-ctx.Done():
			return c.fail(ErrNotConnected, ctx.Err())
		case <-s.ctx.Done():
			return c.fail(s.Err())
		}
	}
	return nil
}

// fail makes the error of c from what it is to wrap.
func (c call) fail(causes ...error) error {
	err := causes[0]
	if len(causes) > 1 {
		err = fmt.Errorf("%w: %w", causes[0], causes[1])
	}
	return &OpError{Op: c.op, Path: c.path, Err: err}
}

// unanswered is what it means that no answer came.
func (c call) unanswered() error {
	if c.write {
		return ErrUnknownOutcome
	}
	return ErrNotConnected
}

// lost is what it means that the session ended meanwhile.
func (c call) lost(err error) error {
	if c.write {
		return c.fail(ErrUnknownOutcome, err)
	}
	return c.fail(err)
}

// translate makes the client's errors ours.
func (s *Session) translate(c call, err error) error {
	var one *multiError
	if errors.As(err, &one) {
		c.op, c.path = one.op.kind.String(), one.op.path
		err = s.translate(c, one.err)
		var named *OpError
		if errors.As(err, &named) {
			named.Index, named.fence = one.index, one.op.fence
		}
		return err
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, zk.ErrConnectionClosed), errors.Is(err, zk.ErrClosing):
		if lost := s.Err(); lost != nil {
			return c.lost(lost)
		}
		return c.fail(c.unanswered())
	case errors.Is(err, zk.ErrSessionExpired):
		s.lose(errExpired, false)
		return c.lost(s.Err())
	case errors.Is(err, zk.ErrSessionMoved):
		// The server has seen us on another one since; it did nothing.
		s.dropLink("the session has moved to another server")
		return c.fail(ErrNotConnected)
	}
	if known := refusal(err); known != nil {
		return c.fail(known)
	}
	return c.fail(c.unanswered(), err)
}

// refusal is the error of ours for one that says that ZooKeeper (or its
// client) has understood the request and refused it, otherwise nil.
func refusal(err error) error {
	for _, known := range refusals {
		if errors.Is(err, known.theirs) {
			if known.ours == ErrBadRequest {
				return fmt.Errorf("%w: %w", ErrBadRequest, err)
			}
			return known.ours
		}
	}
	return nil
}

var refusals = []struct{ theirs, ours error }{
	{zk.ErrNoNode, ErrNoNode},
	{zk.ErrNodeExists, ErrNodeExists},
	{zk.ErrBadVersion, ErrBadVersion},
	{zk.ErrNotEmpty, ErrNotEmpty},
	{zk.ErrNoAuth, ErrNoAuth},
	{zk.ErrAuthFailed, ErrAuthFailed},
	{zk.ErrNoChildrenForEphemerals, ErrBadRequest},
	{zk.ErrInvalidACL, ErrBadRequest},
	{zk.ErrInvalidFlags, ErrBadRequest},
	{zk.ErrInvalidPath, ErrBadRequest},
	{zk.ErrBadArguments, ErrBadRequest},
}
