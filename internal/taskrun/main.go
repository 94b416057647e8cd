//go:build linux

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

// options are those of the command line.
type options struct {
	tasks, workers, clerks int
	parts                  int
	ticks                  bool
	length                 time.Duration
	every                  time.Duration
	seed                   uint64
	tick                   time.Duration
	session                time.Duration
	dir                    string
	conclave               string
	keep                   string
}

func main() {
	if len(os.Args) > 1 {
		if mode := modes[os.Args[1]]; mode != nil {
			os.Exit(mode(os.Args[2:]))
		}
	}
	os.Exit(drive(os.Args[1:]))
}

func drive(args []string) int {
	var o options
	fs := flag.NewFlagSet("taskrun", flag.ContinueOnError)
	fs.IntVar(&o.tasks, "tasks", 100_000, "how many are submitted; their followers come on top")
	fs.IntVar(&o.workers, "workers", 4, "processes that do tasks and stand for dispatcher; every other one has a guard")
	fs.IntVar(&o.clerks, "submitters", 16, "how many submit at a time, in one process")
	fs.IntVar(&o.parts, "parts", 1, "into how many parts the scope is divided")
	fs.BoolVar(&o.ticks, "ticks", false, "run a schedule at each second instead, and kill its dispatchers")
	fs.DurationVar(&o.length, "for", 5*time.Minute, "how long failures go on; -tasks are submitted within four fifths of it")
	fs.DurationVar(&o.every, "every", 20*time.Second, "how often the dispatcher is killed, with -ticks")
	fs.Uint64Var(&o.seed, "seed", 0, "which tasks and failures (not: exactly when); 0: another each time")
	fs.DurationVar(&o.tick, "tick", 500*time.Millisecond, "ZooKeeper's tickTime")
	fs.DurationVar(&o.session, "session-timeout", 4*time.Second, "of the nodes (T): 2 to 20 ticks")
	fs.StringVar(&o.dir, "dir", "", "`folder` for the story, which is kept; default: a temporary one, kept if something did not hold")
	fs.StringVar(&o.keep, "zk", "", "`folder` for ZooKeeper's files, which are kept; default: one in memory, which is not")
	fs.StringVar(&o.conclave, "conclave", "", "the `program` conclave, for its guard; default: it is built, which works within its module")
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case fs.NArg() > 0:
		return misuse("unexpected argument %q", fs.Arg(0))
	case o.tasks < 1 || o.tasks > 1_000_000:
		return misuse("-tasks %d is not 1 to a million", o.tasks)
	case o.workers < 2 || o.workers > 100 || o.clerks < 1 || o.clerks > 1000:
		return misuse("%d workers (2 to 100), %d submitters (1 to 1000)", o.workers, o.clerks)
	case o.parts < 1 || o.parts > task.MaxParts:
		return misuse("-parts %d is not 1 to %d", o.parts, task.MaxParts)
	case o.length <= 0 || o.length > 24*time.Hour || o.every < time.Second:
		return misuse("-for %v is not above 0 and within a day, or -every %v is below a second", o.length, o.every)
	case o.tick < 50*time.Millisecond || o.session < 2*o.tick || o.session > 20*o.tick:
		return misuse("-session-timeout %v is not 2 to 20 ticks of %v", o.session, o.tick)
	}
	for o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	return run(ctx, o)
}

func misuse(format string, args ...any) int {
	fmt.Fprintf(os.Stderr, "taskrun: %s (-h tells the flags)\n", fmt.Sprintf(format, args...))
	return 2
}
