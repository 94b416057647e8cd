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
