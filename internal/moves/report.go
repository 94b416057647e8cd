//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"conclave/internal/figures"
)

// series is what was measured of one kind of change.
type series struct {
	changes, moved, requests int
	pauses, took, calls      []time.Duration
}

func (s *series) add(b *bench, took time.Duration, requests int) {
	pauses, calls := b.take()
	s.calls = append(s.calls, calls...)
	s.changes++
	s.moved += len(pauses)
	s.requests += requests
	s.pauses = append(s.pauses, pauses...)
	s.took = append(s.took, took)
}

func report(set settings, join, leave, kill *series, failed map[string]int) {
	fmt.Printf("%s\n%d parts, %d members and one more, T = %v\n", figures.Machine(), set.parts, set.nodes, set.timeout)
	fmt.Printf("%-28s %7s %7s | %-33s | %-33s | %-22s | %s\n", "", "changes", "moves", "pause of a part: p50, p99, max", "first call of a key: p50, p99, max", "until balance: p50, max", "requests a move")
	for _, row := range []struct {
		what string
		s    *series
	}{{"a member comes", join}, {"leaves in order", leave}, {"is killed, with a guard", kill}} {
		s := row.s
		fmt.Printf("%-28s %7d %7d | %9s %9s %9s     | %9s %9s %9s      | %9s %9s    | %.1f\n", row.what, s.changes, s.moved,
			figures.Short(figures.Quantile(s.pauses, 0.5)), figures.Short(figures.Quantile(s.pauses, 0.99)), figures.Short(figures.Quantile(s.pauses, 1)),
			figures.Short(figures.Quantile(s.calls, 0.5)), figures.Short(figures.Quantile(s.calls, 0.99)), figures.Short(figures.Quantile(s.calls, 1)),
			figures.Short(figures.Quantile(s.took, 0.5)), figures.Short(figures.Quantile(s.took, 1)), float64(s.requests)/float64(max(s.moved, 1)))
	}
	for why, n := range failed {
		fmt.Printf("%d calls failed: %s\n", n, why)
	}
	fmt.Println("(until balance: from the start of the process that comes, which takes a while itself, and with the wait for others to come; requests: all of the time, heartbeats included)")
}

// wide measures a hundred members with 1,024 parts.
func (b *bench) wide(ctx context.Context) error {
	const processes, each = 4, 25
	b.set.parts = 1024
	began := time.Now()
	var all []*party
	for range processes {
		p, err := b.start(each)
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	at, err := b.balanced(ctx, all...)
	if err != nil {
		return err
	}
	fmt.Printf("%s\n%d parts, %d members in %d processes, T = %v: in balance after %s\n", figures.Machine(), b.set.parts, processes*each, processes, b.set.timeout, figures.Short(at.Sub(began)))
	if !rest(ctx, 20*time.Second) {
		return ctx.Err()
	}
	znodes, err := b.count("zk_znode_count")
	if err != nil {
		return err
	}
	watches, err := b.count("zk_watch_count")
	if err != nil {
		return err
	}
	const quiet = 30 * time.Second
	requests, cpu, memory, err := b.cost()
	if err != nil {
		return err
	}
	if !rest(ctx, quiet) {
		return ctx.Err()
	}
	requests2, cpu2, _, err := b.cost()
	if err != nil {
		return err
	}
	fmt.Printf("at rest: %d znodes, %d watches, %.0f requests a second, %.1f %% of a core, %d MiB resident\n",
		znodes, watches, float64(requests2-requests)/quiet.Seconds(), 100*(cpu2-cpu).Seconds()/quiet.Seconds(), memory>>20)
	b.take()
	began = time.Now()
	all[0].Tell("stop")
	if at, err = b.balanced(ctx, all[1:]...); err != nil {
		return err
	}
	requests3, cpu3, _, err := b.cost()
	if err != nil {
		return err
	}
	pauses, _ := b.take()
	fmt.Printf("%d of them leave, one after the other: %d moves in %s, pause of a part p50 %s, p99 %s, %.1f requests and %.2f ms of CPU a move\n",
		each, len(pauses), figures.Short(at.Sub(began)), figures.Short(figures.Quantile(pauses, 0.5)), figures.Short(figures.Quantile(pauses, 0.99)),
		float64(requests3-requests2)/float64(max(len(pauses), 1)), 1000*(cpu3-cpu2).Seconds()/float64(max(len(pauses), 1)))
	return nil
}

// cost is what ZooKeeper has taken so far.
func (b *bench) cost() (requests int, cpu time.Duration, resident int, err error) {
	if requests, err = b.requests(); err != nil {
		return
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", b.zk.Pid(0)))
	if err != nil {
		return
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	pages, _ := strconv.Atoi(fields[21])
	return requests, time.Duration(user+system) * 10 * time.Millisecond, pages * os.Getpagesize(), nil
}
