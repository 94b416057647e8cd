package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"conclave/actor"
	"conclave/history"
	"conclave/internal/zktest"
	"conclave/node"
)

// asProgram is the exit status of a holder that was stopped in order: one that
// nobody else has.
const asProgram = 23

// holder is a program to be guarded: a node that stands for "boss" and says what
// happens to it.
func holder(args []string) int {
	fs := flag.NewFlagSet("holder", flag.ExitOnError)
	zk := fs.String("zk", "", "")
	root := fs.String("root", "", "")
	name := fs.String("name", "", "")
	timeout := fs.Duration("session-timeout", 0, "")
	record := fs.String("history", "", "")
	child := fs.Bool("child", false, "start something that lives longer")
	fs.Parse(args)
	fmt.Println("program", os.Getpid())
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var recorded func(history.Event)
	if *record != "" {
		f, err := history.OpenFile(*record)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		recorded = f.Record
	}
	n, err := node.Start(ctx, node.Config{
		Name: *name, History: recorded, ZooKeeper: strings.Split(*zk, ","), Root: *root, SessionTimeout: *timeout,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})),
		OnEvent: func(e node.Event) {
			if e.Kind == node.Unguarded {
				fmt.Println(e)
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	if *child {
		c := exec.Command("sleep", "1000")
		if err := c.Start(); err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Println("child", c.Process.Pid)
	}
	fmt.Printf("variable %q\n", os.Getenv("CONCLAVE_GUARD"))
	if _, err := n.RegisterCandidate(ctx, "boss", func(p *actor.Process) error {
		fmt.Println("holding", p.Term().Number())
		<-p.Done()
		fmt.Println("no longer holding")
		return context.Cause(p)
	}); err != nil {
		fmt.Println(err)
		return 1
	}
	// For the test to look for where it must not be; disguised, as here it may.
	fmt.Println("stands", disguise(n.Keeper().Current().Handover().Password))
	<-ctx.Done()
	n.Stop(context.Background())
	return asProgram
}

// counter is a program to be guarded that says when it is interrupted, each time.
func counter() int {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGUSR1, syscall.SIGUSR2)
	fmt.Println("ready")
	for s := range signals {
		switch s {
		case syscall.SIGINT:
			fmt.Println("interrupted")
		case syscall.SIGUSR2:
			fmt.Println("asked")
		default:
			return 4
		}
	}
	return 4
}

func disguise(password []byte) string {
	b := slices.Clone(password)
	for i := range b {
		b[i] ^= 0xa5
	}
	return base64.StdEncoding.EncodeToString(b)
}

// running is a process and what it, and whatever it started, has said.
type running struct {
	t     *testing.T
	what  string
	cmd   *exec.Cmd
	ended chan struct{}
	heard chan struct{} // closed when all that it said has been read

	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed with each line, and at the end
}

// soon is far more than anything takes that need not wait for a session.
const soon = 30 * time.Second

// start starts the command, or the holder, as a process of its own.
func start(t *testing.T, args ...string) *running {
	t.Helper()
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), "CONCLAVE_TEST_MAIN=1", "GORACE=atexit_sleep_ms=0")
	return launch(t, c)
}

// launch starts c, and sees to it that nothing of it is left in the end.
func launch(t *testing.T, c *exec.Cmd) *running {
	t.Helper()
	r := &running{t: t, what: strings.Join(c.Args[1:], " "), cmd: c, ended: make(chan struct{}), heard: make(chan struct{}), more: make(chan struct{})}
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stdout, c.Stderr = out, out
	if c.SysProcAttr == nil {
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	out.Close()
	go func() {
		defer close(r.heard)
		for lines := bufio.NewScanner(in); lines.Scan(); {
			r.add(lines.Text())
		}
	}()
	go func() {
		c.Wait()
		close(r.ended)
	}()
	t.Cleanup(func() {
		syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // the group that we made
		<-r.ended
		<-r.heard
		in.Close()
		if t.Failed() {
			t.Logf("%s:\n\t%s", r.what, strings.Join(r.said(""), "\n\t"))
		}
	})
	return r
}

func (r *running) add(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
	close(r.more)
	r.more = make(chan struct{})
}

// said is the lines so far that begin with prefix.
func (r *running) said(prefix string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.lines), func(l string) bool { return !strings.HasPrefix(l, prefix) })
}

// says waits for the n-th line with that prefix and returns what follows there.
func (r *running) says(prefix string, n int) string {
	r.t.Helper()
	late := time.After(soon)
	for {
		r.mu.Lock()
		more := r.more
		r.mu.Unlock()
		if found := r.said(prefix); len(found) >= n {
			return strings.TrimPrefix(found[n-1], prefix)
		}
		select {
		case <-more:
		case <-late:
			r.t.Fatalf("%s did not say %q", r.what, prefix)
		}
	}
}

// number is says for a number.
func (r *running) number(prefix string, n int) int {
	r.t.Helper()
	v, err := strconv.Atoi(r.says(prefix, n))
	if err != nil {
		r.t.Fatal(err)
	}
	return v
}

// ends waits for the end and wants that exit status.
func (r *running) ends(status int) {
	r.t.Helper()
	select {
	case <-r.ended:
		if got := r.cmd.ProcessState.ExitCode(); got != status {
			r.t.Errorf("%s ended with status %d, not %d", r.what, got, status)
		}
	case <-time.After(soon):
		r.t.Fatalf("%s did not end", r.what)
	}
}

// endsAlone is ends for a process that leaves none behind: it has said all.
func (r *running) endsAlone(status int) {
	r.t.Helper()
	r.ends(status)
	<-r.heard
}

func (r *running) hasEnded() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

func (r *running) signal(sig syscall.Signal) { kill(r.t, r.cmd.Process.Pid, sig) }

func kill(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatalf("%v for %d: %v", sig, pid, err)
	}
}

// place is a ZooKeeper for the holders of a test.
type place struct {
	z zktest.Target
	T time.Duration
}

// everywhere runs a test on both servers.
func everywhere(t *testing.T, T time.Duration, f func(t *testing.T, p place)) {
	t.Parallel()
	zktest.Each(t, func(t *testing.T, z zktest.Target) { f(t, place{z, T}) }, zktest.Tick(max(T/20, 200*time.Millisecond)))
}

func (p place) holder(name string) []string {
	return []string{os.Args[0], "holder", "-zk", p.z.Addr, "-root", p.z.Root, "-name", name, "-session-timeout", p.T.String()}
}

// second starts a holder without a guard, behind the first, and returns when it
// stands.
func (p place) second(t *testing.T) *running {
	t.Helper()
	r := start(t, p.holder("second")[1:]...)
	r.says("stands", 1)
	return r
}

// quoted makes a shell's command of a program's arguments.
func quoted(args []string) string { return "'" + strings.Join(args, "' '") + "'" }

func onlyLinux(t *testing.T, why string) {
	if runtime.GOOS != "linux" {
		t.Skip(why)
	}
}
