package node_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"conclave/actor"
	"conclave/internal/zktest"
	"conclave/node"
)

// A program whose holder ignores its end is cut off from ZooKeeper. With
// ExitOnStuckHolder it is gone before anybody else holds the name.
func TestStuckHolderEndsItsProcessBeforeTheNextBegins(t *testing.T) {
	if testing.Short() {
		t.Skip("takes real time")
	}
	if addr := os.Getenv("CONCLAVE_TEST_STUCK"); addr != "" {
		stuckProgram(t, addr)
		return
	}
	z := zktest.Dev(t, zktest.Tick(realTick))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	program := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+t.Name()+"$")
	program.Env = append(os.Environ(), "CONCLAVE_TEST_STUCK="+z.Addr, "GORACE=atexit_sleep_ms=0")
	in, err := program.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "holding" {
	}
	z.Root = stuckRoot
	c := tcpCluster(t, z)
	began := make(chan time.Time, 1)
	next := c.node("next", briefSession)
	next.stand("boss", func(p *actor.Process) error {
		began <- time.Now()
		return idle(p)
	})
	if _, err := io.WriteString(in, "cut\n"); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	err = program.Wait()
	ended := time.Now()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != node.StuckExitCode {
		t.Fatalf("the program ended with %v, want exit code %d", err, node.StuckExitCode)
	}
	select {
	case at := <-began:
		if at.Before(ended) {
			t.Errorf("the next holder began %v before the stuck one's program ended", ended.Sub(at))
		}
	case <-ctx.Done():
		t.Error("nobody holds after it")
	}
}

const stuckRoot = "/stuck"

// stuckProgram holds the name and does not stop, whatever it is told. Nor does
// whoever listens to its events come back.
func stuckProgram(t *testing.T, addr string) {
	l := &line{to: dialTCP}
	n, err := node.Start(t.Context(), node.Config{
		ZooKeeper: strings.Split(addr, ","), Root: stuckRoot, SessionTimeout: realSession,
		DialZooKeeper: l.dial, ExitOnStuckHolder: true, Logger: testLogger(),
		OnEvent: func(e node.Event) {
			if e.Kind == node.StuckHolder {
				select {}
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := n.RegisterCandidate(context.Background(), "boss", func(p *actor.Process) error {
			p.ReceiveTimeout(realSession) // until its lease has its full length
			os.Stdout.WriteString("holding\n")
			select {}
		})
		if err != nil {
			os.Stdout.WriteString(err.Error() + "\n")
		}
	}()
	bufio.NewReader(os.Stdin).ReadString('\n')
	l.cut()
	<-time.After(20 * time.Second)
	t.Fatal("it was not ended")
}
