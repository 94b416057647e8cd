package task

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"conclave/actor"
	"conclave/node"
)

// worker runs the tasks of a scope on one node. A process, its loop, owns its
// state; what others want comes into its inbox, what the dispatcher says into the
// process's mailbox. Every attempt runs in a process of its own (running.go). What
// lets the worker run anything at all is its permit (permit.go).
type worker struct {
	n     *node.Node
	scope string
	cfg   Config
	area  area   // that it works for
	name  string // what its permits' names begin with, if it is one of several of its node
	room  *room  // whose slots it has to ask for then

	alive context.Context // ends with the worker, and with the node
	die   context.CancelFunc
	done  chan struct{} // closed at the end; left is set
	left  error         // what was not in order at the end

	mu           sync.Mutex
	inbox        []any
	pid          actor.PID // of the loop; zero: it does not run now
	poked        bool      // the loop will look into the inbox
	begun, ended bool

	// The loop's own.
	p         *actor.Process
	batch     []any // taken from the inbox and not looked at yet
	leaving   *leaving
	kinds     map[string]*kind
	takers    []*taker
	tasks     map[string]*attempt   // what it was given and has not settled with the dispatcher, by id
	live      map[*attempt]struct{} // those whose code has begun and not returned
	queue     []*attempt            // those that wait for a slot, in order
	crowdedAt time.Time             // when the first of them will have found no room for too long; zero: none
	review    bool                  // somebody in the queue may be without a handler now
	used      int                   // handlers that run, those included that are stuck
	stuck     int                   // handlers that do not return although they should
	leases    int                   // attempts that are in the hands of takers
	permit    *permit
	making    bool // a permit is being made, or one removed
	reports   reports
}

// kind is a kind of tasks that the worker can do, or has lately.
type kind struct {
	handler Handler // nil: only takers do it
	slots   int
	used    int // handlers of it that run
	stuck   int
	leases  int
	crowded bool // one of it has found no room on the node for long: no more are wanted
}

// What comes into the inbox, beside what attempts and permits have to say.
type (
	poke     struct{} // the mail that says that there is something
	handling struct {
		kind    string
		handler Handler // nil: no more
		slots   int
	}
)

// restartPause is how long a loop that has failed is left alone.
const restartPause = 100 * time.Millisecond

func newWorker(n *node.Node, scope string, cfg Config) *worker {
	w := &worker{
		n: n, scope: scope, cfg: cfg, area: area{scope: scope}, done: make(chan struct{}),
		kinds: make(map[string]*kind), tasks: make(map[string]*attempt), live: make(map[*attempt]struct{}),
	}
	w.alive, w.die = context.WithCancel(context.Background())
	w.reports.load = cfg.Load
	if w.reports.load == nil {
		w.reports.load = systemLoad
	}
	return w
}

// handle lets the worker do a kind, and replaces the handler if it does already.
// The first call begins the worker.
func (w *worker) handle(kind string, h Handler, slots int) error {
	return w.begin(handling{kind, h, slots})
}

// unhandle lets the worker begin no more tasks of a kind.
func (w *worker) unhandle(kind string) { w.post(handling{kind: kind}) }

// begin posts the first item, or another, and starts the loop if it never ran.
func (w *worker) begin(item any) error {
	if err := mayWork(w.n); err != nil {
		return err
	}
	w.mu.Lock()
	first := !w.begun
	w.begun = true
	w.mu.Unlock()
	if !w.post(item) {
		return w.closed()
	}
	if first {
		w.start()
	}
	return nil
}

// mayWork says why a node cannot work.
func mayWork(n *node.Node) error {
	if n.ID().Address == "" {
		return fmt.Errorf("task: node %s listens nowhere, so no dispatcher can give it tasks: guests do not work", n.ID().Name)
	}
	return nil
}

// works says whether it has ever begun.
func (w *worker) works() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.begun
}

func (w *worker) start() {
	// Its mailbox refuses, so that nobody who posts ever waits.
	w.n.Spawn(w.run, actor.OnExit(w.exited), actor.WithMailbox(actor.Mailbox{Limit: actor.DefaultMailboxLimit, Policy: actor.Refuse}))
}

// post hands the loop something. It never blocks. It says false when the worker has
// ended.
func (w *worker) post(item any) bool {
	w.mu.Lock()
	if w.ended {
		w.mu.Unlock()
		return false
	}
	w.inbox = append(w.inbox, item)
	pid := w.pid
	send := !w.poked && !pid.IsZero()
	if send {
		w.poked = true
	}
	w.mu.Unlock()
	if send {
		w.n.Send(pid, poke{}) // a full mailbox is as good: the loop looks after every message
	}
	return true
}

// run is the loop. One that fails is started again, and finds the state as it was.
func (w *worker) run(p *actor.Process) error {
	w.p = p
	w.mu.Lock()
	w.pid = p.Self()
	w.mu.Unlock()
	w.resume()
	const together = 1000 // so much mail is taken in before anything is said
	for {
		waited := false
		for range together {
			w.lookIn()
			m, err := p.ReceiveTimeout(0)
			switch {
			case err == nil:
				w.mail(m)
				continue
			case !errors.Is(err, actor.ErrTimeout):
				return err
			case !waited:
				waited = true
				runtime.Gosched() // let attempts end that are about to: one message for all
				continue
			}
			break
		}
		w.lookIn()
		now := time.Now()
		w.schedule()
		w.report(now)
		if w.windDown(now) {
			w.finish(w.left)
			return nil
		}
		m, err := w.next(now)
		if errors.Is(err, actor.ErrTimeout) {
			continue
		}
		if err != nil {
			return err
		}
		w.mail(m)
	}
}

// next waits for mail, or until something is due.
func (w *worker) next(now time.Time) (actor.Message, error) {
	due := w.reports.due(w, now)
	if pm := w.permit; pm != nil && !pm.removing && !pm.linger.IsZero() && pm.linger.Before(due) {
		due = pm.linger
	}
	if soon := now.Add(time.Millisecond); len(w.queue) > 0 && !w.crowdedAt.IsZero() && w.crowdedAt.Before(due) {
		due = w.crowdedAt
		if due.Before(soon) {
			due = soon
		}
	}
	return w.p.ReceiveTimeout(max(0, due.Sub(now)))
}

// resume begins, or goes on after a loop that has failed. Its permit told others
// the PID of that one, so it needs another.
func (w *worker) resume() {
	w.used, w.stuck, w.leases = 0, 0, 0
	for _, k := range w.kinds {
		k.used, k.stuck, k.leases = 0, 0, 0
	}
	for r := range w.live {
		w.occupy(r, +1)
	}
	w.reports.monitor = 0
	switch {
	case w.permit != nil:
		w.lose(w.permit, errors.New("the worker's loop has failed"))
	case !w.making:
		w.obtain("")
	}
}

// exited is told when the loop has ended.
func (w *worker) exited(_ actor.PID, reason error) {
	w.mu.Lock()
	w.pid, w.poked = actor.PID{}, false
	ended := w.ended
	w.mu.Unlock()
	switch {
	case ended:
	case errors.Is(reason, actor.Shutdown), errors.Is(reason, actor.ErrStopped):
		w.finish(reason)
	default:
		w.cfg.Logger.Error("the loop of a scope's worker has failed, and is started again", "scope", w.scope, "error", reason)
		time.AfterFunc(restartPause, w.start)
	}
}

// finish is the end. It is called by the loop, or when there is none any more.
func (w *worker) finish(left error) {
	w.mu.Lock()
	if w.ended {
		w.mu.Unlock()
		return
	}
	w.ended = true
	items := append(w.batch, w.inbox...)
	w.inbox = nil
	w.mu.Unlock()
	w.die()
	for _, item := range items {
		if t, is := item.(*taker); is {
			w.takers = append(w.takers, t)
		}
	}
	for _, t := range w.takers {
		t.refuse(w.closed())
	}
	for _, r := range w.tasks {
		r.settled(ErrLost)
	}
	if pm := w.permit; pm != nil {
		pm.lease.Release()
	}
	w.left = left
	close(w.done)
}

func (w *worker) closed() error { return fmt.Errorf("%w: scope %q", ErrClosed, w.scope) }

// lookIn takes in what is in the inbox.
func (w *worker) lookIn() {
	for {
		if len(w.batch) == 0 {
			w.mu.Lock()
			w.batch, w.inbox, w.poked = w.inbox, nil, false
			w.mu.Unlock()
		}
		if len(w.batch) == 0 {
			return
		}
		item := w.batch[0]
		w.batch = w.batch[1:] // first: it may make the loop fail
		w.takeItem(item)
	}
}

func (w *worker) takeItem(item any) {
	switch i := item.(type) {
	case returned:
		w.returned(i.r)
	case overdue:
		w.overdue(i.r)
	case saved:
		w.reports.saves = append(w.reports.saves, i.r)
	case handling:
		w.handling(i)
	case roomy:
		w.roomy()
	case *taker:
		w.taker(i)
	case untake:
		w.untake(i.t)
	case permitted:
		w.permitted(i.permit)
	case leaseEnded:
		w.lose(i.permit, i.cause)
	case removed:
		w.removed()
	case leave:
		w.leave()
	case hurry:
		w.hurry()
	}
}

// mail takes in a message.
func (w *worker) mail(m actor.Message) {
	if a, is := actor.As[*assign](m); is && a != nil {
		if w.heed(m) {
			w.assigned(m, a)
		}
	} else if r, is := actor.As[*recorded](m); is && r != nil {
		for _, v := range r.List {
			w.recorded(v)
		}
		if w.leaving != nil && len(r.List) == 0 {
			w.leaving.known = true
		}
	} else if _, is := actor.As[poke](m); is {
		return
	} else if a, is := actor.As[*abandon](m); is && a != nil {
		if w.heed(m) {
			for _, h := range a.List {
				w.abandoned(h, a.Why)
			}
		}
	} else if g, is := actor.As[*greet](m); is && g != nil {
		if g.Scope == w.scope && w.heed(m) {
			w.greeted(m.From)
		}
	} else if down, is := actor.As[actor.Down](m); is {
		w.unreached(down)
	}
}

func (w *worker) handling(h handling) {
	k := w.kind(h.kind)
	k.handler, k.slots, k.crowded = h.handler, h.slots, false
	w.tidy(h.kind)
	w.reports.changed, w.review = true, true
}

// kind is what is known of a kind.
func (w *worker) kind(name string) *kind {
	k := w.kinds[name]
	if k == nil {
		k = &kind{}
		w.kinds[name] = k
	}
	return k
}

// tidy forgets a kind that nobody does any more.
func (w *worker) tidy(name string) {
	if k := w.kinds[name]; k != nil && k.handler == nil && k.used == 0 && k.leases == 0 {
		delete(w.kinds, name)
	}
}
