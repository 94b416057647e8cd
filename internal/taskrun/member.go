//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"conclave/internal/child"
	"conclave/node"
	"conclave/task"
)

// Modes are the first argument of a program that is one of many.
var modes = map[string]func(args []string) int{
	"worker":    workerMain,
	"submitter": submitterMain,
	"receiver":  receiverMain,
}

// scope is the one that everything happens in.
const scope = "run"

// said is what members tell the driver, a line of JSON each.
type said struct {
	Address    string `json:"address,omitempty"`    // of the receiver
	Dispatcher string `json:"dispatcher,omitempty"` // "began" or "ended", of a worker
	Ready      bool   `json:"ready,omitempty"`      // a worker is, for the first time
	Lost       bool   `json:"lost,omitempty"`       // a worker was not sure of its tasks any more
	Submitted  int    `json:"submitted,omitempty"`  // so far
	Finished   bool   `json:"finished,omitempty"`   // all that had to be
}

// sayer tells them.
type sayer struct {
	mu  sync.Mutex
	out *json.Encoder
}

func newSayer() *sayer { return &sayer{out: json.NewEncoder(os.Stdout)} }

func (s *sayer) say(v said) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.out.Encode(v) // without a driver the program ends soon
}

// join makes the node that a member is, and its part in the scope. Its log goes to
// its standard error, unless it has another.
func join(ctx context.Context, cfg node.Config, tasks task.Config) (*node.Node, *task.Queue, error) {
	cfg.Listen = "127.0.0.1:0"
	cfg.Secret = []byte("of the run of tasks")
	if cfg.Logger == nil {
		cfg.Logger = logger(os.Stderr)
	}
	n, err := node.Start(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	tasks.Keep = task.Keep{For: 24 * time.Hour, Most: 1 << 20, Bytes: 1 << 30} // all is to be read in the end
	tasks.Logger = cfg.Logger
	q, err := task.Open(n, scope, tasks)
	return n, q, err
}

func logger(to io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// common are the flags of all members that are nodes.
func common(fs *flag.FlagSet, cfg *node.Config, parts *int) (parse func(args []string)) {
	fs.IntVar(parts, "parts", 1, "")
	zk := fs.String("zk", "", "")
	fs.StringVar(&cfg.Name, "name", "", "")
	fs.DurationVar(&cfg.SessionTimeout, "session-timeout", 0, "")
	return func(args []string) {
		fs.Parse(args)
		cfg.ZooKeeper = strings.Split(*zk, ",")
	}
}

// workerMain is a worker: it does tasks and stands for dispatcher, until it is told
// to stop or its standard input ends, as it does when the driver is no more.
func workerMain(args []string) int {
	var cfg node.Config
	fs := flag.NewFlagSet("worker", flag.ExitOnError)
	receiver := fs.String("receiver", "", "")
	life := fs.String("life", "", "")
	weighs := fs.Bool("weighs", false, "")
	slots := fs.Int("slots", 32, "")
	parts := 0
	common(fs, &cfg, &parts)(args)
	out := newSayer()
	child.Hello()

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n, q, err := join(ctx, cfg, task.Config{Parts: parts, Slots: *slots, OnEvent: func(e task.Event) {
		switch e.Kind {
		case task.DispatcherBegan:
			out.say(said{Dispatcher: "began"})
		case task.DispatcherEnded:
			out.say(said{Dispatcher: "ended"})
		case task.WorkerBegan:
			out.say(said{Ready: true})
		case task.WorkerLost:
			out.say(said{Lost: true})
		}
	}})
	if err != nil {
		return failed(err)
	}
	w := &porter{life: strings.TrimSuffix(filepath.Base(*life), storyFile), out: newPostbox(*receiver)}
	kinds := []string{kindDeliver}
	if *weighs {
		kinds = append(kinds, kindWeigh)
	}
	for _, kind := range kinds {
		if err := task.Handle(q, kind, w.do); err != nil {
			return failed(err)
		}
	}
	awaitStop()
	leaving, done := context.WithTimeout(context.Background(), 10*time.Second)
	defer done()
	if err := q.Close(leaving); err != nil {
		fmt.Fprintln(os.Stderr, "close:", err)
	}
	if err := n.Stop(leaving); err != nil {
		fmt.Fprintln(os.Stderr, "stop:", err)
	}
	return 0
}

// awaitStop returns when the driver says stop, or is no more.
func awaitStop() {
	for in := bufio.NewScanner(os.Stdin); in.Scan() && in.Text() != "stop"; {
	}
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, "taskrun:", err)
	return 1
}
