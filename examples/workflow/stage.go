package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stage is where the demo plays: the processes, and what has been seen of them.
type stage struct {
	out io.Writer
	exe string

	mu     sync.Mutex
	actors []*player
	seen   []string
}

// player is one of the processes that the demo has started.
type player struct {
	name  string
	cmd   *exec.Cmd
	ended chan struct{}

	quiet bool     // what it says is not shown
	lines []string // that it has said, guarded by the stage's mu
}

func newStage(out io.Writer) (*stage, error) {
	exe, err := os.Executable()
	return &stage{out: out, exe: exe}, err
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

// start starts this program anew, as somebody else.
func (s *stage) start(name string, args ...string) (*player, error) {
	return s.begin(&player{name: name}, args...)
}

func (s *stage) begin(a *player, args ...string) (*player, error) {
	a.cmd, a.ended = exec.Command(s.exe, args...), make(chan struct{})
	a.cmd.SysProcAttr = dieWithUs()
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		return nil, err
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
			s.line(a, lines.Text())
		}
		_ = a.cmd.Wait()
		if a.name != "" {
			s.line(a, fmt.Sprintf("(%v)", a.cmd.ProcessState))
		}
		close(a.ended)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.actors = append(s.actors, a)
	return a, nil
}

// spoken is how many lines of a process without a name are shown.
const spoken = 2

func (s *stage) line(a *player, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.lines = append(a.lines, text)
	switch {
	case a.quiet:
	case a.name != "" || len(a.lines) <= spoken:
		fmt.Fprintf(s.out, "%7s | %s\n", a.name, text)
	case len(a.lines) == spoken+1:
		fmt.Fprintf(s.out, "%7s | ...\n", "")
	}
}

// shell runs this program to its end, as a visitor who is there for a moment. With
// nothing to show it does so quietly.
func (s *stage) shell(ctx context.Context, show string, args ...string) error {
	if show != "" {
		s.say("  $ workflow %s", show)
	}
	a, err := s.begin(&player{quiet: show == ""}, args...)
	if err != nil {
		return err
	}
	select {
	case <-a.ended:
	case <-ctx.Done():
		return fmt.Errorf("workflow %s: %w", args[0], context.Cause(ctx))
	}
	if code := a.cmd.ProcessState.ExitCode(); code != 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		return fmt.Errorf("workflow %s ended with code %d: %s", args[0], code, strings.Join(a.lines, "; "))
	}
	return nil
}

// has waits until a process has said something, and returns the rest of that line.
func (s *stage) has(ctx context.Context, a *player, prefix string) (rest string, err error) {
	err = await(ctx, fmt.Sprintf("%s says %q", a.name, prefix), func() (bool, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, line := range a.lines {
			if text, ok := strings.CutPrefix(line, prefix); ok {
				rest = strings.TrimSpace(text)
				return true, nil
			}
		}
		select {
		case <-a.ended:
			return false, fmt.Errorf("%s has ended: %v", a.name, a.cmd.ProcessState)
		default:
			return false, nil
		}
	})
	return rest, err
}

// leaves asks a process to leave, and wants it to do so in order.
func (a *player) leaves(ctx context.Context) error {
	if err := a.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("%s: %w", a.name, err)
	}
	select {
	case <-a.ended:
	case <-ctx.Done():
		return fmt.Errorf("%s does not leave: %w", a.name, context.Cause(ctx))
	}
	if code := a.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s left with code %d", a.name, code)
	}
	return nil
}

// clear ends everybody who is still there.
func (s *stage) clear() {
	s.mu.Lock()
	all := s.actors
	s.mu.Unlock()
	for _, a := range all {
		select {
		case <-a.ended:
			continue
		default:
		}
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
