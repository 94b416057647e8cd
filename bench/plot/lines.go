package plot

import (
	"fmt"
	"strings"
)

// Series is a line through points, in the order of X.
type Series struct {
	Name string
	X, Y []float64
}

// Lines draws how Y grows with X.
func Lines(title, x, y, print string, all []Series) []byte {
	const left, top, floor = 70, 58, 350
	height := floor + 50 + 18*len(all) + 24
	c := newCanvas(height)
	c.text(12, 20, "start", ink, title)
	var xs, ys []float64
	for _, s := range all {
		xs, ys = append(xs, s.X...), append(ys, s.Y...)
	}
	across, up := newScale(xs, left, width-right), newScale(ys, floor, top)
	for _, v := range across.ticks() {
		c.line(across.at(v), top, across.at(v), floor, grid)
		c.text(across.at(v), floor+16, "middle", ink, number(v))
	}
	for _, v := range up.ticks() {
		c.line(left, up.at(v), width-right, up.at(v), grid)
		c.text(left-6, up.at(v)+4, "end", ink, number(v))
	}
	c.text((left+width-right)/2, floor+34, "middle", ink, x)
	c.text(left, top-10, "start", "#777777", y)
	for i, s := range all {
		colour := colours[i%len(colours)]
		var path strings.Builder
		for j := range s.X {
			px, py := across.at(s.X[j]), up.at(s.Y[j])
			command := "L"
			if j == 0 {
				command = "M"
			}
			fmt.Fprintf(&path, "%s%.1f %.1f", command, px, py)
			c.dot(px, py, colour)
		}
		c.add(`<path fill="none" stroke="%s" stroke-width="2" d="%s"/>`, colour, path.String())
		at := float64(floor + 50 + 18*i)
		c.dot(left, at, colour)
		c.text(left+12, at+4, "start", ink, s.Name)
	}
	return c.end(height, print)
}
