//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"conclave/internal/child"
)

// place is where a member lives: its name stays when its program is started again.
// p is the run that is under way, or nil.
type place struct {
	name string
	runs int
	p    *process
}

// process is one run of a member.
type process struct {
	*child.Process
	path string // of its files, without what tells them apart

	mu          sync.Mutex
	address     string
	ready       bool
	dispatching time.Time // since when it has last begun to; zero: it does not
	terms       int       // in which it does, one for each part
	begun, lost int
	submitted   int
	finished    bool
}

// launch starts a member in a mode.
func (w *world) launch(at *place, mode string, guarded bool, args ...string) error {
	at.runs++
	p := &process{path: filepath.Join(w.dir, fmt.Sprintf("%s-%d", at.name, at.runs))}
	plan := child.Plan{
		Name: at.name, Mark: p.path + storyFile, Log: p.path + ".log", Hear: p.hear,
		Args: append([]string{w.self, mode}, args...),
	}
	// Every command line has the mark in it: workers write no notes, they have it
	// as the name of their run.
	switch mode {
	case "worker":
		plan.Args = append(plan.Args, "-life", p.path+storyFile)
	default:
		plan.Args = append(plan.Args, "-notes", p.path+storyFile)
	}
	if mode != "receiver" {
		plan.Args = append(plan.Args, "-name", at.name, "-zk", strings.Join(w.zk.Addrs(), ","), "-session-timeout", w.session.String(), "-parts", strconv.Itoa(max(w.parts, 1)))
	}
	if guarded {
		plan.Guard = []string{w.conclave, "guard", "--"}
	}
	var err error
	if p.Process, err = child.Start(plan); err == nil {
		at.p = p
	}
	return err
}

// launchWorker starts a worker.
func (w *world) launchWorker(at *place, guarded bool) error {
	args := []string{"-receiver", w.receiver.p.heard().address}
	if at == w.workers[0] || at == w.workers[2%len(w.workers)] {
		args = append(args, "-weighs")
	}
	return w.launch(at, "worker", guarded, args...)
}

// hear takes what the member says.
func (p *process) hear(text []byte) {
	var v said
	if json.Unmarshal(text, &v) != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if v.Address != "" {
		p.address = v.Address
	}
	p.ready = p.ready || v.Ready
	p.finished = p.finished || v.Finished
	p.submitted = max(p.submitted, v.Submitted)
	switch v.Dispatcher {
	case "began":
		p.dispatching = time.Now()
		p.begun++
		p.terms++
	case "ended":
		if p.terms--; p.terms == 0 {
			p.dispatching = time.Time{}
		}
	}
	if v.Lost {
		p.lost++
	}
}

// state is what a member has told so far.
type state struct {
	address         string
	ready, finished bool
	dispatching     time.Time
	begun, lost     int
	submitted       int
}

func (p *process) heard() state {
	p.mu.Lock()
	defer p.mu.Unlock()
	return state{p.address, p.ready, p.finished, p.dispatching, p.begun, p.lost, p.submitted}
}

// alive says whether the member runs, be it stopped, or is about to.
func (p *process) alive() bool { return p != nil && p.Alive() }
