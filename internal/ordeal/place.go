//go:build linux

package ordeal

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"conclave/history"
	"conclave/internal/child"
	"conclave/internal/netns"
)

// Place is where a program lives: its name and its host stay when the program is
// started again. P is the run that is under way, or the last, or nil.
type Place struct {
	Name string
	Host *netns.Host // nil: this machine's loopback
	Runs int
	P    *Process
	// Args are the program's own, beside what it gets in any case; nil: none.
	Args func(path string) []string
	// Hear takes what it says beside its history.
	Hear func(p *Process, line []byte)
}

// Process is one run of a program.
type Process struct {
	*child.Process
	Path string // of its files, without what tells them apart

	hearMore func(p *Process, line []byte)

	mu      sync.Mutex
	opened  history.Event
	holding map[string]history.Event // the Began of each name it holds
}

// Launch starts the program of a place.
func (w *World) Launch(at *Place, guarded bool) error {
	at.Runs++
	p := &Process{
		Path:     filepath.Join(w.Dir, fmt.Sprintf("%s-%d", at.Name, at.Runs)),
		holding:  map[string]history.Event{},
		hearMore: at.Hear,
	}
	listen, enter := "127.0.0.1:0", (func() error)(nil)
	if at.Host != nil {
		listen, enter = at.Host.IP+":0", at.Host.Enter
	}
	plan := child.Plan{
		Name: at.Name, Mark: p.Path + HistoryFile, Log: p.Path + ".log", Enter: enter, Hear: p.hear,
		Args: []string{w.self, w.Mode, "-name", at.Name, "-listen", listen, "-zk", strings.Join(w.ZK.Addrs(), ","),
			"-session-timeout", w.Session.String(), "-history", p.Path + HistoryFile},
	}
	if at.Args != nil {
		plan.Args = append(plan.Args, at.Args(p.Path)...)
	}
	if guarded {
		plan.Guard = []string{w.Conclave, "guard", "-history", p.Path + "-guard" + HistoryFile, "--"}
	}
	var err error
	if p.Process, err = child.Start(plan); err != nil {
		return err
	}
	at.P = p
	return nil
}

// hear takes what the program says.
func (p *Process) hear(line []byte) {
	var said history.Event
	if json.Unmarshal(line, &said) != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch said.Kind {
	case history.Opened:
		p.opened = said
	case history.Began:
		p.holding[said.Name] = said
	case history.Ended:
		if p.holding[said.Name].Number == said.Number {
			delete(p.holding, said.Name)
		}
	default:
		if p.hearMore != nil {
			p.hearMore(p, line)
		}
	}
}

// Alive says whether the program runs, be it stopped, or is about to.
func (p *Process) Alive() bool { return p != nil && p.Process.Alive() }

// Ready says whether its record has begun.
func (p *Process) Ready() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.PID() != 0 && p.opened.Node != ""
}

// Node is its node's incarnation, as histories have it; "" before it has told.
func (p *Process) Node() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opened.Node
}

// Holds are the terms that it holds, as far as it has told.
func (p *Process) Holds() map[string]history.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.holding)
}

// Holder is where a name is held, as far as the programs have told, and under
// which term.
func (w *World) Holder(name string) (found *Place, term history.Event) {
	for _, at := range w.Places {
		if !at.P.Alive() {
			continue
		}
		at.P.mu.Lock()
		e, ok := at.P.holding[name]
		at.P.mu.Unlock()
		if ok && e.Number > term.Number {
			found, term = at, e
		}
	}
	return found, term
}

// Kill ends a program as kill -9 does. It is stopped first, in the midst of
// whatever it does, for nothing but a time of death that can be relied on: from
// then on it does not do anything any more, and nobody can know of it earlier. Of
// one that has a guard, that is the witness.
func (w *World) Kill(p *Process) error {
	if err := p.Pause(); err != nil {
		return err
	}
	if !p.Guarded() {
		w.witness(p)
	}
	if err := p.Process.Kill(); err != nil {
		return err
	}
	p.mu.Lock()
	clear(p.holding)
	p.mu.Unlock()
	return nil
}

// witness records that the node acts no more.
func (w *World) witness(p *Process) {
	p.mu.Lock()
	e := p.opened
	p.mu.Unlock()
	e.Kind, e.At, e.Wall = history.Died, w.Clock(), time.Now().Round(0)
	if e.Node != "" {
		w.record.Record(e)
	}
}

// Revive starts again those programs that do not run, of the places that are to be
// lived in.
func (w *World) Revive(places []*Place, guarded func() bool) {
	for _, at := range places {
		if at.P.Alive() {
			continue
		}
		w.bury(at.P)
		if err := w.Launch(at, guarded()); err != nil {
			w.Blame("%v", err)
		}
	}
}

// bury makes sure that nothing is left of a run, and that it is not over by itself.
func (w *World) bury(p *Process) {
	if p == nil {
		return
	}
	if !p.Doomed() {
		w.Blame("%s has ended, and nobody killed it: see %s.log", filepath.Base(p.Path), p.Path)
	}
	p.Hush()
	select {
	case <-p.Ended(): // with its guard
	case <-time.After(5 * time.Second):
		w.Blame("the guard of %s, which has ended, goes on", filepath.Base(p.Path))
		p.KillGuard()
	}
}

// Leave stops all programs in order.
func (w *World) Leave(ctx context.Context) {
	for _, at := range w.Places {
		if at.P.Alive() {
			at.P.Doom()
			at.P.Tell("stop")
		}
	}
	for _, at := range w.Places {
		if !child.Await(ctx, Recovery, func() bool { return !at.P.Alive() }) {
			w.Blame("%s does not stop", filepath.Base(at.P.Path))
		}
	}
}
