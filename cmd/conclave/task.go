package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"time"
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

var taskCommands = []subcommand[*taskSession]{
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
	c, code, ok := choose("task", taskHelp, taskCommands, args, stdout, stderr)
	if !ok {
		return code
	}
	s := newTaskSession(ctx, stdin, stdout, stderr)
	fs := flag.NewFlagSet("task "+c.name, flag.ContinueOnError)
	fs.StringVar(&s.scope, "scope", os.Getenv("CONCLAVE_SCOPE"), "the tasks' `world`; default $CONCLAVE_SCOPE")
	fs.DurationVar(&s.timeout, "timeout", 10*time.Second, "how long to look for ZooKeeper and a dispatcher")
	do := c.flags(fs)
	words, code, ok := read(&s.guest, c, fs, args[1:], func() error {
		if s.scope == "" && c.name != "scopes" {
			return errors.New("no scope is named: -scope, or $CONCLAVE_SCOPE")
		}
		return nil
	})
	if !ok {
		return code
	}
	err := do(s, words)
	s.end()
	return s.told(fs.Name(), err)
}
