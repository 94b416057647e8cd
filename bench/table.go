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
	outcomes map[*contender][]outcome
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
	for _, c := range t.w.contenders {
		fmt.Fprintf(&b, "| %s |", c.name)
		for _, m := range t.w.metrics {
			all := t.figures(c, m)
			if len(all) == 0 {
				fmt.Fprint(&b, " – | – | – |")
				continue
			}
			_, best := t.best(m, peers)
			fmt.Fprintf(&b, " %s | %s, %s | %s |", figure(median(all)), figure(all[0]), figure(all[len(all)-1]), times(m.factor(median(all), best)))
		}
		fmt.Fprintf(&b, " %s | %s | %s |\n", figure(t.cpu(c)), t.memory(c), t.lost(c))
	}
	return b.String()
}

// figures are those of the runs that ended, in order.
func (t *table) figures(c *contender, m metric) []float64 {
	return t.each(c, func(o outcome) (float64, bool) {
		v, ok := o.values[m.name]
		return v / m.scale, ok
	})
}

func (t *table) median(c *contender, m metric) float64 { return median(t.figures(c, m)) }

// best is the best median of a group, NaN if none of it has one.
func (t *table) best(m metric, g group) (who *contender, best float64) {
	best = math.NaN()
	for _, c := range t.w.contenders {
		if v := t.median(c, m); g.has(c) && !math.IsNaN(v) && (who == nil || m.factor(v, best) > 1) {
			who, best = c, v
		}
	}
	return who, best
}

func (t *table) each(c *contender, f func(outcome) (float64, bool)) []float64 {
	var all []float64
	for _, o := range t.outcomes[c] {
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

// cpu is the time of all processes together, for each message, in microseconds.
func (t *table) cpu(c *contender) float64 {
	return median(t.each(c, func(o outcome) (float64, bool) {
		sum := 0.0
		for _, s := range o.sides {
			sum += s.CPU
		}
		return sum * 1e6 / o.values["got"], o.values["got"] > 0
	}))
}

// peak is the median of a process's peak memory, in MiB.
func (t *table) peak(c *contender, role string) float64 {
	return median(t.each(c, func(o outcome) (float64, bool) {
		kb, ok := o.values["peak "+role]
		return kb / 1024, ok
	}))
}

// memory is the peak of each process, in the order of the roles.
func (t *table) memory(c *contender) string {
	var parts []string
	roles := t.w.roles(c)
	for _, r := range roles {
		part := "–"
		if v := t.peak(c, r.name); !math.IsNaN(v) {
			part = fmt.Sprintf("%.0f", v)
		}
		if len(roles) > 1 {
			part = r.name + " " + part
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// lost is what was sent and did not arrive, in the worst run.
func (t *table) lost(c *contender) string {
	all := t.each(c, func(o outcome) (float64, bool) { return o.values["sent"] - o.values["got"], true })
	failed := len(t.outcomes[c]) - len(all)
	switch {
	case failed > 0:
		return fmt.Sprintf("%d runs failed", failed)
	case len(all) > 0 && all[len(all)-1] != 0:
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

// times is a ratio.
func times(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	if v < 0.1 {
		return fmt.Sprintf("%.2g ×", v)
	}
	return fmt.Sprintf("%.2f ×", v)
}
