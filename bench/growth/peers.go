package main

import (
	"runtime"
	"slices"
	"sync"
	"time"

	"conclave/actor"
	"conclave/bench/child"
)

// peers makes a node talk to 1, 10 and 100 others in turn.
func peers(quick bool) (all []point) {
	for _, n := range []int{1, 10, 100} {
		if quick && n > 10 {
			break
		}
		all = append(all, withPeers(n))
	}
	return all
}

func withPeers(peers int) point {
	const messages, calls = 200_000, 5_000
	c := newCluster(1)
	defer c.stop()
	var came sync.WaitGroup
	var to []actor.PID
	for range peers {
		to = append(to, sink(c.add(), came.Done))
	}
	hub := c.nodes[0]
	before, routines := child.InUse(), runtime.NumGoroutine()
	call := func(p *actor.Process, to actor.PID) time.Duration {
		came.Add(1)
		start := time.Now()
		_, err := actor.Call[bool](p, to, "")
		child.Check(err)
		return time.Since(start)
	}
	var first, later []time.Duration
	inProcess(hub, func(p *actor.Process) {
		for _, pid := range to {
			first = append(first, call(p, pid))
		}
		for i := range calls {
			later = append(later, call(p, to[i%peers]))
		}
	})
	memory, more := child.InUse()-before, runtime.NumGoroutine()-routines
	body := make([]byte, child.Small)
	came.Add(messages)
	took := cpu(messages, func() {
		inProcess(hub, func(p *actor.Process) {
			for i := range messages {
				child.Check(p.Send(to[i%peers], body))
			}
		})
		came.Wait()
	})
	return point{peers, []measure{
		{"send to each in turn, µs of CPU", took},
		{"round trip, p50, µs", middle(later)},
		{"first message, which makes the link, p50, µs", middle(first)},
		{"a link, both ends, KiB", memory / 1024 / float64(peers)},
		{"goroutines of a link, both ends", float64(more) / float64(peers)},
	}}
}

func middle(all []time.Duration) float64 {
	slices.Sort(all)
	return float64(all[len(all)/2].Nanoseconds()) / 1e3
}
