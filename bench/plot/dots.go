package plot

// Row is a line of dots.
type Row struct {
	Label string
	Dots  []Dot
}

// Dot is a value on a row. Dots of one name have one colour.
type Dot struct {
	Name  string
	Value float64
}

// Dots draws rows of ratios. At 1 stands what they are ratios to.
func Dots(title, at1, print string, rows []Row) []byte {
	const left, top, tall = 230, 74, 24
	height := top + tall*len(rows) + 44
	c := newCanvas(height)
	c.text(12, 20, "start", ink, title)
	values := []float64{0.5, 2}
	names := map[string]string{}
	x := 12.0
	for _, r := range rows {
		for _, d := range r.Dots {
			values = append(values, d.Value)
			if names[d.Name] == "" {
				colour := colours[len(names)%len(colours)]
				names[d.Name] = colour
				c.dot(x, 38, colour)
				c.text(x+9, 42, "start", ink, d.Name)
				x += 24 + 7.2*float64(len(d.Name))
			}
		}
	}
	s := newScale(values, left, width-right)
	bottom := float64(top + tall*len(rows))
	for _, v := range s.ticks() {
		c.line(s.at(v), top, s.at(v), bottom, grid)
		c.text(s.at(v), bottom+16, "middle", ink, number(v)+" ×")
	}
	row := func(i int) float64 { return top + tall*(float64(i)+0.5) }
	for i, r := range rows {
		c.text(left-10, row(i)+4, "end", ink, r.Label)
		c.line(left, row(i), width-right, row(i), "#eeeeee")
	}
	c.add(`<path d="M%.1f %dV%.1f" stroke="%s" stroke-width="3"/>`, s.at(1), top-6, bottom, ours)
	c.text(s.at(1), top-12, "middle", ours, at1)
	for i, r := range rows {
		for _, d := range r.Dots {
			c.dot(s.at(d.Value), row(i), names[d.Name])
		}
	}
	return c.end(height, print)
}
