package keeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"time"
)

var (
	errDead    = errors.New("this session dials no more")
	errExpired = errors.New("ZooKeeper knows the session no more")
)

const (
	minPause = 50 * time.Millisecond
	maxPause = time.Second
	// steady is how long a connection must have lived for the next one to be
	// tried without a pause.
	steady = time.Second
	// handshakes of a session that has no lease to lose get at least this.
	minHandshake = time.Second
)

// backoff counts the attempts to connect since the last connection that lived.
type backoff struct{ tries int }

// next is how long to wait before the next attempt. Each of the servers is
// tried once without waiting; after that the pause doubles with every round.
// random is in [0, 1).
func (b *backoff) next(servers int, random float64) time.Duration {
	round := b.tries / servers
	b.tries++
	if round == 0 {
		return 0
	}
	pause := maxPause
	if round < 6 {
		pause = min(maxPause, minPause<<(round-1))
	}
	return pause/2 + time.Duration(random*float64(pause)/2)
}

// lived is told how long a connection lasted. A server that accepts and drops
// us again and again is tried no faster than minPause.
func (b *backoff) lived(d time.Duration, servers int) {
	b.tries = 0
	if d < steady {
		b.tries = servers
	}
}

// dial is the client's Dialer. The client calls it from one goroutine, again
// and again until it succeeds.
func (s *Session) dial(_, address string, _ time.Duration) (net.Conn, error) {
	servers := len(s.k.cfg.Servers)
	s.mu.Lock()
	dead, pause := s.err != nil, s.dials.next(servers, rand.Float64())
	// A third of T leaves time for another server before the session (and,
	// with the heartbeat's deadline of T/8, often the lease) is over.
	clamp := s.timeout / 3
	if s.id == 0 {
		clamp = max(clamp, minHandshake)
	}
	s.mu.Unlock()
	if dead {
		return nil, errDead
	}
	if pause > 0 {
		t := time.NewTimer(pause)
		defer t.Stop()
		select {
		case <-t.C:
		case <-s.ctx.Done():
			return nil, errDead
		}
	}
	s.k.count.dials.Add(1)
	deadline := time.Now().Add(clamp)
	ctx, cancel := context.WithDeadline(s.ctx, deadline)
	defer cancel()
	raw, err := s.k.cfg.Dial(ctx, address)
	if err != nil {
		if s.ctx.Err() == nil {
			s.k.trouble("dial", fmt.Errorf("%w: %s: %w", ErrNotConnected, address, err))
		}
		return nil, err
	}
	l := newLink(raw, address, deadline, s.watch.outstanding() > 0, s.Timeout()/3, s.k.cfg.Clock, linkHooks{
		opened:      s.onReply,
		reply:       func() { s.progress.Store(int64(s.k.cfg.Clock())) },
		heard:       func(sent time.Duration) { s.inbox.put(heard{sent}) },
		authRefused: s.onAuthRefused,
		goodbye:     func() { s.goodbye.Store(true) },
	})
	s.mu.Lock()
	dead = s.err != nil
	if !dead {
		s.link = l
	}
	s.mu.Unlock()
	if dead {
		l.Close()
		return nil, errDead
	}
	return l, nil
}

// hosts is the client's HostProvider. The order is the Keeper's, so that the
// next session does not begin with the server that lost the last one. Asking
// for retryStart makes the client sleep a second: only a dead session does,
// as the client then waits for Close.
type hosts struct{ s *Session }

func (h hosts) Init([]string) error { return nil }
func (h hosts) Len() int            { return len(h.s.k.cfg.Servers) }
func (h hosts) Connected()          {}

func (h hosts) Next() (server string, retryStart bool) {
	servers := h.s.k.cfg.Servers
	return servers[int(h.s.k.cursor.Add(1)%uint32(len(servers)))], h.s.dead.Load()
}

// quiet takes what the client would print.
type quiet struct{ log *slog.Logger }

func (q quiet) Printf(format string, args ...any) {
	if q.log.Enabled(context.Background(), slog.LevelDebug) {
		q.log.Debug("zookeeper client: " + fmt.Sprintf(format, args...))
	}
}
