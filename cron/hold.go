package cron

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"conclave/actor"
)

// holder is the process that is active, in one term.
type holder struct {
	*job
	p       *actor.Process
	log     *slog.Logger
	agenda  agenda
	running map[actor.PID]*begun
	queued  *Tick
	skipped int // ticks, since it was last told
}

// begun is one run. Its process may end before f is called.
type begun struct {
	tick    Tick
	claimed atomic.Bool // by the process, which calls f, or the holder, so that it does not
}

func (b *begun) claim() bool { return b.claimed.CompareAndSwap(false, true) }

// hold is the code of a term.
func (j *job) hold(p *actor.Process) error {
	if !j.enter() {
		return context.Cause(j.life)
	}
	defer j.inside.Done()
	h := holder{
		job: j, p: p, log: p.Logger().With("cron", j.name),
		agenda:  agenda{j.table, j.now()},
		running: make(map[actor.PID]*begun),
	}
	if last, ok := actor.Inherited[int64](p); ok {
		h.agenda.last = time.Unix(last, 0)
	}
	return h.loop()
}

func (h *holder) loop() error {
	for {
		tick, due, again := h.agenda.look(h.now())
		if due {
			if err := h.due(Tick{tick, h.p.Term()}); err != nil {
				return h.over(err)
			}
		}
		m, err := h.p.ReceiveTimeout(again)
		switch down, ended := actor.As[actor.Down](m); {
		case errors.Is(err, actor.ErrTimeout):
		case err != nil:
			return h.over(err)
		case ended:
			if err := h.ended(down); err != nil {
				return h.over(err)
			}
		}
	}
}

// over is the end of the term, for that reason. It withdraws when the order was to
// stop. When the name is handed over, the next one is told how far this one was: up to
// the first tick that it has kept, or that was not begun after all.
func (h *holder) over(why error) error {
	switch {
	case errors.Is(why, Stop):
		return nil
	case !errors.Is(why, actor.ErrHandOver):
		return why
	}
	last := h.agenda.last
	back := func(t Tick) {
		if !t.Time.After(last) {
			last = t.Time.Add(-time.Second)
		}
	}
	if h.queued != nil {
		back(*h.queued)
	}
	for _, b := range h.running {
		if b.claim() {
			back(b.tick)
		}
	}
	return h.p.HandOver(last.Unix())
}

// due runs a tick, or keeps it, or passes over it.
func (h *holder) due(t Tick) error {
	switch {
	case len(h.running) < h.parallel:
		return h.start(t)
	case h.queue && h.queued == nil:
		h.queued = &t
	case h.queue:
		h.queued = &t
		h.skipped++
	default:
		h.skipped++
	}
	return nil
}

// start begins a run, unless the lease has lapsed: after a pause nobody may have
// been told yet.
func (h *holder) start(t Tick) error {
	if err := h.p.CheckTerm(); err != nil {
		h.queued = &t
		return err
	}
	b := &begun{tick: t}
	pid := h.p.Spawn(func(p *actor.Process) error {
		if !b.claim() {
			return nil
		}
		if !h.enter() {
			return context.Cause(h.life)
		}
		defer h.inside.Done()
		err := h.work(p, t)
		if errors.Is(err, Stop) { // here, as the term may be over, and the holder not hear of it
			h.end(Stop)
		}
		return err
	}, actor.Monitored(nil))
	h.running[pid] = b
	return nil
}

// work is one run.
func (j *job) work(p *actor.Process, t Tick) error {
	ctx := context.Context(p)
	if j.timeout > 0 {
		limited, cancel := context.WithTimeout(p, j.timeout)
		defer cancel()
		ctx = limited
	}
	return j.f(run{ctx, p, t})
}

// ended takes note of the end of a run. The error is Stop, if f has said so, or that
// of the next one's start.
func (h *holder) ended(down actor.Down) error {
	b, ours := h.running[down.PID]
	if !ours {
		return nil
	}
	delete(h.running, down.PID)
	if b.claim() { // the term has ended as it was spawned, or somebody has killed it
		return h.start(b.tick)
	}
	if h.skipped > 0 {
		h.log.Info("ticks were skipped while a run went on", "skipped", h.skipped, "run", b.tick.ID())
		h.skipped = 0
	}
	switch {
	case errors.Is(down.Reason, Stop):
		return Stop
	case !errors.Is(down.Reason, actor.Normal):
		h.log.Error("a run failed", "tick", b.tick.ID(), "err", down.Reason)
	}
	if next := h.queued; next != nil {
		h.queued = nil
		return h.start(*next)
	}
	return nil
}
