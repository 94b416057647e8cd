//go:build linux

// Command taskrates measures how many tasks a scope does when its dispatch is spread
// over parts on 1, 2 and 4 nodes, against the one dispatcher of an undivided scope.
//
//	go run ./internal/taskrates
//
// Dispatchers, workers and submitters are processes of their own, on a ZooKeeper server
// of its own that runs as its scripts start it. Each submitter has many callers, who
// submit a task and wait for its end, one after the other; handlers do nothing. The
// ways are measured by turns, so that whatever else the machine does is the same for
// all; told are the median of all rounds, the least and the most.
//
// A rate alone says little on a machine that all of them share. So it is told what each
// way takes of CPU in each role; how busy the busiest dispatching process is, and how
// many tasks a second that would be if it had a core to itself, which is about where a
// single dispatcher, one loop, ends; and how many transactions of ZooKeeper a task
// costs: parts share fewer of them, as each commits for itself. The numbers are of this
// machine, which it names.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"conclave/task"
)

// settings are the command line's.
type settings struct {
	rounds, parts, workers, submitters, callers int
	warm, span                                  time.Duration
	dir                                         string
}

func main() {
	if len(os.Args) > 1 {
		if mode, is := modes[os.Args[1]]; is {
			os.Exit(member(mode, os.Args[2:]))
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	set, err := parse(os.Args[1:])
	if err == nil {
		err = measure(ctx, set, os.Stdout)
	}
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "taskrates:", err)
		os.Exit(1)
	}
}

func parse(args []string) (set settings, err error) {
	fs := flag.NewFlagSet("taskrates", flag.ContinueOnError)
	fs.IntVar(&set.rounds, "rounds", 5, "how often each way is measured")
	fs.IntVar(&set.parts, "parts", 8, "of the divided scopes")
	fs.IntVar(&set.workers, "workers", 2, "processes that do tasks")
	fs.IntVar(&set.submitters, "submitters", 2, "processes that submit them")
	fs.IntVar(&set.callers, "callers", 128, "in each of these")
	fs.DurationVar(&set.warm, "warm", 2*time.Second, "how long before each measurement the load is on")
	fs.DurationVar(&set.span, "span", 5*time.Second, "how long each measurement takes")
	fs.StringVar(&set.dir, "dir", "", "`folder` for ZooKeeper's files, on the disk that is meant; default: one in memory")
	if err := fs.Parse(args); err != nil {
		return set, err
	}
	switch {
	case set.rounds < 1 || set.workers < 1 || set.submitters < 1 || set.callers < 1 || fs.NArg() > 0:
		return set, errors.New("-rounds, -workers, -submitters and -callers must be positive, and nothing may follow the flags")
	case set.parts < 4 || set.parts > task.MaxParts:
		return set, fmt.Errorf("-parts %d: 4 to %d, so that four nodes have some each", set.parts, task.MaxParts)
	case set.warm <= 0 || set.span <= 0:
		return set, errors.New("-warm and -span must be above zero")
	}
	return set, nil
}
