package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"conclave/actor"
)

// stage is where the demo plays: the processes, and what they have said. One
// goroutine owns it; what the processes say comes to it over a channel.
type stage struct {
	ctx    context.Context
	out    io.Writer
	exe    string
	zk     string
	events chan event
	actors []*player // all that were ever started

	reigns []string            // who was the boss, one after the other
	reign  *player             // who is; nil: nobody
	rivals map[*player]string  // who acted while another, this one, was the boss
	jobs   []string            // that were taken
	done   map[string][]string // job: who did it
	seen   []string            // of the story
}

// player is a process: an office or a requestor.
type player struct {
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines []string

	works   bool
	leaving bool // it was told to
	ended   bool
	code    int // -1: killed
}

// event is a line that a player said, or its end.
type event struct {
	who  *player
	line string
	end  bool
}

func newStage(ctx context.Context, out io.Writer) (*stage, error) {
	exe, err := os.Executable()
	return &stage{
		ctx: ctx, out: out, exe: exe, events: make(chan event),
		rivals: map[*player]string{}, done: map[string][]string{},
	}, err
}

func (s *stage) say(format string, args ...any) { fmt.Fprintf(s.out, "=== "+format+"\n", args...) }

func (s *stage) saw(format string, args ...any) {
	s.seen = append(s.seen, fmt.Sprintf(format, args...))
}

// boss waits until somebody is the boss.
func (s *stage) boss(limit time.Duration) (*player, error) {
	err := s.await("a boss", limit, func() bool { return s.reign != nil })
	return s.reign, err
}

// workers are those who have said that they wait for tasks.
func (s *stage) workers() (ws []*player) {
	for _, p := range s.actors {
		if p.works && !p.ended {
			ws = append(ws, p)
		}
	}
	return ws
}

// open starts an office.
func (s *stage) open(name string) error {
	_, err := s.start(name, true, "-name", name, "-session-timeout", demoSession.String())
	return err
}

// request starts a requestor.
func (s *stage) request(text string) (*player, error) {
	s.say("  $ boss %s", text)
	return s.start("", false, append([]string{"-wait", "15s"}, strings.Fields(text)...)...)
}

// job has a requestor hand in a job and returns once it is done, and by whom.
func (s *stage) job(text string) (worker string, err error) {
	r, err := s.request(text)
	if err != nil {
		return "", err
	}
	return s.taken(r, text)
}

// taken waits until a job is taken, and done by the worker that took it.
func (s *stage) taken(r *player, text string) (worker string, err error) {
	if err := s.await(fmt.Sprintf("%q to be taken", text), demoStep, func() bool { return r.ended }); err != nil {
		return "", err
	}
	if r.code != exitOK {
		return "", fmt.Errorf("the requestor of %q ended with code %d: %s", text, r.code, strings.Join(r.lines, "; "))
	}
	for _, line := range r.lines {
		if by, ok := strings.CutPrefix(line, "Taken: "+text+" by "); ok {
			pid, err := actor.ParsePID(by)
			if err != nil {
				return "", err
			}
			worker = pid.Node().Name
		}
	}
	s.jobs = append(s.jobs, text)
	return worker, s.await(fmt.Sprintf("%q to be done by %s", text, worker), demoStep, func() bool {
		return len(s.done[text]) > 0 && s.done[text][0] == worker
	})
}

// start starts this program anew, as somebody else.
func (s *stage) start(name string, interactive bool, args ...string) (*player, error) {
	p := &player{name: name, cmd: exec.Command(s.exe, append([]string{"-zk", s.zk}, args...)...)}
	p.cmd.SysProcAttr = dieWithUs()
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stderr = p.cmd.Stdout
	if interactive {
		if p.stdin, err = p.cmd.StdinPipe(); err != nil {
			return nil, err
		}
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // see dieWithUs
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			s.events <- event{who: p, line: lines.Text()}
		}
		_ = p.cmd.Wait()
		s.events <- event{who: p, end: true}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	s.actors = append(s.actors, p)
	return p, nil
}

// await plays on until something has happened.
func (s *stage) await(what string, limit time.Duration, happened func() bool) error {
	late := time.NewTimer(limit)
	defer late.Stop()
	for !happened() {
		select {
		case e := <-s.events:
			s.take(e)
		case <-late.C:
			return fmt.Errorf("%s: not within %v", what, limit)
		case <-s.ctx.Done():
			cause := context.Cause(s.ctx)
			if errors.Is(cause, context.Canceled) {
				cause = errors.New("the demo was interrupted")
			}
			return fmt.Errorf("%s: %w", what, cause)
		}
	}
	return nil
}

// take shows what a player said, and understands it.
func (s *stage) take(e event) {
	p := e.who
	if e.end {
		p.ended, p.code = true, p.cmd.ProcessState.ExitCode()
		if s.reign == p {
			s.reign = nil
		}
		if p.name != "" {
			fmt.Fprintf(s.out, "%5s | (%v)\n", p.name, p.cmd.ProcessState)
		}
		return
	}
	p.lines = append(p.lines, e.line)
	fmt.Fprintf(s.out, "%5s | %s\n", p.name, e.line)
	switch task, doing := strings.CutPrefix(e.line, "Doing task: "); {
	case doing:
		s.done[task] = append(s.done[task], p.name)
	case e.line == "Worker waiting for task...":
		p.works = true
	case strings.HasPrefix(e.line, "No longer the boss"):
		delete(s.rivals, p) // it was none, its line only came later
		if s.reign == p {
			s.reign = nil
		}
	case strings.HasPrefix(e.line, "'Delegating'"):
		if s.reign != nil && s.reign != p {
			s.rivals[p] = s.reign.name
		}
	case e.line == "I'm the boss!":
		if s.reign != nil && !s.reign.leaving {
			s.rivals[s.reign] = p.name
		}
		s.reign = p
		s.reigns = append(s.reigns, p.name)
	}
}

// enter presses <Enter> in the window of an office.
func (s *stage) enter(p *player) error {
	p.leaving = true
	_, err := io.WriteString(p.stdin, "\n")
	return err
}

// clear ends everybody who is still there.
func (s *stage) clear() {
	for _, p := range s.actors {
		if !p.ended {
			_ = p.cmd.Process.Kill()
		}
	}
	for _, p := range s.actors {
		for !p.ended {
			e := <-s.events
			e.who.ended = e.who.ended || e.end
		}
	}
}
