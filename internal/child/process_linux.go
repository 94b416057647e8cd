package child

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
)

// Plan says what to start, and how.
type Plan struct {
	Name string   // for people
	Args []string // the program and its arguments
	// Mark is a part of the arguments that no other process has: a process id may
	// be given to others when its process is gone.
	Mark  string
	Guard []string     // what goes before Args, for one that has a guard; nil: none
	Log   string       // file for what it says on its standard error
	Enter func() error // brings the thread that starts it to its host; nil: it stays on this one
	Hear  func([]byte) // takes what it says after its Hello, one line at a time; nil: nobody does
}

// Process is one run of a program. Its methods may be called from any goroutine.
type Process struct {
	plan  Plan
	cmd   *exec.Cmd // of the guard, where there is one
	stdin io.WriteCloser
	ended chan struct{} // closed when cmd has

	mu      sync.Mutex
	pid     int  // of the program itself; 0: not known yet
	stopped bool // by SIGSTOP
	doomed  bool // it was killed, or told to stop
}

type hello struct {
	PID int `json:"process"`
}

// Hello is what a program says first.
func Hello() { _ = json.NewEncoder(os.Stdout).Encode(hello{os.Getpid()}) } // without a run it ends soon

// Start starts a program.
func Start(plan Plan) (*Process, error) {
	p := &Process{plan: plan, ended: make(chan struct{})}
	args := append(append([]string(nil), plan.Guard...), plan.Args...)
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log, err := os.OpenFile(plan.Log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
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
	go p.run(started)
	if err := <-started; err != nil {
		out.Close()
		in.Close()
		return nil, fmt.Errorf("start %s: %w", plan.Name, err)
	}
	go p.listen(out)
	return p, nil
}

// run starts the program and waits for its end.
func (p *Process) run(started chan<- error) {
	defer close(p.ended)
	// The kernel sends the death signal when the thread that started the child
	// ends, and a thread that has gone to a host must end with its goroutine.
	runtime.LockOSThread()
	if p.plan.Enter == nil {
		defer runtime.UnlockOSThread()
	} else if err := p.plan.Enter(); err != nil {
		started <- err
		return
	}
	err := p.cmd.Start()
	started <- err
	if err == nil {
		p.cmd.Wait()
	}
}

// listen takes what the program says.
func (p *Process) listen(out *os.File) {
	defer out.Close()
	for in := bufio.NewScanner(out); in.Scan(); {
		var said hello
		if json.Unmarshal(in.Bytes(), &said) == nil && said.PID != 0 {
			p.mu.Lock()
			p.pid = said.PID
			p.mu.Unlock()
			continue
		}
		if p.plan.Hear != nil {
			p.plan.Hear(in.Bytes())
		}
	}
}

// Alive says whether the program runs, be it stopped, or is about to. A guard may
// have died before it or live on after it.
func (p *Process) Alive() bool {
	if pid := p.PID(); pid != 0 {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		return strings.Contains(string(line), p.plan.Mark)
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// PID is the process id of the program itself, 0 while it has not told it.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pid
}

// Guarded says whether it has a guard that still lives.
func (p *Process) Guarded() bool {
	select {
	case <-p.ended:
		return false
	default:
		return p.plan.Guard != nil
	}
}

// Ended is closed when what was started has ended: the guard, where there is one.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Tell gives the program a line to read.
func (p *Process) Tell(order string) { io.WriteString(p.stdin, order+"\n") }

// Hush ends the program's standard input.
func (p *Process) Hush() { p.stdin.Close() }

// Doom notes that the program is to end, or has ended, because of us.
func (p *Process) Doom() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doomed = true
}

// Doomed says whether it was.
func (p *Process) Doomed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.doomed
}

// Pause stops the program where it is and returns when none of its threads runs.
func (p *Process) Pause() error {
	pid := p.PID()
	if pid == 0 || !p.Alive() {
		return fmt.Errorf("%s does not run", p.plan.Name)
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
			return fmt.Errorf("%s was told to pause and goes on", p.plan.Name)
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

// Resume ends Pause.
func (p *Process) Resume() {
	p.mu.Lock()
	paused, pid := p.stopped, p.pid
	p.stopped = false
	p.mu.Unlock()
	if paused && p.Alive() {
		syscall.Kill(pid, syscall.SIGCONT)
	}
}

// Kill ends the program as kill -9 does; its guard, if it has one, sees it.
func (p *Process) Kill() error {
	p.Doom()
	if !p.Alive() || p.PID() == 0 {
		return fmt.Errorf("%s does not run", p.plan.Name)
	}
	return syscall.Kill(p.PID(), syscall.SIGKILL)
}

// KillGuard ends what was started and waits for that: the guard, where there is
// one, and not the program.
func (p *Process) KillGuard() error {
	err := p.cmd.Process.Kill()
	<-p.ended
	return err
}

// End ends the program and its guard, whatever they do, and waits for that.
func (p *Process) End() {
	p.Hush()
	p.Kill()
	p.KillGuard()
}
