package keeper

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Lease is the right to act as the owner of a znode until a moment that
// heartbeats push on. Once it has ended it stays ended.
type Lease struct {
	s     *Session
	path  string
	clock Clock
	made  atomic.Int64 // czxid of the znode; 0: not read yet

	mu       sync.Mutex // held while until is raised
	onExtend func(until time.Duration)

	until   atomic.Int64 // Clock; ended: over for ever
	cause   atomic.Pointer[error]
	granted chan struct{} // closed with the first extension
	gone    atomic.Bool   // the znode was seen to be gone
	ctx     context.Context
	cancel  context.CancelCauseFunc
}

// ended is before every Clock reading, and can be subtracted from.
const ended = math.MinInt64 / 2

// Check is nil while the lease lasts and otherwise says why it has ended
// (ErrLeaseLapsed, ErrSessionLost, ErrOwnerGone, ErrReleased). It compares the
// Clock with the lease's end: no I/O, no lock, no allocation while it lasts.
// Do it before every step that only the owner may take: the operating system
// may have stopped us for any time since the last one.
func (l *Lease) Check() error {
	until := l.until.Load()
	if int64(l.clock()) < until && !l.s.dead.Load() {
		return nil
	}
	if cause := l.cause.Load(); cause != nil {
		return *cause
	}
	if l.s.dead.Load() {
		return ErrSessionLost // its loop is about to say so to the context
	}
	if until != ended && l.until.CompareAndSwap(until, ended) {
		// Nobody may extend it after somebody was told that it is over.
		l.end(ErrLeaseLapsed)
		l.tell(lapsed{l.path})
	}
	return ErrLeaseLapsed
}

// Context ends with the lease, or a moment after Check has begun to fail; its
// cause is what Check reports.
func (l *Lease) Context() context.Context { return l.ctx }

// Until is the Clock reading at which the lease ends unless it is extended
// before. For one that has ended it is in the past.
func (l *Lease) Until() time.Duration { return time.Duration(l.until.Load()) }

// Path is the leased znode.
func (l *Lease) Path() string { return l.path }

// Session is the one that owns the leased znode.
func (l *Lease) Session() *Session { return l.s }

// Czxid is the transaction that made the leased znode.
func (l *Lease) Czxid() int64 { return l.made.Load() }

// Release gives the lease back. The znode stays; who deletes it should release
// the lease first.
func (l *Lease) Release() {
	l.end(ErrReleased)
	l.tell(released{l.path})
}

// OnExtend has f (nil: nothing) called with every new end of the lease before that
// holds: f may let in that the lease lasts longer than it does, never shorter. It
// returns the end that holds until f is called. f must not block: the heartbeats
// wait for it.
func (l *Lease) OnExtend(f func(until time.Duration)) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.onExtend = f
	return l.Until()
}

// extend is false if the lease is over already.
func (l *Lease) extend(until time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.onExtend != nil && l.until.Load() != ended {
		l.onExtend(until)
	}
	for {
		old := l.until.Load()
		if old == ended {
			return false
		}
		if l.until.CompareAndSwap(old, int64(until)) {
			return true
		}
	}
}

func (l *Lease) end(cause error) {
	l.cause.CompareAndSwap(nil, &cause)
	l.until.Store(ended)
	l.cancel(*l.cause.Load())
}

// claim asks the session's loop for a lease, and about tells it something about
// one. (By path alone it could be taken for another lease on the same znode.)
type (
	claim struct{ lease *Lease }
	about struct {
		lease *Lease
		event leaseEvent
	}
)

func (l *Lease) tell(ev leaseEvent) { l.s.inbox.put(about{l, ev}) }

// Claim makes path, an ephemeral of this session, the subject of a lease and
// returns when the first T/4 of it is bought. The lease is renewed, with all
// others of the session, by a write every T/8 (see lease.go for the
// arithmetic), and ends by itself when that does not succeed, when the znode is
// deleted or when the session is lost.
//
// It fails with ErrOwnerGone if path is not there or not ours, with
// ErrLeaseLapsed if a lease on this very znode has ended before (make a new
// one), with ErrNodeExists if one is running.
func (s *Session) Claim(ctx context.Context, path string) (*Lease, error) {
	l := &Lease{s: s, path: path, clock: s.k.cfg.Clock, granted: make(chan struct{})}
	l.until.Store(ended + 1) // in the past, and may be extended
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	if err := s.guardOwner(ctx, l); err != nil {
		l.cancel(err)
		return nil, err
	}
	s.inbox.put(claim{l})
	c := call{op: "claim", path: path}
	select {
	case <-l.granted:
		return l, nil
	case <-l.ctx.Done():
		return nil, c.fail(context.Cause(l.ctx))
	case <-s.settled:
		l.end(ErrSessionLost)
		return nil, c.fail(s.Err())
	case <-ctx.Done():
		l.Release()
		return nil, c.fail(ErrNotConnected, ctx.Err())
	}
}

// guardOwner reads the claimed znode, checks that it is ours, and watches for
// its deletion. A child watch does that and nothing else, as an ephemeral
// cannot have children: writes to it do not fire it. The watch may fire before this
// has returned.
func (s *Session) guardOwner(ctx context.Context, l *Lease) error {
	_, stat, err := s.children(ctx, l.path, func(cause watchCause) {
		if cause == causeDeleted {
			l.gone.Store(true)
			l.tell(gone{l.path})
			return
		}
		go s.recheckOwner(l)
	})
	c := call{op: "claim", path: l.path}
	switch {
	case errors.Is(err, ErrNoNode):
		return c.fail(ErrOwnerGone, ErrNoNode)
	case err != nil:
		return err
	case stat.EphemeralOwner != s.ID():
		return c.fail(ErrOwnerGone, fmt.Errorf("it belongs to session %#x", stat.EphemeralOwner))
	case !l.made.CompareAndSwap(0, stat.Czxid) && stat.Czxid != l.made.Load():
		return c.fail(ErrOwnerGone, errors.New("it is another znode"))
	}
	return nil
}

// recheckOwner looks after a leased znode whose watch fired for a reason that
// is not clear, and watches it again.
func (s *Session) recheckOwner(l *Lease) {
	for l.ctx.Err() == nil && s.ctx.Err() == nil {
		err := s.guardOwner(s.ctx, l)
		switch {
		case errors.Is(err, ErrOwnerGone):
			l.gone.Store(true)
			l.tell(gone{l.path})
			return
		case err == nil:
			return
		case !errors.Is(err, ErrNotConnected):
			// Not permitted to read it any more, say. The heartbeats decide.
			s.k.trouble("owner", err)
			return
		}
	}
}
