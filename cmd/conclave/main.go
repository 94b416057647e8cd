// Command conclave is the tool beside the library: "conclave dev" is a
// ZooKeeper for development, "conclave guard" has what a dead program held pass
// to others at once, "conclave verify" judges what nodes have recorded, "conclave
// task" submits durable tasks and looks after them, "conclave shard" looks after who
// owns what. Run without arguments it lists what there is.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx := context.Background()
	if len(os.Args) < 2 || os.Args[1] != "guard" { // which passes signals on
		enders := []os.Signal{os.Interrupt, syscall.SIGTERM}
		if !signal.Ignored(syscall.SIGHUP) { // as it is under nohup
			enders = append(enders, syscall.SIGHUP)
		}
		ctx, _ = signal.NotifyContext(ctx, enders...)
	}
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
