package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// stage is where the demo plays: the processes, and what has been seen of them.
type stage struct {
	out io.Writer
	exe string

	mu     sync.Mutex
	actors map[string]*actor
	seen   []string
}

// actor is a worker's process.
type actor struct {
	name  string
	cmd   *exec.Cmd
	ended chan struct{}
}

func newStage(out io.Writer) (*stage, error) {
	exe, err := os.Executable()
	return &stage{out: out, exe: exe, actors: make(map[string]*actor)}, err
}

func (s *stage) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, "=== "+format+"\n", args...)
}

func (s *stage) saw(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, fmt.Sprintf(format, args...))
}

// start starts this program anew, as a worker of that name.
func (s *stage) start(name string, args ...string) error {
	a := &actor{name: name, cmd: exec.Command(s.exe, args...), ended: make(chan struct{})}
	a.cmd.SysProcAttr = dieWithUs()
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	a.cmd.Stderr = a.cmd.Stdout
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // see dieWithUs
		defer runtime.UnlockOSThread()
		err := a.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			s.line(name, lines.Text())
		}
		_ = a.cmd.Wait()
		s.line(name, fmt.Sprintf("(%v)", a.cmd.ProcessState))
		close(a.ended)
	}()
	if err := <-started; err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.actors[name] = a
	return nil
}

func (s *stage) line(name, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, "%5s | %s\n", name, text)
}

// kill kills a worker, which has no time for good-byes.
func (s *stage) kill(name string) error {
	s.mu.Lock()
	a := s.actors[name]
	s.mu.Unlock()
	if a == nil {
		return fmt.Errorf("there is no process %q to kill", name)
	}
	return a.cmd.Process.Kill()
}

// leave asks all who are there to leave, and wants them to do so in order.
func (s *stage) leave(ctx context.Context) (names []string, err error) {
	s.mu.Lock()
	var there []*actor
	for _, a := range s.actors {
		select {
		case <-a.ended:
		default:
			there = append(there, a)
		}
	}
	s.mu.Unlock()
	for _, a := range there {
		if err := a.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return nil, err
		}
	}
	for _, a := range there {
		select {
		case <-a.ended:
		case <-ctx.Done():
			return nil, fmt.Errorf("%s does not leave: %w", a.name, context.Cause(ctx))
		}
		if code := a.cmd.ProcessState.ExitCode(); code != 0 {
			return nil, fmt.Errorf("%s left with code %d", a.name, code)
		}
		names = append(names, a.name)
	}
	return names, nil
}

// clear ends everybody who is still there.
func (s *stage) clear() {
	s.mu.Lock()
	var all []*actor
	for _, a := range s.actors {
		all = append(all, a)
	}
	s.mu.Unlock()
	for _, a := range all {
		_ = a.cmd.Process.Kill()
		<-a.ended
	}
}

// await waits until something is so.
func await(ctx context.Context, what string, so func() (bool, error)) error {
	for {
		ok, err := so()
		if ok || err != nil {
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, context.Cause(ctx))
		}
	}
}
