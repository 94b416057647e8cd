package task_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"conclave/codec"
	"conclave/conclavetest"
	"conclave/node"
	"conclave/task"
	"conclave/zkdev"
)

// How long sessions last in a scene, and the unit in which they expire.
const (
	session = 10 * time.Second
	tick    = time.Second
	// expiry is when a session is over at the latest, after the last sign of life.
	expiry = session + tick*3/2
	// patience is how long a scene waits for what has to come.
	patience = 5 * time.Minute
)

const (
	shop       = "shop"
	dispatcher = "task:" + shop
)

// handler is a task.Handler that has its own entry in the scene's book.
type handler func(ctx context.Context, t *task.Task, y *try) error

// cast says who does what in a scene. Nil: all nodes.
type cast struct {
	cfg      task.Config
	dispatch []int
	work     []int
	kinds    map[string]handler
	slots    int
}

// scene is a scope on the nodes of a cluster, and the book of all that its
// handlers have done.
type scene struct {
	*conclavetest.Cluster
	cast cast

	mu     sync.Mutex
	seq    int
	queues map[*conclavetest.Node]*task.Queue
	book   []*try
	events []happening
	client *task.Queue
	guest  *conclavetest.Node
}

// try is one run of a handler.
type try struct {
	id, key string
	attempt int
	fence   uint64
	node    *conclavetest.Node

	began, over, ended moment // over: its context had ended before it returned
	cause              error  // with which it had
	err                error  // what it returned
}

// moment is a time, and a number that orders what happens at the same time. Zero:
// it has not come.
type moment struct {
	at  time.Duration
	seq int
}

// happening is an event of the scope on one node.
type happening struct {
	node *conclavetest.Node
	at   time.Duration
	task.Event
}

func (y *try) String() string {
	return fmt.Sprintf("attempt %d of %s on %s with fence %d, from %v", y.attempt, y.id, y.node, y.fence, y.began.at)
}

// play opens the scope on all nodes, and lets a guest be the client.
func play(c *conclavetest.Cluster, as cast) *scene {
	c.Helper()
	s := &scene{Cluster: c, cast: as, queues: make(map[*conclavetest.Node]*task.Queue)}
	c.Setup(s.enter)
	s.guest = c.Guest("client")
	s.client = s.open(s.guest, func(*task.Config) {})
	return s
}

func plays(nodes []int, i int) bool { return nodes == nil || slices.Contains(nodes, i) }

// enter is what a node does when it starts.
func (s *scene) enter(n *conclavetest.Node) {
	q := s.open(n, func(cfg *task.Config) { cfg.NoDispatch = !plays(s.cast.dispatch, n.Index()) })
	if q == nil || !plays(s.cast.work, n.Index()) {
		return
	}
	for kind, h := range s.cast.kinds {
		s.handle(n, kind, h)
	}
}

func (s *scene) open(n *conclavetest.Node, change func(*task.Config)) *task.Queue {
	s.Helper()
	cfg := s.cast.cfg
	cfg.Logger = slog.New(slog.DiscardHandler)
	cfg.OnEvent = func(e task.Event) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.events = append(s.events, happening{n, s.Now(), e})
	}
	change(&cfg)
	q, err := task.Open(n.Node, shop, cfg)
	if err != nil {
		s.Errorf("open %q on %s: %v", shop, n, err)
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queues[n] = q
	return q
}

// queue is the scope on node i, as it runs now.
func (s *scene) queue(i int) *task.Queue {
	s.Helper()
	n := s.Node(i)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queues[n]
}

// handle lets a node do a kind, by the book.
func (s *scene) handle(n *conclavetest.Node, kind string, h handler) {
	s.Helper()
	s.mu.Lock()
	q := s.queues[n]
	s.mu.Unlock()
	err := q.Handle(kind, func(ctx context.Context, t *task.Task) (err error) {
		y := &try{id: t.ID(), key: t.Key(), attempt: t.Attempt(), fence: t.Fence(), node: n}
		s.mu.Lock()
		y.began = s.moment()
		s.book = append(s.book, y)
		s.mu.Unlock()
		note := func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if ctx.Err() != nil && y.over.seq == 0 && y.ended.seq == 0 {
				y.over, y.cause = s.moment(), context.Cause(ctx)
			}
		}
		defer context.AfterFunc(ctx, note)()
		defer func() {
			note()
			s.mu.Lock()
			defer s.mu.Unlock()
			y.ended, y.err = s.moment(), err
		}()
		return h(ctx, t, y)
	}, s.cast.slots)
	if err != nil && n.Running() {
		s.Errorf("handle %q on %s: %v", kind, n, err)
	}
}

// moment is now. s.mu is held.
func (s *scene) moment() moment {
	s.seq++
	return moment{s.Now(), s.seq}
}

// tries are those of a task so far, in the order in which they began; of all tasks
// for "".
func (s *scene) tries(id string) (all []try) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, y := range s.book {
		if id == "" || y.id == id {
			all = append(all, *y)
		}
	}
	return all
}

// told are the events of a kind so far.
func (s *scene) told(kind task.EventKind) (all []happening) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if e.Kind == kind {
			all = append(all, e)
		}
	}
	return all
}

// begun waits for the n-th try of a task.
func (s *scene) begun(id string, n int) try {
	s.Helper()
	s.Await(fmt.Sprintf("try %d of %s", n, id), func() bool { return len(s.tries(id)) >= n })
	return s.tries(id)[n-1]
}

func (s *scene) within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(s.Context(), patience)
}

// submit has the client submit, which must succeed.
func (s *scene) submit(specs ...task.Spec) []string {
	s.Helper()
	ctx, cancel := s.within()
	defer cancel()
	ids, err := s.client.SubmitAll(ctx, specs...)
	if err != nil {
		s.Fatalf("submit: %v", err)
	}
	return ids
}

// wait waits for the end of a task, which must be done.
func (s *scene) wait(id string) task.Result {
	s.Helper()
	r, err := s.outcome(id)
	if err != nil {
		s.Fatalf("%s: %v", id, err)
	}
	return r
}

// outcome waits for the end of a task.
func (s *scene) outcome(id string) (task.Result, error) {
	ctx, cancel := s.within()
	defer cancel()
	return s.client.Wait(ctx, id)
}

// get is what is recorded of a task.
func (s *scene) get(id string) task.Details {
	s.Helper()
	ctx, cancel := s.within()
	defer cancel()
	d, err := s.client.Get(ctx, id)
	if err != nil {
		s.Fatalf("%s: %v", id, err)
	}
	return d
}

func (s *scene) status() task.Status {
	s.Helper()
	ctx, cancel := s.within()
	defer cancel()
	status, err := s.client.Status(ctx)
	if err != nil {
		s.Fatal(err)
	}
	return status
}

// all is what is recorded, by id.
func (s *scene) all() map[string]task.Info {
	s.Helper()
	ctx, cancel := s.within()
	defer cancel()
	found, after := make(map[string]task.Info), ""
	for {
		page, err := s.client.List(ctx, task.Filter{After: after, Limit: 1000})
		if err != nil {
			s.Fatal(err)
		}
		for _, i := range page {
			found[i.ID], after = i, i.ID
		}
		if len(page) < 1000 {
			return found
		}
	}
}

// wellDone wants that a task is done, after so many tries.
func (s *scene) wellDone(id string, tries int) {
	s.Helper()
	if d := s.get(id); d.State != task.Done || d.Attempt != tries {
		s.Errorf("%s is %s after attempt %d (%s), not done after %d", id, d.State, d.Attempt, d.Error, tries)
	}
	if n := len(s.tries(id)); n != tries {
		s.Errorf("%s was run %d times, not %d", id, n, tries)
	}
}

// quiet wants that nothing is live, and that it stays so.
func (s *scene) quiet() {
	s.Helper()
	s.AwaitWithin(patience, "nothing is live", func() bool { return s.status().Live == 0 })
	before := len(s.tries(""))
	time.Sleep(2 * time.Minute) // more than any greeting, sweep or session takes
	if status := s.status(); status.Live != 0 {
		s.Errorf("%d tasks are live again: %v", status.Live, status.States)
	}
	if now := len(s.tries("")); now != before {
		s.Errorf("%d handlers have run although nothing was live", now-before)
	}
}

// A rule is about what the book says when all is over.
type rule func(s *scene, all []try) []string

// follow wants that rules hold.
func (s *scene) follow(rules ...rule) {
	s.Helper()
	all := s.tries("")
	for _, r := range rules {
		for i, p := range r(s, all) {
			if i == 10 {
				s.Errorf("and more")
				break
			}
			s.Error(p)
		}
	}
}

// risingFences: each try of a task has a higher attempt and a higher fence than
// those that began before it. No two tries have the same fence.
func risingFences(_ *scene, all []try) (found []string) {
	last, owner := make(map[string]try), make(map[uint64]try)
	for _, y := range all {
		if l, is := last[y.id]; is && (y.attempt <= l.attempt || y.fence <= l.fence) {
			found = append(found, fmt.Sprintf("%v came after %v", &y, &l))
		}
		if o, is := owner[y.fence]; is {
			found = append(found, fmt.Sprintf("%v has the fence of %v", &y, &o))
		}
		last[y.id], owner[y.fence] = y, y
	}
	return found
}

// neverTwo: no two tries of a task, or of tasks with one key, were under way at a
// time. It holds for handlers that return when their context ends, as long as no
// session is ended before its time.
func neverTwo(_ *scene, all []try) (found []string) {
	last := make(map[string]try)
	for _, y := range all {
		for _, name := range []string{"task " + y.id, "key " + y.key} {
			if name == "key " {
				continue
			}
			if l, is := last[name]; is && (l.ended.seq == 0 || l.ended.seq > y.began.seq) {
				found = append(found, fmt.Sprintf("%s: %v, while there was %v, which ended at %v", name, &y, &l, l.ended.at))
			}
			last[name] = y
		}
	}
	return found
}

// inOrder: the tasks of one key begin in the order in which they were submitted,
// and none again when one behind it has begun.
func inOrder(order map[string][]string) rule {
	return func(_ *scene, all []try) (found []string) {
		at := make(map[string]int)
		for _, y := range all {
			switch p := slices.Index(order[y.key], y.id); {
			case y.key == "":
			case p < at[y.key]:
				found = append(found, fmt.Sprintf("key %s: %v, after one of %s", y.key, &y, order[y.key][at[y.key]]))
			default:
				at[y.key] = p
			}
		}
		return found
	}
}

// doneOnce: all of these are done in the record, and nothing else is in it; and the
// attempt that the record names is the last one that ran.
func (s *scene) doneOnce(ids ...string) {
	s.Helper()
	record := s.all()
	for _, id := range ids {
		i, there := record[id]
		tries := s.tries(id)
		switch {
		case !there:
			s.Errorf("%s is not in the record", id)
		case i.State != task.Done:
			s.Errorf("%s is %s after attempt %d: %s", id, i.State, i.Attempt, i.Error)
		case len(tries) == 0 || tries[len(tries)-1].attempt != i.Attempt:
			s.Errorf("%s was done by attempt %d, of %v", id, i.Attempt, tries)
		}
		delete(record, id)
	}
	for id := range record {
		s.Errorf("%s is in the record, and nobody has submitted it", id)
	}
}

// commits has f decide about every commit of the scope's dispatchers, which it
// numbers from 1. It runs under the server's lock.
func (s *scene) commits(f func(n int, session int64) zkdev.Fault) (remove func()) {
	n := 0
	return s.ZooKeeper().Inject(func(r zkdev.Request) zkdev.Fault {
		if r.Op != "multi" || !slices.ContainsFunc(r.Paths, func(p string) bool { return strings.Contains(p, "/tasks/"+shop+"/journal/") }) {
			return zkdev.NoFault
		}
		n++
		return f(n, r.Session)
	})
}

// longLinks keeps links through a minute's silence: what was under way arrives.
func longLinks() conclavetest.Option {
	return conclavetest.Configure(func(_ string, cfg *node.Config) { cfg.Limits.LinkTimeout = 10 * time.Minute })
}

// doze waits, as a handler that heeds its context does.
func doze(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// taskBody reads the body of a task in the record.
func taskBody(d task.Details, into any) error { return codec.Decode(d.Type, d.Body, into) }
