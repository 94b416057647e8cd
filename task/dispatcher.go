package task

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
	"conclave/node"
)

// dispatcher runs one term of a dispatcher, of a scope or a part of one: it feeds a
// table with what it hears, commits what has changed, and says what there is to say.
// Nothing else writes its records.
type dispatcher struct {
	n     *node.Node
	area  area
	cfg   Config
	store Store

	p       *actor.Process
	ctx     context.Context // of commits: p, but for the last ones
	self    actor.PID
	table   *table
	log     Log
	watched map[actor.PID]actor.Ref

	couriers couriers
}

// run is its code: the holder of a global's, or the process of a part's owner.
func (d *dispatcher) run(p *actor.Process) (err error) {
	d = &dispatcher{n: d.n, area: d.area, cfg: d.cfg, store: d.store, p: p, ctx: p, self: p.Self(), watched: make(map[actor.PID]actor.Ref)}
	d.tell(Event{Kind: DispatcherBegan})
	defer func() { d.tell(Event{Kind: DispatcherEnded, Err: err}) }()

	d.table = newTable(boundsOf(d.cfg, d.area, d.n.ID().Name, p.Term().Number()), d.cfg.Strategy.Begin())
	loading := d.table.loading()
	if d.log, err = d.store.Open(p, p.Term(), loading.take); err != nil {
		return d.ended(err)
	}
	loading.finish(d.now())
	p.Spawn(d.watchWorkers, actor.Linked(), actor.Endless())
	for {
		d.table.prepare(d.now())
		over := d.gather()
		moves := errors.Is(over, actor.Normal)
		switch {
		case moves:
			defer d.finish()()
		case over != nil:
			return d.ended(over)
		}
		d.table.settle(d.now())
		if err := d.commit(); err != nil {
			return d.ended(err)
		}
		if moves && len(d.table.rest) == 0 {
			d.couriers.wait(d.ctx)
			return over
		}
	}
}

// finishing is how long the last commits may take.
const finishing = 5 * time.Second

// finish is for a part that moves in order: what was accepted is committed and answered
// under the term that lasts, although p, which has read all its mail, must end. Nobody
// who waits is left without an answer: he asks the next dispatcher.
func (d *dispatcher) finish() (done func()) {
	d.table.dismiss()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.p), finishing)
	d.ctx = ctx
	return cancel
}

// tell tells of what happens here.
func (d *dispatcher) tell(e Event) {
	e.Scope, e.Part = d.area.scope, d.area.part
	d.cfg.tell(e)
}

// now is the time as records have it.
func (d *dispatcher) now() int64 { return d.cfg.clock().UnixMilli() }

// ended is err, or why the term is over if that is behind it.
func (d *dispatcher) ended(err error) error {
	if d.p.Err() != nil {
		return context.Cause(d.p)
	}
	return fmt.Errorf("task: dispatcher of %s: %w", d.area, err)
}

// gather waits for news, or until something is due, and takes in all that is there.
func (d *dispatcher) gather() error {
	if d.table.full() {
		return nil
	}
	m, err := d.receive()
	if errors.Is(err, actor.ErrTimeout) {
		return nil
	}
	for n := 0; err == nil; n++ {
		d.take(m)
		if d.table.full() {
			return nil
		}
		if n == 0 {
			runtime.Gosched() // let those who are about to write do it: one commit for all
		}
		if m, err = d.p.ReceiveTimeout(0); errors.Is(err, actor.ErrTimeout) {
			return nil
		}
	}
	return err
}

// receive waits for the next message. The wall clock, which says when tasks and
// ticks are due, may be set while it waits: so it looks every second.
func (d *dispatcher) receive() (actor.Message, error) {
	due := d.table.due()
	if !d.table.idle() {
		return d.p.ReceiveTimeout(0)
	}
	if due == 0 {
		return d.p.Receive()
	}
	wait := time.Duration(due-d.now()) * time.Millisecond
	return d.p.ReceiveTimeout(max(0, min(wait, time.Second)))
}

// take gives the table a message.
func (d *dispatcher) take(m actor.Message) {
	n := &news{from: m.From}
	if m.IsCall() {
		n.call = m
	}
	switch {
	case body[submitCall](m, n), body[outcomes](m, n), body[awaitCall](m, n), body[hello](m, n), body[progressed](m, n),
		body[changeCall](m, n), body[showCall](m, n), body[listCall](m, n), body[statusCall](m, n),
		body[scheduleCall](m, n), body[schedulesCall](m, n):
	default:
		if down, is := actor.As[actor.Down](m); is {
			delete(d.watched, down.PID)
			n.body = unreachable{pid: down.PID}
			break
		}
		if all, is := actor.As[listing](m); is && m.From.SameNode(d.self) {
			d.monitor(all)
			n.body = all
			break
		}
		if m.IsCall() {
			d.table.answer(m, fmt.Errorf("task: the dispatcher of %s, on %s, knows of no %s: is it an older version?", d.area, d.self.Node().Name, m.Type()))
		}
		return // a stranger's mail, or of a later version
	}
	d.table.step(n, d.now())
}

// body reads a message as a *T.
func body[T any](m actor.Message, n *news) bool {
	b, is := actor.As[*T](m)
	if is && b != nil {
		n.body = b
	}
	return is && b != nil
}

// monitor has us told when mail to a worker may have been lost.
func (d *dispatcher) monitor(all listing) {
	there := make(map[actor.PID]bool, len(all))
	for _, w := range all {
		there[w.pid] = true
		if _, is := d.watched[w.pid]; !is {
			d.watched[w.pid] = d.p.Monitor(w.pid)
		}
	}
	for pid, ref := range d.watched {
		if !there[pid] {
			d.p.Demonitor(ref)
			delete(d.watched, pid)
		}
	}
}

// commit makes durable what has changed, and then says what there is to say. A
// worker that turns out to be gone is given nothing; the rest is tried again.
func (d *dispatcher) commit() error {
	for {
		changes, workers := d.table.changes()
		if len(changes) > 0 {
			if err := d.p.CheckTerm(); err != nil {
				return err
			}
			err := d.log.Commit(d.ctx, changes, workers)
			var gone *WorkerGoneError
			if errors.As(err, &gone) {
				d.table.workerGone(gone.Worker)
				d.table.recover()
				d.table.give()
				continue
			}
			if err != nil {
				return err
			}
			d.table.counts.Commits++
			d.table.counts.Changes += uint64(len(changes))
		}
		out, events := d.table.committed()
		d.say(out)
		for _, e := range events {
			d.tell(e)
		}
		return nil
	}
}

// sayWait is how long mail may wait for room on its way to a worker. One whose host
// stands still is not waited for: the scope goes on without it.
const sayWait = 20 * time.Millisecond

func (d *dispatcher) say(out []message) {
	var jammed map[actor.PID]bool
	var abroad []message
	for _, m := range out {
		if m.call != nil {
			if m.call.(actor.Message).From.SameNode(d.self) {
				m.reply(d.p)
			} else {
				abroad = append(abroad, m)
			}
			continue
		}
		if jammed[m.to] {
			continue
		}
		if err := d.send(m.to, m.body); errors.Is(err, actor.ErrTimeout) { // what was lost a greeting mends
			if jammed == nil {
				jammed = make(map[actor.PID]bool)
			}
			jammed[m.to] = true
			d.table.step(&news{body: unreachable{pid: m.to, jammed: true}}, d.now())
		}
	}
	d.couriers.answer(d.p, abroad)
}

// send sends mail. Tasks that are too many for one message go in several.
func (d *dispatcher) send(to actor.PID, body any) error {
	err := d.p.Within(sayWait).Send(to, body)
	a, is := body.(*assign)
	if !is || len(a.Tasks) < 2 || !errors.Is(err, node.ErrTooLarge) {
		return err
	}
	half := len(a.Tasks) / 2
	if err = d.send(to, &assign{a.Worker, a.Tasks[:half:half]}); err == nil {
		err = d.send(to, &assign{a.Worker, a.Tasks[half:]})
	}
	return err
}

// watchWorkers tells the dispatcher which workers there are, at first and after
// every change. It ends with it, both ways.
func (d *dispatcher) watchWorkers(p *actor.Process) error {
	k := d.n.Keeper()
	dir := d.area.workers(k.Paths())
	known := make(map[string]listedWorker)
	for {
		s, err := k.Session(p)
		if err != nil {
			return err
		}
		changed := make(chan struct{}, 1)
		wake := func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		}
		names, err := d.workerNames(p, s, dir, wake)
		if err == nil {
			err = d.listWorkers(p, s, names, known, wake)
		}
		pause := time.NewTimer(listAgain)
		if err != nil {
			pause.Reset(100 * time.Millisecond)
		}
		select {
		case <-changed:
		case <-s.Done():
		case <-pause.C: // the slow sweep: a watch may have been lost
		case <-p.Done():
			pause.Stop()
			return context.Cause(p)
		}
		pause.Stop()
	}
}

// listAgain is how often the workers are listed although nothing seems to have
// changed.
const listAgain = 30 * time.Second

// workerNames lists the workers' znodes. What this dispatcher sees must not be
// older than its term: its session has written since it began.
func (d *dispatcher) workerNames(p *actor.Process, s *keeper.Session, dir string, wake func()) ([]string, error) {
	names, _, err := s.Children(p, dir, wake)
	if !errors.Is(err, keeper.ErrNoNode) {
		return names, err
	}
	// Nobody has worked here yet: the first worker will make it.
	if _, there, err := s.Exists(p, dir, wake); err != nil || there {
		wake()
		return nil, err
	}
	return nil, nil
}

// listWorkers reads who the workers are and tells the dispatcher.
func (d *dispatcher) listWorkers(p *actor.Process, s *keeper.Session, names []string, known map[string]listedWorker, wake func()) error {
	slices.Sort(names)
	var all listing
	for _, name := range names {
		w, is := known[name]
		if !is {
			data, stat, err := s.Get(p, d.area.workers(d.n.Keeper().Paths())+"/"+name, nil)
			if errors.Is(err, keeper.ErrNoNode) {
				wake() // gone meanwhile: list again
				continue
			}
			if err != nil {
				return err
			}
			w = listedWorker{name: name}
			if w.pid, err = actor.ParsePID(string(data)); err != nil || stat.EphemeralOwner == 0 {
				d.tell(Event{Kind: Skipped, Err: fmt.Errorf("worker znode %q is not of ours", name)})
				w.pid = actor.PID{}
			}
			w.node = w.pid.Node().Name
			known[name] = w
		}
		if !w.pid.IsZero() {
			all = append(all, w)
		}
	}
	for name := range known {
		if !slices.Contains(names, name) {
			delete(known, name)
		}
	}
	return p.Send(d.self, all)
}
