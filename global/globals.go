package global

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
)

// Config says what a node's globals are part of. Keeper and System are needed.
type Config struct {
	Keeper *keeper.Keeper
	System *actor.System
	// Announce is called, before a holder's code runs, with its term and PID,
	// to tell peers. It must not block.
	Announce func(term actor.Term, pid actor.PID)
	// OnEvent is called with every Event. It must not block.
	OnEvent func(Event)
	// Record gets a history of this node's terms; nil: nobody does.
	Record Recorder
	Logger *slog.Logger // nil: silence
}

// Globals is a node's part in naming: the candidacies it stands with, and what
// it knows about who holds which name. Its methods are safe for concurrent use.
type Globals struct {
	cfg    Config
	keeper *keeper.Keeper
	paths  keeper.Paths
	system *actor.System
	log    *slog.Logger
	start  time.Time

	ctx    context.Context // of everything that runs here
	cancel context.CancelFunc
	names  *directory

	viewsMu sync.RWMutex
	views   map[string]*view

	mu         sync.Mutex // guards what follows
	closing    bool
	running    sync.WaitGroup
	session    *keeper.Session // nil: none
	candidates map[string]*candidacy
	stuck      int
	strangers  map[string]struct{}
	repaired   uint64
}

const (
	// viewCheck is how often what is shown is compared with ZooKeeper, should a
	// watch have been lost.
	viewCheck = 5 * time.Minute
	// maxStrangers bounds the memory of what has been reported as strange.
	maxStrangers = 1000
)

// New starts a node's globals. They follow the keeper's sessions by themselves;
// see Fact for what else they may be told.
func New(cfg Config) *Globals {
	g := &Globals{
		cfg:        cfg,
		keeper:     cfg.Keeper,
		paths:      cfg.Keeper.Paths(),
		system:     cfg.System,
		log:        cfg.Logger,
		start:      time.Now(),
		views:      make(map[string]*view),
		candidates: make(map[string]*candidacy),
		strangers:  make(map[string]struct{}),
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	g.names = newDirectory(g)
	g.terms().OnRaise(g.raised)
	g.run(g.follow)
	g.run(g.checks)
	return g
}

func (g *Globals) now() time.Duration  { return time.Since(g.start) }
func (g *Globals) terms() *actor.Terms { return g.system.Terms() }
func (g *Globals) announce(t actor.Term, pid actor.PID) {
	if g.cfg.Announce != nil {
		g.cfg.Announce(t, pid)
	}
}

// run starts a goroutine that Close waits for. It says false after that.
func (g *Globals) run(f func()) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ctx.Err() != nil {
		return false
	}
	g.running.Go(f)
	return true
}

// follow tells the candidacies and the views about each session.
func (g *Globals) follow() {
	for {
		s, err := g.liveSession()
		if err != nil {
			return
		}
		g.mu.Lock()
		g.session = s
		g.postLocked(newSession{s})
		g.mu.Unlock()
		select {
		case <-s.Done():
		case <-g.ctx.Done():
			return
		}
		g.mu.Lock()
		g.session = nil
		g.postLocked(sessionLost{id: s.ID()})
		g.mu.Unlock()
		g.names.reset()
		g.eachView((*view).reset)
	}
}

// liveSession waits for a session that is not over. The keeper hands out one
// that is, for the moment that it takes it to end everything that hung on it.
func (g *Globals) liveSession() (*keeper.Session, error) {
	for {
		s, err := g.keeper.Session(g.ctx)
		if err != nil || s.Err() == nil {
			return s, err
		}
		select {
		case <-time.After(time.Millisecond):
		case <-g.ctx.Done():
			return nil, ErrClosed
		}
	}
}

func (g *Globals) postLocked(item any) {
	for _, c := range g.candidates {
		c.post(item)
	}
}

// Fact takes an event of the keeper's Notify. Sessions are followed without it;
// what it adds is suspensions: nothing is asked for while one lasts, everything
// goes on at once when it ends, and Close does not wait for a ZooKeeper that is
// away. Give it all events, in order, or none. It does not block.
func (g *Globals) Fact(e keeper.Event) {
	switch e := e.(type) {
	case keeper.Suspended:
		g.connection(e.Session, false)
	case keeper.Resumed:
		g.connection(e.Session, true)
	}
}

func (g *Globals) connection(s *keeper.Session, up bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.postLocked(connection{id: s.ID(), up: up})
}

// checks compares what is shown with ZooKeeper now and then.
func (g *Globals) checks() {
	tick := time.NewTicker(viewCheck)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-g.ctx.Done():
			return
		}
		g.mu.Lock()
		s := g.session
		g.mu.Unlock()
		if s == nil || !s.Connected() {
			continue
		}
		ctx, cancel := context.WithTimeout(g.ctx, viewCheck/2)
		lost := func(repaired bool) {
			if repaired {
				g.mu.Lock()
				g.repaired++
				g.mu.Unlock()
			}
		}
		lost(g.names.check(ctx, s))
		g.eachView(func(v *view) { lost(v.check(ctx, s)) })
		cancel()
	}
}

func (g *Globals) eachView(f func(*view)) {
	g.viewsMu.RLock()
	all := make([]*view, 0, len(g.views))
	for _, v := range g.views {
		all = append(all, v)
	}
	g.viewsMu.RUnlock()
	for _, v := range all {
		f(v)
	}
}

// raised is told of every term that is higher than those heard before.
func (g *Globals) raised(t actor.Term) {
	if v := g.view(t.Scope()); v != nil {
		v.raised(t)
	}
}

// elected tells about a holder that was found.
func (g *Globals) elected(f *found) { g.tell(Elected{Term: f.term, PID: f.pid}) }

func (g *Globals) tell(e Event) {
	switch e := e.(type) {
	case Stuck:
		g.log.Error("a holder does not return though its term is over", "term", e.Term, "pid", e.PID)
	case Refused:
		g.log.Warn("ZooKeeper refuses a candidacy", "name", e.Name, "error", e.Err)
	case Strange:
		g.log.Warn("a znode that is no candidate's", "path", e.Path, "reason", e.Reason)
	case WentBack:
		g.log.Error("term numbers went back: was ZooKeeper restored from an old copy?", "name", e.Name, "number", e.Number, "heard", e.Heard)
	case TermEnded:
		g.log.Info("term ended", "term", e.Term, "pid", e.PID, "cause", e.Cause)
	case TermBegan:
		g.log.Info("term began", "term", e.Term, "pid", e.PID)
	}
	if g.cfg.OnEvent != nil {
		g.cfg.OnEvent(e)
	}
}

// strange reports a znode once.
func (g *Globals) strange(path, reason string) {
	g.mu.Lock()
	_, known := g.strangers[path]
	if !known {
		if len(g.strangers) >= maxStrangers {
			clear(g.strangers)
		}
		g.strangers[path] = struct{}{}
	}
	g.mu.Unlock()
	if !known {
		g.tell(Strange{Path: path, Reason: reason})
	}
}

// bar counts the stuck holders; while there is one, no candidacy stands anew.
func (g *Globals) bar(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	was := g.stuck > 0
	g.stuck += n
	if is := g.stuck > 0; is != was {
		g.postLocked(barred{on: is})
	}
}

func (g *Globals) view(name string) *view {
	g.viewsMu.RLock()
	defer g.viewsMu.RUnlock()
	return g.views[name]
}

// viewOf is the view of a name that is there or soon will be.
func (g *Globals) viewOf(name string) *view {
	if v := g.view(name); v != nil {
		return v
	}
	g.viewsMu.Lock()
	defer g.viewsMu.Unlock()
	v := g.views[name]
	if v == nil {
		v = newView(g, name)
		g.views[name] = v
	}
	return v
}

// Whereis is the PID of the name's holder. When it is known, that takes no
// request and no allocation. Otherwise it waits until there is a holder; when
// ctx ends first, the error wraps [ErrNoHolder] and the cause of ctx's end.
//
// While ZooKeeper cannot be reached the last holder known is given ([Lookup]
// tells that it is stale); when the session is over, not before it was read anew.
func (g *Globals) Whereis(ctx context.Context, name string) (actor.PID, error) {
	f, err := g.find(ctx, name)
	if err != nil {
		return actor.PID{}, err
	}
	return f.pid, nil
}

// Lookup is Whereis that tells more.
func (g *Globals) Lookup(ctx context.Context, name string) (Holder, error) {
	f, err := g.find(ctx, name)
	if err != nil {
		return Holder{}, err
	}
	return f.holder(), nil
}

// Next is Lookup that waits for a holder of a later term than that.
func (g *Globals) Next(ctx context.Context, term actor.Term) (Holder, error) {
	f, err := g.viewOf(term.Scope()).wait(ctx, func(f *found) bool {
		return f.term.Cluster() != term.Cluster() || f.term.Number() > term.Number()
	})
	if err != nil {
		if !errors.Is(err, ErrClosed) {
			err = fmt.Errorf("%w of %q: %w", ErrNoHolder, term.Scope(), err)
		}
		return Holder{}, err
	}
	return f.holder(), nil
}

func (g *Globals) find(ctx context.Context, name string) (*found, error) {
	v := g.view(name)
	if v != nil {
		if f := v.value.Load(); f != nil {
			return f, nil
		}
	}
	if err := actor.CheckName(name); err != nil {
		return nil, err
	}
	var err error
	if v == nil {
		err = g.names.has(ctx, name)
	}
	var f *found
	if err == nil {
		f, err = g.viewOf(name).wait(ctx, nil)
	}
	if err != nil && !errors.Is(err, ErrClosed) {
		err = fmt.Errorf("%w of %q: %w", ErrNoHolder, name, err)
	}
	return f, err
}

// Holding says whether this node holds the name and may act as its holder at
// this moment, and under which term.
func (g *Globals) Holding(name string) (actor.Term, bool) {
	t, ok := g.holding(name)
	if !ok {
		return actor.Term{}, false
	}
	return t.term, true
}

func (g *Globals) holding(name string) (*tenancy, bool) {
	g.mu.Lock()
	c := g.candidates[name]
	g.mu.Unlock()
	if c == nil {
		return nil, false
	}
	return c.holding()
}

// Fence is for a holder that writes to ZooKeeper: a Multi of that session with
// the check in it is done only while the term's candidate znode is there, so
// never after the name has passed, whatever the holder's node believes. It asks
// ZooKeeper nothing. [ErrNotHolder]: this node does not act under that term now.
//
// The check holds for a moment longer than the term: its znode is deleted when
// all that runs in it has returned.
func (g *Globals) Fence(term actor.Term) (*keeper.Session, keeper.Op, error) {
	t, ok := g.holding(term.Scope())
	if !ok || t.term != term {
		return nil, keeper.Op{}, fmt.Errorf("%s: %w", term, ErrNotHolder)
	}
	// By any version: the holder's PID is written into it some time. No other
	// znode ever has this path, as there is a guid in it.
	return t.lease.Session(), keeper.CheckOp(t.lease.Path(), keeper.AnyVersion), nil
}

// Candidacies is how many names this node stands for.
func (g *Globals) Candidacies() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.candidates)
}

// Repaired counts the watches that were found lost by the periodic check.
func (g *Globals) Repaired() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.repaired
}
