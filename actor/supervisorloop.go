package actor

import (
	"fmt"
	"sync"
	"time"
)

// supervising is the process around a supervision: it tells it what happens and
// does what it says.
type supervising struct {
	p     *Process
	state *supervision
	begun time.Time
	pids  map[uint64]PID // of the instances, by run
	asks  map[uint64]Message
	asked uint64

	// poked wakes the process; what has happened is in news. Mail will not do
	// for that: none is handed out to a process that must stop, and a
	// supervisor still has to see its children out.
	poked chan time.Time
	mu    sync.Mutex
	news  []any
}

func newSupervising(p *Process, spec Supervisor) *supervising {
	return &supervising{
		p:     p,
		state: spec.supervision(),
		begun: time.Now(),
		pids:  make(map[uint64]PID),
		asks:  make(map[uint64]Message),
		poked: make(chan time.Time, 1),
	}
}

// tell is called by children, from their own goroutines.
func (s *supervising) tell(event any) {
	s.mu.Lock()
	s.news = append(s.news, event)
	s.mu.Unlock()
	s.poke()
}

func (s *supervising) poke() {
	select {
	case s.poked <- time.Time{}:
	default:
	}
}

func (s *supervising) nextNews() (any, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.news) == 0 {
		return nil, false
	}
	e := s.news[0]
	s.news = s.news[1:]
	return e, true
}

func (s *supervising) run() error {
	defer func() {
		if !s.state.over { // a panic: nobody will look after them
			for _, pid := range s.pids {
				s.p.sys.Exit(pid, StoppedBySupervisor)
			}
		}
	}()
	alarm := time.AfterFunc(time.Hour, s.poke)
	defer alarm.Stop()
	s.step(superBegin{})
	for !s.state.over {
		if !s.state.ending && s.p.mustStop() {
			s.step(superStop{s.p.cause()})
			continue
		}
		if e, ok := s.nextNews(); ok {
			s.step(e)
			continue
		}
		if !s.state.ending {
			var m Message
			if s.p.next(&m) {
				s.request(m)
				continue
			}
			sealed := s.p.box.door == doorSealed
			s.p.box.mu.Unlock()
			if sealed {
				s.p.stop(s.p.sealedFor())
				continue
			}
		}
		alarm.Stop()
		if at := s.state.alarm(); at != 0 {
			alarm.Reset(at - time.Since(s.begun))
		}
		if s.state.ending {
			<-s.poked // mail is not read any more
		} else {
			s.p.sleep(waitingMail, s.poked)
		}
		s.step(superTimer{})
	}
	return s.state.cause
}

// request is a piece of mail.
func (s *supervising) request(m Message) {
	ask := s.asked + 1
	var event any
	switch r := m.body.(type) {
	case startChild:
		event = childAdd{ask, r.spec}
	case terminateChild:
		event = childTerminate{ask, r.name}
	case restartChild:
		event = childRestart{ask, r.name}
	case deleteChild:
		event = childDelete{ask, r.name}
	case whichChildren:
		_ = s.p.Reply(m, s.list())
		return
	default:
		s.p.sys.DeadLetter(DeadLetter{From: m.From, To: s.p.pid, Type: m.Type(), Term: m.Term, Reason: DeadUnhandled})
		m.call().fail(&RemoteError{Text: "a supervisor handles no " + m.Type()})
		return
	}
	s.asked = ask
	s.asks[ask] = m
	s.step(event)
}

func (s *supervising) list() []ChildInfo {
	all := make([]ChildInfo, 0, len(s.state.children))
	for _, c := range s.state.children {
		i := ChildInfo{Name: c.spec.Name, State: c.phase, Reason: c.reason, Stuck: c.stuck}
		if c.phase != ChildDown {
			i.PID = s.pids[c.run]
		}
		all = append(all, i)
	}
	return all
}

func (s *supervising) step(event any) {
	actions := s.state.step(event, time.Since(s.begun))
	if e, ok := event.(childEnded); ok {
		delete(s.pids, e.run)
	}
	log := s.p.sys.cfg.Logger
	for _, a := range actions {
		switch a := a.(type) {
		case childStart:
			s.start(a.child.spec, a.run)
		case childExit:
			s.p.sys.Exit(s.pids[a.child.run], StoppedBySupervisor)
		case childStuck:
			log.Error("a supervised process was told to stop and does not return",
				"supervisor", s.p.pid, "child", a.child.spec.Name, "pid", s.pids[a.child.run])
		case childAgain:
			log.Warn("a supervised process ended and is restarted",
				"supervisor", s.p.pid, "child", a.child.spec.Name, "reason", a.child.reason, "in", a.in)
		case childAnswer:
			s.answer(a)
		case superUp:
			s.p.Started()
		}
	}
}

func (s *supervising) answer(a childAnswer) {
	m := s.asks[a.ask]
	delete(s.asks, a.ask)
	var body any = childDone{}
	if a.err != nil {
		body = a.err
	} else if a.child != nil {
		body = s.pids[a.child.run]
	}
	_ = s.p.Reply(m, body) // its caller may wait no longer
}

// start spawns an instance. Its end comes as news, also if it cannot be spawned.
func (s *supervising) start(c Child, run uint64) {
	var own spawning // what the child's options want called
	for _, o := range c.Options {
		o(&own)
	}
	opts := append(c.Options[:len(c.Options):len(c.Options)], OnExit(func(pid PID, reason error) {
		if own.onExit != nil {
			own.onExit(pid, reason)
		}
		s.tell(childEnded{run, reason})
	}), func(o *spawning) { o.traits |= isKept })
	if c.Handler != nil {
		h, err := s.handler(c)
		if err != nil {
			s.tell(childEnded{run, err})
			return
		}
		s.pids[run] = s.p.SpawnHandler(h, opts...)
		return
	}
	code := c.Start
	if c.Supervisor != nil {
		code = func(p *Process) error { return newSupervising(p, *c.Supervisor).run() } // it is complete
	}
	s.pids[run] = s.p.Spawn(func(p *Process) error {
		p.mu.Lock()
		p.tiesLocked().started = func() { s.tell(childStarted{run}) }
		p.mu.Unlock()
		return code(p)
	}, opts...)
}

// handler makes the Handler of one run. A panic ends the child, not the supervisor.
func (s *supervising) handler(c Child) (h Handler, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v}
		} else if h == nil {
			err = fmt.Errorf("child %q: its Handler made none", c.Name)
		}
	}()
	return c.Handler(), nil
}

// Started says that a supervised process is ready: see [Child].StartTimeout. It
// does nothing in a process that no supervisor waits for.
func (p *Process) Started() {
	p.mu.Lock()
	var f func()
	if p.ties != nil {
		f, p.ties.started = p.ties.started, nil
	}
	p.mu.Unlock()
	if f != nil {
		f()
	}
}
