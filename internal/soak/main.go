package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// options are those of the command line.
type options struct {
	length   time.Duration
	round    time.Duration
	visitors int // in each round
	callers  int
	seed     uint64
	settle   time.Duration // how long it may take to come to rest between rounds
	dir      string        // for profiles; "": none
	out      io.Writer

	mischief func(*round) // of tests: what must be noticed
}

func main() { os.Exit(drive(os.Args[1:])) }

func drive(args []string) int {
	o := options{out: os.Stdout, settle: patience}
	fs := flag.NewFlagSet("soak", flag.ContinueOnError)
	minutes := fs.Float64("minutes", 30, "how long the load goes on")
	fs.DurationVar(&o.round, "round", 20*time.Second, "length of a round; after each everything comes to rest")
	fs.IntVar(&o.visitors, "visitors", 6, "how many nodes join and leave in each round")
	fs.IntVar(&o.callers, "callers", 256, "how many processes call at once")
	fs.Uint64Var(&o.seed, "seed", 0, "who comes and goes, and what is cut; 0: another each time")
	fs.StringVar(&o.dir, "profiles", "", "`folder` for profiles of the heap and the goroutines at rest, early and in the end")
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case fs.NArg() > 0:
		return misuse("unexpected argument %q", fs.Arg(0))
	case *minutes <= 0 || *minutes > 24*60:
		return misuse("-minutes %v is not above 0 and within a day", *minutes)
	case o.round < time.Second:
		return misuse("-round %v is less than a second", o.round)
	case o.visitors < 0 || o.visitors > 100 || o.callers < 1 || o.callers > 100_000:
		return misuse("-visitors must be 0 to 100, -callers 1 to 100000")
	}
	o.length = time.Duration(*minutes * float64(time.Minute))
	for o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	return soak(ctx, o)
}

func misuse(format string, args ...any) int {
	fmt.Fprintf(os.Stderr, "soak: %s (-h tells the flags)\n", fmt.Sprintf(format, args...))
	return 2
}
