package cost

import (
	"testing"
)

var sum int

func work(n int) {
	for i := range n {
		sum += i * i
	}
}

func TestTwiceTheWorkIsTwiceTheCount(t *testing.T) {
	once, err := Instructions(func() { work(100_000) })
	if err != nil {
		t.Skip(err)
	}
	twice, err := Instructions(func() { work(200_000) })
	if err != nil {
		t.Fatal(err)
	}
	if r := float64(twice) / float64(once); r < 1.9 || r > 2.1 {
		t.Errorf("%d and %d instructions", once, twice)
	}
}
