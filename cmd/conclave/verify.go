package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"

	"conclave/history"
)

// exitDoubt: no violation was found, and the record does not suffice to say that
// there was none.
const exitDoubt = 3

// verifyHelp is what "conclave verify -h" says before the flags.
const verifyHelp = `usage: conclave verify [flags] FILE...

Reads what nodes have recorded (node.Config.History), all files together, and says
in words whether two nodes ever acted as the holder of one global at a time, and
whether a node ever accepted mail under a lower term after it had heard of a higher
one. Give it the files of all nodes. A FILE is what history.OpenFile has written, or
the log of a slog.JSONHandler that history.ToLog wrote to; - is the standard input.

The last line of a process that was killed may be torn; that is told, and does no
harm. Of a file with other lines that are not of a history the rest is still judged.

The exit status is 0 if all is good, 1 if there was a violation, 2 if a file could
not be read or has no history in it, 3 if there are doubts: something is missing.

`

// verify judges recorded histories.
func verify(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("verify", flag.ContinueOnError)
	skew := fs.Duration("skew", 0, "by how much the `calendars` of two machines may differ at most; 0: nobody knows, so what rests on them is a doubt")
	fs.SetOutput(io.Discard)
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		io.WriteString(stdout, verifyHelp)
		fs.SetOutput(stdout)
		fs.PrintDefaults()
		return exitOK
	case err == nil && fs.NArg() == 0:
		err = errors.New("no file is named")
	case err == nil && *skew < 0:
		err = fmt.Errorf("-skew %v is negative", *skew)
	}
	if err != nil {
		return misuse(stderr, "verify", err)
	}
	var all reading
	for _, name := range fs.Args() {
		if ctx.Err() != nil {
			return exitFailed
		}
		all.file(name, stderr)
	}
	if len(all.events) == 0 {
		return exitUsage // what is wrong with each has been told
	}
	report := history.Check(all.events, history.Options{Skew: *skew, Unread: all.unread})
	fmt.Fprintln(stdout, report)
	if *skew == 0 && slices.ContainsFunc(report.Findings, func(f history.Finding) bool { return f.Subject == history.Clocks }) {
		fmt.Fprintln(stderr, "conclave verify: with -skew, by how much the calendars of machines may differ, those are compared as well")
	}
	switch {
	case report.Worst() == history.Violation:
		return exitFailed
	case all.unread > 0:
		return exitUsage // which, and why, has been told
	case report.Worst() == history.Doubt:
		return exitDoubt
	}
	return exitOK
}

// reading is what several files bring together.
type reading struct {
	events []history.Event
	seen   []os.FileInfo
	unread int // files with something in them that could not be read
}

// file reads one and tells what is wrong with it.
func (r *reading) file(name string, stderr io.Writer) {
	tell := func(format string, args ...any) {
		fmt.Fprintf(stderr, "conclave verify: %s: %s\n", name, fmt.Sprintf(format, args...))
	}
	in := io.Reader(os.Stdin)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			r.unread++
			fmt.Fprintf(stderr, "conclave verify: %v\n", err)
			return
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil {
			if info.IsDir() {
				r.unread++
				tell("it is a directory: name the files in it")
				return
			}
			if slices.ContainsFunc(r.seen, func(other os.FileInfo) bool { return os.SameFile(info, other) }) {
				tell("named before; read once")
				return
			}
			r.seen = append(r.seen, info)
		}
		in = f
	}
	rec, err := history.Read(in)
	if r.events == nil { // without a copy: it may be large
		r.events = rec.Events
	} else {
		r.events = append(r.events, rec.Events...)
	}
	for _, line := range rec.Torn {
		tell("line %d is torn: its process was killed as it wrote it", line)
	}
	var path *os.PathError
	switch {
	case err == nil:
	case errors.As(err, &path): // which names the file itself
		r.unread++
		fmt.Fprintf(stderr, "conclave verify: %v\n", err)
	default:
		r.unread++
		tell("%v", err)
	}
}
