package main

import (
	"fmt"

	"conclave/bench/plot"
)

// picture shows every figure of every peer beside ours.
func picture(machine string, tables []*table) []byte {
	var rows []plot.Row
	for _, t := range tables {
		for _, m := range t.w.metrics {
			who, mine := t.best(m, group{has: func(c *contender) bool { return c.kind == ours }})
			if who == nil {
				continue
			}
			row := plot.Row{Label: fmt.Sprintf("%s %s (%s %s)", t.w.name, m.name, figure(mine), m.unit)}
			for _, c := range t.w.contenders {
				if v := m.factor(t.median(c, m), mine); c.kind == peer && known(v) > 0 {
					row.Dots = append(row.Dots, plot.Dot{Name: c.name, Value: v})
				}
			}
			rows = append(rows, row)
		}
	}
	return plot.Dots("How many times as good as Conclave, on the same work in the same run: left of the line is behind", "Conclave", machine, rows)
}
