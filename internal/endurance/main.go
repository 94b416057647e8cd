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
)

// options are those of the command line.
type options struct {
	length   time.Duration
	seed     uint64
	members  int
	tick     time.Duration
	session  time.Duration
	dir      string
	conclave string
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == memberMode {
		os.Exit(member(os.Args[2:]))
	}
	os.Exit(drive(os.Args[1:]))
}

func drive(args []string) int {
	o := options{members: 5}
	fs := flag.NewFlagSet("endurance", flag.ContinueOnError)
	minutes := fs.Float64("minutes", 10, "how long failures go on")
	fs.Uint64Var(&o.seed, "seed", 0, "which failures, and for how long (not: exactly when); 0: another each time")
	fs.DurationVar(&o.tick, "tick", 500*time.Millisecond, "ZooKeeper's tickTime")
	fs.DurationVar(&o.session, "session-timeout", 4*time.Second, "of the nodes (T): 2 to 20 ticks")
	fs.StringVar(&o.dir, "dir", "", "`folder` for the histories, which are kept; default: a temporary one, kept if something did not hold")
	fs.StringVar(&o.conclave, "conclave", "", "the `program` conclave, for its guard; default: it is built, which works within its module")
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case fs.NArg() > 0:
		return misuse("unexpected argument %q", fs.Arg(0))
	case *minutes <= 0 || *minutes > 24*60:
		return misuse("-minutes %v is not above 0 and within a day", *minutes)
	case o.tick < 50*time.Millisecond || o.session < 2*o.tick || o.session > 20*o.tick:
		return misuse("-session-timeout %v is not 2 to 20 ticks of %v", o.session, o.tick)
	}
	o.length = time.Duration(*minutes * float64(time.Minute))
	for o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	return endure(ctx, o)
}

func misuse(format string, args ...any) int {
	fmt.Fprintf(os.Stderr, "endurance: %s (-h tells the flags)\n", fmt.Sprintf(format, args...))
	return 2
}
