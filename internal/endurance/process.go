//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"conclave/history"
	"conclave/internal/child"
	"conclave/internal/netns"
)

// place is where a member lives: its name and its host stay when its program is
// started again. p is the run that is under way, or nil.
type place struct {
	name string
	host *netns.Host // nil: this machine's loopback
	runs int
	p    *process
}

// process is one run of a member.
type process struct {
	*child.Process
	path string // of its files, without what tells them apart

	mu      sync.Mutex
	opened  history.Event
	holding map[string]history.Event // the Began of each name it holds
}

// launch starts a member.
func (w *world) launch(at *place, guarded bool) (*process, error) {
	at.runs++
	p := &process{
		path:    filepath.Join(w.dir, fmt.Sprintf("%s-%d", at.name, at.runs)),
		holding: map[string]history.Event{},
	}
	listen, enter := "127.0.0.1:0", (func() error)(nil)
	if at.host != nil {
		listen, enter = at.host.IP+":0", at.host.Enter
	}
	plan := child.Plan{
		Name: at.name, Mark: p.path + historyFile, Log: p.path + ".log", Enter: enter, Hear: p.hear,
		Args: []string{w.self, memberMode, "-name", at.name, "-listen", listen, "-zk", strings.Join(w.zk.Addrs(), ","),
			"-session-timeout", w.session.String(), "-history", p.path + historyFile, "-notes", p.path + ".notes"},
	}
	if guarded {
		plan.Guard = []string{w.conclave, "guard", "-history", p.path + "-guard" + historyFile, "--"}
	}
	var err error
	if p.Process, err = child.Start(plan); err != nil {
		return nil, err
	}
	at.p = p
	return p, nil
}

// hear takes what the member says.
func (p *process) hear(line []byte) {
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
	}
}

// alive says whether the node runs, be it stopped, or is about to.
func (p *process) alive() bool { return p != nil && p.Alive() }

// ready says whether its record has begun.
func (p *process) ready() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.PID() != 0 && p.opened.Node != ""
}

// holds are the terms that it holds, as far as it has told.
func (p *process) holds() map[string]history.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := map[string]history.Event{}
	for name, e := range p.holding {
		all[name] = e
	}
	return all
}

// kill ends the node as kill -9 does. It is stopped first, in the midst of
// whatever it does, for nothing but a time of death that can be relied on: from
// then on it does not do anything any more, and nobody can know of it earlier. Of
// one that has a guard, that is the witness.
func (w *world) kill(p *process) error {
	if err := p.Pause(); err != nil {
		return err
	}
	if !p.Guarded() {
		w.witness(p)
	}
	if err := p.Kill(); err != nil {
		return err
	}
	p.mu.Lock()
	clear(p.holding)
	p.mu.Unlock()
	return nil
}

// witness records that the node acts no more.
func (w *world) witness(p *process) {
	p.mu.Lock()
	e := p.opened
	p.mu.Unlock()
	e.Kind, e.At, e.Wall = history.Died, w.clock(), time.Now().Round(0)
	if e.Node != "" {
		w.record.Record(e)
	}
}
