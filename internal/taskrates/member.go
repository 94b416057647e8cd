//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"conclave/internal/child"
	"conclave/node"
	"conclave/task"
)

// role is what a process does.
type role string

const (
	dispatches role = "dispatcher"
	works      role = "worker"
	submits    role = "submitter"
)

var modes = map[string]role{string(dispatches): dispatches, string(works): works, string(submits): submits}

// kind of all tasks; and what they have for a body.
const kind = "nothing"

var body = make([]byte, 100)

// said is what a member tells: how many tasks it has seen done, when asked.
type said struct {
	Done   int64  `json:"done"`
	Failed string `json:"failed,omitempty"` // a caller, for good
}

// member is one process. It does what it is told, a word a line: "go" has a submitter
// begin, "mark" asks for the count, "stop" or the end of the input ends it.
func member(r role, args []string) int {
	fs := flag.NewFlagSet(string(r), flag.ExitOnError)
	zk := fs.String("zk", "", "")
	name := fs.String("name", "", "")
	scope := fs.String("scope", "", "")
	parts := fs.Int("parts", 0, "")
	callers := fs.Int("callers", 0, "")
	fs.Parse(args)
	child.Hello()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	quiet := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	n, err := node.Start(ctx, node.Config{Name: *name, Listen: "127.0.0.1:0", Secret: []byte(secret), ZooKeeper: strings.Split(*zk, ","), Logger: quiet})
	var q *task.Queue
	if err == nil {
		q, err = task.Open(n, *scope, task.Config{Parts: *parts, NoDispatch: r != dispatches, Slots: 256, Logger: quiet})
	}
	if err == nil && r == works {
		err = q.Handle(kind, func(context.Context, *task.Task) error { return nil })
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "taskrates:", err)
		return 1
	}
	out := json.NewEncoder(os.Stdout)
	var done atomic.Int64
	failed := make(chan error, *callers)
	for in := bufio.NewScanner(os.Stdin); in.Scan() && in.Text() != "stop"; {
		switch in.Text() {
		case "go":
			for range *callers {
				go func() { failed <- call(ctx, q, &done) }()
			}
		case "mark":
			s := said{Done: done.Load()}
			select {
			case err := <-failed:
				s.Failed = err.Error()
			default:
			}
			_ = out.Encode(s) // without a run it ends soon
		}
	}
	cancel()
	leaving, left := context.WithTimeout(context.Background(), 20*time.Second)
	defer left()
	if err := q.Close(leaving); err != nil {
		fmt.Fprintln(os.Stderr, "close:", err)
	}
	if err := n.Stop(leaving); err != nil {
		fmt.Fprintln(os.Stderr, "stop:", err)
	}
	return 0
}

// call is one caller: a task after the other, until ctx ends.
func call(ctx context.Context, q *task.Queue, done *atomic.Int64) error {
	for {
		id, err := q.Submit(ctx, task.Of(kind, body))
		if err == nil {
			_, err = q.Wait(ctx, id)
		}
		if err != nil {
			return err
		}
		done.Add(1)
	}
}
