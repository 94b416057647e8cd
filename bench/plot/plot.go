// Package plot draws the two kinds of picture the bench needs, as SVG: dots on
// rows, and lines. All scales are logarithmic.
package plot

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"slices"
	"strconv"
)

const (
	width  = 820
	right  = 20
	grid   = "#dddddd"
	ink    = "#333333"
	family = "sans-serif"
)

var colours = []string{"#c23b22", "#1f6feb", "#d9822b", "#7b3fa0", "#5a8f3c", "#b48ad0", "#666666", "#0b9e9e"}

// ours is the colour of what is compared with the others.
const ours = "#0b6e4f"

// canvas is an SVG document as it is written.
type canvas struct{ bytes.Buffer }

func newCanvas(height int) *canvas {
	c := &canvas{}
	c.add(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="%s" font-size="12">`, width, height, family)
	c.add(`<rect width="%d" height="%d" fill="#ffffff"/>`, width, height)
	return c
}

func (c *canvas) add(format string, args ...any) { fmt.Fprintf(c, format+"\n", args...) }

func (c *canvas) text(x, y float64, anchor, colour, text string) {
	c.add(`<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">%s</text>`, x, y, anchor, colour, html.EscapeString(text))
}

func (c *canvas) line(x1, y1, x2, y2 float64, colour string) {
	c.add(`<path d="M%.1f %.1fL%.1f %.1f" stroke="%s"/>`, x1, y1, x2, y2, colour)
}

func (c *canvas) dot(x, y float64, colour string) {
	c.add(`<circle cx="%.1f" cy="%.1f" r="4" fill="%s"/>`, x, y, colour)
}

// end is the document, with a line of small print.
func (c *canvas) end(height int, print string) []byte {
	c.text(12, float64(height-8), "start", "#777777", print)
	c.add("</svg>")
	return c.Bytes()
}

// scale maps values to a stretch of the canvas.
type scale struct{ low, high, from, to float64 }

// newScale takes in all values, to the next power of ten or its double or half.
func newScale(values []float64, from, to float64) scale {
	low, high := 1.0, 10.0
	if len(values) > 0 {
		low, high = slices.Min(values), slices.Max(values)
	}
	s := scale{step(low, math.Floor), step(high, math.Ceil), from, to}
	if s.low == s.high {
		s.high *= 10
	}
	return s
}

// step rounds to 1, 2 or 5 times a power of ten, down or up.
func step(v float64, round func(float64) float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	all := []float64{1, 2, 5, 10}
	if round(0.5) == 0 {
		slices.Reverse(all)
		for _, m := range all {
			if m*power <= v*(1+1e-9) {
				return m * power
			}
		}
	}
	for _, m := range all {
		if m*power >= v*(1-1e-9) {
			return m * power
		}
	}
	return v
}

func (s scale) at(v float64) float64 {
	v = min(max(v, s.low), s.high)
	return s.from + (s.to-s.from)*math.Log(v/s.low)/math.Log(s.high/s.low)
}

// ticks are powers of ten, and what is between them where there are few.
func (s scale) ticks() []float64 {
	between := []float64{1}
	switch decades := math.Log10(s.high / s.low); {
	case decades <= 2:
		between = []float64{1, 2, 5}
	case decades <= 4:
		between = []float64{1, 3}
	}
	var all []float64
	for power := math.Pow(10, math.Floor(math.Log10(s.low))); power <= s.high; power *= 10 {
		for _, m := range between {
			if v := m * power; v >= s.low*(1-1e-9) && v <= s.high*(1+1e-9) {
				all = append(all, v)
			}
		}
	}
	return all
}

// number is short: 300, 20k, 0.05.
func number(v float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if v >= unit.size*(1-1e-9) {
			return strconv.FormatFloat(v/unit.size, 'g', 3, 64) + unit.name
		}
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
