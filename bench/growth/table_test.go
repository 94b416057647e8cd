package main

import (
	"math"
	"testing"
)

func TestExponentIsThatOfAPower(t *testing.T) {
	x := []float64{1, 10, 100, 1000}
	for _, want := range []float64{0, 0.5, 1, 2} {
		var y []float64
		for _, v := range x {
			y = append(y, 7*math.Pow(v, want))
		}
		if got := exponent(x, y); math.Abs(got-want) > 1e-9 {
			t.Errorf("7 x^%v has exponent %v", want, got)
		}
	}
}

func TestMedianIsTakenOfEachMeasure(t *testing.T) {
	run := func(a, b float64) []point { return []point{{1, []measure{{"a", a}, {"b", b}}}} }
	got := medians([][]point{run(1, 30), run(2, 20), run(9, 10)})[0].measures
	if got[0].value != 2 || got[1].value != 20 {
		t.Errorf("medians %v and %v, want 2 and 20", got[0].value, got[1].value)
	}
}
