package keeper

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

// Keeper keeps one session with ZooKeeper at a time, for ever: when one is
// lost it opens the next. Its methods can be called from any goroutine.
type Keeper struct {
	cfg    Config
	paths  Paths
	acl    []zk.ACL
	count  counters
	events notifier
	hosts  *hosts

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	done   chan struct{} // closed when the loop has ended

	mu       sync.Mutex
	session  *Session      // the one that is being opened, or is open
	current  *Session      // the open one
	changed  chan struct{} // closed when current changes
	earlier  []int64       // our sessions' numbers, the latest last
	troubles map[string]reported
	last     error // the latest trouble since there was a session

	cluster string // the id of the last session; belongs to the loop
}

type reported struct {
	text string
	at   time.Duration
}

// Open checks cfg and begins to connect, in the background and for ever. An
// error means that cfg is wrong.
func Open(cfg Config) (*Keeper, error) {
	cfg, paths, err := cfg.prepared()
	if err != nil {
		return nil, err
	}
	k := &Keeper{
		cfg:      cfg,
		paths:    paths,
		events:   notifier{notify: cfg.Notify},
		hosts:    newHosts(cfg.Servers, cfg.Clock),
		done:     make(chan struct{}),
		changed:  make(chan struct{}),
		troubles: make(map[string]reported),
	}
	for _, a := range cfg.ACL {
		k.acl = append(k.acl, zk.ACL{Perms: a.Perms, Scheme: a.Scheme, ID: a.ID})
	}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	go k.run()
	return k, nil
}

// Paths is the znode tree under our root.
func (k *Keeper) Paths() Paths { return k.paths }

// Now reads the Clock that leases are measured by.
func (k *Keeper) Now() time.Duration { return k.cfg.Clock() }

// Current is the established session, or nil. It may be suspended.
func (k *Keeper) Current() *Session {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.current == nil || k.current.dead.Load() {
		return nil
	}
	return k.current
}

// Session waits for an established session. When ctx ends before there is one
// the error wraps ErrNotConnected, ctx's, and the latest trouble if there was
// any (so that errors.Is finds ErrAuthFailed); ErrClosed after Close.
func (k *Keeper) Session(ctx context.Context) (*Session, error) {
	for {
		k.mu.Lock()
		s, changed, trouble := k.current, k.changed, k.last
		k.mu.Unlock()
		switch {
		case k.ctx.Err() != nil:
			return nil, ErrClosed
		case s != nil && !s.dead.Load():
			return s, nil
		case ctx.Err() != nil && trouble != nil:
			return nil, fmt.Errorf("%w: %w (%w)", ErrNotConnected, ctx.Err(), trouble)
		case ctx.Err() != nil:
			return nil, fmt.Errorf("%w: %w", ErrNotConnected, ctx.Err())
		}
		select {
		case <-changed:
		case <-k.ctx.Done():
		case <-ctx.Done():
		}
	}
}

// Stats counts what was done since Open.
func (k *Keeper) Stats() Stats {
	outstanding := 0
	if s := k.Current(); s != nil {
		outstanding = s.watch.outstanding()
	}
	return k.count.stats(outstanding)
}

// Close ends the session and everything this Keeper runs. While there is a
// connection it tells ZooKeeper, which takes one round trip, and the session's
// ephemerals vanish at once: then it returns nil. If ZooKeeper is away it
// returns ErrNotConnected at once, and if it does not confirm before ctx ends
// (or for a second) ErrUnknownOutcome: what is left vanishes when the session
// expires. Writes that should be done must have been answered before. The last
// events may reach Config.Notify after Close has returned.
func (k *Keeper) Close(ctx context.Context) error {
	k.cancel()
	k.mu.Lock()
	s := k.session
	k.mu.Unlock()
	connected := s != nil && s.Connected()
	if s != nil {
		s.lose(ErrClosed, true)
	}
	select {
	case <-k.done:
	case <-ctx.Done():
		if s != nil {
			s.hasten()
		}
	}
	k.mu.Lock()
	s = k.session // the loop may have begun another one meanwhile
	k.mu.Unlock()
	switch {
	case s == nil:
		return nil
	case s.goodbye.Load():
		return nil
	case !connected:
		return ErrNotConnected
	}
	select {
	case <-s.said:
	case <-ctx.Done():
		s.hasten()
	}
	if s.goodbye.Load() {
		return nil
	}
	return ErrUnknownOutcome
}

// authPause is how often refused credentials are tried again: they get right
// only when a person does something.
const authPause = 10 * time.Second

// run opens one session after the other.
func (k *Keeper) run() {
	defer close(k.done)
	pause := minPause
	for k.ctx.Err() == nil {
		s := newSession(k)
		k.mu.Lock()
		k.session = s
		k.mu.Unlock()
		if k.ctx.Err() != nil {
			s.lose(ErrClosed, true)
		}
		err := k.establish(s)
		if err == nil {
			pause = minPause
			<-s.settled
			k.retire(s)
			continue
		}
		s.lose(err, true)
		<-s.settled
		if k.ctx.Err() != nil {
			return
		}
		k.trouble("establish", err)
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-k.ctx.Done():
			t.Stop()
		}
		limit := maxPause
		if errors.Is(err, ErrAuthFailed) {
			limit = authPause
		}
		pause = min(2*pause, limit)
	}
}

// publish is called by a session that is established, under its mutex.
func (k *Keeper) publish(s *Session) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.current, k.last = s, nil
	clear(k.troubles)
	close(k.changed)
	k.changed = make(chan struct{})
}

func (k *Keeper) retire(s *Session) {
	k.mu.Lock()
	k.current = nil
	close(k.changed)
	k.changed = make(chan struct{})
	k.mu.Unlock()
	k.events.post(SessionLost{s, s.Err()})
}

// remember notes the number of a session of ours.
func (k *Keeper) remember(id int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.earlier) >= 256 {
		k.earlier = slices.Delete(k.earlier, 0, 128)
	}
	k.earlier = append(k.earlier, id)
}

// ours says whether a session was opened by this Keeper.
func (k *Keeper) ours(id int64) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Contains(k.earlier, id)
}

// troubleAgain is how long the same trouble is not told again.
const troubleAgain = 30 * time.Second

// trouble tells a person, unless it has done so lately. kind names the sort of
// trouble; a different text of the same kind is told at once.
func (k *Keeper) trouble(kind string, err error) {
	if k.ctx.Err() != nil {
		return
	}
	now, text := k.cfg.Clock(), err.Error()
	k.mu.Lock()
	k.last = err
	old, seen := k.troubles[kind]
	again := !seen || old.text != text || now-old.at >= troubleAgain
	if again {
		k.troubles[kind] = reported{text, now}
	}
	k.mu.Unlock()
	if again {
		k.cfg.Logger.Warn("trouble with ZooKeeper", "error", text)
		k.events.post(Trouble{err})
	}
}
