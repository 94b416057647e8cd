// Command cats hands a task from node to node: whoever has it does it, and creates
// the one that follows it, for the next account.
//
//	cats demo      shows it with three nodes, with nothing installed
//	cats           joins; start several, and stop some
//
// What the nodes do stands in cats.go. A program may join many scopes (-scopes
// cats,dogs), which know nothing of each other; how tasks are spread over the nodes
// is up to a strategy (-strategy). From outside:
//
//	conclave task status -scope cats -watch 1s
//	conclave task list -scope cats -meta accountId=7
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"conclave/node"
	"conclave/task"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// program is what the command line says.
type program struct {
	cfg      node.Config
	zk       string
	scopes   []string
	strategy task.Strategy
	pace     time.Duration
	more     func(account int64) bool
	out      io.Writer
	mu       *sync.Mutex // of out
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	p := program{out: stdout, mu: new(sync.Mutex)}
	fs := flag.NewFlagSet("cats", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&p.zk, "zk", os.Getenv("CONCLAVE_ZK"), "ZooKeeper `servers`, host:port,...; default $CONCLAVE_ZK, then 127.0.0.1:2181; the demo brings its own")
	fs.StringVar(&p.cfg.Root, "root", node.DefaultRoot, "znode that the cluster lives under")
	fs.StringVar(&p.cfg.Listen, "listen", "", "`address` for links from other nodes (default a free port on loopback)")
	fs.StringVar(&p.cfg.Name, "name", "", "the node's `name`, for people")
	secret := fs.String("secret", os.Getenv("CONCLAVE_SECRET"), "what all nodes must know to link; default $CONCLAVE_SECRET")
	scopes := fs.String("scopes", "cats", "`names` of the scopes to join")
	strategy := fs.String("strategy", "round-robin", strings.Join(slices.Sorted(maps.Keys(strategies)), ", "))
	fs.DurationVar(&p.pace, "pace", time.Second, "how long a task takes")
	last := fs.Int64("last", 0, "`account` after which there is none; 0: no such")

	demo := len(args) > 0 && args[0] == "demo"
	if demo {
		args = args[1:]
	}
	err := fs.Parse(args)
	p.strategy = strategies[*strategy]
	p.more = func(account int64) bool { return account != *last }
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(stdout, "usage: cats [flags]   join, until interrupted\n       cats demo      show it, with nothing installed")
		fs.SetOutput(stdout)
		fs.PrintDefaults()
		return 0
	case err == nil && fs.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case err == nil && p.strategy == nil:
		err = fmt.Errorf("-strategy %s is none of %s", *strategy, strings.Join(slices.Sorted(maps.Keys(strategies)), ", "))
	}
	p.cfg.Secret, p.cfg.Logger = []byte(*secret), slog.New(slog.DiscardHandler)
	p.scopes = strings.Split(*scopes, ",")
	if err == nil {
		if demo {
			err = p.demo(ctx)
		} else {
			err = p.persist(ctx)
		}
		if !errors.Is(err, node.ErrConfig) {
			if err != nil {
				fmt.Fprintln(stderr, "cats:", err)
				return 1
			}
			return 0
		}
	}
	fmt.Fprintf(stderr, "cats: %v (cats -h tells the flags)\n", err)
	return 2
}

// say prints a line; several goroutines do.
func (p program) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.out, format+"\n", args...)
}

// start starts a node and joins the scopes.
func (p program) start(ctx context.Context, name string, say func(string, ...any)) (n *node.Node, members []*member, err error) {
	if p.zk == "" {
		p.zk = "127.0.0.1:2181"
	}
	p.cfg.ZooKeeper, p.cfg.Name = strings.Split(p.zk, ","), name
	if n, err = node.Start(ctx, p.cfg); err != nil {
		return nil, nil, err
	}
	for _, scope := range p.scopes {
		m := &member{scope: scope, strategy: p.strategy, pace: p.pace, more: p.more, say: say}
		if err = m.join(ctx, n, task.Config{Logger: p.cfg.Logger}); err != nil {
			return nil, nil, errors.Join(err, leave(n, members))
		}
		members = append(members, m)
	}
	return n, members, nil
}

// persist is a node until ctx ends.
func (p program) persist(ctx context.Context) error {
	n, members, err := p.start(ctx, p.cfg.Name, p.say)
	if err != nil {
		return err
	}
	<-ctx.Done()
	return leave(n, members)
}
