//go:build linux

// Command moves measures how long parts are without an owner while they move, and
// what that takes of ZooKeeper.
//
//	go run ./internal/moves -runs 10
//	go run ./internal/moves -wide
//
// Members of a space are processes of their own, on a ZooKeeper server of its own
// that runs as its scripts start it. A member comes (the pause of a part is from the
// return of OnLose to the call of OnGain elsewhere), leaves in order (node.Drain), and
// is killed under conclave guard (from the signal to the call of OnGain). A guest calls
// the processes of 32 keys of as many parts all the while, each every few milliseconds:
// how long the first call that another owner answers takes is what a move costs those
// who use it. With -wide a
// hundred members share 1,024 parts, and what they cost ZooKeeper while nothing happens
// is measured, too. The numbers are of this machine, which it names.
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

func main() {
	if len(os.Args) > 1 && os.Args[1] == "member" {
		os.Exit(member(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == "caller" {
		os.Exit(caller(os.Args[2:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := measure(ctx, os.Args[1:])
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "moves:", err)
		os.Exit(1)
	}
}

// settings are the command line's.
type settings struct {
	runs, parts, nodes int
	moves              int
	calls              bool
	timeout            time.Duration
	wide               bool
	conclave           string
}

func measure(ctx context.Context, args []string) error {
	var set settings
	fs := flag.NewFlagSet("moves", flag.ContinueOnError)
	fs.IntVar(&set.runs, "runs", 10, "how often a member comes, leaves, comes and is killed")
	fs.IntVar(&set.parts, "parts", 256, "parts of the space")
	fs.IntVar(&set.nodes, "nodes", 3, "members that stay")
	fs.DurationVar(&set.timeout, "T", 10*time.Second, "session timeout")
	fs.IntVar(&set.moves, "moves", 0, "how many parts a member gives up at a time; 0: shard's default")
	fs.BoolVar(&set.calls, "calls", true, "call keys meanwhile, which takes of the machine, too")
	fs.BoolVar(&set.wide, "wide", false, "1,024 parts on 100 members instead, once")
	fs.StringVar(&set.conclave, "conclave", "", "the `program` conclave, for its guard; default: it is built, which works within its module")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if set.runs < 1 || set.parts < 1 || set.nodes < 1 || fs.NArg() > 0 {
		return fmt.Errorf("-runs, -parts and -nodes must be positive, and nothing may follow the flags")
	}
	b, err := newBench(ctx, set)
	if err != nil {
		return err
	}
	defer b.close()
	if set.wide {
		return b.wide(ctx)
	}
	return b.moves(ctx)
}
