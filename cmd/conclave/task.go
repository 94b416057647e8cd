package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Exit codes of "conclave task" beside the usual.
const (
	exitNobody = 3 // no ZooKeeper or no dispatcher answered in time
	exitLater  = 4 // the task had not ended in time
)

// taskHelp is what "conclave task -h" says around the subcommands.
const taskHelp = `The durable tasks of a scope, from outside: as a guest of the cluster, which is gone
with the command. "conclave task COMMAND -h" tells a command's flags.

Bodies and results are JSON: integers stay integers, {"$bytes": "..."} are bytes in
base64, {"$time": "2026-12-24T18:00:00Z"} is a time. A handler in Go takes an object
as a struct. With -o json every command prints JSON in the gateway's form: the fields
of package task, with durations in seconds.

The exit status is 0 if all went well, 1 if it was refused or the task that was waited
for is dead or cancelled, 2 for a wrong command line, 3 if there is no ZooKeeper or no
dispatcher within -timeout, 4 if the task that was waited for has not ended within -for.
`

// taskCommand is one subcommand of "conclave task".
type taskCommand struct {
	name, args, summary string
	least, most         int // arguments; most < 0: as many as there are
	// flags registers the command's own, and returns what it does: it looks at its
	// arguments before it goes near the cluster.
	flags func(fs *flag.FlagSet) func(s *taskSession, args []string) error
}

var taskCommands = []taskCommand{
	{"submit", "KIND [JSON]", "hand in a task; JSON is its body, - reads it from the standard input", 1, 2, taskSubmit},
	{"status", "", "how the scope stands: counts, ages, workers, dispatcher", 0, 0, taskStatus},
	{"list", "", "tasks, in the order of submission", 0, 0, taskList},
	{"show", "ID", "one task, with its body and its result", 1, 1, taskShow},
	{"wait", "ID", "wait until a task has ended, and print its result", 1, 1, taskWait},
	{"retry", "[ID...]", "let dead or cancelled tasks, or those that wait for their time, start now", 0, -1, taskRetry},
	{"cancel", "ID...", "cancel tasks", 1, -1, taskCancel},
	{"delete", "ID...", "forget tasks that have ended", 1, -1, taskDelete},
	{"dead", "", "tasks that have failed for good, and why", 0, 0, taskDead},
	{"schedules", "", "the schedules of the scope", 0, 0, taskSchedules},
	{"schedule", "NAME LINE KIND [JSON]", `submit a task again and again: LINE is "*/5 * * * *", "@every 90s", "@hourly", ...`, 3, 4, taskSchedule},
	{"unschedule", "NAME", "take a schedule away", 1, 1, taskUnschedule},
	{"scopes", "", "the scopes of the cluster", 0, 0, taskScopes},
}

// tasks runs a subcommand.
func tasks(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return runTask(ctx, args, os.Stdin, stdout, stderr)
}

func runTask(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		listTaskCommands(stderr)
		return exitUsage
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		listTaskCommands(stdout)
		return exitOK
	}
	for _, c := range taskCommands {
		if c.name == args[0] {
			return c.run(ctx, args[1:], stdin, stdout, stderr)
		}
	}
	fmt.Fprintf(stderr, "conclave task: there is no command %q\n", args[0])
	listTaskCommands(stderr)
	return exitUsage
}

func listTaskCommands(w io.Writer) {
	fmt.Fprintln(w, "usage: conclave task <command> [flags] [arguments]")
	for _, c := range taskCommands {
		fmt.Fprintf(w, "  %-32s %s\n", strings.TrimSpace(c.name+" "+c.args), c.summary)
	}
	fmt.Fprintln(w)
	io.WriteString(w, taskHelp)
}

// run reads the command line, joins the cluster, and does what the command does.
func (c taskCommand) run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("task "+c.name, flag.ContinueOnError)
	var cluster clusterFlags
	cluster.register(fs)
	s := &taskSession{ctx: ctx, stdin: stdin, stdout: stdout, stderr: stderr}
	fs.StringVar(&s.scope, "scope", os.Getenv("CONCLAVE_SCOPE"), "the tasks' `world`; default $CONCLAVE_SCOPE")
	fs.DurationVar(&s.timeout, "timeout", 10*time.Second, "how long to look for ZooKeeper and a dispatcher")
	format := fs.String("o", "table", "`form` of what is printed: table, or json")
	do := c.flags(fs)
	fs.SetOutput(io.Discard)
	words, err := parseMixed(fs, args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(stdout, strings.TrimSpace(fmt.Sprintf("usage: conclave task %s [flags] %s", c.name, c.args)))
		fmt.Fprintf(stdout, "%s\n", c.summary)
		fs.SetOutput(stdout)
		fs.PrintDefaults()
		return exitOK
	}
	s.json = *format == "json"
	switch {
	case err != nil:
	case len(words) < c.least:
		err = fmt.Errorf("it takes %s", c.args)
	case c.most >= 0 && len(words) > c.most:
		err = fmt.Errorf("unexpected argument %q", words[c.most])
	case *format != "json" && *format != "table":
		err = fmt.Errorf("-o %s: table or json", *format)
	case s.timeout <= 0:
		err = fmt.Errorf("-timeout %v is no time at all", s.timeout)
	case s.scope == "" && c.name != "scopes":
		err = errors.New("no scope is named: -scope, or $CONCLAVE_SCOPE")
	}
	if err == nil {
		s.config, err = cluster.config()
	}
	if err != nil {
		return misuse(stderr, fs.Name(), err)
	}
	err = do(s, words)
	s.close()
	return s.told(fs.Name(), err)
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
