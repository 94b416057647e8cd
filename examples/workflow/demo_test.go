package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// command is a command line of the program itself.
func command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, os.Args[0], args...)
	// With the race detector a program sleeps a second before it exits.
	c.Env = append(os.Environ(), "CONCLAVE_TEST_MAIN=1", "GORACE=atexit_sleep_ms=0", "CONCLAVE_ZK=127.0.0.1:1")
	return c
}

// shell runs the program to its end.
func shell(t *testing.T, args ...string) (said string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), demoLimit+30*time.Second)
	defer cancel()
	c := command(ctx, args...)
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), c.ProcessState.ExitCode()
}

func TestDemoTellsTheWholeStory(t *testing.T) {
	t.Parallel()
	check := func(t *testing.T, args ...string) {
		said, code := shell(t, append([]string{"demo"}, args...)...)
		_, summary, _ := strings.Cut(said, "What was seen:\n")
		if n := strings.Count(summary, "  yes  "); code != 0 || n != 14 || strings.Contains(summary, "  NO  ") {
			t.Errorf("code %d, %d facts:\n%s", code, n, said)
		}
	}
	t.Run("its own ZooKeeper", func(t *testing.T) { check(t) })
	t.Run("zookeeper", func(t *testing.T) {
		z := zktest.Shared(t, zktest.Tick(demoTick))
		check(t, "-zk", z.Addr, "-root", z.Root)
	})
}

// By hand, as the README has it: a backend, two nodes in shells of their own, one of
// which is killed.
func TestProgramsByHand(t *testing.T) {
	t.Parallel()
	z := zktest.Dev(t)
	state := t.TempDir()
	background := func(says string, args ...string) (c *exec.Cmd, rest string) {
		c = command(t.Context(), args...)
		c.Stderr = os.Stderr
		out, err := c.StdoutPipe()
		if err == nil {
			err = c.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = c.Process.Kill()
			_ = c.Wait()
		})
		lines := bufio.NewReader(out)
		line, err := lines.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, says) {
			t.Fatalf("%s says %q (%v)", args[0], line, err)
		}
		go io.Copy(io.Discard, lines)
		return c, strings.TrimSpace(line[len(says):])
	}
	_, address := background("The backend is at", "backend", "-backend", "127.0.0.1:0")
	node := func(name string) *exec.Cmd {
		c, _ := background("Ready.", "node", "-name", name, "-zk", z.Addr, "-root", z.Root, "-state", state, "-backend", address, "-session-timeout", "4s")
		return c
	}
	run := func(want int, says string, args ...string) string {
		t.Helper()
		said, code := shell(t, append([]string{args[0], "-zk", z.Addr, "-root", z.Root, "-backend", address}, args[1:]...)...)
		if code != want || !strings.Contains(said, says) {
			t.Fatalf("workflow %s: code %d, %s", strings.Join(args, " "), code, said)
		}
		return said
	}
	run(1, "there was never a node", "status", "-wait", "1s", "order-17")
	nodes := map[string]*exec.Cmd{"n1": node("n1"), "n2": node("n2")}
	run(1, "it has 64 parts, not 32: all nodes", "node", "-state", state, "-parts", "32")
	run(1, "share one folder, and this one's is "+state+"/elsewhere", "node", "-state", state+"/elsewhere")
	run(0, "order-17: reserve (n", "start", "order-17")
	run(1, "order-18: there is no such instance", "status", "order-18")
	run(1, "no such event", "send", "order-17", "lost")
	err := await(t.Context(), "order-17 waits", func() (bool, error) {
		return strings.Contains(run(0, "order-17: ", "status", "order-17"), `waits for "paid" until`), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	owner, said := "n1", run(0, "", "status", "order-17")
	if !strings.Contains(said, "(n1, term ") {
		owner = "n2"
	}
	if err := nodes[owner].Process.Kill(); err != nil {
		t.Fatal(err)
	}
	run(0, "order-17: ", "send", "order-17", "paid") // shipped, or done already if it had to ask twice
	err = await(t.Context(), "order-17 is shipped", func() (bool, error) {
		said := run(0, "order-17: ", "status", "order-17")
		return strings.Contains(said, "done (") && !strings.Contains(said, owner), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	run(0, "keys: 1; nodes that have worked on them: n", "table")
	for name, c := range nodes {
		if name == owner {
			continue
		}
		if err := c.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err != nil {
			t.Errorf("%s left so: %v", name, err)
		}
	}
	if logs, err := filepath.Glob(filepath.Join(state, "*", "*.log")); err != nil || len(logs) != 64 {
		t.Errorf("%d parts have a file (%v)", len(logs), err)
	}
}

// Somebody who has forgotten ZooKeeper is told, and it goes on when it is there.
func TestNodeTellsThatItWaitsForZooKeeper(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := command(ctx, "node", "-zk", "127.0.0.1:1", "-state", t.TempDir())
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "ZooKeeper does not answer at 127.0.0.1:1; ") {
		t.Errorf("it says %q (%v)", line, err)
	}
	_ = c.Process.Signal(syscall.SIGTERM)
	if _ = c.Wait(); c.ProcessState.ExitCode() != 1 {
		t.Errorf("it left so: %v", c.ProcessState)
	}
}

func TestBadCommandLinesAreRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code int
		says string
		args []string
	}{
		{2, "workflow demo | backend | node", nil},
		{2, "workflow demo", []string{"sing"}},
		{2, "workflow demo", []string{"demo", "more"}},
		{2, "workflow demo", []string{"start"}},
		{2, "workflow demo", []string{"send", "order-17"}},
		{2, "not defined", []string{"node", "-x"}},
		{2, "-wait -1s", []string{"status", "-wait", "-1s", "order-17"}},
		{2, "workflow: -parts 0: one is the least\nworkflow: workflow demo", []string{"node", "-parts", "0"}},
		{2, "configuration", []string{"node", "-name", "a/b"}},
		{1, `"workflow backend" starts one`, []string{"table", "-backend", "127.0.0.1:1"}},
		{1, `"conclave dev" is one`, []string{"status", "-wait", "300ms", "-zk", "127.0.0.1:1", "order-17"}},
		{1, "the state folder: ", []string{"node", "-state", os.Args[0]}},
		{0, "-session-timeout", []string{"-h"}},
	} {
		if said, code := shell(t, test.args...); code != test.code || !strings.Contains(said, test.says) {
			t.Errorf("%q: code %d, want %d and %q: %s", test.args, code, test.code, test.says, said)
		}
	}
}

// A demo that did not go as it should says so, and its exit code does.
func TestStageNoticesWhoEndsBadly(t *testing.T) {
	var out bytes.Buffer
	s, err := newStage(&out)
	if err != nil {
		t.Fatal(err)
	}
	defer s.clear()
	t.Setenv("CONCLAVE_TEST_MAIN", "1")
	if err := s.shell(t.Context(), "sing", "sing"); err == nil || !strings.Contains(err.Error(), "workflow sing ended with code 2: workflow: workflow demo") {
		t.Errorf("a command that does not exist: %v", err)
	}
	a, err := s.start("sing", "sing")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.has(t.Context(), a, "Ready."); err == nil || !strings.Contains(err.Error(), "sing has ended: exit status 2") {
		t.Errorf("a node that does not get ready: %v", err)
	}
	if got := out.String(); !strings.Contains(got, "=== ") || !strings.Contains(got, "   sing | workflow: workflow demo") {
		t.Errorf("it showed\n%s", got)
	}
}
