package cron

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"conclave/actor"
)

// holder is the process that is active, in one term.
type holder struct {
	*job
	p       *actor.Process
	log     *slog.Logger
	agenda  agenda
	running map[actor.PID]Tick
	queued  *Tick
	skipped int // ticks, since it was last told
}

// hold is the code of a term.
func (j *job) hold(p *actor.Process) error {
	if !j.enter() {
		return context.Cause(j.life)
	}
	defer j.inside.Done()
	h := holder{
		job: j, p: p, log: p.Logger().With("cron", j.name),
		agenda:  agenda{j.table, j.now()},
		running: make(map[actor.PID]Tick),
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
				return err
			}
		}
		m, err := h.p.ReceiveTimeout(again)
		switch down, ended := actor.As[actor.Down](m); {
		case errors.Is(err, actor.ErrTimeout):
		case errors.Is(err, actor.ErrHandOver):
			return h.p.HandOver(h.agenda.last.Unix())
		case err != nil:
			return err
		case ended:
			if err := h.ended(down); err != nil {
				return ignoreStop(err)
			}
		}
	}
}

// ignoreStop withdraws when the order was to stop.
func ignoreStop(err error) error {
	if errors.Is(err, Stop) {
		return nil
	}
	return err
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
		return err
	}
	pid := h.p.Spawn(func(p *actor.Process) error {
		if !h.enter() {
			return context.Cause(h.life)
		}
		defer h.inside.Done()
		return h.work(p, t)
	}, actor.Monitored(nil))
	h.running[pid] = t
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
	t, ours := h.running[down.PID]
	if !ours {
		return nil
	}
	delete(h.running, down.PID)
	if h.skipped > 0 {
		h.log.Info("ticks were skipped while a run went on", "skipped", h.skipped, "run", t.ID())
		h.skipped = 0
	}
	switch {
	case errors.Is(down.Reason, Stop):
		h.end(Stop)
		return Stop
	case !errors.Is(down.Reason, actor.Normal):
		h.log.Error("a run failed", "tick", t.ID(), "err", down.Reason)
	}
	if next := h.queued; next != nil {
		h.queued = nil
		return h.start(*next)
	}
	return nil
}
