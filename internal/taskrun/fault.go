//go:build linux

package main

import (
	"conclave/internal/child"
	"context"
	"errors"
	"fmt"
	"time"
)

// fault is one kind of failure.
type fault struct {
	kind   string
	weight int
	// begin makes it happen to somebody, and says to whom and how it ends.
	begin func(w *world) (*spell, error)
}

// spell is one failure that is under way.
type spell struct {
	what  string        // to whom it happens
	lasts time.Duration // before end is called
	end   func() error
}

var errNobodyThere = errors.New("nobody it could happen to")

var faults = []fault{
	{"worker killed", 6, killWorker},
	{"worker stopped, under T/2", 2, stopWorker(0.05, 0.5)},
	{"worker stopped, over T", 4, stopWorker(1.3, 2)},
	{"dispatcher killed", 6, killDispatcher},
	{"dispatcher stopped, under T/2", 2, stopDispatcher(0.05, 0.5)},
	{"dispatcher stopped, over T", 4, stopDispatcher(1.3, 2)},
	{"two workers killed", 2, killTwo},
	{"ZooKeeper server killed", 4, killServer},
	{"ZooKeeper's leader killed", 2, killLeader},
}

// between is a random part of T.
func (w *world) between(least, most float64) time.Duration {
	return time.Duration(float64(w.session) * (least + (most-least)*w.r.Float64()))
}

func nothing() error { return nil }

// other is a worker that is not the dispatcher.
func (w *world) other(not ...*place) *place {
	not = append(not, w.dispatcher())
	for _, i := range w.r.Perm(len(w.workers)) {
		at := w.workers[i]
		fits := at.p.alive() && at.p.heard().ready
		for _, n := range not {
			fits = fits && at != n
		}
		if fits {
			return at
		}
	}
	return nil
}

func (w *world) kill(places ...*place) (*spell, error) {
	s := &spell{lasts: w.between(0, 0.7), end: nothing}
	for _, at := range places {
		if at == nil {
			return nil, errNobodyThere
		}
		s.what += fmt.Sprintf("%s (%s) ", at.name, guard(at.p.Process))
		if err := at.p.Kill(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (w *world) stop(at *place, least, most float64) (*spell, error) {
	if at == nil {
		return nil, errNobodyThere
	}
	p := at.p
	s := &spell{what: at.name, lasts: w.between(least, most), end: func() error { p.Resume(); return nil }}
	return s, p.Pause()
}

func killWorker(w *world) (*spell, error)     { return w.kill(w.other()) }
func killDispatcher(w *world) (*spell, error) { return w.kill(w.dispatcher()) }

// killTwo kills one worker and, if there are more, another or the dispatcher.
func killTwo(w *world) (*spell, error) {
	first, second := w.other(), w.dispatcher()
	if third := w.other(first); third != nil && w.r.IntN(2) == 0 {
		second = third
	}
	return w.kill(first, second)
}

func stopWorker(least, most float64) func(*world) (*spell, error) {
	return func(w *world) (*spell, error) { return w.stop(w.other(), least, most) }
}

func stopDispatcher(least, most float64) func(*world) (*spell, error) {
	return func(w *world) (*spell, error) { return w.stop(w.dispatcher(), least, most) }
}

func killServer(w *world) (*spell, error) { return w.killServer(w.r.IntN(servers)) }

func killLeader(w *world) (*spell, error) {
	leader, err := w.zk.Leader()
	if err != nil {
		return nil, err
	}
	return w.killServer(leader)
}

func (w *world) killServer(i int) (*spell, error) {
	what := fmt.Sprint("server ", i)
	if leader, err := w.zk.Leader(); err == nil && leader == i {
		what += ", the leader"
	}
	w.zk.Kill(i)
	return &spell{what: what, lasts: w.between(0.2, 1.5), end: func() error { return w.zk.Restart(i) }}, nil
}

// chaos lets failures happen until so is true, and says how many of each did.
func (w *world) chaos(ctx context.Context, over func() bool) map[string]int {
	past := make(map[string]int)
	var pack []fault
	for !over() && ctx.Err() == nil {
		if len(pack) == 0 {
			for _, f := range faults {
				for range f.weight {
					pack = append(pack, f)
				}
			}
			w.r.Shuffle(len(pack), func(i, j int) { pack[i], pack[j] = pack[j], pack[i] })
		}
		f := pack[0]
		pack = pack[1:]
		if w.strike(ctx, f) {
			past[f.kind]++
		}
	}
	return past
}

// strike lets one failure happen and end. It says false if there was nobody it
// could happen to.
func (w *world) strike(ctx context.Context, f fault) bool {
	s, err := f.begin(w)
	if err != nil {
		if s != nil {
			err = errors.Join(err, s.end())
		}
		if !errors.Is(err, errNobodyThere) && ctx.Err() == nil {
			w.blame("%s: %v", f.kind, err)
		}
		child.Pause(ctx, 20*time.Millisecond)
		w.revive()
		return false
	}
	text := fmt.Sprintf("%7.1fs  %-30s %s, for %v", time.Since(w.began).Seconds(), f.kind, s.what, s.lasts.Round(time.Millisecond))
	fmt.Println(text)
	w.note(line{What: lineFault, Text: text})
	child.Pause(ctx, s.lasts)
	if err := s.end(); err != nil {
		w.blame("%s: %v", f.kind, err)
	}
	w.revive()
	// Now and then the next comes before all have recovered from this one.
	if w.r.IntN(3) > 0 && !child.Await(ctx, recovery, w.settled) && ctx.Err() == nil {
		w.blame("%v after %s not every worker works, or nobody dispatches", recovery, f.kind)
	}
	child.Pause(ctx, w.between(0, 0.3))
	return true
}

func (w *world) note(l line) {
	if err := w.notes.put(l); err != nil {
		w.blame("a note is lost: %v", err)
	}
}
