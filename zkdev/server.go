package zkdev

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"
)

// ErrClosed is returned by Dial, and by Serve called, after Close.
var ErrClosed = errors.New("zkdev: server closed")

// ErrDown is returned by Dial between Down and Up. It wraps ECONNREFUSED.
var ErrDown = fmt.Errorf("zkdev: server is down: %w", syscall.ECONNREFUSED)

// Config sets up a Server. The zero value is a server as ZooKeeper's sample
// configuration makes one.
type Config struct {
	// Tick is ZooKeeper's tickTime: sessions expire on whole ticks, counted
	// from New. Zero is 2 s; below a millisecond is a millisecond.
	Tick time.Duration
	// MinSessionTimeout and MaxSessionTimeout bound what a client may ask for.
	// Zero is 2 and 20 ticks.
	MinSessionTimeout, MaxSessionTimeout time.Duration
	// ContainerCheck is how often the server looks for containers that have
	// become empty and nodes whose time to live has passed, counted from New.
	// Zero is ZooKeeper's minute.
	ContainerCheck time.Duration
	// ExtendedTypes lets nodes have a time to live, as the system property
	// zookeeper.extendedTypesEnabled does. Without it createTTL is answered
	// "unimplemented".
	ExtendedTypes bool
	// SyncLimit is how many ticks a [Follower] that is cut off goes on serving.
	// Zero is 5, as in ZooKeeper's sample configuration; below zero: for ever.
	SyncLimit int
	// Logger hears of sessions that begin and end, at debug level. Nil: nobody.
	Logger *slog.Logger
	// Requests, if set, is called with every request of an attached client, in
	// the order the server handles them: the operation's name (see
	// Request.Op) and its first path, if it has one. It runs under the
	// server's lock: it must not block and must not call the Server.
	Requests func(op, path string)
}

// Server is a ZooKeeper server of one node that lives in memory. Its methods
// may be called from any goroutine.
type Server struct {
	cfg   Config
	log   *slog.Logger
	start time.Time // ticks are counted from here
	wg    sync.WaitGroup

	mu          *sync.Mutex // guards all below and every conn; a cluster has one
	secret      [16]byte
	zxid        int64
	nodes       map[string]*node
	sessions    map[int64]*session
	nextSession int64
	expiry      *time.Timer
	nextExpiry  time.Duration // since start; 0: the timer is not set
	watches     watches
	reaper      reaper
	conns       map[*conn]struct{}
	listeners   map[net.Listener]struct{}
	requests    map[string]int
	traffic     traffic
	traceMask   int64
	closed      bool
	*hooks      // of the whole cluster

	followers []*Follower // of the leader
	follower  *Follower   // whose server this is; nil: the leader
}

// New makes a server with an empty tree. It runs no goroutine until a client
// connects.
func New(cfg Config) *Server {
	if cfg.Tick == 0 {
		cfg.Tick = 2 * time.Second
	}
	cfg.Tick = max(cfg.Tick, time.Millisecond)
	if cfg.MinSessionTimeout == 0 {
		cfg.MinSessionTimeout = 2 * cfg.Tick
	}
	if cfg.MaxSessionTimeout == 0 {
		cfg.MaxSessionTimeout = max(20*cfg.Tick, cfg.MinSessionTimeout)
	}
	if cfg.ContainerCheck <= 0 {
		cfg.ContainerCheck = time.Minute
	}
	if cfg.SyncLimit == 0 {
		cfg.SyncLimit = 5
	}
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	now := time.Now()
	s := &Server{
		cfg:   cfg,
		log:   log,
		start: now,
		// A program that outlives this server must not find the next one
		// behind the zxid it has seen: such a server it would refuse for ever.
		zxid:        now.Unix() << 32,
		nodes:       newTree(),
		sessions:    make(map[int64]*session),
		nextSession: 1<<56 | int64(uint64(now.UnixMilli())<<24>>8),
		conns:       make(map[*conn]struct{}),
		listeners:   make(map[net.Listener]struct{}),
		requests:    make(map[string]int),
		traceMask:   306, // ZooKeeper's
		mu:          new(sync.Mutex),
		hooks:       new(hooks),
	}
	rand.Read(s.secret[:])
	return s
}

// wall is the time that Stats show.
func (s *Server) wall() int64 { return time.Now().UnixMilli() }

// Serve accepts clients from l until the server is closed, then returns nil,
// or until l fails for good, then returns its error. Close closes l. While the
// server is down, clients are accepted and hung up on at once.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		l.Close()
		return ErrClosed
	}
	s.listeners[l] = struct{}{}
	s.wg.Add(1)
	s.mu.Unlock()
	defer s.wg.Done()
	for {
		nc, err := l.Accept()
		if err == nil {
			s.serve(nc)
			continue
		}
		s.mu.Lock()
		closed := s.closed
		if !closed && !passing(err) {
			delete(s.listeners, l)
		}
		s.mu.Unlock()
		switch {
		case closed:
			return nil
		case passing(err):
			time.Sleep(10 * time.Millisecond) // out of descriptors, say
		default:
			return err
		}
	}
}

// passing reports an error of Accept that the next one may not have.
func passing(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ECONNABORTED)
}

// Dial connects a client in memory. Nothing of it leaves the process or waits
// for anything but channels and conditions, so in a testing/synctest bubble
// time is virtual; the server and its clients must then be of one bubble.
func (s *Server) Dial() (net.Conn, error) {
	s.mu.Lock()
	closed, down := s.closed, s.away()
	s.mu.Unlock()
	switch {
	case closed:
		return nil, ErrClosed
	case down:
		return nil, ErrDown
	}
	client, server := pipe()
	s.serve(server)
	return client, nil
}

// DialContext is Dial with the signature that Conclave asks for; it takes no
// notice of the address.
func (s *Server) DialContext(ctx context.Context, address string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.Dial()
}

// Close ends all listeners and connections and returns once every goroutine
// of the server has. The data is gone.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.expiry != nil {
		s.expiry.Stop()
	}
	if s.reaper.timer != nil {
		s.reaper.timer.Stop()
	}
	all := s.servers()
	for _, r := range all {
		r.closed = true
		for l := range r.listeners {
			l.Close()
		}
		if r.follower != nil {
			r.follower.stop()
		}
		r.killAll()
	}
	s.mu.Unlock()
	for _, r := range all {
		r.wg.Wait()
	}
	return nil
}

// killAll closes the server's connections.
func (s *Server) killAll() {
	for c := range s.conns {
		c.kill()
	}
}

// away reports that the server takes no clients.
func (s *Server) away() bool { return s.down || s.follower != nil && s.follower.adrift }
