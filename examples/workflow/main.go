// Command workflow is a workflow engine whose nodes are equal peers. Each is responsible
// for its parts of the keys, nobody is in the middle, and no two nodes ever work on the
// same instance.
//
//	workflow demo                  shows it all, with nothing installed
//
//	workflow backend               the system that must get no message twice
//	workflow node -name n1         a node; start several, and kill any of them
//	workflow start order-17        starts an instance
//	workflow send order-17 paid    an event from outside
//	workflow status order-17       how it stands
//	workflow table                 what the backend has counted
//
// An instance is an order (flow.go): goods are reserved, the customer is charged, and
// when the event "paid" has come, the order is shipped; if it does not come in time, the
// goods are released.
//
// The engine (engine.go) is one process for each instance, started when there is
// something for it to do and gone when it waits. What an instance is, is kept in a file
// of its part before anything is done about it (store.go), so whoever has the part next
// goes on with it; the part's clock (clock.go) wakes those whose time has come. The
// backend is asked at least once, under an id for each message, which makes it once, and
// with the number of the part's term, by which it refuses whoever comes late.
//
// There is no server but ZooKeeper ("conclave dev" will do). The nodes share a folder
// (folder.go), so they are on one machine; state for several machines belongs into a
// database that all of them reach, with the term's number as its fence.
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

	"conclave/history"
	"conclave/node"
	"conclave/shard"
)

// errUsage is about the command line.
var errUsage = errors.New("workflow demo | backend | node | start KEY... | send KEY... EVENT | status KEY... | table; workflow -h tells the flags")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := run(ctx, os.Args[1:])
	switch {
	case errors.Is(err, errUsage), errors.Is(err, node.ErrConfig), errors.Is(err, shard.ErrConfig):
		tell(err)
		os.Exit(2)
	case err != nil && !errors.Is(err, flag.ErrHelp):
		tell(err)
		os.Exit(1)
	}
}

// tell tells of errors, each on a line.
func tell(err error) {
	fmt.Fprintln(os.Stderr, "workflow:", strings.ReplaceAll(err.Error(), "\n", "\nworkflow: "))
}

// program is what the command line says.
type program struct {
	cfg      node.Config
	zk       string
	address  string // of the backend
	state    string
	parts    int
	idle     time.Duration
	within   time.Duration
	wait     time.Duration
	patience time.Duration
	stall    string
	delay    string
	verbose  bool
}

func run(ctx context.Context, args []string) error {
	var p program
	fs := flag.NewFlagSet("workflow", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&p.zk, "zk", os.Getenv("CONCLAVE_ZK"), "ZooKeeper `servers`, host:port,...; default $CONCLAVE_ZK, then 127.0.0.1:2181; the demo brings its own unless this is given")
	fs.StringVar(&p.cfg.Root, "root", node.DefaultRoot, "znode that the cluster lives under")
	fs.StringVar(&p.cfg.Listen, "listen", "", "`address` for links from other nodes (default a free port on loopback)")
	fs.StringVar(&p.cfg.Name, "name", "", "the node's `name`, for people")
	fs.DurationVar(&p.cfg.SessionTimeout, "session-timeout", 10*time.Second, "ZooKeeper session timeout: bounds how long a dead node goes unnoticed")
	secret := fs.String("secret", os.Getenv("CONCLAVE_SECRET"), "what all nodes must know to link; default $CONCLAVE_SECRET")
	fs.StringVar(&p.state, "state", "workflow.state", "`folder` of the instances, the same one for all nodes")
	fs.IntVar(&p.parts, "parts", 64, "into how many parts the keys are divided, the same for all, for ever")
	fs.DurationVar(&p.idle, "idle", 10*time.Second, "how long an instance keeps its process while there is nothing to do")
	fs.StringVar(&p.address, "backend", "127.0.0.1:8091", "`address` of the backend")
	fs.DurationVar(&p.patience, "patience", 2*time.Second, "how long to wait for an answer of the backend")
	fs.DurationVar(&p.within, "within", time.Minute, "start: how long the order may take to be paid")
	fs.DurationVar(&p.wait, "wait", 30*time.Second, "start, send, status: how long to try")
	record := fs.String("history", "", "node: `file` to record terms in, for conclave verify")
	fs.StringVar(&p.stall, "stall", "", "backend: `key` whose first shipping is done and never answered")
	fs.StringVar(&p.delay, "delay", "", "backend: `key` whose first shipping arrives only after one of a later term")
	fs.BoolVar(&p.verbose, "v", false, "node: tell each step")
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
	switch {
	case err != nil:
		return fmt.Errorf("%w\n%w", err, errUsage)
	case p.parts <= 0:
		return fmt.Errorf("-parts %d: one is the least\n%w", p.parts, errUsage)
	case p.wait <= 0 || p.patience <= 0 || p.within <= 0:
		return fmt.Errorf("-wait %v, -patience %v, -within %v: each must be some time\n%w", p.wait, p.patience, p.within, errUsage)
	}
	for _, arg := range fs.Args() {
		if strings.HasPrefix(arg, "-") { // or it would be the name of an order
			return fmt.Errorf("%s: flags come before the keys\n%w", arg, errUsage)
		}
	}
	if *record != "" {
		f, err := history.OpenFile(*record) // each event is written at once, so nobody need close it
		if err != nil {
			return err
		}
		p.cfg.History = f.Record
	}
	p.cfg.Secret = []byte(*secret)
	p.cfg.Logger = slog.New(slog.DiscardHandler)
	p.cfg.ZooKeeper = servers(p.zk)
	switch n := fs.NArg(); {
	case command == "demo" && n == 0:
		given := false
		fs.Visit(func(f *flag.Flag) { given = given || f.Name == "zk" })
		if !given { // whatever the environment says
			p.zk = ""
		}
		return p.demo(ctx)
	case command == "backend" && n == 0:
		return newBackend(p.stall, p.delay).serve(ctx, p.address)
	case command == "node" && n == 0:
		return p.work(ctx)
	case command == "table" && n == 0:
		return p.printTable(ctx)
	case command == "start" && n > 0, command == "status" && n > 0, command == "send" && n > 1:
		return p.submit(ctx, command, fs.Args())
	}
	return errUsage
}
