//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"conclave/history"
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
	name    string
	path    string // of its files, without what tells them apart
	guarded bool
	cmd     *exec.Cmd // of the guard, where there is one
	stdin   io.WriteCloser
	ended   chan struct{} // closed when cmd has

	mu      sync.Mutex
	pid     int // of the node's own process; 0: not known yet
	opened  history.Event
	holding map[string]history.Event // the Began of each name it holds
	stopped bool                     // by SIGSTOP
	doomed  bool                     // it was killed, or told to stop
}

// launch starts a member.
func (w *world) launch(at *place, guarded bool) (*process, error) {
	at.runs++
	p := &process{
		name:    at.name,
		path:    filepath.Join(w.dir, fmt.Sprintf("%s-%d", at.name, at.runs)),
		guarded: guarded,
		ended:   make(chan struct{}),
		holding: map[string]history.Event{},
	}
	listen := "127.0.0.1:0"
	if at.host != nil {
		listen = at.host.IP + ":0"
	}
	argv := []string{w.self, memberMode, "-name", at.name, "-listen", listen, "-zk", strings.Join(w.zk.Addrs(), ","),
		"-session-timeout", w.session.String(), "-history", p.path + historyFile, "-notes", p.path + ".notes"}
	if guarded {
		argv = append([]string{w.conclave, "guard", "-history", p.path + "-guard" + historyFile, "--"}, argv...)
	}
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log, err := os.OpenFile(p.path+".log", os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd.Stderr = log
	out, outEnd, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer outEnd.Close()
	p.cmd.Stdout = outEnd // a file: Wait does not wait for whoever has inherited it
	inEnd, in, err := os.Pipe()
	if err != nil {
		out.Close()
		return nil, err
	}
	defer inEnd.Close()
	p.cmd.Stdin, p.stdin = inEnd, in
	started := make(chan error)
	go func() {
		// The kernel sends the death signal when the thread that started the child
		// ends, and a thread that has gone to a host must end with its goroutine.
		runtime.LockOSThread()
		if at.host == nil {
			defer runtime.UnlockOSThread()
		}
		err := at.enter()
		if err == nil {
			err = p.cmd.Start()
		}
		started <- err
		if err == nil {
			p.cmd.Wait()
		}
		close(p.ended)
	}()
	if err := <-started; err != nil {
		out.Close()
		in.Close()
		return nil, fmt.Errorf("start %s: %w", at.name, err)
	}
	go p.listen(out)
	at.p = p
	return p, nil
}

func (at *place) enter() error {
	if at.host == nil {
		return nil
	}
	return at.host.Enter()
}

// listen takes what the member says.
func (p *process) listen(out *os.File) {
	defer out.Close()
	for in := bufio.NewScanner(out); in.Scan(); {
		var said struct {
			hello
			history.Event
		}
		if json.Unmarshal(in.Bytes(), &said) != nil {
			continue
		}
		p.mu.Lock()
		switch said.Kind {
		case "":
			p.pid = said.hello.PID
		case history.Opened:
			p.opened = said.Event
		case history.Began:
			p.holding[said.Name] = said.Event
		case history.Ended:
			if p.holding[said.Name].Number == said.Number {
				delete(p.holding, said.Name)
			}
		}
		p.mu.Unlock()
	}
}

// alive says whether the node runs, be it stopped, or is about to. A guard may
// have died before it or live on after it.
func (p *process) alive() bool {
	if p == nil {
		return false
	}
	if pid := p.node(); pid != 0 {
		// A process id may be given to others when its process is gone.
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		return strings.Contains(string(line), p.path+historyFile)
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// node is the process id of the node itself, if it has told it yet.
func (p *process) node() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pid
}

// ready says whether its record has begun.
func (p *process) ready() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pid != 0 && p.opened.Node != ""
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

func (p *process) tell(order string) { io.WriteString(p.stdin, order+"\n") }

// pause stops the node where it is and returns when none of its threads runs.
func (p *process) pause() error {
	pid := p.node()
	if pid == 0 || !p.alive() {
		return fmt.Errorf("%s does not run", p.name)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(100 * time.Microsecond) {
		if stoppedAll(pid) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s was told to pause and goes on", p.name)
		}
	}
}

func stoppedAll(pid int) bool {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, task := range tasks {
		stat, err := os.ReadFile(task)
		if err != nil {
			continue // that thread has ended
		}
		text := string(stat)
		if rest := text[strings.LastIndexByte(text, ')')+1:]; !strings.HasPrefix(rest, " T") {
			return false
		}
	}
	return len(tasks) > 0
}

// resume ends pause.
func (p *process) resume() {
	p.mu.Lock()
	paused, pid := p.stopped, p.pid
	p.stopped = false
	p.mu.Unlock()
	if paused && p.alive() {
		syscall.Kill(pid, syscall.SIGCONT)
	}
}

// kill ends the node as kill -9 does. It is stopped first, in the midst of
// whatever it does, for nothing but a time of death that can be relied on: from
// then on it does not do anything any more, and nobody can know of it earlier. Of
// one that has a guard, that is the witness.
func (w *world) kill(p *process) error {
	if err := p.pause(); err != nil {
		return err
	}
	if !guardedNow(p) {
		w.witness(p)
	}
	p.doom()
	if err := syscall.Kill(p.node(), syscall.SIGKILL); err != nil {
		return err
	}
	p.mu.Lock()
	clear(p.holding)
	p.mu.Unlock()
	return nil
}

// doom notes that p is to end, or has ended, because of us.
func (p *process) doom() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doomed = true
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
