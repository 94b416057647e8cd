//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"conclave/internal/child"
	"conclave/internal/zktest"
	"conclave/node"
	"conclave/task"
)

// servers is how many ZooKeeper has.
const servers = 3

// recovery is how long everything may take to be as it should after a failure.
const recovery = 60 * time.Second

// world is all that a run has started.
type world struct {
	options
	self      string // this program
	zk        *zktest.Ensemble
	receiver  *place
	submitter *place
	workers   []*place
	n         *node.Node  // the driver's own, which neither works nor dispatches
	q         *task.Queue // its part in the scope
	gauge     *gauge
	notes     *notes
	log       *os.File // of the driver's node
	r         *rand.Rand
	began     time.Time
	wrong     []string // what went wrong beside the tasks

	dispatched, lost int // of runs that are over: terms that they began, times they lost their tasks
}

// build starts everything but the submitter.
func build(ctx context.Context, o options) (w *world, err error) {
	w = &world{options: o, r: rand.New(rand.NewPCG(o.seed, 0)), began: time.Now(), receiver: &place{name: "receiver"}, submitter: &place{name: "submitter"}}
	defer func() {
		if err != nil {
			w.tearDown()
		}
	}()
	if w.self, err = os.Executable(); err != nil {
		return w, err
	}
	if err := w.files(ctx); err != nil {
		return w, err
	}
	if w.zk, err = zktest.NewEnsemble(o.keep, servers, zktest.Tick(w.tick)); err != nil {
		return w, err
	}
	if err := w.launch(w.receiver, "receiver", false); err != nil {
		return w, err
	}
	if !child.Await(ctx, recovery, func() bool { return w.receiver.p.heard().address != "" }) {
		return w, errors.New("the receiver does not come up")
	}
	for i := range w.options.workers {
		w.workers = append(w.workers, &place{name: fmt.Sprintf("w%d", i+1)})
	}
	for i, at := range w.workers {
		if err := w.launchWorker(at, w.ticks || i%2 == 0); err != nil {
			return w, err
		}
	}
	log, err := os.OpenFile(filepath.Join(w.dir, "driver.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return w, err
	}
	w.log = log
	cfg := node.Config{Name: "driver", ZooKeeper: w.zk.Addrs(), SessionTimeout: w.session, Logger: logger(log)}
	if w.n, w.q, err = join(ctx, cfg, task.Config{Parts: max(w.parts, 1), NoDispatch: true}); err != nil {
		return w, err
	}
	w.gauge = watch(w.q)
	return w, nil
}

// files makes the folder of the story, and the guard's program.
func (w *world) files(ctx context.Context) (err error) {
	if w.dir == "" {
		w.dir, err = os.MkdirTemp("", "taskrun-")
	} else if err = os.MkdirAll(w.dir, 0o755); err == nil {
		if old, _ := filepath.Glob(filepath.Join(w.dir, "*"+storyFile)); len(old) > 0 {
			err = fmt.Errorf("-dir %s has the story of another run: %s", w.dir, old[0])
		}
	}
	if err != nil {
		return err
	}
	if w.conclave == "" {
		if w.conclave, err = child.BuildGuard(ctx, w.dir); err != nil {
			return err
		}
	}
	w.notes, err = openNotes(filepath.Join(w.dir, "driver"+storyFile))
	return err
}

// submit starts the submitter. Its last wave comes before the failures end.
func (w *world) submit() error {
	return w.launch(w.submitter, "submitter", false, "-seed", strconv.FormatUint(w.seed, 10), "-tasks", strconv.Itoa(w.tasks),
		"-clerks", strconv.Itoa(w.clerks), "-span", (w.length * 4 / 5).String())
}

// tearDown ends all that still runs.
func (w *world) tearDown() {
	if w.gauge != nil {
		w.gauge.stop()
	}
	for _, at := range append([]*place{w.submitter, w.receiver}, w.workers...) {
		if at.p != nil {
			at.p.End()
		}
	}
	if w.n != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		w.q.Close(ctx)
		w.n.Stop(ctx)
	}
	if w.zk != nil {
		w.zk.StopAll()
	}
	if w.log != nil {
		w.log.Close()
	}
}

// blame notes that something is wrong that no task tells.
func (w *world) blame(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.wrong = append(w.wrong, text)
	fmt.Println("WRONG:", text)
}

// dispatcher is where the scope is dispatched from, as far as the workers have
// told.
func (w *world) dispatcher() (found *place) {
	var since time.Time
	for _, at := range w.workers {
		if began := at.p.heard().dispatching; at.p.alive() && began.After(since) {
			found, since = at, began
		}
	}
	return found
}

// settled says whether every worker works and somebody dispatches.
func (w *world) settled() bool {
	for _, at := range w.workers {
		if !at.p.alive() || !at.p.heard().ready {
			return false
		}
	}
	return w.dispatcher() != nil
}

// revive starts again who does not run.
func (w *world) revive() {
	for _, at := range w.workers {
		if at.p.alive() {
			continue
		}
		w.bury(at)
		if err := w.launchWorker(at, w.ticks || w.r.IntN(2) == 0); err != nil {
			w.blame("%v", err)
		}
	}
}

// bury takes leave of a run of a worker that is over.
func (w *world) bury(at *place) {
	p := at.p
	if !p.Doomed() {
		w.blame("%s has ended, and nobody killed it: see %s.log", filepath.Base(p.path), p.path)
	}
	p.Hush()
	select {
	case <-p.Ended(): // with its guard
	case <-time.After(5 * time.Second):
		w.blame("the guard of %s, which has ended, goes on", filepath.Base(p.path))
		p.KillGuard()
	}
	v := p.heard()
	w.dispatched += v.begun
	w.lost += v.lost
}

// leave stops the workers in order.
func (w *world) leave(ctx context.Context) {
	for _, at := range w.workers {
		at.p.Doom()
		at.p.Tell("stop")
	}
	for _, at := range w.workers {
		if !child.Await(ctx, 20*time.Second, func() bool { return !at.p.alive() }) {
			w.blame("%s does not stop", filepath.Base(at.p.path))
			continue
		}
		w.bury(at)
	}
}

// guard is the world's guardian of a process, for people.
func guard(p *child.Process) string {
	if p.Guarded() {
		return "guarded"
	}
	return "no guard"
}
