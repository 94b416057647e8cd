//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"conclave/internal/child"
	"conclave/internal/ordeal"
)

// run is the whole run.
func run(ctx context.Context, o options) int {
	w, err := build(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "partrun:", err)
		return 2
	}
	defer w.Close()
	fmt.Printf("seed %d, T = %v, tick = %v, %d to %d members, %d parts, about %v messages a second; what is recorded is in %s\n",
		w.seed, w.Session, w.Tick, fewest, w.most, w.parts, w.rate, w.Dir)
	if !w.Recovered(ctx, w.settled) {
		fmt.Fprintf(os.Stderr, "partrun: the members did not come up (%s); their logs are in %s\n", w.state(), w.Dir)
		return 2
	}
	began := time.Now()
	w.chaos(ctx)
	w.end(context.WithoutCancel(ctx))
	if !w.verdict(time.Since(began)) {
		fmt.Printf("DID NOT HOLD; seed %d; what was recorded is in %s\n", w.seed, w.Dir)
		return 1
	}
	w.Forget()
	return 0
}

// chaos lets things happen until the time is over.
func (w *world) chaos(ctx context.Context) {
	began := time.Now()
	told := began
	pause := func(d time.Duration) { child.Pause(ctx, d) }
	for time.Since(began) < w.length && ctx.Err() == nil {
		w.round(pause)
		// Now and then the next comes before all have recovered from this one.
		if w.r.IntN(3) > 0 && !w.recover(ctx) {
			return
		}
		if time.Since(told) >= time.Minute {
			told = time.Now()
			w.tell(time.Since(began))
		}
	}
}

// recover mends ZooKeeper and waits until everything is as it should be.
func (w *world) recover(ctx context.Context) bool {
	if err := w.ZK.Mend(); err != nil {
		w.Blame("%v", err)
		return false
	}
	if !w.Recovered(ctx, func() bool { w.revive(); return w.settled() }) {
		if ctx.Err() == nil {
			w.Blame("%v after all was mended: %s", ordeal.Recovery, w.state())
		}
		return false
	}
	child.Pause(ctx, w.Between(w.r, 0, 0.3))
	return true
}

// end mends all, has everybody come to rest, and then leave in order.
func (w *world) end(ctx context.Context) {
	w.recover(ctx)
	for _, at := range w.Places {
		if at.P.Alive() {
			if at == w.guests {
				at.P.Doom()
			}
			at.P.Tell("hush")
		}
	}
	child.Pause(ctx, w.Session)
	w.Leave(ctx)
	w.logs()
}

// tell is the line of each minute.
func (w *world) tell(since time.Duration) {
	failures := 0
	for _, n := range w.past {
		failures += n
	}
	_, owned := w.owners()
	fmt.Printf("%7s  %d messages sent, %d taken; %d failures, %d of them kills; %d members, %d of %d parts owned\n",
		since.Round(time.Second), w.sent.Load(), w.took.Load(), failures, w.kills, w.count(), owned, w.parts)
}

// logs blames what the members' logs tell of races and panics.
func (w *world) logs() {
	files, _ := filepath.Glob(filepath.Join(w.Dir, "*.log"))
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			w.Blame("%v", err)
		}
		for _, bad := range []string{"DATA RACE", "panic: ", "panicked", "fatal error: "} {
			if bytes.Contains(text, []byte(bad)) {
				w.Blame("%s in %s", bad, path)
			}
		}
	}
}

// happened tells what did.
func (w *world) happened() {
	total, runs := 0, 0
	for _, kind := range slices.Sorted(maps.Keys(w.past)) {
		fmt.Printf("%5d  %s\n", w.past[kind], kind)
		total += w.past[kind]
	}
	for _, at := range w.members {
		runs += at.Runs
	}
	starved, longest := w.Starved()
	fmt.Printf("%d failures, %d members killed; %d runs of members; the machine kept the driver waiting for %v in all, %v at most\n",
		total, w.kills, runs, starved.Round(time.Second), longest.Round(time.Millisecond))
}
