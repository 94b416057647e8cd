package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"conclave/bench/plot"
)

// point is what was measured at one size.
type point struct {
	size     int
	measures []measure
}

type measure struct {
	name  string // with its unit
	value float64
}

// medians are those of several runs of a study.
func medians(runs [][]point) []point {
	all := runs[0]
	for i, p := range all {
		for j := range p.measures {
			var values []float64
			for _, run := range runs {
				values = append(values, run[i].measures[j].value)
			}
			slices.Sort(values)
			p.measures[j].value = values[len(values)/2]
		}
	}
	return all
}

func (s study) table(points []point) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n| %s |", s.title, s.x)
	for _, m := range points[0].measures {
		fmt.Fprintf(&b, " %s |", m.name)
	}
	fmt.Fprintf(&b, "\n|--:|%s\n", strings.Repeat("--:|", len(points[0].measures)))
	for _, p := range points {
		fmt.Fprintf(&b, "| %d |", p.size)
		for _, m := range p.measures {
			fmt.Fprintf(&b, " %s |", figure(m.value))
		}
		b.WriteString("\n")
	}
	row := func(name string, points []point) {
		fmt.Fprintf(&b, "| %s |", name)
		for _, line := range lines(points) {
			fmt.Fprintf(&b, " %.2f |", exponent(line.X, line.Y))
		}
		b.WriteString("\n")
	}
	row("exponent", points)
	row("of the last two", points[max(0, len(points)-2):])
	return b.String()
}

func (s study) picture(where string, points []point) []byte {
	all := lines(points)
	for i, line := range all {
		all[i].Name = fmt.Sprintf("%s: grows as %s to the power of %.2f", line.Name, s.x, exponent(line.X, line.Y))
	}
	return plot.Lines(s.title, s.x, "each in the unit of its line", where, all)
}

// lines are the measures, each at all sizes.
func lines(points []point) []plot.Series {
	all := make([]plot.Series, len(points[0].measures))
	for _, p := range points {
		for i, m := range p.measures {
			all[i].Name = m.name
			all[i].X = append(all[i].X, float64(p.size))
			all[i].Y = append(all[i].Y, m.value)
		}
	}
	return all
}

// exponent is the slope of the line that fits best where both axes are
// logarithmic: 0 costs the same at any size, 1 in proportion.
func exponent(x, y []float64) float64 {
	var n, sx, sy, sxx, sxy float64
	for i := range x {
		if y[i] <= 0 {
			continue
		}
		lx, ly := math.Log(x[i]), math.Log(y[i])
		n, sx, sy, sxx, sxy = n+1, sx+lx, sy+ly, sxx+lx*lx, sxy+lx*ly
	}
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}

func figure(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}
