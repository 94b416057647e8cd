//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"conclave/internal/figures"
)

// report tells the median of each, and how far the rates are apart.
func report(to io.Writer, set settings, ways []way, results [][]result) {
	fmt.Fprintf(to, "%s\n%d rounds of %v by turns, after %v each; %d submitters with %d callers each, %d workers, each a process\n\n",
		figures.Machine(), set.rounds, set.span, set.warm, set.submitters, set.callers, set.workers)
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\ttasks/s\tleast\tmost\tto one\tbusiest dispatching process:\ttasks/s at\tdispatchers\tworkers\tsubmitters\tZooKeeper\ttransactions\t")
	fmt.Fprintln(t, "\tmedian\t\t\tdispatcher\tof a core\ta whole one\tms of CPU for 1,000 tasks\t\t\t\tfor a task\t")
	one := middle(results[0], func(r result) float64 { return r.rate })
	for i, w := range ways {
		all := results[i]
		rate := middle(all, func(r result) float64 { return r.rate })
		least, most := all[0].rate, all[0].rate
		for _, r := range all {
			least, most = min(least, r.rate), max(most, r.rate)
		}
		of := func(role role) float64 { return middle(all, func(r result) float64 { return r.cpu[role] }) }
		fmt.Fprintf(t, "%s\t%.0f\t%.0f\t%.0f\t%.2f\t%.0f %%\t%.0f\t%.1f\t%.1f\t%.1f\t%.1f\t%.3f\t\n", w.name, rate, least, most, rate/one,
			100*middle(all, func(r result) float64 { return r.busiest }), middle(all, result.atACore), of(dispatches), of(works), of(submits),
			middle(all, func(r result) float64 { return r.zk }), middle(all, func(r result) float64 { return r.transactions }))
	}
	t.Flush()
}

// middle is the median.
func middle(all []result, of func(result) float64) float64 {
	values := make([]float64, len(all))
	for i, r := range all {
		values[i] = of(r)
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
