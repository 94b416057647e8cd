package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"conclave/internal/zktest"
)

// TestMain makes the test binary the command itself when asked to, or one of the
// programs that the tests of guard use.
func TestMain(m *testing.M) {
	if os.Getenv("CONCLAVE_TEST_MAIN") == "1" {
		if len(os.Args) > 1 && os.Args[1] == "holder" {
			os.Exit(holder(os.Args[2:]))
		}
		if len(os.Args) > 1 && os.Args[1] == "counter" {
			os.Exit(counter())
		}
		main()
		return
	}
	zktest.Main(m)
}

// conclave prepares the command as a process of its own.
func conclave(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], args...)
	c.Env = append(os.Environ(), "CONCLAVE_TEST_MAIN=1")
	return c
}

func TestDevServesUntilASignalAndExitsZero(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if signal.Ignored(sig) {
			t.Logf("%v is ignored here, as under nohup, and so by what is started", sig)
			continue
		}
		c := conclave(t, "dev", "-listen", "127.0.0.1:0", "-tick", "200ms")
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var errs bytes.Buffer
		c.Stderr = &errs
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		addr := ""
		for addr == "" && lines.Scan() {
			_, addr, _ = strings.Cut(lines.Text(), "CONCLAVE_ZK=")
		}
		if addr == "" {
			t.Fatalf("no address told: %s", &errs)
		}
		z, events, err := zk.Connect([]string{addr}, 4*time.Second, zk.WithLogInfo(false))
		if err != nil {
			t.Fatal(err)
		}
		for e := range events {
			if e.State == zk.StateHasSession {
				break
			}
		}
		if _, err := z.Create("/a", nil, 0, zk.WorldACL(zk.PermAll)); err != nil {
			t.Fatal(err)
		}
		z.Close()
		if err := c.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, out)
		if err := c.Wait(); err != nil {
			t.Errorf("after %v: %v\n%s", sig, err, &errs)
		}
		if errs.Len() > 0 {
			t.Errorf("said: %s", &errs)
		}
	}
}

func TestDevTellsWhatIsWrongInOneLine(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, test := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"dev", "-listen", busy.Addr().String()}, exitFailed, "in use"},
		{[]string{"dev", "-listen", "nonsense"}, exitUsage, "host:port"},
		{[]string{"dev", "-nonsense"}, exitUsage, "-nonsense"},
		{[]string{"dev", "-tick", "soon"}, exitUsage, "soon"},
		{[]string{"dev", "-tick", "-1s"}, exitUsage, "-1s"},
		{[]string{"dev", "more"}, exitUsage, "more"},
	} {
		var stdout, stderr bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // a command that starts nevertheless ends
		code := run(ctx, test.args, &stdout, &stderr)
		text := strings.TrimSuffix(stderr.String(), "\n")
		if code != test.code || !strings.Contains(text, test.says) || strings.Contains(text, "\n") || stdout.Len() > 0 {
			t.Errorf("%v: code %d, said %q, printed %q", test.args, code, text, &stdout)
		}
	}
}

func TestUnknownCommandListsWhatThereIs(t *testing.T) {
	for _, args := range [][]string{nil, {"nonsense"}} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), args, &stdout, &stderr); code != exitUsage || !strings.Contains(stderr.String(), "dev ") {
			t.Errorf("%v: code %d, said %q", args, code, &stderr)
		}
	}
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"help"}, &stdout, &stderr); code != exitOK || !strings.Contains(stdout.String(), "dev ") {
		t.Errorf("help: code %d, printed %q", code, &stdout)
	}
	if code := run(t.Context(), []string{"dev", "-h"}, &stdout, &stderr); code != exitOK || !strings.Contains(stdout.String(), "-listen") {
		t.Errorf("dev -h: code %d, printed %q", code, &stdout)
	}
}
