package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"

	"conclave/internal/guard"
	"conclave/internal/keeper"
)

// guardHelp is what "conclave guard -h" says before the flags.
const guardHelp = `usage: conclave guard [flags] -- PROGRAM ARGS...

Runs PROGRAM and, when it dies, ends its ZooKeeper session at once: what it held
passes to others in milliseconds instead of after its session timeout. PROGRAM
needs nothing but node.Start; shells and "go run" may stand in between.

INT, TERM, HUP, QUIT, USR1, USR2, ALRM, WINCH and CONT are passed on; but INT, HUP,
QUIT and WINCH not in the foreground of a terminal, which has sent them to PROGRAM
as well. The exit status is PROGRAM's; 128+n if signal n killed it, 127 if there is no
such program, 126 if it cannot be started.

PROGRAM counts as dead when no process holds the descriptor any more that it was
given (CONCLAVE_GUARD says which): not while it is paused, and not while something
lives that was started before the node was. Until then nothing is ended and nothing
started again; HUP, INT, QUIT or TERM end the guard without more ado if PROGRAM
itself is gone. If the guard dies, PROGRAM runs on unguarded, and logs that.

With -history FILE the guard is a witness for "conclave verify": before it ends a
dead node's session it records that it saw the node dead. Without one, the record of
a node that was killed cannot exclude that it acted until its lease ran out. FILE may
be the one that PROGRAM records its own history in; it is made when it is needed.

`

// guarding starts a program and looks after what it leaves.
func guarding(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("guard", flag.ContinueOnError)
	var restart restartFlag
	fs.Var(&restart, "restart", "start PROGRAM again when it fails; -restart=always also after exit status 0, never after it was asked to end")
	backoff := fs.Duration("backoff", guard.DefaultBackoff, "`pause` before the first restart; it doubles up to 30s, and starts over after a run of 30s")
	record := fs.String("history", "", "history `file` to record the deaths of PROGRAM's nodes in")
	fs.SetOutput(io.Discard)
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		io.WriteString(stdout, guardHelp)
		fs.SetOutput(stdout)
		fs.PrintDefaults()
		return exitOK
	case err == nil && fs.NArg() == 0:
		err = errors.New("no program is named")
	case err == nil && fs.Arg(0) == "":
		err = errors.New("the program's name is empty")
	case err == nil && *backoff <= 0:
		err = fmt.Errorf("-backoff %v is no pause", *backoff)
	case err == nil && restart != 0 && fs.NArg() > 1 && fs.Arg(1) == "--" && new(restartFlag).Set(fs.Arg(0)) == nil:
		err = fmt.Errorf("-restart takes its value with a =: -restart=%s", fs.Arg(0))
	}
	if err != nil {
		return misuse(stderr, "guard", err)
	}
	if err := guard.Supported(); err != nil {
		fmt.Fprintln(stderr, "conclave guard:", err)
		return exitFailed
	}
	var mu sync.Mutex // it is called from several goroutines
	say := func(line string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(stderr, "conclave guard:", line)
	}
	var died func(incarnation uint64, label string)
	if *record != "" {
		w, err := newWitness(*record)
		if err != nil {
			say(err.Error())
			return exitFailed
		}
		died = func(incarnation uint64, label string) {
			if err := w.died(incarnation, label); err != nil {
				say(fmt.Sprintf("the death of node #%016x could not be recorded: %v", incarnation, err))
			}
		}
	}
	return guard.Run(ctx, guard.Options{
		Program: fs.Arg(0),
		Args:    fs.Args()[1:],
		Restart: guard.Restart(restart),
		Backoff: *backoff,
		Close: func(ctx context.Context, s guard.Session) (known bool, err error) {
			h := keeper.Handover{Servers: s.Servers, Session: s.ID, Password: s.Password, Timeout: s.Timeout}
			return keeper.CloseSession(ctx, h, nil)
		},
		Died:   died,
		Say:    say,
		Stdin:  os.Stdin,
		Stdout: os.Stdout,
		Stderr: os.Stderr,
	})
}

// restartFlag is a flag that may do without a value.
type restartFlag guard.Restart

func (r *restartFlag) IsBoolFlag() bool { return true }

func (r *restartFlag) String() string {
	if r == nil {
		return ""
	}
	return [...]string{"", "failure", "always"}[*r]
}

func (r *restartFlag) Set(text string) error {
	switch on, err := strconv.ParseBool(text); {
	case text == "always":
		*r = restartFlag(guard.Always)
	case text == "failure", err == nil && on:
		*r = restartFlag(guard.OnFailure)
	case err == nil:
		*r = restartFlag(guard.Never)
	default:
		return errors.New(`it takes no value, or "failure" or "always"`)
	}
	return nil
}
