package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"
)

// soak is the whole run.
func soak(ctx context.Context, o options) int {
	fmt.Fprintf(o.out, "seed %d; %v in rounds of %v with %d visitors and %d callers; %s, %d processors\n",
		o.seed, o.length, o.round, o.visitors, o.callers, runtime.Version(), runtime.GOMAXPROCS(0))
	if o.dir != "" {
		if err := os.MkdirAll(o.dir, 0o755); err != nil {
			fmt.Fprintln(os.Stderr, "soak:", err)
			return 2
		}
	}
	w, err := build(ctx, o)
	if err != nil {
		if w != nil {
			w.tearDown()
		}
		fmt.Fprintln(os.Stderr, "soak:", err)
		return 2
	}
	samples := w.load()
	w.tearDown()
	return w.verdict(samples)
}

// load lets round follow round until the time is over.
func (w *world) load() []sample {
	began := time.Now()
	samples := []sample{w.rest(began)}
	w.line(samples[0], "at first")
	for n := 1; time.Since(began) < w.o.length && w.ctx.Err() == nil; n++ {
		used, at := processor(), time.Now()
		if !w.newRound(n).run() {
			w.profile("hanging")
			fmt.Fprintln(w.o.out, "the goroutines:", goroutines())
			break
		}
		cores := float64(processor()-used) / float64(time.Since(at))
		s := w.rest(began)
		samples = append(samples, s)
		w.line(s, fmt.Sprintf("round %d, %.2f processors", n, cores))
		if n == warmUp(samples) {
			w.profile("early")
		}
	}
	w.profile("late")
	if w.ctx.Err() != nil && !errors.Is(w.ctx.Err(), context.DeadlineExceeded) {
		w.tally.blame("it was interrupted after %v", time.Since(began).Round(time.Second))
	}
	return samples
}

func (w *world) line(s sample, what string) {
	w.tally.mu.Lock()
	wrongs := w.tally.wrongs
	w.tally.mu.Unlock()
	if wrongs > 0 {
		what += fmt.Sprintf("; %d WRONG", wrongs)
	}
	fmt.Fprintf(w.o.out, "%8s  heap %6.2f MiB in %6d objects, RSS %4d MiB, %3d goroutines, %2d runners, %2d peers, %2d processes, %2d descriptors  (%s)\n",
		s.At.Round(time.Second), mib(s.Heap), s.Objects, s.RSS>>20, s.Goroutines, s.Runners, s.Peers, s.Processes, s.Descriptors, what)
}

func mib[N int64 | uint64](n N) float64 { return float64(n) / (1 << 20) }
