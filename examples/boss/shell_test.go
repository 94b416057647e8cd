package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"conclave/internal/zktest"
)

// TestMain makes the test binary the program itself when asked to.
func TestMain(m *testing.M) {
	if os.Getenv("CONCLAVE_TEST_MAIN") == "1" {
		main()
		return
	}
	zktest.Main(m)
}

const (
	// The servers' tick and the session timeout, which is the longest that it
	// allows: on a busy machine a term must not end by itself.
	tick    = 200 * time.Millisecond
	session = 20 * tick

	// soon is far more than anything takes that need not wait for a session to
	// expire.
	soon = 20 * time.Second
)

// shell is a window with the program running in it.
type shell struct {
	t     *testing.T
	what  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	began time.Time
	ended chan struct{}
	took  time.Duration // once ended

	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed with each line, and at the end
}

// program starts the program with its input a pipe that stays open.
func program(t *testing.T, args ...string) *shell {
	t.Helper()
	// With the race detector a program sleeps a second before it exits.
	return start(t, os.Args[0], []string{"CONCLAVE_TEST_MAIN=1", "GORACE=atexit_sleep_ms=0"}, args...)
}

func start(t *testing.T, exe string, env []string, args ...string) *shell {
	t.Helper()
	s := &shell{t: t, what: strings.Join(args, " "), cmd: exec.Command(exe, args...), ended: make(chan struct{}), more: make(chan struct{})}
	s.cmd.Env = append(os.Environ(), env...)
	s.cmd.SysProcAttr = dieWithUs()
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stderr = s.cmd.Stdout
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	started := make(chan error)
	s.began = time.Now()
	go func() {
		runtime.LockOSThread() // see dieWithUs
		defer runtime.UnlockOSThread()
		err := s.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		for in := bufio.NewScanner(out); in.Scan(); {
			s.add(in.Text())
		}
		s.cmd.Wait()
		s.took = time.Since(s.began)
		s.add("(" + s.cmd.ProcessState.String() + ")")
		close(s.ended)
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		<-s.ended
		if t.Failed() {
			t.Logf("boss %s:\n\t%s", s.what, strings.Join(s.said(""), "\n\t"))
		}
	})
	return s
}

func (s *shell) add(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, line)
	close(s.more)
	s.more = make(chan struct{})
}

// said is the lines so far that begin with prefix.
func (s *shell) said(prefix string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.lines), func(l string) bool { return !strings.HasPrefix(l, prefix) })
}

// says waits until a line with that prefix has been said, and returns it.
func (s *shell) says(prefix string) string {
	s.t.Helper()
	late := time.After(soon)
	for {
		s.mu.Lock()
		more := s.more
		s.mu.Unlock()
		if found := s.said(prefix); len(found) > 0 {
			return found[0]
		}
		select {
		case <-more:
		case <-late:
			s.t.Fatalf("boss %s did not say %q", s.what, prefix)
		}
	}
}

// ends waits for the end and wants that exit code.
func (s *shell) ends(code int) {
	s.t.Helper()
	select {
	case <-s.ended:
		if got := s.cmd.ProcessState.ExitCode(); got != code {
			s.t.Fatalf("boss %s ended with %d, not %d", s.what, got, code)
		}
	case <-time.After(soon):
		s.t.Fatalf("boss %s did not end", s.what)
	}
}

func (s *shell) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shell) enter() {
	s.t.Helper()
	if _, err := io.WriteString(s.stdin, "\n"); err != nil {
		s.t.Fatal(err)
	}
}

// town is a ZooKeeper and the shells that use it.
type town struct {
	t     *testing.T
	flags []string
}

// each plays a story on both servers.
func each(t *testing.T, story func(t *testing.T, town town)) {
	t.Parallel()
	zktest.Each(t, func(t *testing.T, z zktest.Target) {
		story(t, town{t, []string{"-zk", z.Addr, "-root", z.Root}})
	}, zktest.Tick(tick))
}

func (w town) shell(args ...string) *shell {
	w.t.Helper()
	return program(w.t, slices.Concat(w.flags, args)...)
}

func (w town) office(name string, flags ...string) *shell {
	w.t.Helper()
	return w.shell(append([]string{"-name", name, "-session-timeout", session.String()}, flags...)...)
}

// boss opens an office that is elected.
func (w town) boss(name string) *shell {
	w.t.Helper()
	s := w.office(name)
	s.says("I'm the boss!")
	return s
}

// worker opens an office that is not.
func (w town) worker(name string) *shell {
	w.t.Helper()
	s := w.office(name)
	s.says("Worker waiting for task...")
	return s
}

// job hands in a job and returns the name of the worker that took it.
func (w town) job(text string) string {
	w.t.Helper()
	r := w.shell("-wait", soon.String(), text)
	r.ends(exitOK)
	return r.taker()
}

// taker is the worker that a requestor was told about.
func (s *shell) taker() string {
	s.t.Helper()
	_, by, _ := strings.Cut(s.says("Taken: "), " by ")
	name, _, _ := strings.Cut(by, "@")
	return name
}
