package registry

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
)

// Config sets up a Registry. Keeper is needed; for everything else zero means
// the default.
type Config struct {
	// Keeper is the node's life in ZooKeeper. The Registry follows its sessions
	// by itself and does not close it.
	Keeper *keeper.Keeper
	// Self is this node. Only its processes can be registered. Zero: any can.
	Self actor.NodeID
	// Alive says whether a process of this node lives. It is asked once by
	// Register, after the wish has been noted, so that a process that ends at
	// that moment is either found dead or dropped. Nil: it is not asked.
	Alive func(actor.PID) bool
	// OnEvent is told what an operator may want to know. It is called from the
	// Registry's own goroutine: it must return soon and not wait for the
	// Registry. Nil: only Logger hears of it.
	OnEvent func(Event)
	// Logger gets the events as warnings. Nil: silence.
	Logger *slog.Logger

	// Reads is how many reads for waiting callers may be under way at once.
	// Default 64.
	Reads int
	// Reloads is how many reads that nobody waits for may be, as after a new
	// session. Default 16.
	Reloads int
	// Writes is how many registrations are made or removed at once. Default 16.
	Writes int
	// Calm is about how often a service that changes constantly is read for
	// those who wait for members. Look-ups do not wait for it. Default 100 ms.
	Calm time.Duration
	// Check is about how often a list in use is compared with ZooKeeper, in
	// case its watch was lost. Default a minute.
	Check time.Duration
	// Forget is after what time a service that nobody asks for is no longer
	// kept. Default ten minutes.
	Forget time.Duration
}

func (c Config) withDefaults() Config {
	whole := func(p *int, d int) {
		if *p <= 0 {
			*p = d
		}
	}
	long := func(p *time.Duration, d time.Duration) {
		if *p <= 0 {
			*p = d
		}
	}
	whole(&c.Reads, 64)
	whole(&c.Reloads, 16)
	whole(&c.Writes, 16)
	long(&c.Calm, 100*time.Millisecond)
	long(&c.Check, time.Minute)
	long(&c.Forget, 10*time.Minute)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// What is tried again after a failure is tried after firstBackoff, then after
// twice as long each time, up to lastBackoff.
const (
	firstBackoff = 50 * time.Millisecond
	lastBackoff  = 5 * time.Second
)

// Registry answers who offers a service, and makes this node's own
// registrations. Its methods may be called from any goroutine.
type Registry struct {
	cfg   Config
	paths keeper.Paths
	start time.Time // the registry's clock counts from here
	box   *inbox
	ids   atomic.Uint64

	services *table
	names    cell
	nodes    cell
	sweep    atomic.Uint64 // number of the sweep under way, from 1
	live     atomic.Pointer[life]

	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
	io     sync.WaitGroup // everything beside the loop

	mu    sync.Mutex
	stats Stats
}

// life is what look-ups need to know of our session.
type life struct {
	number  uint64 // counted from 1; 0: there has been none
	session *keeper.Session
	// since is when the session was found suspended or lost; 0: neither.
	since time.Duration
}

func (l *life) connected() bool {
	return l.since == 0 && l.session != nil && l.session.Connected()
}

// New starts a Registry. An error means that cfg is wrong.
func New(cfg Config) (*Registry, error) {
	if cfg.Keeper == nil {
		return nil, errors.New("registry: Config.Keeper is missing")
	}
	cfg = cfg.withDefaults()
	r := &Registry{
		cfg:      cfg,
		paths:    cfg.Keeper.Paths(),
		start:    time.Now(),
		box:      newMailbox(),
		services: newTable(),
		done:     make(chan struct{}),
	}
	r.sweep.Store(1)
	r.live.Store(&life{})
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.io.Add(1)
	go r.follow()
	go r.run(&loop{
		Registry: r,
		cache: newCache(cacheConfig{
			reads: cfg.Reads, reloads: cfg.Reloads,
			calm: cfg.Calm, check: cfg.Check, forget: cfg.Forget,
			backoff: firstBackoff, backoffMax: lastBackoff,
		}, rand.Uint64()),
		roll: newRoll(rollConfig{
			writes: cfg.Writes, pause: cfg.Calm,
			backoff: firstBackoff, backoffMax: lastBackoff,
		}, rand.Uint64()),
		calls:  make(map[uint64]*call),
		strays: make(map[stray]struct{}),
	})
	return r, nil
}

// Close ends the Registry: whoever waits gets ErrClosed, and nothing is looked
// up or registered any more. Registrations stay until the Keeper's session
// ends; to take them back before, call UnregisterAll first.
func (r *Registry) Close() {
	r.cancel()
	<-r.done
	r.io.Wait()
}

// Observe may be told every event of the Keeper. The Registry follows sessions
// by itself; what it learns from here is only when a connection goes and comes
// back, without waiting for a request to fail. It does not block.
func (r *Registry) Observe(ev keeper.Event) {
	switch ev.(type) {
	case keeper.Suspended, keeper.Resumed:
		r.box.put(post{ev: glance{}})
	}
}

// glance has the loop look whether there is a connection.
type glance struct{}

// follow tells the loop of sessions.
func (r *Registry) follow() {
	defer r.io.Done()
	for number := uint64(1); ; number++ {
		s, err := r.cfg.Keeper.Session(r.ctx)
		if err != nil {
			return // closed, or the Keeper is
		}
		r.box.put(post{ev: arrival{number, s}})
		select {
		case <-s.Done():
			r.box.put(post{ev: sessionLost{number}})
		case <-r.ctx.Done():
			return
		}
	}
}

// arrival is a new session.
type arrival struct {
	number  uint64
	session *keeper.Session
}

// now is the registry's clock. It begins at 1: a time of 0 stands for never.
func (r *Registry) now() time.Duration { return 1 + time.Since(r.start) }

// Stats counts what a Registry has done since New.
type Stats struct {
	Reads      uint64 // lists read
	Checks     uint64 // lists compared with ZooKeeper in case their watch was lost
	Repaired   uint64 // watches found to be lost
	Backwards  uint64 // replies refused because they were older than what was known
	Forgotten  uint64 // services that nobody asked for any more
	Cached     int    // lists kept now
	Registered int    // registrations wanted now, made or not
	Waiting    int    // callers who wait now
}

// Stats returns the counters as of the loop's last turn.
func (r *Registry) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}
