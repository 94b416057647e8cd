package main

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"time"

	"conclave/internal/figures"
)

// report prints what was measured on one site.
func report(w io.Writer, version string, all []*series) {
	fmt.Fprintf(w, "%s\n%s\n", figures.Machine(), version)
	fmt.Fprintf(w, "%-32s %5s %9s %9s %9s %9s %9s\n", "", "runs", "min", "median", "p99", "max", "bound")
	for _, s := range all {
		bound := ""
		if s.bound > 0 {
			bound = figures.Short(s.bound)
			if s.quantile(1) > s.bound {
				bound += " EXCEEDED"
			}
		}
		fmt.Fprintf(w, "%-32s %5d %9s %9s %9s %9s %9s\n", s.kind, len(s.took),
			figures.Short(s.quantile(0)), figures.Short(s.quantile(0.5)), figures.Short(s.quantile(0.99)), figures.Short(s.quantile(1)), bound)
	}
	fmt.Fprintln(w)
}

// The picture: for each series, how many of all fail-overs were over after how
// long. Time is logarithmic, from a millisecond to 20 seconds.
const (
	width, height = 760, 330
	left, right   = 56, 20
	top, bottom   = 24, 44
	shortest      = time.Millisecond
	longest       = 20 * time.Second
)

var colours = []string{"#0b6e4f", "#1f6feb", "#d9822b", "#c23b22", "#7b3fa0", "#5a8f3c", "#6aa5f7", "#e8b06a", "#e08a78", "#b48ad0"}

func x(d time.Duration) float64 {
	d = min(max(d, shortest), longest)
	return left + (width-left-right)*math.Log(float64(d)/float64(shortest))/math.Log(float64(longest)/float64(shortest))
}

func y(fraction float64) float64 { return height - bottom - (height-top-bottom)*fraction }

// draw makes the picture as SVG.
func draw(all []*series) []byte {
	var b bytes.Buffer
	tall := height + 18*len(all) + 30
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, tall)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, tall)
	for _, d := range []time.Duration{time.Millisecond, 3 * time.Millisecond, 10 * time.Millisecond, 30 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond, time.Second, 4 * time.Second, 10 * time.Second} {
		fmt.Fprintf(&b, `<path d="M%.1f %.1fV%.1f" stroke="#dddddd"/><text x="%.1f" y="%d" text-anchor="middle" fill="#444444">%v</text>`+"\n", x(d), y(0), y(1), x(d), height-bottom+16, d)
	}
	for _, f := range []float64{0, 0.5, 0.99} {
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="#dddddd"/><text x="%d" y="%.1f" text-anchor="end" fill="#444444">%g %%</text>`+"\n", left, y(f), width-right, left-6, y(f)+4, f*100)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" fill="#444444">from the signal to the next holder's code</text>`+"\n", left, height-8)
	for i, s := range all {
		colour := colours[i%len(colours)]
		fmt.Fprintf(&b, `<path fill="none" stroke="%s" stroke-width="2" d="M%.1f %.1f`, colour, x(s.quantile(0)), y(0))
		n := len(s.took)
		for k := range n {
			at := x(s.quantile(float64(k+1) / float64(n)))
			fmt.Fprintf(&b, "H%.1fV%.1f", at, y(float64(k+1)/float64(n)))
		}
		b.WriteString("\"/>\n")
		if s.bound > 0 {
			fmt.Fprintf(&b, `<path stroke="%s" stroke-dasharray="4 3" d="M%.1f %.1fV%.1f"/>`+"\n", colour, x(s.bound), y(0), y(1))
		}
		row := height + 18*i + 10
		text := fmt.Sprintf("%s: %s, median %s, longest %s", s.on, s.kind, figures.Short(s.quantile(0.5)), figures.Short(s.quantile(1)))
		if s.bound > 0 {
			text += ", bound " + figures.Short(s.bound) + " (dashed)"
		}
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="14" height="4" fill="%s"/><text x="%d" y="%d" fill="#222222">%s</text>`+"\n", left, row, colour, left+22, row+6, text)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" fill="#666666">%s</text>`+"\n</svg>\n", left, tall-8, figures.Machine())
	return b.Bytes()
}
