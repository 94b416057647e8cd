package actor

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// SystemConfig says what a System is part of. Only Node is needed.
type SystemConfig struct {
	Node      NodeID
	Router    Router    // nil: other nodes cannot be reached
	Directory Directory // nil: there is no cluster to ask
	Mailbox   Mailbox   // the default for processes; zero: DefaultMailboxLimit, Refuse
	Logger    *slog.Logger
	Tracer    Tracer // nil: nothing is traced

	// Hooks, called on whatever goroutine finds out; they must not block.
	OnDeadLetter func(DeadLetter)
	// OnTerm is told that mail which claims a term was accepted or refused. asked is
	// what Clock showed before the terms were compared.
	OnTerm func(e Envelope, accepted bool, asked time.Duration)
	Clock  func() time.Duration // nil: asked is always zero
}

// System is a node's process table: it starts processes, finds them, and hands
// them their mail. Its methods are safe for concurrent use.
type System struct {
	cfg     SystemConfig
	self    PID // serial 0: the node itself
	terms   Terms
	table   slots
	runners runners
	tied    tied
	calls   nodeCalls
	owed    int // how many calls a process may owe an answer, beyond its mailbox's bound
	dead    deadCounts

	deadLog     deadLog
	subscribers subscribers // to dead letters

	namesMu sync.RWMutex
	names   map[string]PID
	namesIn sync.Mutex // held from a change of names until the directory knows

	began  time.Time
	timers timers

	tenuresMu sync.Mutex
	tenures   map[*Tenure]struct{}

	stopMu  sync.Mutex
	stopped bool
	failed  uint64        // spawns that never made it into the table
	living  int           // processes that have not quite left
	empty   chan struct{} // made by Stop, closed when no process is left
}

// NewSystem makes a process table for that node.
func NewSystem(cfg SystemConfig) *System {
	cfg.Mailbox.Limit = cfg.Mailbox.limit(Mailbox{})
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Logger = cfg.Logger.With("node", cfg.Node)
	s := &System{
		cfg:     cfg,
		self:    MakePID(cfg.Node, 0),
		names:   make(map[string]PID),
		tenures: make(map[*Tenure]struct{}),
		began:   time.Now(),
		owed:    maxOwed,
	}
	s.deadLog.log = cfg.Logger
	s.terms.OnRaise(s.endLower)
	return s
}

// Node is the node that the processes live on.
func (s *System) Node() NodeID { return s.cfg.Node }

// Terms is what this node has heard about who holds what.
func (s *System) Terms() *Terms { return &s.terms }

// Count is how many processes live.
func (s *System) Count() int { return s.table.count() }

// tell delivers a signal, here or through the router.
func (s *System) tell(e Envelope) {
	if e.To.node == s.self.node {
		s.Deliver(e)
		return
	}
	_ = s.route(context.Background(), &e) // a link that is lost tells the other side by itself
}

// Alive says whether pid is a process of this node that has not ended.
func (s *System) Alive(pid PID) bool {
	return pid.node == s.self.node && s.table.get(pid.serial) != nil
}

// AtEnd has f called when a process of this node has ended, as the option
// OnExit does. It says false, and f is not called, when pid is not alive.
func (s *System) AtEnd(pid PID, f func(pid PID, reason error)) bool {
	p := s.table.get(pid.serial)
	if p == nil || pid.node != s.self.node {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return false
	}
	p.tiesLocked().ends = append(p.tiesLocked().ends, f)
	return true
}

// Stop makes every process stop with that reason and refuses new ones. It
// returns when all have ended, or with ctx's error when some have not by then.
func (s *System) Stop(ctx context.Context, reason error) error {
	defer s.deadLog.close()
	defer s.timers.close()
	s.stopMu.Lock()
	s.stopped = true
	if s.empty == nil && s.living > 0 {
		s.empty = make(chan struct{})
	}
	empty := s.empty
	s.stopMu.Unlock()
	s.table.each(func(p *Process) {
		if p.traits&isKept == 0 { // the others' supervisors stop them, each in its turn
			p.stop(reason)
		}
	})
	if empty == nil {
		return nil
	}
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		s.stopMu.Lock()
		defer s.stopMu.Unlock()
		return fmt.Errorf("%d processes have not ended: %w", s.living, context.Cause(ctx))
	}
}

// addTenure remembers a tenure, so that a higher term heard can end it.
func (s *System) addTenure(t *Tenure) {
	s.tenuresMu.Lock()
	_, known := s.tenures[t]
	s.tenures[t] = struct{}{}
	s.tenuresMu.Unlock()
	if known {
		return
	}
	context.AfterFunc(t.ctx, func() {
		s.tenuresMu.Lock()
		defer s.tenuresMu.Unlock()
		delete(s.tenures, t)
	})
	if !s.terms.Heard(t.term) {
		t.End(fmt.Errorf("%w: a successor of %s has been heard of", ErrTermOver, t.term))
	}
}

// endLower ends what is held here under a lower term than the one just heard.
func (s *System) endLower(heard Term) {
	s.tenuresMu.Lock()
	var over []*Tenure
	for t := range s.tenures {
		if t.term.key == heard.key && t.term.number < heard.number {
			over = append(over, t)
		}
	}
	s.tenuresMu.Unlock()
	for _, t := range over {
		t.End(fmt.Errorf("%w: a successor holds %s", ErrTermOver, heard))
	}
}
