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
	most     int // members at a time
	parts    int
	rate     float64
	tick     time.Duration
	session  time.Duration
	dir      string
	conclave string
}

// fewest is how many members there are at least.
const fewest = 4

func main() {
	if len(os.Args) > 1 && os.Args[1] == memberMode {
		os.Exit(member(os.Args[2:]))
	}
	os.Exit(drive(os.Args[1:]))
}

func drive(args []string) int {
	var o options
	fs := flag.NewFlagSet("partrun", flag.ContinueOnError)
	fs.DurationVar(&o.length, "for", 30*time.Minute, "how long failures go on")
	fs.Uint64Var(&o.seed, "seed", 0, "which failures, and for how long (not: exactly when); 0: another each time")
	fs.IntVar(&o.most, "members", 8, "how many members there are at most; at least there are 4")
	fs.IntVar(&o.parts, "parts", 256, "into how many parts the space is divided")
	fs.Float64Var(&o.rate, "rate", 400, "how many messages a second all members send together, about")
	fs.DurationVar(&o.tick, "tick", 500*time.Millisecond, "ZooKeeper's tickTime")
	fs.DurationVar(&o.session, "session-timeout", 4*time.Second, "of the nodes (T): 2 to 20 ticks")
	fs.StringVar(&o.dir, "dir", "", "`folder` for what is recorded, which is kept; default: a temporary one, kept if something did not hold")
	fs.StringVar(&o.conclave, "conclave", "", "the `program` conclave, for its guard; default: it is built, which works within its module")
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case fs.NArg() > 0:
		return misuse("unexpected argument %q", fs.Arg(0))
	case o.length <= 0 || o.length > 24*time.Hour:
		return misuse("-for %v is not above 0 and within a day", o.length)
	case o.most < fewest || o.most > 32:
		return misuse("-members %d is not %d to 32", o.most, fewest)
	case o.parts < o.most || o.parts > 4096:
		return misuse("-parts %d is not %d to 4096", o.parts, o.most)
	case o.rate <= 0 || o.rate > 100000:
		return misuse("-rate %v is not above 0 and up to 100000", o.rate)
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
	fmt.Fprintf(os.Stderr, "partrun: %s (-h tells the flags)\n", fmt.Sprintf(format, args...))
	return 2
}
