// Command boss is a small company whose offices are processes, on one machine
// or many: exactly one of them is the boss and hands out jobs, the others are
// its workers and stand ready to be the boss when it goes.
//
//	boss                  joins the company, until <Enter>
//	boss wash the dishes  hands a job to the boss, whoever that is
//	boss demo             shows it all, with nothing installed
//
// What they do stands in boss.go, and join makes a node one of them; the rest is
// about command lines and the demo.
package main

import (
	"bufio"
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

	"conclave/actor"
	"conclave/history"
	"conclave/node"
)

// Exit codes, as shells expect them.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// leaveWithin bounds how long leaving in order may take.
const leaveWithin = 5 * time.Second

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) > 0 && args[0] == "demo" {
		if len(args) > 1 {
			return misuse(fmt.Errorf("demo takes no arguments (a job of that name: boss -- %s)", strings.Join(args, " ")))
		}
		return demo()
	}
	cfg, wait, job, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		return misuse(err)
	case job != "":
		return request(cfg, wait, job)
	default:
		return persist(cfg)
	}
}

// parse reads the command line. Without a job the process is a persistent one.
func parse(args []string) (cfg node.Config, wait time.Duration, job string, err error) {
	zk := os.Getenv("CONCLAVE_ZK")
	if zk == "" {
		zk = "127.0.0.1:2181"
	}
	fs := flag.NewFlagSet("boss", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // one line about an error, not the whole usage
	fs.StringVar(&zk, "zk", zk, "ZooKeeper `servers`, host:port,...; default $CONCLAVE_ZK, then 127.0.0.1:2181")
	fs.StringVar(&cfg.Root, "root", node.DefaultRoot, "znode that the company lives under")
	fs.StringVar(&cfg.Listen, "listen", "127.0.0.1:0", "`address` for links from other nodes; port 0 takes a free one")
	fs.StringVar(&cfg.Name, "name", "", "the node's `name`, for people (default program and process id)")
	secret := fs.String("secret", "", "what all of the company must know to link")
	cert := fs.String("tls-cert", "", "`file` with this office's certificate, for links over TLS; with -tls-key and -tls-ca")
	key := fs.String("tls-key", "", "`file` with its key")
	ca := fs.String("tls-ca", "", "`file` with the company's CA")
	common := fs.String("tls-name", "", "`name` that all certificates carry (default: that of the host dialed)")
	fs.DurationVar(&cfg.SessionTimeout, "session-timeout", 10*time.Second, "ZooKeeper session timeout: bounds how long a dead boss goes unnoticed")
	fs.DurationVar(&wait, "wait", 5*time.Second, "how long to wait until a job is taken")
	record := fs.String("history", "", "`file` to record terms and mail under them in, for conclave verify")
	verbose := fs.Bool("v", false, "log what the node does")
	if err = fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		fmt.Println("usage: boss [flags]               join: be the boss, or a worker and candidate")
		fmt.Println("       boss [flags] JOB WORDS...  hand the boss a job")
		fmt.Println("       boss demo                  show it all, with nothing installed")
		fs.SetOutput(os.Stdout)
		fs.PrintDefaults()
	}
	if err == nil && wait <= 0 {
		err = fmt.Errorf("-wait %v is no time at all", wait)
	}
	cfg.ZooKeeper = strings.Split(zk, ",")
	cfg.Secret = []byte(*secret)
	cfg.Logger = slog.New(slog.DiscardHandler)
	if *verbose {
		cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	job = strings.Join(fs.Args(), " ")
	if err == nil && fs.NArg() > 0 && strings.TrimSpace(job) == "" {
		err = errors.New("the job is empty")
	}
	if err == nil && (*cert != "" || *key != "" || *ca != "" || *common != "") {
		if cfg.TLS, err = node.TLSFromFiles(*cert, *key, *ca); err == nil {
			cfg.TLS.ServerName = *common
		}
	}
	if err == nil && *record != "" {
		var f *history.File // each event is written at once, so nobody need close it
		if f, err = history.OpenFile(*record); err == nil {
			cfg.History = f.Record
		}
	}
	return cfg, wait, job, err
}

// persist is a life in the company, until <Enter>, SIGINT or SIGTERM.
func persist(cfg node.Config) int {
	ctx, leave := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer leave()
	cfg.OnEvent = newComplaints(cfg).hear
	n, err := node.Start(ctx, cfg)
	if err != nil {
		return refused(err)
	}
	fmt.Println("Starting persistent process - press <Enter> to exit.")
	go func() {
		awaitEnter(os.Stdin)
		leave()
	}()
	err = join(ctx, n)
	left := ctx.Err() != nil
	leave() // a second signal ends the process at once

	stopping, cancel := context.WithTimeout(context.Background(), leaveWithin)
	defer cancel()
	stopErr := n.Stop(stopping)
	switch {
	case !left:
		return fail(err)
	case stopErr != nil:
		fmt.Fprintln(os.Stderr, "boss: left, but not all could be put in order:", strings.ReplaceAll(stopErr.Error(), "\n", "; "))
	}
	return exitOK
}

// join stands for "boss". Whoever is not elected at first works, and goes on
// working when elected later. It returns when ctx ends.
func join(ctx context.Context, n *node.Node) error {
	reign, over := context.WithCancel(ctx)
	defer over()
	elected, err := n.RegisterCandidate(ctx, "boss", func(p *actor.Process) error {
		reason := boss(p)
		if ctx.Err() == nil {
			fmt.Println("No longer the boss:", reason)
		}
		over()
		return reason // an error: the node stands again
	})
	if err != nil {
		return err
	}
	if elected.Node() == n.ID() {
		<-reign.Done() // like a boss
	}
	if ctx.Err() != nil {
		return nil
	}
	if _, err := n.Register(ctx, "worker", n.Spawn(worker)); err != nil {
		return err
	}
	fmt.Println("Worker waiting for task...")
	<-ctx.Done()
	return nil
}

// awaitEnter returns when a line has been entered. The end of the input is not
// one: without a terminal there is nobody to press a key, now or ever.
func awaitEnter(in io.Reader) {
	ignoreBackgroundReads()
	if _, err := bufio.NewReader(in).ReadString('\n'); err != nil {
		select {}
	}
}

// refused tells why a node did not start: bad flags, or an address not to be had.
func refused(err error) int {
	if errors.Is(err, node.ErrConfig) {
		return misuse(err)
	}
	return fail(err)
}

func misuse(err error) int {
	fmt.Fprintf(os.Stderr, "boss: %v (boss -h tells the flags)\n", err)
	return exitUsage
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "boss:", err)
	return exitFailed
}
