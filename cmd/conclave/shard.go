package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"conclave/actor"
	"conclave/shard"
)

// shardHelp is what "conclave shard -h" says around the subcommands.
const shardHelp = `The spaces of a cluster: who should own their parts, who does, and to change it. A
command is a guest of the cluster, which is gone with it. "conclave shard COMMAND -h"
tells a command's flags.

NODE is a member's name, or, where several have the name, its id as "map" prints it, or
the 16 digits at the end of that.

A moved part stays until members come, go or change. A drained node is a member without
parts until it opens the space anew.

The exit status is 0 if all went well, 1 if it was refused, 2 for a wrong command line,
3 if there is no ZooKeeper within -timeout, 4 if it has not come about within -for: it
will, then, without the command.
`

var shardCommands = []subcommand[*shardSession]{
	{"map", "SPACE", "who owns the parts of a space, and who should", 1, 1, shardMap},
	{"spaces", "", "the spaces of the cluster", 0, 0, shardSpaces},
	{"move", "SPACE PART NODE", "have a part go to a node, and wait until it has; another may go back in exchange", 3, 3, shardMove},
	{"drain", "SPACE NODE", "have a node own nothing any more, and wait until it does", 2, 2, shardDrain},
}

// shards runs a subcommand.
func shards(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, code, ok := choose("shard", shardHelp, shardCommands, args, stdout, stderr)
	if !ok {
		return code
	}
	s := &shardSession{guest{ctx: ctx, stdout: stdout, stderr: stderr}}
	s.missing = s.noAnswer
	fs := flag.NewFlagSet("shard "+c.name, flag.ContinueOnError)
	fs.DurationVar(&s.timeout, "timeout", 10*time.Second, "how long to look for ZooKeeper")
	do := c.flags(fs)
	words, code, ok := read(&s.guest, c, fs, args[1:], func() error { return nil })
	if !ok {
		return code
	}
	err := do(s, words)
	s.close(func(context.Context) {})
	return s.told(fs.Name(), err)
}

// shardSession is a guest of the cluster that looks at spaces.
type shardSession struct{ guest }

func (s *shardSession) noAnswer(err, _ error) error {
	return fmt.Errorf("ZooKeeper at %s has not answered everything within %v: %w", strings.Join(s.config.ZooKeeper, ","), s.timeout, err)
}

// look reads how a space stands.
func (s *shardSession) look(space string) (l shard.Layout, err error) {
	if err := actor.CheckName(space); err != nil {
		return l, fmt.Errorf("%w: space %q: %w", errUsage, space, err)
	}
	err = s.within(func(ctx context.Context) (err error) {
		l, err = shard.Look(ctx, s.n, space)
		if !errors.Is(err, shard.ErrNoSpace) {
			return err
		}
		names, unknown := shard.Spaces(ctx, s.n)
		switch {
		case unknown != nil:
			return err
		case len(names) == 0:
			return fmt.Errorf("%w. There are no spaces under %s", err, s.config.Root)
		}
		return fmt.Errorf("%w. The spaces under %s are %s", err, s.config.Root, strings.Join(names, ", "))
	})
	return l, err
}

// await does what may take longer than ZooKeeper does: at most patience, 0 for as long
// as it takes.
func (s *shardSession) await(patience time.Duration, do func(ctx context.Context) error) error {
	ctx, cancel := s.ctx, context.CancelFunc(func() {})
	if patience > 0 {
		ctx, cancel = context.WithTimeout(s.ctx, patience)
	}
	defer cancel()
	err := do(ctx)
	switch {
	case err == nil || ctx.Err() == nil || s.ctx.Err() != nil:
		return err
	case errors.Is(err, shard.ErrPending):
		return later{err}
	}
	return unanswered{fmt.Errorf("not within %v: %w", patience, err)}
}

// patienceFlag is how long a command waits for what it has asked for.
func patienceFlag(fs *flag.FlagSet) func() (time.Duration, error) {
	d := fs.Duration("for", 0, "how long to wait; 0: as long as it takes")
	return func() (time.Duration, error) {
		if *d < 0 {
			return 0, fmt.Errorf("%w: -for %v is less than nothing", errUsage, *d)
		}
		return *d, nil
	}
}

// shardSpaces lists the spaces.
func shardSpaces(*flag.FlagSet) func(*shardSession, []string) error {
	return func(s *shardSession, _ []string) error {
		names := []string{}
		if err := s.within(func(ctx context.Context) error {
			found, err := shard.Spaces(ctx, s.n)
			names = append(names, found...)
			return err
		}); err != nil {
			return err
		}
		if s.json {
			return s.printJSON(names)
		}
		for _, name := range names {
			fmt.Fprintln(s.stdout, clean(name))
		}
		return nil
	}
}

// shardMove moves a part.
func shardMove(fs *flag.FlagSet) func(*shardSession, []string) error {
	patience := patienceFlag(fs)
	return func(s *shardSession, args []string) error {
		space := args[0]
		wait, err := patience()
		if err != nil {
			return err
		}
		part, err := strconv.Atoi(args[1])
		if err != nil {
			return fmt.Errorf("%w: %q is not the number of a part", errUsage, args[1])
		}
		l, err := s.look(space)
		if err != nil {
			return err
		}
		to, err := l.Find(args[2])
		if err != nil {
			return err
		}
		if err := s.await(wait, func(ctx context.Context) error { return shard.Move(ctx, s.n, space, part, to) }); err != nil {
			return err
		}
		if s.json {
			return s.printJSON(shardMoved{space, part, to.String()})
		}
		_, err = fmt.Fprintf(s.stdout, "part %d is with %s now\n", part, clean(to.String()))
		return err
	}
}

// shardDrain drains a node.
func shardDrain(fs *flag.FlagSet) func(*shardSession, []string) error {
	patience := patienceFlag(fs)
	return func(s *shardSession, args []string) error {
		space := args[0]
		wait, err := patience()
		if err != nil {
			return err
		}
		l, err := s.look(space)
		if err != nil {
			return err
		}
		id, err := l.Find(args[1])
		if err != nil {
			return err
		}
		if err := s.await(wait, func(ctx context.Context) error { return shard.DrainNode(ctx, s.n, space, id) }); err != nil {
			return err
		}
		if l, err = s.look(space); err != nil {
			return err
		}
		alone := !slices.ContainsFunc(l.Members, func(m shard.MemberLayout) bool { return m.Weight > 0 && !m.Leaving && !m.Unfit })
		if alone {
			fmt.Fprintln(s.stderr, "nobody is left who could own parts")
		}
		if s.json {
			return s.printJSON(shardDrained{space, id.String(), alone})
		}
		_, err = fmt.Fprintf(s.stdout, "%s owns nothing of %s now\n", clean(id.String()), clean(space))
		return err
	}
}
