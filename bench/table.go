package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// table is what all runs of a workload gave.
type table struct {
	w        *workload
	n        int
	outcomes [][]outcome // by contender, then by run
	failed   bool
}

// String is the table in Markdown.
func (t *table) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s: %s (%d)\n\n|", t.w.name, t.w.what, t.n)
	rule := "|---|"
	fmt.Fprint(&b, " |")
	for _, m := range t.w.metrics {
		fmt.Fprintf(&b, " %s, %s | from, to | of best peer |", m.name, m.unit)
		rule += "--:|--:|--:|"
	}
	fmt.Fprintf(&b, " CPU, µs each | peak RSS, MiB | lost |\n%s--:|--:|--:|\n", rule)
	for i, c := range t.w.contenders {
		fmt.Fprintf(&b, "| %s |", c.name)
		for _, m := range t.w.metrics {
			all := t.figures(i, m)
			if len(all) == 0 {
				fmt.Fprint(&b, " – | – | – |")
				continue
			}
			fmt.Fprintf(&b, " %s | %s, %s | %s |", figure(median(all)), figure(all[0]), figure(all[len(all)-1]), t.ratio(i, m))
		}
		fmt.Fprintf(&b, " %s | %s | %s |\n", t.cpu(i), t.memory(i), t.lost(i))
	}
	return b.String()
}

// figures are those of the runs that ended, in order.
func (t *table) figures(i int, m metric) []float64 {
	return t.each(i, func(o outcome) (float64, bool) {
		v, ok := o.values[m.name]
		return v / m.scale, ok
	})
}

func (t *table) each(i int, f func(outcome) (float64, bool)) []float64 {
	var all []float64
	for _, o := range t.outcomes[i] {
		if o.err != nil {
			continue
		}
		if v, ok := f(o); ok {
			all = append(all, v)
		}
	}
	slices.Sort(all)
	return all
}

// ratio says how many times as good as the best peer a contender is, whether
// more or less is better.
func (t *table) ratio(i int, m metric) string {
	best := math.NaN()
	for j, c := range t.w.contenders {
		if c.kind != peer {
			continue
		}
		if v := median(t.figures(j, m)); math.IsNaN(best) || (v < best) == m.less {
			best = v
		}
	}
	v := median(t.figures(i, m)) / best
	if m.less {
		v = 1 / v
	}
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf("%.2f ×", v)
}

// cpu is the time of all processes together, for each message.
func (t *table) cpu(i int) string {
	all := t.each(i, func(o outcome) (float64, bool) {
		sum := 0.0
		for _, s := range o.sides {
			sum += s.CPU
		}
		return sum * 1e6 / o.values["got"], o.values["got"] > 0
	})
	return figure(median(all))
}

// memory is the median peak of each process, in the order of the roles.
func (t *table) memory(i int) string {
	var parts []string
	roles := t.w.roles(t.w.contenders[i])
	for j, r := range roles {
		all := t.each(i, func(o outcome) (float64, bool) { return o.sides[j].PeakKB / 1024, true })
		part := "–"
		if len(all) > 0 {
			part = fmt.Sprintf("%.0f", median(all))
		}
		if len(roles) > 1 {
			part = r.name + " " + part
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// lost is what was sent and did not arrive, in the worst run.
func (t *table) lost(i int) string {
	all := t.each(i, func(o outcome) (float64, bool) { return o.values["sent"] - o.values["got"], true })
	failed := len(t.outcomes[i]) - len(all)
	switch {
	case failed > 0:
		return fmt.Sprintf("%d runs failed", failed)
	case all[len(all)-1] != 0:
		return fmt.Sprintf("**%.0f**", all[len(all)-1])
	}
	return "0"
}

// median is that of a sorted list, NaN of none.
func median(all []float64) float64 {
	n := len(all)
	if n == 0 {
		return math.NaN()
	}
	return (all[(n-1)/2] + all[n/2]) / 2
}

// figure is a number with three digits that count.
func figure(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return "–"
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
