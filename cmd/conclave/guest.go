package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"conclave/node"
	"conclave/transport"
)

// Exit codes of the commands that look into a cluster, beside the usual.
const (
	exitNobody = 3 // what was asked did not answer in time
	exitLater  = 4 // what was waited for had not come about in time
)

// guest is a command that looks into a cluster, as a guest that is gone with it.
type guest struct {
	ctx     context.Context
	timeout time.Duration
	config  node.Config
	json    bool

	stdout, stderr io.Writer

	n      *node.Node
	around around

	opened  func() error                  // does what is to be done once the node has been started
	missing func(err, misfit error) error // says why nothing answers, although ZooKeeper does
}

// farewell bounds how long the guest takes its leave: what it leaves behind goes
// with its session.
const farewell = 200 * time.Millisecond

// errUsage is about the command line.
var errUsage = errors.New("usage")

// unanswered is an error with exit code exitNobody.
type unanswered struct{ error }

// later is an error with exit code exitLater.
type later struct{ error }

// subcommand is one of a command like "conclave task". S is what it works with.
type subcommand[S any] struct {
	name, args, summary string
	least, most         int // arguments; most < 0: as many as there are
	// flags registers the command's own, and returns what it does: it looks at its
	// arguments before it goes near the cluster.
	flags func(fs *flag.FlagSet) func(s S, args []string) error
}

// choose finds the subcommand of "conclave NAME". If there is none to be run, all are
// listed, and the command ends with the code.
func choose[S any](name, help string, all []subcommand[S], args []string, stdout, stderr io.Writer) (c subcommand[S], code int, ok bool) {
	list := func(w io.Writer) {
		fmt.Fprintf(w, "usage: conclave %s <command> [flags] [arguments]\n", name)
		for _, c := range all {
			fmt.Fprintf(w, "  %-32s %s\n", strings.TrimSpace(c.name+" "+c.args), c.summary)
		}
		fmt.Fprintln(w)
		io.WriteString(w, help)
	}
	if len(args) == 0 {
		list(stderr)
		return c, exitUsage, false
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		list(stdout)
		return c, exitOK, false
	}
	for _, c := range all {
		if c.name == args[0] {
			return c, exitOK, true
		}
	}
	fmt.Fprintf(stderr, "conclave %s: there is no command %q\n", name, args[0])
	list(stderr)
	return c, exitUsage, false
}

// read reads a subcommand's command line: its own flags, which are in fs, and those
// that every guest has. If it returns false the command ends with the code. check finds
// what else may be wrong.
func read[S any](g *guest, c subcommand[S], fs *flag.FlagSet, args []string, check func() error) (words []string, code int, ok bool) {
	var cluster clusterFlags
	cluster.register(fs)
	format := fs.String("o", "table", "`form` of what is printed: table, or json")
	fs.SetOutput(io.Discard)
	words, err := parseMixed(fs, args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(g.stdout, strings.TrimSpace(fmt.Sprintf("usage: conclave %s [flags] %s", fs.Name(), c.args)))
		fmt.Fprintf(g.stdout, "%s\n", c.summary)
		fs.SetOutput(g.stdout)
		fs.PrintDefaults()
		return nil, exitOK, false
	}
	g.json = *format == "json"
	switch {
	case err != nil:
	case len(words) < c.least:
		err = fmt.Errorf("it takes %s", c.args)
	case c.most >= 0 && len(words) > c.most:
		err = fmt.Errorf("unexpected argument %q", words[c.most])
	case *format != "json" && *format != "table":
		err = fmt.Errorf("-o %s: table or json", *format)
	case g.timeout <= 0:
		err = fmt.Errorf("-timeout %v is no time at all", g.timeout)
	default:
		err = check()
	}
	if err == nil {
		g.config, err = cluster.config()
	}
	if err != nil {
		return nil, misuse(g.stderr, fs.Name(), err), false
	}
	return words, exitOK, true
}

// parseMixed reads flags before, between and after the arguments; after "--"
// everything is an argument.
func parseMixed(fs *flag.FlagSet, args []string) (words []string, err error) {
	for {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		rest := fs.Args()
		if len(rest) == 0 {
			return words, nil
		}
		if ended := len(rest) < len(args) && args[len(args)-len(rest)-1] == "--"; ended {
			return append(words, rest...), nil
		}
		words, args = append(words, rest[0]), rest[1:]
	}
}

// open joins the cluster and waits for ZooKeeper. within does it when it is due.
func (g *guest) open() error {
	g.config.Guest, g.config.OnEvent = true, g.around.hear
	var err error
	if g.n, err = node.Start(g.ctx, g.config); err != nil {
		if errors.Is(err, node.ErrConfig) {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		return err
	}
	if g.opened != nil {
		if err := g.opened(); err != nil {
			return err
		}
	}
	return g.within(g.n.Ready)
}

// close takes the guest's leave, after what before has done.
func (g *guest) close(before func(ctx context.Context)) {
	if g.n == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	before(ctx)
	_ = g.n.Stop(ctx)
}

// within does something in the cluster that must be over within the timeout, and
// says why it is not.
func (g *guest) within(do func(ctx context.Context) error) error {
	if g.n == nil {
		if err := g.open(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(g.ctx, g.timeout)
	defer cancel()
	err := do(ctx)
	if err == nil || ctx.Err() == nil || g.ctx.Err() != nil {
		return err
	}
	return unanswered{g.why(err)}
}

// why says what is missing that something took too long.
func (g *guest) why(err error) error {
	connected, trouble, misfit := g.around.state()
	servers := strings.Join(g.config.ZooKeeper, ",")
	switch {
	case !connected && trouble != nil:
		return fmt.Errorf("no ZooKeeper at %s within %v (%w)", servers, g.timeout, trouble)
	case !connected:
		return fmt.Errorf("no ZooKeeper at %s within %v", servers, g.timeout)
	}
	return g.missing(err, misfit)
}

// told says what went wrong, and is the exit code.
func (g *guest) told(name string, err error) int {
	var nobody unanswered
	var notYet later
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errUsage):
		return misuse(g.stderr, name, errors.New(strings.TrimPrefix(err.Error(), errUsage.Error()+": ")))
	case g.ctx.Err() != nil:
		err = errors.New("interrupted")
	}
	fmt.Fprintf(g.stderr, "conclave %s: %v\n", name, clean(err.Error()))
	switch {
	case errors.As(err, &nobody):
		return exitNobody
	case errors.As(err, &notYet):
		return exitLater
	}
	return exitFailed
}

// around is what the node has noticed of the world.
type around struct {
	mu        sync.Mutex
	connected bool
	trouble   error // with ZooKeeper, the latest
	misfit    error // a node would not link with us
}

func (a *around) hear(e node.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch e.Kind {
	case node.SessionUp, node.SessionResumed:
		a.connected = true
	case node.SessionSuspended, node.SessionLost:
		a.connected = false
	case node.Trouble:
		a.trouble = e.Err
	case node.LinkUp:
		a.misfit = nil
	case node.LinkFailed:
		for _, sort := range []error{
			transport.ErrWrongSecret, transport.ErrTLS, transport.ErrVersion, transport.ErrNotConclave, node.ErrOtherCluster, node.ErrRefused,
		} {
			if errors.Is(e.Err, sort) {
				a.misfit = fmt.Errorf("no link with %s: %w", e.Peer, e.Err)
			}
		}
	}
}

func (a *around) state() (connected bool, trouble, misfit error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.connected, a.trouble, a.misfit
}
