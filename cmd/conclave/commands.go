package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
)

// Exit codes, as shells expect them.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// command is one subcommand. It ends when ctx does and returns an exit code.
type command struct {
	name, summary string
	run           func(ctx context.Context, args []string, stdout, stderr io.Writer) int
}

var commands = []command{
	{"dev", "serve a ZooKeeper for development: one node, in memory", dev},
	{"gateway", "serve tasks, globals and services over HTTP, for every language", serveGateway},
	{"guard", "run a program and end its ZooKeeper session as soon as it dies", guarding},
	{"shard", "see who owns the parts of a space; move parts, drain nodes", shards},
	{"task", "submit durable tasks, and see and change what has become of them", tasks},
	{"verify", "judge what nodes have recorded: was there ever more than one holder?", verify},
}

// run finds the subcommand and runs it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		list(stderr)
		return exitUsage
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		list(stdout)
		return exitOK
	}
	for _, c := range commands {
		if c.name == args[0] {
			return c.run(ctx, args[1:], stdout, stderr)
		}
	}
	fmt.Fprintf(stderr, "conclave: there is no command %q\n", args[0])
	list(stderr)
	return exitUsage
}

func list(w io.Writer) {
	fmt.Fprintln(w, "usage: conclave <command> [flags]")
	for _, c := range commands {
		fmt.Fprintf(w, "  %-8s %s\n", c.name, c.summary)
	}
	fmt.Fprintln(w, "conclave <command> -h tells a command's flags")
}

// parse reads a command's flags. If it returns false the command ends with
// the code: help was asked for, or an error has been told.
func parse(fs *flag.FlagSet, args []string, stdout, stderr io.Writer) (code int, ok bool) {
	fs.SetOutput(io.Discard) // one line about an error, not the whole usage
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(stdout, "usage: conclave %s [flags]\n", fs.Name())
		fs.SetOutput(stdout)
		fs.PrintDefaults()
		return exitOK, false
	case err == nil && fs.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if err != nil {
		return misuse(stderr, fs.Name(), err), false
	}
	return exitOK, true
}

// misuse tells what is wrong with a command line.
func misuse(stderr io.Writer, name string, err error) int {
	fmt.Fprintf(stderr, "conclave %s: %v (conclave %s -h tells the flags)\n", name, err, name)
	return exitUsage
}
