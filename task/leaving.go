package task

import (
	"context"
	"fmt"
	"time"

	"conclave/actor"
)

// leaving is a worker's way out.
type leaving struct {
	known   bool // the dispatcher knows, and what it gave us before has come
	hurried bool // the time for it is over
}

// What comes into the inbox about it.
type (
	leave struct{}
	hurry struct{}
)

// close ends the worker in order. It takes nothing more; what runs is waited for
// as long as ctx lasts, then told to stop, and may take Config.Grace for that. When
// the dispatcher has recorded what became of everything, the znode is deleted. The
// error says what was not in order.
func (w *worker) close(ctx context.Context) error {
	w.mu.Lock()
	if !w.begun {
		w.begun = true
		w.mu.Unlock()
		w.finish(nil)
		return nil
	}
	w.mu.Unlock()
	w.post(leave{})
	select {
	case <-w.done:
		return w.left
	case <-ctx.Done():
	}
	w.post(hurry{})
	late := time.NewTimer(w.cfg.Grace + settling + time.Second)
	defer late.Stop()
	select {
	case <-w.done:
		return w.left
	case <-late.C: // the znode cannot be deleted now; it will be
		return fmt.Errorf("task: the worker of %q has not left yet: %w", w.scope, context.Cause(ctx))
	}
}

func (w *worker) leave() {
	if w.leaving != nil {
		return
	}
	w.leaving = &leaving{}
	for _, t := range w.takers {
		t.refuse(w.closed())
	}
	w.takers = nil
	w.releaseQueue()
	w.reports.changed, w.reports.urgent = true, true
	w.p.Spawn(w.await) // a node that drains waits for processes that are at work
}

// await is a process that is at work until the worker has left.
func (w *worker) await(p *actor.Process) error {
	select {
	case <-w.done:
	case <-p.Done():
	}
	return nil
}

func (w *worker) hurry() {
	w.leaving.hurried = true
	for r := range w.live {
		r.stop(ErrClosed)
	}
}
