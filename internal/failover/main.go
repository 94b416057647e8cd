// Command failover measures how long a name is without a holder: from the signal
// that ends its holder's process to the first line of the next holder's code, in
// another process of this machine.
//
//	go run ./internal/failover -runs 50 -svg docs/failover.svg
//
// It measures a holder that stops in order (SIGTERM, node.Stop), one that is
// killed (SIGKILL) under conclave guard, and one that is killed without, on a
// ZooKeeper server of its own and on the development server. The numbers are of
// this machine, which it names.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"conclave/internal/zktest"
	"conclave/zkdev"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "office" {
		os.Exit(office(os.Args[2:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := measure(ctx, os.Args[1:])
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "failover:", err)
		os.Exit(1)
	}
}

// settings are the command line's.
type settings struct {
	runs      int
	unguarded int
	timeout   time.Duration
	tick      time.Duration
	servers   int
	on        string
	only      string
	svg       string
	each      bool
}

func measure(ctx context.Context, args []string) error {
	var set settings
	fs := flag.NewFlagSet("failover", flag.ContinueOnError)
	fs.IntVar(&set.runs, "runs", 50, "fail-overs of each kind that takes milliseconds")
	fs.IntVar(&set.unguarded, "unguarded", 10, "fail-overs without a guard, for each session timeout; they run side by side")
	fs.DurationVar(&set.timeout, "T", 10*time.Second, "session timeout where there is a guard")
	fs.DurationVar(&set.tick, "tick", 2*time.Second, "ZooKeeper's tickTime")
	fs.IntVar(&set.servers, "servers", 1, "servers of the ensemble")
	fs.StringVar(&set.on, "on", "zookeeper,zkdev", "what to measure on")
	fs.StringVar(&set.only, "only", "", "measure this kind only: stop, guarded or unguarded")
	fs.StringVar(&set.svg, "svg", "", "`file` for the curves")
	fs.BoolVar(&set.each, "each", false, "print every fail-over as it comes")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if set.runs < 1 || set.unguarded < 1 || fs.NArg() > 0 {
		return fmt.Errorf("-runs and -unguarded must be positive, and nothing may follow the flags")
	}
	switch set.only {
	case "", "stop", "guarded", "unguarded":
	default:
		return fmt.Errorf("-only %q: neither stop, guarded nor unguarded", set.only)
	}
	dir, err := os.MkdirTemp("", "conclave-failover-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tools, err := build(ctx, dir)
	if err != nil {
		return err
	}
	var all []*series
	for _, on := range strings.Split(set.on, ",") {
		site, err := open(on, set)
		if err != nil {
			return err
		}
		b := &bench{set: set, tools: tools, site: site}
		found, err := b.all(ctx)
		site.close()
		if err != nil {
			return fmt.Errorf("on %s: %w", on, err)
		}
		report(os.Stdout, site.version, found)
		all = append(all, found...)
	}
	if set.svg != "" {
		return os.WriteFile(set.svg, draw(all), 0o644)
	}
	return nil
}

// tools are the programs that are run.
type tools struct{ self, conclave string }

// build makes the command conclave, so that what is measured is what is used.
func build(ctx context.Context, dir string) (tools, error) {
	self, err := os.Executable()
	if err != nil {
		return tools{}, err
	}
	t := tools{self, filepath.Join(dir, "conclave")}
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", t.conclave, "conclave/cmd/conclave").CombinedOutput(); err != nil {
		return t, fmt.Errorf("go build conclave/cmd/conclave: %w\n%s", err, out)
	}
	return t, nil
}

// site is a ZooKeeper to measure on.
type site struct {
	addrs   string
	version string
	close   func()
}

func open(on string, set settings) (*site, error) {
	switch on {
	case "zkdev":
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		s := zkdev.New(zkdev.Config{Tick: set.tick})
		go s.Serve(l)
		return &site{l.Addr().String(), "zkdev", func() { s.Close() }}, nil
	case "zookeeper":
		e, err := zktest.NewEnsemble("", set.servers, zktest.Tick(set.tick))
		if err != nil {
			return nil, err
		}
		version := "ZooKeeper"
		if text, err := e.Word(0, "srvr"); err == nil {
			_, version, _ = strings.Cut(text, "version: ")
			version, _, _ = strings.Cut(version, "-")
			version = "ZooKeeper " + version
		}
		if set.servers > 1 {
			version += ", servers: " + strconv.Itoa(set.servers)
		}
		return &site{strings.Join(e.Addrs(), ","), version, e.StopAll}, nil
	}
	return nil, fmt.Errorf("-on %q: neither zookeeper nor zkdev", on)
}
