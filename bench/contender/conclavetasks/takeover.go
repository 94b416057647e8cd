package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"conclave/bench/child"
	"conclave/internal/guard"
	"conclave/internal/keeper"
)

// mostTasks are live when the dispatcher is killed.
const mostTasks = 100_000

// takeOver has a dispatcher killed that has c.N tasks waiting, and another take
// over. The first one is under a guard, as "conclave guard" is one, which ends its
// session: without it ZooKeeper would wait for the session's timeout to pass.
var takeOver = map[string]child.Role{"T4 old": guarded, "T4 held": dispatcher, "T4 new": successor}

// guarded starts the first dispatcher, under a guard.
func guarded(c *child.Child) map[string]float64 {
	in, hold, err := os.Pipe() // the program lives until it is closed
	child.Check(err)
	said, out, err := os.Pipe()
	child.Check(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		guard.Run(ctx, guard.Options{
			Program: os.Args[0],
			Args:    append([]string{"T4 held", strconv.Itoa(c.N)}, c.Args...),
			Close: func(ctx context.Context, s guard.Session) (bool, error) {
				return keeper.CloseSession(ctx, keeper.Handover{Servers: s.Servers, Session: s.ID, Password: s.Password, Timeout: s.Timeout}, nil)
			},
			Say:    func(string) {},
			Stdin:  in,
			Stdout: out,
			Stderr: os.Stderr,
		})
	}()
	c.AtEnd(func() {
		child.Check(hold.Close())
		cancel()
		<-ended
	})
	for s := bufio.NewScanner(said); s.Scan(); {
		if pid, ok := strings.CutPrefix(s.Text(), "READY "); ok {
			c.Ready(pid)
			return nil
		}
	}
	child.Check(fmt.Errorf("the dispatcher has ended"))
	return nil
}

// dispatcher submits the tasks to itself.
func dispatcher(c *child.Child) map[string]float64 {
	child.Fill(newTasks(c), c.N)
	c.Ready(strconv.Itoa(os.Getpid()))
	return nil
}

// successor kills the dispatcher, and submits: the answer comes when it has taken
// over itself.
func successor(c *child.Child) map[string]float64 {
	t := newTasks(c)
	body := child.Payload(child.TaskBody)
	child.Check(t.Submit(body))
	time.Sleep(time.Second) // it stands in line
	pid, err := strconv.Atoi(c.Args[len(c.Args)-1])
	child.Check(err)
	c.Ready()
	start := time.Now()
	child.Check(syscall.Kill(pid, syscall.SIGKILL))
	child.Check(t.Submit(body))
	took := time.Since(start)
	s, err := t.queue.Status(forever)
	child.Check(err)
	return map[string]float64{"took": float64(took.Milliseconds()), "sent": float64(c.N + 2), "got": float64(s.Live)}
}
