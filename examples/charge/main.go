// Command charge is the charge of a shop's orders, made once each although the
// payment service refuses at random and times out, and workers are killed.
//
//	charge demo                            shows it all, with nothing installed
//
//	charge outside                         the payment service and the mail service
//	charge work                            a worker; start several
//	charge pay ORDER CUSTOMER TOKEN CENTS  submits a charge, and waits for its receipt
//
// What an order is charged by stands in charge.go: a handler of 20 lines, and what
// follows it. The payment service (outside.go) remembers what it has done by a key;
// the task's id is the key, so however often the handler runs, the charge is one.
// A declined card is a dead task, with its reason, and not tried again:
//
//	conclave task dead -scope shop
//	conclave task retry -scope shop ORDER
//
// Whoever runs "charge work" can be the dispatcher, too: kill any of them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"conclave/node"
)

// errUsage is about the command line.
var errUsage = errors.New("charge demo | outside | work | pay ORDER CUSTOMER TOKEN CENTS (charge -h tells the flags)")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := run(ctx, os.Args[1:])
	switch {
	case errors.Is(err, errUsage), errors.Is(err, node.ErrConfig):
		fmt.Fprintln(os.Stderr, "charge:", err)
		os.Exit(2)
	case err != nil && !errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(os.Stderr, "charge:", err)
		os.Exit(1)
	}
}

// program is what the command line says.
type program struct {
	cfg      node.Config
	zk       string // "": the demo brings its own
	address  string
	patience time.Duration
	seed     uint64
}

func run(ctx context.Context, args []string) error {
	var p program
	fs := flag.NewFlagSet("charge", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&p.zk, "zk", os.Getenv("CONCLAVE_ZK"), "ZooKeeper `servers`, host:port,...; default $CONCLAVE_ZK, then 127.0.0.1:2181; the demo brings its own")
	fs.StringVar(&p.cfg.Root, "root", node.DefaultRoot, "znode that the cluster lives under")
	fs.StringVar(&p.cfg.Listen, "listen", "", "`address` for links from other nodes (default a free port on loopback)")
	fs.StringVar(&p.cfg.Name, "name", "", "the node's `name`, for people")
	fs.DurationVar(&p.cfg.SessionTimeout, "session-timeout", 10*time.Second, "ZooKeeper session timeout: bounds how long a dead worker goes unnoticed")
	secret := fs.String("secret", os.Getenv("CONCLAVE_SECRET"), "what all nodes must know to link; default $CONCLAVE_SECRET")
	fs.StringVar(&p.address, "outside", "127.0.0.1:8090", "`address` of the payment and mail services")
	fs.DurationVar(&p.patience, "patience", time.Second, "how long to wait for an answer of theirs")
	fs.Uint64Var(&p.seed, "seed", 1, "of their moods")
	if len(args) == 0 {
		return errUsage
	}
	command, flags := args[0], args[1:]
	if strings.HasPrefix(command, "-") {
		command, flags = "", args
	}
	err := fs.Parse(flags)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Println("usage:", errUsage)
		fs.SetOutput(os.Stdout)
		fs.PrintDefaults()
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	p.cfg.Secret = []byte(*secret)
	p.cfg.Logger = slog.New(slog.DiscardHandler)
	if command == "demo" && fs.NArg() == 0 {
		return p.demo(ctx)
	}
	if p.zk == "" {
		p.zk = "127.0.0.1:2181"
	}
	p.cfg.ZooKeeper = strings.Split(p.zk, ",")
	switch {
	case command == "outside" && fs.NArg() == 0:
		return p.serve(ctx)
	case command == "work" && fs.NArg() == 0:
		return p.work(ctx)
	case command == "pay" && fs.NArg() == 4:
		return p.pay(ctx, fs.Args())
	}
	return errUsage
}
