//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"conclave/internal/child"
	"conclave/internal/zktest"
	"conclave/node"
	"conclave/task"
)

// secret is what all nodes share.
const secret = "of the rates"

// patience is how long anything may take that has to come.
const patience = 60 * time.Second

// way is one way to dispatch.
type way struct {
	name  string
	parts int
	nodes int // that dispatch
}

// bench is all that a run has started.
type bench struct {
	settings
	self  string
	logs  string
	zk    *zktest.Ensemble
	n     *node.Node // the driver's own, a guest
	names int
}

// party is a process.
type party struct {
	*child.Process
	role role
	name string
	told chan said
}

// measure measures all ways, and reports.
func measure(ctx context.Context, set settings, to io.Writer) (err error) {
	b := &bench{settings: set}
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.logs, err = os.MkdirTemp("", "conclave-taskrates-"); err != nil {
		return err
	}
	if b.zk, err = zktest.NewEnsemble(set.dir, 1, zktest.AsShipped()); err != nil {
		return err
	}
	defer b.zk.StopAll()
	quiet := slog.New(slog.DiscardHandler)
	if b.n, err = node.Start(ctx, node.Config{Name: "driver", Guest: true, Secret: []byte(secret), ZooKeeper: b.zk.Addrs(), Logger: quiet}); err != nil {
		return err
	}
	defer b.n.Stop(context.Background())
	ways := []way{{"one dispatcher", 1, 1}}
	for _, nodes := range []int{1, 2, 4} {
		ways = append(ways, way{fmt.Sprintf("%d parts on %d", set.parts, nodes), set.parts, nodes})
	}
	results := make([][]result, len(ways))
	for round := range set.rounds {
		for i := range ways {
			at := (i + round) % len(ways) // nobody is always the first
			r, err := b.one(ctx, round, ways[at])
			if err != nil {
				return fmt.Errorf("%s, round %d: %w (logs in %s)", ways[at].name, round+1, err, b.logs)
			}
			results[at] = append(results[at], r)
			fmt.Fprintf(os.Stderr, "round %d, %-16s %8.0f tasks/s\n", round+1, ways[at].name, r.rate)
		}
	}
	report(to, set, ways, results)
	return os.RemoveAll(b.logs)
}

// one measures a way once, in a scope of its own.
func (b *bench) one(ctx context.Context, round int, w way) (r result, err error) {
	scope := fmt.Sprintf("r%d-%d-%d", round, w.parts, w.nodes)
	var all []*party
	defer func() {
		for _, p := range all {
			p.Tell("stop")
		}
		for _, p := range all {
			child.Await(ctx, patience/2, func() bool { return !p.Alive() })
			p.End()
		}
	}()
	for _, need := range []struct {
		role  role
		count int
	}{{dispatches, w.nodes}, {works, b.workers}, {submits, b.submitters}} {
		for range need.count {
			p, err := b.start(need.role, scope, w.parts)
			if err != nil {
				return r, err
			}
			all = append(all, p)
		}
	}
	if err := b.settled(ctx, scope, w); err != nil {
		return r, err
	}
	tell(all, "go")
	child.Pause(ctx, b.warm)
	before, err := b.look(all)
	if err != nil {
		return r, err
	}
	child.Pause(ctx, b.span)
	after, err := b.look(all)
	if err != nil || ctx.Err() != nil {
		return r, errors.Join(err, context.Cause(ctx))
	}
	return after.since(before), nil
}

func tell(all []*party, word string) {
	for _, p := range all {
		if p.role == submits {
			p.Tell(word)
		}
	}
}

// start starts a process.
func (b *bench) start(r role, scope string, parts int) (*party, error) {
	b.names++
	p := &party{role: r, name: fmt.Sprintf("%s%d-%s", r, b.names, filepath.Base(b.logs)), told: make(chan said, 1)}
	var err error
	p.Process, err = child.Start(child.Plan{
		Name: p.name, Mark: p.name, Log: filepath.Join(b.logs, p.name+".log"),
		Args: []string{b.self, string(r), "-zk", strings.Join(b.zk.Addrs(), ","), "-name", p.name, "-scope", scope, "-parts", strconv.Itoa(parts), "-callers", strconv.Itoa(b.callers)},
		Hear: func(line []byte) {
			var s said
			if json.Unmarshal(line, &s) == nil {
				p.told <- s
			}
		},
	})
	return p, err
}

// settled waits until all dispatch and work that are to.
func (b *bench) settled(ctx context.Context, scope string, w way) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	q, err := task.Open(b.n, scope, task.Config{NoDispatch: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer q.Close(context.Background())
	for {
		s, err := q.Status(ctx)
		if err != nil {
			return err
		}
		loads, even, greeted := make(map[string]int), true, 0
		for _, p := range s.Parts {
			loads[p.Dispatcher]++
		}
		for _, n := range loads {
			even = even && n >= w.parts/w.nodes && n <= (w.parts+w.nodes-1)/w.nodes
		}
		for _, of := range s.Workers {
			if of.Greeted && of.Slots >= 256 {
				greeted++
			}
		}
		if greeted == b.workers && even && (w.parts == 1 || len(loads) == w.nodes) {
			return nil
		}
		child.Pause(ctx, 50*time.Millisecond)
	}
}
