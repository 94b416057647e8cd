package task

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
)

// permit is what a worker runs tasks by: a znode of its own, and the lease on it.
// While the lease lasts the znode is there, so the dispatcher gives what this
// worker has to nobody else. A lease that has ended never comes back: what runs is
// told to stop, and when it has, or has been given Config.Grace for it, the znode
// is deleted and another permit is made, under another name.
type permit struct {
	guid  string
	path  string
	pid   actor.PID // the loop that it tells of
	lease *keeper.Lease

	// The loop's own.
	lost     bool
	linger   time.Time // all has returned; until then the outcomes may be recorded
	removing bool
}

// What comes into the inbox about permits.
type (
	permitted  struct{ permit *permit }
	leaseEnded struct {
		permit *permit
		cause  error
	}
	removed struct{} // nothing is left of the last one
)

// settling is how long the outcomes of a permit that is over are waited for: what
// the dispatcher has not recorded when the znode goes, it takes for a failure.
const settling = 2 * time.Second

// obtain deletes an old permit's znode, if there is one, and makes a new one. It
// does not wait.
func (w *worker) obtain(old string) {
	w.making = true
	pid := w.p.Self()
	wanted := w.leaving == nil
	go func() {
		if old != "" && w.remove(old) != nil {
			return
		}
		if wanted {
			if pm := w.make(pid); pm != nil && !w.post(permitted{pm}) {
				pm.lease.Release()
			}
			return
		}
		w.post(removed{})
	}()
}

// permitted takes a new permit.
func (w *worker) permitted(pm *permit) {
	w.discard()
	w.making, w.permit = false, pm
	context.AfterFunc(pm.lease.Context(), func() { w.post(leaseEnded{pm, context.Cause(pm.lease.Context())}) })
	if pm.pid != w.p.Self() {
		w.lose(pm, errors.New("the worker's loop has failed"))
		return
	}
	w.cfg.tell(Event{Kind: WorkerBegan, Scope: w.scope, Part: w.area.part})
	w.reports.changed = true
}

// lose ends a permit before its time: what it was for must stop.
func (w *worker) lose(pm *permit, cause error) {
	if pm != w.permit || pm.lost {
		return
	}
	pm.lost = true
	pm.lease.Release()
	w.cfg.tell(Event{Kind: WorkerLost, Scope: w.scope, Part: w.area.part, Err: cause})
	w.releaseQueue()
	for r := range w.live {
		if r.permit == pm {
			r.stop(fmt.Errorf("%w: %w", ErrLost, cause))
		}
	}
	w.reports.changed, w.reports.urgent = true, true
}

// windDown lets a permit go that is over, once nothing runs under it any more. It
// says true when the worker has left.
func (w *worker) windDown(now time.Time) (left bool) {
	pm := w.permit
	switch {
	case pm == nil:
		return w.leaving != nil && !w.making
	case pm.removing, !pm.lost && w.leaving == nil:
		return false
	}
	for r := range w.live {
		if r.permit == pm && !r.stuck {
			return false
		}
	}
	if pm.linger.IsZero() && (pm.lost || w.leaving.hurried || len(w.tasks) == 0) {
		pm.linger = now.Add(settling)
	}
	heard := len(w.tasks) == 0 && (pm.lost || w.leaving.known || w.reports.dispatcher.IsZero())
	if !heard && (pm.linger.IsZero() || now.Before(pm.linger)) {
		return false // the dispatcher does not know all that it should
	}
	if w.leaving != nil && (len(w.tasks) > 0 || w.stuck > 0) {
		w.left = fmt.Errorf("task: the worker of %q has left: %d handlers have not returned, of %d tasks the dispatcher does not know how they ended", w.scope, w.stuck, len(w.tasks))
	}
	pm.lost, pm.removing = true, true
	pm.lease.Release()
	w.obtain(pm.path)
	return false
}

// discard forgets what the last permit was for.
func (w *worker) discard() {
	for id, r := range w.tasks {
		delete(w.tasks, id)
		r.settled(fmt.Errorf("%w: its outcome may have been recorded before that", ErrLost))
	}
	w.reports.unsent, w.queue = nil, nil
	w.permit = nil
}

// removed says that there is no znode any more, and none is being made.
func (w *worker) removed() {
	w.making = false
	w.discard()
}

// make makes a permit, however long it takes; nil: the worker has ended.
func (w *worker) make(pid actor.PID) *permit {
	told := ""
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		s, err := w.session()
		if err != nil {
			return nil
		}
		guid := rand.Text()
		if w.name != "" {
			guid = w.name + "." + guid
		}
		pm := &permit{guid: guid, path: w.area.worker(w.n.Keeper().Paths(), guid), pid: pid}
		if err = w.create(s, pm.path, []byte(pid.String())); err == nil {
			if pm.lease, err = s.Claim(w.alive, pm.path); err == nil {
				return pm
			}
		}
		text := err.Error()
		if op := (*keeper.OpError)(nil); errors.As(err, &op) {
			text = op.Err.Error() // without the znode's name, which is another each time
		}
		if text != told && w.alive.Err() == nil && !errors.Is(err, keeper.ErrSessionLost) {
			told = text
			w.cfg.Logger.Warn("a worker's znode cannot be had", "scope", w.scope, "error", err)
		}
		if w.remove(pm.path) != nil || !w.pause(pause) {
			return nil
		}
	}
}

// create makes the znode, and what it goes under if need be. A try whose outcome
// is unknown is tried again, in the same session: nobody else makes this znode, so
// if it is there, it is ours.
func (w *worker) create(s *keeper.Session, path string, data []byte) error {
	paths := w.n.Keeper().Paths()
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		_, err := s.Create(w.alive, path, data, keeper.Ephemeral)
		if errors.Is(err, keeper.ErrNoNode) {
			for _, parent := range append(w.area.ground(paths), znode{w.area.workers(paths), nil}) {
				if _, err = s.Create(w.alive, parent.path, parent.data, keeper.Persistent); err != nil && !errors.Is(err, keeper.ErrNodeExists) {
					break
				}
			}
			if err == nil || errors.Is(err, keeper.ErrNodeExists) {
				continue
			}
		}
		switch {
		case err == nil, errors.Is(err, keeper.ErrNodeExists):
			return nil
		case s.Err() != nil, !errors.Is(err, keeper.ErrUnknownOutcome) && !errors.Is(err, keeper.ErrNotConnected):
			return err
		case !w.pause(pause):
			return err
		}
	}
}

// remove deletes a znode, however long it takes; the error says that the worker has
// ended. It need not be of this session: one that we have given up may live on, and
// its tasks would wait for its end.
func (w *worker) remove(path string) error {
	told := false
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		s, err := w.session()
		if err != nil {
			return err
		}
		if err = s.Sync(w.alive, path); err == nil { // a create that nobody knows the outcome of is decided then
			if err = s.Delete(w.alive, path, keeper.AnyVersion); err == nil || errors.Is(err, keeper.ErrNoNode) {
				return nil
			}
		}
		if errors.Is(err, keeper.ErrNoAuth) && !told {
			told = true
			w.cfg.Logger.Warn("a worker's znode cannot be deleted", "scope", w.scope, "error", err)
		}
		if !w.pause(pause) {
			return w.alive.Err()
		}
	}
}

const (
	minPause = 20 * time.Millisecond
	maxPause = 2 * time.Second
)

// session waits for a session that is not over.
func (w *worker) session() (*keeper.Session, error) {
	for {
		s, err := w.n.Keeper().Session(w.alive)
		if err != nil || s.Err() == nil {
			return s, err
		}
		if !w.pause(time.Millisecond) {
			return nil, w.alive.Err()
		}
	}
}

// pause says false if the worker has ended.
func (w *worker) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-w.alive.Done():
		return false
	}
}
