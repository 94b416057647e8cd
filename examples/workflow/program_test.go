package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"conclave/shard"
	"conclave/zkdev"
)

// A part that cannot be begun is tried again for ever.
func TestComplaintIsToldOnceUntilThePartIsWell(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	c := complaints{out: &out}
	broken := shard.Event{Kind: shard.Failed, Part: 3, Err: errors.New("no disk")}
	for _, e := range []shard.Event{
		broken, broken, {Kind: shard.Lost, Part: 3, Err: errors.New("it has failed")}, broken,
		{Kind: shard.Failed, Part: 4, Err: errors.New("no disk")},
		{Kind: shard.Gained, Part: 3}, broken,
		{Kind: shard.Stuck, Part: 5}, {Kind: shard.Planned, Part: -1}, {Kind: shard.Refused, Part: -1, Err: errors.New("by Open")},
	} {
		c.hear(e)
	}
	if want := "Part 3: failed: no disk\nPart 4: failed: no disk\nPart 3: failed: no disk\nPart 5: stuck\n"; out.String() != want {
		t.Errorf("it told\n%s", out.String())
	}
}

func TestFlagBehindAKeyIsNoOrder(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // whoever takes it for one does not try for long
	if err := run(ctx, []string{"start", "order-17", "-wait", "3s"}); !errors.Is(err, errUsage) || !strings.Contains(err.Error(), "-wait") {
		t.Error(err)
	}
}

func TestNodeLeavesInOrderAlsoWithoutZooKeeper(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	zk := zkdev.New(zkdev.Config{Tick: demoTick, Logger: slog.New(slog.DiscardHandler)})
	defer zk.Close()
	go zk.Serve(l)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := command(ctx, "node", "-zk", l.Addr().String(), "-session-timeout", "4s", "-state", t.TempDir())
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for _, want := range []string{"Has 64 of", "Disconnected from ZooKeeper:"} {
		for line := ""; !strings.HasPrefix(line, want); {
			if line, err = lines.ReadString('\n'); err != nil {
				t.Fatalf("it does not say %q: %v", want, err)
			}
		}
		zk.Close()
	}
	_ = c.Process.Signal(syscall.SIGTERM)
	if rest, err := io.ReadAll(lines); err != nil || strings.Contains(string(rest), "Part ") {
		t.Errorf("then it says %s (%v)", rest, err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("it left so: %v", err)
	}
}
