package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// warmUp is how many samples come before memory is expected to be flat: the first,
// and those of a minute, for which nodes remember peers that have gone.
func warmUp(samples []sample) int {
	n := 1
	for n < len(samples) && samples[n].At < samples[0].At+66e9 {
		n++
	}
	return n
}

// enough samples after the warm-up make quarters that can be compared.
const enough = 8

// growth says what the last quarter of the samples has more of than the first.
func growth(samples []sample) (grown []string, first, last sample, judged bool) {
	samples = samples[min(warmUp(samples), len(samples)):]
	if len(samples) < enough {
		return nil, first, last, false
	}
	quarter := len(samples) / 4
	first, last = median(samples[:quarter]), median(samples[len(samples)-quarter:])
	grew := func(what string, from, to, most int64) {
		if to > most {
			grown = append(grown, fmt.Sprintf("%s: from %d to %d, more than %d", what, from, to, most))
		}
	}
	grew("goroutines", int64(first.Goroutines), int64(last.Goroutines), int64(first.Goroutines)+2)
	grew("runners", int64(last.Runners), int64(last.Runners), homes*maxRunners)
	grew("peers", int64(first.Peers), int64(last.Peers), int64(first.Peers)*3/2+6)
	grew("processes", int64(first.Processes), int64(last.Processes), int64(first.Processes))
	grew("descriptors", int64(first.Descriptors), int64(last.Descriptors), int64(first.Descriptors)+2)
	grew("bytes of heap", int64(first.Heap), int64(last.Heap), int64(first.Heap)*11/10+2<<20)
	grew("objects", int64(first.Objects), int64(last.Objects), int64(first.Objects)*11/10+5000)
	grew("bytes of RSS", first.RSS, last.RSS, first.RSS*5/4+8<<20)
	if len(grown) > 0 {
		for what, n := range last.groups {
			if n > first.groups[what] && !strings.Contains(what, peerLoop) && !strings.Contains(what, runner) {
				grown = append(grown, fmt.Sprintf("%d goroutines, and %d at first, in %s", n, first.groups[what], what))
			}
		}
	}
	return grown, first, last, true
}

// maxRunners is how many sleeping runners a node may keep (actor/runners.go).
const maxRunners = 32

// median is the one of each figure on its own; the goroutines are those of the last.
func median(samples []sample) sample {
	m := samples[len(samples)-1]
	m.Heap = middle(samples, func(s sample) uint64 { return s.Heap })
	m.Objects = middle(samples, func(s sample) uint64 { return s.Objects })
	m.RSS = middle(samples, func(s sample) int64 { return s.RSS })
	m.Goroutines = middle(samples, func(s sample) int { return s.Goroutines })
	m.Runners = middle(samples, func(s sample) int { return s.Runners })
	m.Peers = middle(samples, func(s sample) int { return s.Peers })
	m.Processes = middle(samples, func(s sample) int { return s.Processes })
	m.Descriptors = middle(samples, func(s sample) int { return s.Descriptors })
	return m
}

func middle[N int | int64 | uint64](samples []sample, of func(sample) N) N {
	var all []N
	for _, s := range samples {
		all = append(all, of(s))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// leftover says what is more after a round than before the first: where there are
// too few rounds to compare, what is counted exactly must be as it was.
func leftover(samples []sample) (more []string) {
	before, after := samples[0], samples[len(samples)-1]
	if after.Goroutines > before.Goroutines+2 {
		more = append(more, fmt.Sprintf("goroutines: from %d to %d", before.Goroutines, after.Goroutines))
		for what, n := range after.groups {
			if n > before.groups[what] && !strings.Contains(what, peerLoop) && !strings.Contains(what, runner) {
				more = append(more, fmt.Sprintf("%d goroutines, and %d at first, in %s", n, before.groups[what], what))
			}
		}
	}
	if after.Processes > before.Processes {
		more = append(more, fmt.Sprintf("processes: from %d to %d", before.Processes, after.Processes))
	}
	if after.Descriptors > before.Descriptors+2 {
		more = append(more, fmt.Sprintf("descriptors: from %d to %d", before.Descriptors, after.Descriptors))
	}
	return more
}

// verdict tells what the run has shown, and is the exit code.
func (w *world) verdict(samples []sample) int {
	t := w.tally
	p := func(format string, args ...any) { fmt.Fprintf(w.o.out, format+"\n", args...) }
	v := t.mail
	p("\nMail of pairs: %s", v)
	if v.Orphaned > v.Unasked+v.Ended { // what came to a visitor that left is not asked for either
		t.blame("%d messages came that nobody asked for, of %d", v.Orphaned, v.Unasked+v.Ended)
	}
	if v.Received+v.Lost != v.Sent || v.Sent == 0 {
		t.blame("of %d messages of pairs %d were received and %d lost", v.Sent, v.Received, v.Lost)
	}
	for _, what := range slices.Sorted(maps.Keys(t.counts)) {
		p("%10d  %s", t.counts[what], what)
	}
	musts := []string{
		"calls, answered", "spawns", "ends told of", "timers", "ticks", "children started", "dead letters told of",
		"messages to a service, received", "messages to a global, read", "calls to a global, answered",
	}
	if w.o.length >= time.Minute { // in less it may be fair all the time
		musts = append(musts, "cuts", "stalls", "transfers")
	}
	for _, must := range musts {
		if t.counts[must] == 0 {
			t.blame("there were no %s", must)
		}
	}
	end := samples[len(samples)-1]
	grown, first, last, judged := growth(samples)
	if !judged {
		grown, first, last = leftover(samples), samples[0], end
	}
	p("\n%-12s %12s %12s", "at rest", "first", "last")
	row := func(what string, first, last any) { p("%-12s %12v %12v", what, first, last) }
	row("heap, MiB", fmt.Sprintf("%.2f", mib(first.Heap)), fmt.Sprintf("%.2f", mib(last.Heap)))
	row("objects", first.Objects, last.Objects)
	row("RSS, MiB", first.RSS>>20, last.RSS>>20)
	row("goroutines", first.Goroutines, last.Goroutines)
	row("runners", first.Runners, last.Runners)
	row("peers", first.Peers, last.Peers)
	row("processes", first.Processes, last.Processes)
	row("descriptors", first.Descriptors, last.Descriptors)
	p("peak RSS %d MiB, %v of processors in %v", end.Peak>>20, processor().Round(1e9), end.At.Round(1e9))
	if judged {
		p("(medians of the first and the last quarter of %d samples, after the warm-up)\n", len(samples)-warmUp(samples))
	} else {
		p("(too few rounds for more than what is counted exactly: before the first and after the last)\n")
	}
	for _, what := range t.wrong {
		p("WRONG: %s", what)
	}
	if t.wrongs > len(t.wrong) {
		p("and %d more", t.wrongs-len(t.wrong))
	}
	for _, what := range grown {
		p("NOT FLAT: %s", what)
	}
	if t.wrongs > 0 || len(grown) > 0 {
		p("DID NOT HOLD; seed %d", w.o.seed)
		return 1
	}
	p("HELD and FLAT: no message lost that its sender was not told of, none twice or out of order, nothing grows")
	return 0
}
