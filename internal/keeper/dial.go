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

var errExpired = errors.New("ZooKeeper knows the session no more")

const (
	minPause = 50 * time.Millisecond
	maxPause = time.Second
	// steady is how long a connection must have lived for the next one to be
	// tried without a pause.
	steady = time.Second
	// handshakes of a session that has no lease to lose get at least this.
	minHandshake = time.Second
)

// handshakeTime is how long connecting to one server may take, the handshake
// included. While there are others to try it is short, so that a session (and,
// with the heartbeat's deadline of T/8, a lease) can be saved by the second; a
// server that is merely slow gets its time in the next round.
func handshakeTime(T time.Duration, others, resumes bool) time.Duration {
	switch {
	case !resumes:
		return max(T/3, minHandshake)
	case others:
		return T / 6
	}
	return T / 3
}

// backoff counts the attempts to connect since the last connection.
type backoff struct {
	tries int
	short bool // that connection did not live long
}

// next is how long to wait before the next attempt, and whether it is among
// the first for each of the servers. Those are made without waiting; after
// that the pause doubles with every round. random is in [0, 1).
func (b *backoff) next(servers int, random float64) (pause time.Duration, first bool) {
	round := b.tries / servers
	switch {
	case b.tries == 0 && b.short:
		// A server that accepts and drops us again and again.
		pause = minPause
	case round > 0 && round < 6:
		pause = min(maxPause, minPause<<(round-1))
	case round > 0:
		pause = maxPause
	}
	b.tries++
	return pause/2 + time.Duration(random*float64(pause)/2), round == 0
}

// lived is told how long a connection lasted.
func (b *backoff) lived(d time.Duration) { b.tries, b.short = 0, d < steady }

// grave is where the client of a dead session ends.
func (s *Session) grave() net.Conn {
	return newGrave(func() { s.buryOnce.Do(func() { close(s.buried) }) })
}

// dial is the client's Dialer. The client calls it from one goroutine, again
// and again until it succeeds. Once the session is dead it dials no more.
func (s *Session) dial(_, address string, _ time.Duration) (net.Conn, error) {
	servers := len(s.k.cfg.Servers)
	s.mu.Lock()
	dead := s.err != nil
	pause, first := s.dials.next(servers, rand.Float64())
	clamp := handshakeTime(s.timeout, first && servers > 1, s.id != 0)
	s.mu.Unlock()
	if dead {
		return s.grave(), nil
	}
	if pause > 0 {
		t := time.NewTimer(pause)
		defer t.Stop()
		select {
		case <-t.C:
		case <-s.ctx.Done():
			return s.grave(), nil
		}
	}
	s.k.count.dials.Add(1)
	deadline := time.Now().Add(clamp)
	ctx, cancel := context.WithDeadline(s.ctx, deadline)
	defer cancel()
	raw, err := s.k.cfg.Dial(ctx, address)
	if err != nil {
		if s.ctx.Err() != nil {
			return s.grave(), nil
		}
		s.k.hosts.failed(address)
		s.k.trouble("dial", fmt.Errorf("%w: %s: %w", ErrNotConnected, address, err))
		return nil, err
	}
	l := newLink(raw, address, deadline, s.k.cfg.Clock, linkHooks{
		opened:      s.onReply,
		reply:       func() { s.progress.Store(int64(s.k.cfg.Clock())) },
		heard:       func(sent time.Duration) { s.inbox.put(heard{sent}) },
		authRefused: s.onAuthRefused,
		standing:    s.watch.standing,
	})
	s.mu.Lock()
	dead = s.err != nil
	if !dead {
		s.link = l
	}
	s.mu.Unlock()
	if dead {
		l.Close()
		return s.grave(), nil
	}
	return l, nil
}

// quiet takes what the client would print.
type quiet struct{ log *slog.Logger }

func (q quiet) Printf(format string, args ...any) {
	if q.log.Enabled(context.Background(), slog.LevelDebug) {
		q.log.Debug("zookeeper client: " + fmt.Sprintf(format, args...))
	}
}
