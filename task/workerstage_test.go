package task

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"conclave/actor"
	"conclave/conclavetest"
)

// stage is one worker, on node 0, and somebody who plays its dispatcher, on node 1.
type stage struct {
	*conclavetest.Cluster
	w    *worker
	boss actor.PID
	node *conclavetest.Node // the boss's

	mu       sync.Mutex
	silent   bool // outcomes are not acknowledged
	hellos   []*hello
	told     []outcome // in the order of their coming, repetitions included
	offered  []*hello  // the latest hello when each of them came
	messages int       // that outcomes came in
	progress []progressed
	events   []Event
	fence    uint64
}

// onStage runs f with a worker that does nothing yet.
func onStage(t *testing.T, cfg Config, f func(s *stage), opts ...conclavetest.Option) {
	t.Helper()
	conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
		s := &stage{Cluster: c, node: c.Node(1)}
		cfg, err := cfg.withDefaults()
		if err != nil {
			c.Fatal(err)
		}
		cfg.Logger = slog.New(slog.DiscardHandler)
		cfg.OnEvent = func(e Event) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.events = append(s.events, e)
		}
		s.w = newWorker(c.Node(0).Node, "s", cfg)
		s.enter()
		f(s)
	}, opts...)
}

// enter has a new boss come. It greets nobody yet.
func (s *stage) enter() {
	s.boss = s.node.Spawn(func(p *actor.Process) error {
		for {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			s.hear(p, m)
		}
	})
}

// order is something that the boss is to say.
type order struct {
	to   actor.PID
	body any
}

func (s *stage) hear(p *actor.Process, m actor.Message) {
	if o, is := actor.As[order](m); is {
		p.Send(o.to, o.body)
	} else if h, is := actor.As[*hello](m); is {
		s.mu.Lock()
		s.hellos = append(s.hellos, h)
		s.mu.Unlock()
		s.note(p, m.From, h.Outcomes)
		if len(h.Kinds) == 0 {
			p.Send(m.From, &recorded{})
		}
	} else if o, is := actor.As[*outcomes](m); is {
		s.note(p, m.From, o.List)
	} else if d, is := actor.As[*progressed](m); is {
		s.mu.Lock()
		s.progress = append(s.progress, *d)
		s.mu.Unlock()
	}
}

func (s *stage) note(p *actor.Process, from actor.PID, list []outcome) {
	if len(list) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages++
	s.told = append(s.told, list...)
	for range list {
		s.offered = append(s.offered, s.hellos[len(s.hellos)-1])
	}
	if s.silent {
		return
	}
	r := &recorded{}
	for _, o := range list {
		r.List = append(r.List, verdict{ID: o.ID, Fence: o.Fence})
	}
	p.Send(from, r)
}

func (s *stage) hush(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = on
}

// say has the boss say something to the worker.
func (s *stage) say(body any) {
	_, pid := s.znode()
	s.node.Send(s.boss, order{pid, body})
}

// znodes are the worker's znodes, and what is in them.
func (s *stage) znodes() map[string]actor.PID {
	s.Helper()
	ctx := s.Context()
	session, err := s.node.Keeper().Session(ctx)
	if err != nil {
		s.Fatal(err)
	}
	dir := s.node.Keeper().Paths().TaskWorkers("s")
	names, _, _ := session.Children(ctx, dir, nil)
	all := make(map[string]actor.PID)
	for _, name := range names {
		data, _, err := session.Get(ctx, dir+"/"+name, nil)
		if err != nil {
			continue
		}
		pid, err := actor.ParsePID(string(data))
		if err != nil {
			s.Errorf("znode %s: %v", name, err)
		}
		all[name] = pid
	}
	return all
}

// znode is the one that there should be; "" if there is none.
func (s *stage) znode() (guid string, pid actor.PID) {
	s.Helper()
	all := s.znodes()
	if len(all) > 1 {
		s.Errorf("%d znodes of one worker: %v", len(all), all)
	}
	for guid, pid = range all {
	}
	return guid, pid
}

// meet waits for a znode other than that, greets who is there, and waits for the
// hello.
func (s *stage) meet(but string) (guid string) {
	s.Helper()
	s.Await("a worker's znode", func() bool {
		guid, _ = s.znode()
		return guid != "" && guid != but
	})
	s.greet(guid)
	return guid
}

func (s *stage) greet(guid string) {
	s.Helper()
	s.say(&greet{Scope: "s"})
	s.Await("hello of "+guid, func() bool {
		h := s.last()
		return h != nil && h.Worker == guid
	})
}

// last is the latest hello.
func (s *stage) last() *hello {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.hellos) == 0 {
		return nil
	}
	return s.hellos[len(s.hellos)-1]
}

// give gives a task to the worker: to its present znode.
func (s *stage) give(kind, id string, change ...func(*assignment)) assignment {
	s.Helper()
	guid, _ := s.znode()
	return s.giveTo(guid, kind, id, change...)
}

func (s *stage) giveTo(guid, kind, id string, change ...func(*assignment)) assignment {
	s.Helper()
	s.fence++
	a := assignment{ID: id, Kind: kind, Fence: s.fence, Attempt: 1}
	for _, f := range change {
		f(&a)
	}
	s.say(&assign{Worker: guid, Tasks: []assignment{a}})
	return a
}

func within(d time.Duration) func(*assignment) {
	return func(a *assignment) { a.Timeout = d.Milliseconds() }
}

func beating(d time.Duration) func(*assignment) {
	return func(a *assignment) { a.Beat = d.Milliseconds() }
}

// outcomesOf are those of a task that were told.
func (s *stage) outcomesOf(a assignment) (all []outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.told {
		if o.ID == a.ID && o.Fence == a.Fence {
			all = append(all, o)
		}
	}
	return all
}

// ends waits for the outcome of a task.
func (s *stage) ends(a assignment) outcome {
	s.Helper()
	s.Await("the outcome of "+a.ID, func() bool { return len(s.outcomesOf(a)) > 0 })
	return s.outcomesOf(a)[0]
}

func (s *stage) endsAs(a assignment, want how) outcome {
	s.Helper()
	o := s.ends(a)
	if o.How != want {
		s.Fatalf("%s has ended as %d (%s), not %d", a.ID, o.How, o.Error, want)
	}
	return o
}

// happened counts events.
func (s *stage) happened(kind EventKind) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// handle has the worker handle a kind.
func (s *stage) handle(kind string, h Handler, slots ...int) {
	s.Helper()
	n := 0
	if len(slots) > 0 {
		n = slots[0]
	}
	if err := s.w.handle(kind, h, n); err != nil {
		s.Fatal(err)
	}
}

// leaves closes the worker.
func (s *stage) leaves(d time.Duration) error {
	ctx, cancel := context.WithTimeout(s.Context(), d)
	defer cancel()
	return s.w.close(ctx)
}

// rehearsal is a handler that tells what it goes through.
type rehearsal struct {
	mu    sync.Mutex
	runs  []*performance
	among int // at work now
	most  int
	deaf  bool // it does not heed its context
}

// performance is one run of it.
type performance struct {
	t      *Task
	ctx    context.Context
	began  time.Time
	ended  time.Time  // zero: it has not returned
	finish chan error // what to return
	sawEnd time.Time  // of ctx
	cause  error      // of ctx
}

func (r *rehearsal) handle(ctx context.Context, t *Task) error {
	p := &performance{t: t, ctx: ctx, began: time.Now(), finish: make(chan error, 1)}
	r.mu.Lock()
	r.runs = append(r.runs, p)
	r.among++
	r.most = max(r.most, r.among)
	deaf := r.deaf
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.among--
		p.ended = time.Now()
	}()
	var err error
	select {
	case err = <-p.finish:
	case <-ctx.Done():
		r.mu.Lock()
		p.sawEnd, p.cause = time.Now(), context.Cause(ctx)
		r.mu.Unlock()
		err = ctx.Err()
		if deaf {
			err = <-p.finish
		}
	}
	return err
}

// of are the runs of a task.
func (r *rehearsal) of(id string) (all []*performance) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.runs {
		if p.t.ID() == id {
			all = append(all, p)
		}
	}
	return all
}

// begins waits until a task has been begun so often, and returns the last run.
func (r *rehearsal) begins(s *stage, id string, times int) *performance {
	s.Helper()
	s.Await(fmt.Sprintf("%s to be begun %d times", id, times), func() bool { return len(r.of(id)) >= times })
	s.Settle()
	all := r.of(id)
	if len(all) != times {
		s.Fatalf("%s was begun %d times, not %d", id, len(all), times)
	}
	return all[times-1]
}

func (r *rehearsal) ended(p *performance) (at time.Time, cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return p.sawEnd, p.cause
}

// kindsOf is what a hello offers.
func kindsOf(h *hello) map[string]int {
	m := make(map[string]int)
	for _, o := range h.Kinds {
		m[o.Kind] = o.Slots
	}
	return m
}

func has(h *hello, a assignment) bool {
	return slices.Contains(h.Running, held{a.ID, a.Fence})
}

func goexit() { runtime.Goexit() }
